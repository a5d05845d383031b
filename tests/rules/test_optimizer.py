"""Rules on optimisers: each fault in two kinds of clothes is seen, and what resembles it is not accused."""

import tempfile
import warnings
from pathlib import Path

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.diagnosis.diagnose import _as_data
from art_training.engines.engine import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes.trials import trials
from art_training.probes.updates import Updates
from art_training.rules.laboratory import Laboratory
from art_training.rules.optimizer_settings import rate_too_high
from art_training.setup.setup import Setup

TRAINER = {"max_epochs": 2, "accelerator": "cpu"}
MINE = ("ART51", "ART52", "ART53")


def digits():
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32)[:400], torch.tensor(y)[:400]
    return (
        DataLoader(TensorDataset(x[:320], y[:320]), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(x[320:], y[320:]), batch_size=40),
    )


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.tensor(x * 20, dtype=torch.float32), torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    return (
        DataLoader([{"x": a, "y": b} for a, b in zip(x[:352], y[:352], strict=True)], batch_size=32, shuffle=True),
        DataLoader([{"x": a, "y": b} for a, b in zip(x[352:], y[352:], strict=True)], batch_size=30),
    )


def codes(model, data=digits, starting=MINE, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Found .* in eval mode")
        diagnosis = art.diagnose(model, data(), **{"trainer": TRAINER, "budget": 120, **options})
    assert not diagnosis.broken, diagnosis.broken
    reasons = [one.reason for one in diagnosis.judged if one.state == "not judged" and one.code.startswith(starting)]
    assert not [one for one in reasons if "raised" in one], reasons
    found = [*diagnosis.findings, *(one for many in diagnosis.symptoms.values() for one in many)]
    return {one.code: one for one in found if one.code.startswith(starting) and one.severity != "info"}


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def logits(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return F.cross_entropy(self.logits(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.logits(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Conv(Net):
    """Images, batch norm, plain SGD with momentum and manual optimisation."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 10),
        )

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(F.cross_entropy(self.net(batch[0]), batch[1]))
        optimizer.step()


class Regression(L.LightningModule):
    """Dictionary batches, a network of layers by name, weight decay by group."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.head = nn.Linear(32, 1)

    def loss(self, batch):
        return F.mse_loss(self.head(self.body(batch["x"])).squeeze(1), batch["y"])

    def training_step(self, batch):
        return {"loss": self.loss(batch)}

    def validation_step(self, batch):
        self.log("val/mse", self.loss(batch))

    def configure_optimizers(self):
        biases = [one for one in self.parameters() if one.ndim == 1]
        weights = [one for one in self.parameters() if one.ndim > 1]
        return torch.optim.AdamW([{"params": weights, "weight_decay": 0.01}, {"params": biases}], lr=3e-3)


@pytest.mark.parametrize(("model", "data"), [(Net, digits), (Conv, digits), (Regression, diabetes)])
def test_nothing_is_said_of_trainings_that_are_right(model, data):
    assert codes(model, data) == {}


class StaleHead(Net):
    def __init__(self):
        super().__init__()
        self.optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        self.net[2] = nn.Linear(32, 10)

    def configure_optimizers(self):
        return self.optimizer


class BodyOnly(Regression):
    def configure_optimizers(self):
        return torch.optim.SGD(self.body.parameters(), lr=0.05)


class NoiseLeftOut(Regression):
    """Learns how noisy its targets are, by a parameter of its own."""

    start = 0.0

    def __init__(self):
        super().__init__()
        self.log_noise = nn.Parameter(torch.full((1,), self.start))

    def training_step(self, batch):
        return (self.loss(batch) * torch.exp(-self.log_noise) + self.log_noise).sum()

    def configure_optimizers(self):
        return torch.optim.Adam([*self.body.parameters(), *self.head.parameters()], lr=1e-2)


class TemperatureLeftAlone(NoiseLeftOut):
    start = 2.66


class UnfrozenLate(Regression):
    def __init__(self):
        super().__init__()
        self.body.requires_grad_(False)

    def on_train_epoch_start(self):
        if self.current_epoch == 1:
            self.body.requires_grad_(True)

    def configure_optimizers(self):
        return torch.optim.Adam([one for one in self.parameters() if one.requires_grad], lr=1e-2)


class UnfrozenRight(UnfrozenLate):
    def on_train_epoch_start(self):
        if self.current_epoch == 1:
            self.body.requires_grad_(True)
            self.optimizers().add_param_group({"params": list(self.body.parameters())})


@pytest.mark.parametrize(
    ("model", "data", "where"),
    [
        (StaleHead, digits, "net.2"),
        (BodyOnly, diabetes, "head"),
        (UnfrozenLate, diabetes, "body.0"),
        (NoiseLeftOut, diabetes, "log_noise"),
    ],
)
def test_parameters_in_no_optimiser(model, data, where):
    found = codes(model, data)["ART510"]
    assert where in found.where
    assert bool(found.confirmed_by) is (found.severity == "error")


def test_what_is_left_alone_on_purpose_is_no_fault():
    assert codes(BodyOnly, diabetes, frozen=["head"]) == {}
    assert codes(UnfrozenRight, diabetes) == {}
    assert codes(TemperatureLeftAlone, diabetes) == {}


class ClearedTooLate(Conv):
    def training_step(self, batch, index):
        optimizer = self.optimizers()
        self.manual_backward(F.cross_entropy(self.net(batch[0]), batch[1]))
        optimizer.zero_grad()
        optimizer.step()


class ClearedInAHook(Regression):
    def on_after_backward(self):
        for one in self.parameters():
            one.grad.zero_()


class NeverCleared(Conv):
    def training_step(self, batch, index):
        self.manual_backward(F.cross_entropy(self.net(batch[0]), batch[1]))
        self.optimizers().step()


class NeverClearedByHook(Regression):
    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        pass


class NeverStepped(Conv):
    def training_step(self, batch, index):
        self.optimizers().zero_grad()
        self.manual_backward(F.cross_entropy(self.net(batch[0]), batch[1]))


class NeverSteppedByHook(Regression):
    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        optimizer_closure()


@pytest.mark.parametrize(
    ("model", "data", "code"),
    [
        (ClearedTooLate, digits, "ART511"),
        (ClearedInAHook, diabetes, "ART511"),
        (NeverCleared, digits, "ART512"),
        (NeverClearedByHook, diabetes, "ART512"),
        (NeverStepped, digits, "ART514"),
        (NeverSteppedByHook, diabetes, "ART514"),
    ],
)
def test_what_happens_between_backward_and_step(model, data, code):
    found = codes(model, data)
    assert code in found, found
    assert found[code].confirmed_by


class Accumulates(Conv):
    def training_step(self, batch, index):
        self.manual_backward(F.cross_entropy(self.net(batch[0]), batch[1]) / 4)
        if index % 4 == 3:
            self.optimizers().step()
            self.optimizers().zero_grad(set_to_none=False)


class TwoLosses(Conv):
    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        logits = self.net(batch[0])
        self.manual_backward(F.cross_entropy(logits, batch[1]), retain_graph=True)
        self.manual_backward(0.01 * logits.square().mean())
        self.clip_gradients(optimizer, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
        optimizer.step()


@pytest.mark.parametrize("model", [Accumulates, TwoLosses])
def test_accumulation_within_a_step_is_no_fault(model):
    assert codes(model) == {}


def test_accumulation_and_clipping_by_the_trainer_are_no_fault():
    assert codes(Net, trainer={**TRAINER, "accumulate_grad_batches": 4, "gradient_clip_val": 0.5}) == {}


class Gan(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
        self.critic = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def held(self):
        return self.generator.parameters(), self.critic.parameters()

    def configure_optimizers(self):
        return [torch.optim.Adam(one, lr=1e-3, betas=(0.5, 0.999)) for one in self.held()]

    def fooled(self, made, wanted):
        logits = self.critic(made)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))

    def training_step(self, batch, index):
        first, second = self.optimizers()
        made = self.generator(torch.randn(len(batch[0]), 8))
        second.zero_grad()
        self.manual_backward(self.fooled(batch[0], 1.0) + self.fooled(self.passed(made), 0.0))
        second.step()
        self.clear(first)
        self.manual_backward(self.fooled(self.generator(torch.randn(len(batch[0]), 8)), 1.0))
        first.step()
        self.after(first)

    def passed(self, made):
        return made.detach()

    def clear(self, optimizer):
        optimizer.zero_grad()

    def after(self, optimizer):
        pass


class LeakingGan(Gan):
    def passed(self, made):
        return made

    def clear(self, optimizer):
        pass

    def after(self, optimizer):
        optimizer.zero_grad()


class WastefulGan(Gan):
    def passed(self, made):
        return made


class SharedGan(Gan):
    def held(self):
        return self.generator.parameters(), self.parameters()

    def passed(self, made):
        return made


class AdversarialAutoencoder(Gan):
    """An encoder in two optimisers, whose losses have nothing against each other."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
        self.decoder = nn.Linear(8, 64)
        self.critic = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
        del self.generator

    def held(self):
        return (
            [*self.encoder.parameters(), *self.decoder.parameters()],
            self.critic.parameters(),
            self.encoder.parameters(),
        )

    def training_step(self, batch, index):
        rebuilt, critic, encoder = self.optimizers()
        rebuilt.zero_grad()
        self.manual_backward(F.mse_loss(self.decoder(self.encoder(batch[0])), batch[0]))
        rebuilt.step()
        critic.zero_grad()
        code = self.encoder(batch[0]).detach()
        self.manual_backward(self.fooled(torch.randn_like(code), 1.0) + self.fooled(code, 0.0))
        critic.step()
        encoder.zero_grad()
        self.manual_backward(self.fooled(self.encoder(batch[0]), 1.0))
        encoder.step()


@pytest.mark.parametrize("model", [LeakingGan, SharedGan])
def test_adversaries_that_pull_at_the_same_weights(model):
    assert set(codes(model, lambda: digits()[0])) == {"ART513", "ART515"}  # the second explains the first


@pytest.mark.parametrize("model", [Gan, WastefulGan, AdversarialAutoencoder])
def test_adversaries_apart_are_no_fault(model):
    assert codes(model, lambda: digits()[0]) == {}


def setting(base, make, **attributes):
    return type(base.__name__, (base,), {"configure_optimizers": make, **attributes})


def sgd(base, rate, **options):
    return setting(base, lambda self: torch.optim.SGD(self.parameters(), lr=rate, **options))


def adam(base, rate, **options):
    return setting(base, lambda self: torch.optim.Adam(self.parameters(), lr=rate, **options))


def adamw(base, rate, **options):
    return setting(base, lambda self: torch.optim.AdamW(self.parameters(), lr=rate, **options))


@pytest.mark.parametrize(
    ("model", "data", "options", "code"),
    [
        (sgd(Net, 30.0), digits, {}, "ART521"),
        (adam(Net, 3.0), digits, {}, "ART521"),
        (adam(Regression, 1.0), diabetes, {}, "ART521"),
        (adam(Net, 30.0), digits, {}, "ART521"),  # a tenth of it is far too high, too
        (sgd(Net, 1e-7), digits, {}, "ART522"),
        (adam(Net, 1e-7), digits, {}, "ART522"),
        (adam(Regression, 0.0), diabetes, {}, "ART522"),
        (adam(Net, 3e-3, eps=1.0), digits, {}, "ART523"),
        (adam(Regression, 3e-3, maximize=True), diabetes, {}, "ART523"),
        (sgd(Net, 0.1, momentum=0.9), digits, {"gradient_clip_val": 1e-4}, "ART523"),
        (adam(Net, 3e-3, weight_decay=10.0), digits, {}, "ART524"),
        (sgd(Regression, 0.05, weight_decay=5.0), diabetes, {}, "ART524"),
        (adam(Net, 3e-3, betas=(0.999, 0.9)), digits, {}, "ART525"),
        (sgd(Regression, 0.02, momentum=1.0), diabetes, {}, "ART525"),
    ],
)
def test_settings_that_keep_from_learning(model, data, options, code):
    found = codes(model, data, trainer={**TRAINER, **options})
    assert code in found, found


@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        (sgd(Net, 0.5), digits, {}),
        (sgd(Net, 0.01, momentum=0.9, weight_decay=5e-4), digits, {}),
        (adam(Net, 1e-4), digits, {}),
        (adam(Net, 0.02), digits, {}),
        (adam(Net, 1e-3, betas=(0.0, 0.9), eps=1e-6), digits, {}),
        (adamw(Regression, 1e-3, weight_decay=0.1), diabetes, {"gradient_clip_val": 0.1}),
        (sgd(Regression, 1e-3), diabetes, {}),
        (setting(Regression, lambda self: torch.optim.RMSprop(self.parameters(), lr=1e-3)), diabetes, {}),
    ],
)
def test_usual_settings_are_no_fault(model, data, options):
    assert codes(model, data, trainer={**TRAINER, **options}) == {}


class Plateau(Net):
    """At its rate it stands still for some epochs, and learns then as one at a tenth of it does."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 4)
        )

    def training_step(self, batch, index):
        return F.cross_entropy(self.logits(batch[0]), batch[1], label_smoothing=0.1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)


def halves():
    """Noise whose two halves, upper and left, say by their means which of four it is."""
    x = torch.rand(1500, 1, 8, 8, generator=torch.Generator().manual_seed(7))
    noise = 0.02 * torch.randn(1500, generator=torch.Generator().manual_seed(8))
    upper = (x[:, 0, :4].mean((1, 2)) - x[:, 0, 4:].mean((1, 2)) + noise > 0).long()
    y = upper + 2 * (x[:, 0, :, :4].mean((1, 2)) > x[:, 0, :, 4:].mean((1, 2))).long()
    return (
        DataLoader(TensorDataset(x[:1000], y[:1000]), batch_size=50, shuffle=True),
        DataLoader(TensorDataset(x[1000:], y[1000:]), batch_size=50),
    )


def test_a_plateau_that_ends_is_no_rate_that_is_too_high():
    setup = Setup(Plateau, _as_data(halves()), trainer={**TRAINER, "max_epochs": 6})
    laboratory = Laboratory(task=setup.task)

    def ask(specimen):
        laboratory.lay_open(specimen)
        tried = laboratory.ask(trials)
        assert tried.slower is not None  # in as many steps as are tried at first a tenth of the rate is much better
        assert tried.later.gained > 0.25
        still = Updates()
        still.losses = [tried.as_it_is.first] * 60  # a short training that was cut off on the plateau
        laboratory.lay_down(still)
        assert not rate_too_high.findings(laboratory)

    with tempfile.TemporaryDirectory() as folder:
        LightningEngine().experiment(ExperimentJob(setup, 1, Path(folder), data_seed=0), ask)


class Rebuilt(Net):
    def on_train_epoch_start(self):
        self.trainer.strategy.optimizers = [torch.optim.Adam(self.parameters(), lr=3e-3)]


class Emptied(Conv):
    def on_train_epoch_end(self):
        self.optimizers().optimizer.state.clear()


@pytest.mark.parametrize("model", [Rebuilt, Emptied])
def test_an_optimiser_that_begins_anew(model):
    found = codes(model, trainer={**TRAINER, "max_epochs": 3})["ART532"]
    assert found.severity == "error"
    assert found.evidence["resets"] == [1, 2]


class Brain(Net):
    """Weights of ones in half precision, which small updates do not move."""

    def __init__(self):
        super().__init__()
        self.to(torch.bfloat16)
        with torch.no_grad():
            for one in self.net[0].parameters():
                one.add_(one.sign())

    def logits(self, x):
        return self.net(x.to(torch.bfloat16)).float()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=6e-4)


class Copying(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            for one in group["params"]:
                where = one.t().contiguous().t() if one.ndim == 2 else one
                where.sub_(one.grad, alpha=group["lr"])
        return loss


@pytest.mark.parametrize("model", [Brain, setting(Regression, lambda self: Copying(self.parameters(), 0.05))])
def test_updates_that_do_not_arrive(model):
    found = codes(model, digits if model is Brain else diabetes)["ART531"]
    assert found.confirmed_by


def test_half_precision_that_learns_is_no_fault():
    class Fine(Brain):
        def __init__(self):
            Net.__init__(self)
            self.to(torch.bfloat16)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=5e-3)

    assert "ART531" not in codes(Fine)
    assert codes(Net, trainer={**TRAINER, "precision": "bf16-mixed"}) == {}


def test_a_declared_clip_is_a_promise():
    assert "ART533" in codes(Net, grad_clip=0.01)
    assert codes(Net, grad_clip=0.5, trainer={**TRAINER, "gradient_clip_val": 0.5}) == {}
