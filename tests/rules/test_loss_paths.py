"""Where losses lead: policies without a path, objectives of the wrong sign, and what is in order."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

CODES = ("ART437", "ART438")


def bandit(seed=0, rows=600):
    torch.manual_seed(seed)
    context = torch.randn(rows, 6)
    pay = torch.tanh(context @ torch.randn(6, 3)) + 0.3 * torch.randn(rows, 3)
    return art.data(train=DataLoader(TensorDataset(context, pay), batch_size=50, shuffle=True))


class Policy(L.LightningModule):
    """Learns by the rewards of the actions that it draws."""

    score = "train/reward"

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))

    def objective(self, log_probability, advantage):
        return -(log_probability * advantage).mean()

    def training_step(self, batch, index):
        context, pay = batch
        policy = Categorical(logits=self.net(context))
        action = policy.sample()
        reward = pay.gather(1, action[:, None]).squeeze(1)
        self.log(self.score, reward.mean())
        return self.objective(policy.log_prob(action), reward - reward.mean()) - 0.01 * policy.entropy().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=5e-3)


class Ascends(Policy):
    def objective(self, log_probability, advantage):
        return (log_probability * advantage).mean()


class WithoutPath(Policy):
    def objective(self, log_probability, advantage):
        return -(log_probability.detach().exp() * advantage).mean()


class Denoiser(L.LightningModule):
    """Takes noise out of pictures and is judged by its signal-to-noise ratio."""

    sign = -1.0

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64))

    def training_step(self, batch, index):
        noisy, clean = batch
        psnr = -10 * torch.log10(F.mse_loss(self.net(noisy), clean))
        self.log("PSNR", psnr)
        return self.sign * psnr

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class WrongDenoiser(Denoiser):
    sign = 1.0


def pictures():
    clean = torch.tensor(load_digits().data[:600] / 16, dtype=torch.float32)
    return art.data(train=DataLoader(TensorDataset(clean + 0.3 * torch.randn_like(clean), clean), batch_size=60))


class Weighted(L.LightningModule):
    """A regression whose rows have weights; `cut` is where the graph is cut."""

    cut = False

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, index):
        prediction = self.net(batch["x"]).squeeze(1)
        errors = F.mse_loss(prediction, batch["y"], reduction="none")
        if self.cut:
            return (errors.detach() * batch["weight"]).mean() + 1e-4 * sum(p.square().sum() for p in self.parameters())
        return (errors * batch["weight"]).mean() + 1e-4 * sum(p.square().sum() for p in self.parameters())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2)


class CutWeighted(Weighted):
    cut = True


def patients():
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    rows = [{"x": a, "y": b, "weight": torch.rand(())} for a, b in zip(x, y, strict=True)]
    return art.data(train=DataLoader(rows, batch_size=40, shuffle=True))


class Far(Weighted):
    """The absolute error far from the targets: its gradient is the same whatever they are."""

    def training_step(self, batch, index):
        return F.l1_loss(self.net(batch["x"]).squeeze(1), batch["y"] + 100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_policy_that_learns_what_pays_least_is_told_to_turn_its_sign(judged, seed):
    found = judged(Ascends, bandit(seed), codes=CODES)
    assert list(found) == ["ART438"]
    one = found["ART438"]
    assert one.evidence["after"] < one.evidence["before"] < one.evidence["turned"]
    assert "turned" in one.confirmed_by
    assert "test_loss_paths" in one.where


def test_a_ratio_that_is_minimised_instead_of_raised(judged):
    assert list(judged(WrongDenoiser, pictures(), codes=CODES)) == ["ART438"]


def test_a_reward_times_a_detached_probability_teaches_nothing(judged):
    found = judged(WithoutPath, bandit(), codes=CODES)
    assert list(found) == ["ART437"]
    assert "batch[1]" in found["ART437"].message


def test_targets_and_weights_of_a_detached_error_teach_nothing(judged):
    assert list(judged(CutWeighted, patients(), codes=CODES)) == ["ART437"]


@pytest.mark.parametrize(
    ("model", "data"),
    [(Policy, bandit), (Denoiser, pictures), (Weighted, patients), (Far, patients)],
    ids=["policy", "denoiser", "weighted", "far"],
)
def test_what_is_in_order_is_not_accused(judged, model, data):
    assert not judged(model, data(), codes=CODES)


def test_a_reward_that_is_a_penalty_by_its_name_is_no_score(judged):
    """Only names whose direction nobody doubts count."""

    class Penalised(Ascends):
        score = "unrewarded"

    assert not judged(Penalised, bandit(), codes=CODES)
