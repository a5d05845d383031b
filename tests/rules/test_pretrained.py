"""What a backbone from elsewhere is given."""

from functools import cache

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.records import Severity

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y)
MEAN, STD = X.mean(), X.std()


def table():
    return nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU())


def images():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
    )


@cache
def learned(make):
    """Weights of a backbone that learned the first half of the digits, standardised."""
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        whole = nn.Sequential(make(), nn.LazyLinear(10))
        x = (X[:900] - MEAN) / STD
        whole(x[:2])
        optimizer = torch.optim.Adam(whole.parameters(), lr=3e-3)
        for _ in range(5):
            for rows in torch.randperm(900).split(60):
                loss = F.cross_entropy(whole(x[rows]), Y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return {name: one.clone() for name, one in whole[0].state_dict().items()}


class Net(L.LightningModule):
    make, width, frozen, rate = staticmethod(table), 32, True, 3e-3

    def __init__(self):
        super().__init__()
        self.backbone, self.head = self.loaded(), nn.Linear(self.width, 10)
        self.backbone.requires_grad_(not self.frozen)

    def loaded(self):
        backbone = self.make()
        backbone.load_state_dict(learned(self.make))
        return backbone

    def on_train_epoch_start(self):
        if self.frozen:
            self.backbone.eval()

    def training_step(self, batch, index):
        return F.cross_entropy(self.head(self.backbone(batch[0])), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam([one for one in self.parameters() if one.requires_grad], lr=self.rate)


class Images(Net):
    make, width = staticmethod(images), 72


class Copied(Images):
    """Copies weights and statistics without load_state_dict, which is declared."""

    def loaded(self):
        backbone, known = self.make(), learned(self.make)
        with torch.no_grad():
            for name, one in [*backbone.named_parameters(), *backbone.named_buffers()]:
                one.copy_(known[name])
        return backbone


class FineTuned(Images):
    frozen, rate = False, 1e-3


class Fresh(Images):
    def loaded(self):
        return self.make()


def loaders(x):
    return art.data(train=DataLoader(TensorDataset(x, Y[900:1200]), batch_size=60, shuffle=True))


RAW = X[900:1200]
STANDARD = (RAW - MEAN) / STD


@pytest.mark.parametrize(
    ("model", "x", "declared"),
    [
        (Net, RAW / 255, {}),
        (Images, RAW / 160, {}),
        (Images, RAW / 64, {}),
        (Copied, RAW / 255, {"pretrained": ["backbone"]}),
    ],
)
def test_inputs_on_another_scale_than_a_frozen_backbone_knows_are_seen_and_confirmed(model, x, declared, judged):
    found = judged(model, loaders(x), codes="ART823", **declared)
    assert found["ART823"].severity is Severity.ERROR
    assert found["ART823"].confirmed_by


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (Net, STANDARD),
        (Images, STANDARD),
        (Images, STANDARD * 1.4),
        (Images, STANDARD + 0.3 * torch.randn_like(STANDARD)),
        (Images, STANDARD[:, torch.randperm(64, generator=torch.Generator().manual_seed(1))]),
        (Images, torch.randn(300, 64)),
        (Images, (RAW > 12).float() * 3 - 1),
        (FineTuned, STANDARD),
        (FineTuned, 0.4 * STANDARD),
        (Fresh, RAW / 255),
        (Copied, STANDARD),
    ],
)
def test_inputs_of_the_same_scale_or_of_another_kind_are_not_accused(model, x, judged):
    found = judged(model, loaders(x), codes="ART823", pretrained=["backbone"])
    assert not found or found["ART823"].severity is Severity.INFO


class MadeTrained(Images):
    """The backbone is trained where the model is made, and nothing is loaded."""

    frozen, rate = False, 1e-3

    def loaded(self):
        whole = nn.Sequential(self.make(), nn.LazyLinear(10))
        x = (X[:900] - MEAN) / STD
        with torch.enable_grad():
            for rows in torch.arange(900).split(30):
                F.cross_entropy(whole(x[rows]), Y[rows]).backward()
        return whole[0]


@pytest.mark.parametrize(("model", "x"), [(FineTuned, RAW / 160), (FineTuned, RAW), (MadeTrained, RAW / 16)])
def test_pixels_that_were_not_normalised_are_warned_of_where_the_batch_norm_adapts(model, x, judged):
    found = judged(model, loaders(x), codes="ART823")
    assert found["ART823"].severity is not Severity.INFO
    assert found["ART823"].confirmed_by
