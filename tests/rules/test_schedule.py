"""Rules on schedules: each fault in two kinds of clothes is seen, and what resembles it is not accused."""

import pytest
import torch
from tests.rules.test_optimizer import Conv, Net, Regression, codes, diabetes, digits
from torch import nn
from torch.optim import lr_scheduler as schedules

from art_training.rules.plateau import better_higher

MINE = ("ART54", "ART55")
STEPS = 10  # an epoch of digits; of diabetes 11


def with_schedule(base, make, **options):
    """A module of the same kind with a schedule; without options it is stepped after every epoch."""

    def configure_optimizers(self):
        optimizer = base.configure_optimizers(self)
        made = make(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": made, "interval": "epoch", **options}}

    return type(base.__name__, (base,), {"configure_optimizers": configure_optimizers})


def found(model, data=digits, epochs=4):
    return codes(model, data, MINE, trainer={"max_epochs": epochs, "accelerator": "cpu"})


STEP = {"interval": "step"}


@pytest.mark.parametrize(
    ("base", "data", "make", "options", "code"),
    [
        (Net, digits, lambda o: schedules.StepLR(o, 1, 0.1), STEP, "ART541"),
        (Regression, diabetes, lambda o: schedules.ExponentialLR(o, 0.5), STEP, "ART541"),
        (Net, digits, lambda o: schedules.LambdaLR(o, lambda e: 0.0), {}, "ART541"),
        (Net, digits, lambda o: schedules.PolynomialLR(o, total_iters=40), {}, "ART542"),
        (Regression, diabetes, lambda o: schedules.CosineAnnealingLR(o, T_max=44), {}, "ART542"),
        (Regression, diabetes, lambda o: schedules.CosineAnnealingLR(o, T_max=4), STEP, "ART542"),
        (Net, digits, lambda o: schedules.OneCycleLR(o, 0.1, total_steps=400), STEP, "ART542"),
        (Net, digits, lambda o: schedules.LambdaLR(o, lambda s: min(1.0, s / 4000)), STEP, "ART543"),
        (Regression, diabetes, lambda o: schedules.LinearLR(o, 0.01, 1.0, total_iters=500), STEP, "ART543"),
        (Net, digits, lambda o: schedules.LambdaLR(o, lambda e: min(1.0, e / 2)), {}, "ART543"),
        (Net, digits, lambda o: schedules.LambdaLR(o, lambda e: 1 - e / 3 * 1.5), {}, "ART544"),
        (Net, digits, lambda o: schedules.ReduceLROnPlateau(o, patience=0), {"monitor": "val_acc"}, "ART545"),
        (Regression, diabetes, lambda o: schedules.ReduceLROnPlateau(o, "max"), {"monitor": "val/mse"}, "ART545"),
        (Net, digits, lambda o: schedules.ReduceLROnPlateau(o, patience=2), {"monitor": "val_loss", **STEP}, "ART546"),
    ],
)
def test_faults(base, data, make, options, code):
    model = with_schedule(base, make, **options)
    if options.get("monitor") == "val_acc":
        model.validation_step = _logs_accuracy
    if options.get("interval") == "step" and "monitor" in options:
        model.on_train_start = lambda self: self.trainer.callback_metrics.update(val_loss=torch.tensor(1.0))
    assert code in found(model, data)


def _logs_accuracy(self, batch, index):
    self.log("val_acc", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())


@pytest.mark.parametrize(
    ("base", "data", "make", "options"),
    [
        (Net, digits, lambda o: schedules.StepLR(o, 1, 0.1), {}),
        (Regression, diabetes, lambda o: schedules.CosineAnnealingLR(o, T_max=4), {}),
        (Regression, diabetes, lambda o: schedules.CosineAnnealingLR(o, T_max=44), STEP),
        (Net, digits, lambda o: schedules.CosineAnnealingWarmRestarts(o, 10), STEP),
        (Net, digits, lambda o: schedules.OneCycleLR(o, 0.01, total_steps=40), STEP),
        (Net, digits, lambda o: schedules.LambdaLR(o, lambda s: min(1.0, s / 8)), STEP),
        (Net, digits, lambda o: schedules.LambdaLR(o, lambda s: min((s + 1) / 8, (40 - s) / 32)), STEP),
        (Net, digits, lambda o: schedules.MultiStepLR(o, [2, 3]), {}),
        (
            Regression,
            diabetes,
            lambda o: schedules.SequentialLR(
                o, [schedules.LinearLR(o, 0.01, total_iters=5), schedules.CosineAnnealingLR(o, 39)], [5]
            ),
            STEP,
        ),
        (Regression, diabetes, lambda o: schedules.ReduceLROnPlateau(o, patience=0), {"monitor": "val/mse"}),
        (Net, digits, lambda o: schedules.CyclicLR(o, 1e-4, 1e-2, step_size_up=8, cycle_momentum=False), STEP),
    ],
)
def test_schedules_that_are_right(base, data, make, options):
    assert found(with_schedule(base, make, **options), data) == {}


class Forgotten(Conv):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [schedules.StepLR(optimizer, 1, 0.5)]


class ForgottenAmongFewSteps(Forgotten):
    """Gathers gradients of four batches, so that an epoch has fewer steps than batches."""

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        self.manual_backward(nn.functional.cross_entropy(self.net(batch[0]), batch[1]) / 4)
        if index % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()


class Remembered(Forgotten):
    def on_train_epoch_end(self):
        self.lr_schedulers().step()


class Overridden(Regression):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [schedules.ExponentialLR(optimizer, 0.5)]

    def lr_scheduler_step(self, scheduler, metric):
        pass


def test_a_schedule_that_is_never_stepped():
    assert set(found(Forgotten)) == {"ART547"}
    assert set(found(ForgottenAmongFewSteps)) == {"ART547"}
    assert set(found(Overridden, diabetes)) == {"ART547"}
    assert found(Remembered) == {}


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        ("val_acc", True), ("valid/F1Score", True), ("MulticlassAccuracy", None), ("val_loss", False), ("val/mse", False),
        ("accuracy_loss", False), ("step", None), ("val-top1", True), ("mapping", None),
    ],
)  # fmt: skip
def test_names_say_which_way_is_better(name, higher):
    assert better_higher(name) is higher


class ByHand(Net):
    """Optimises by itself; milestones are meant for epochs."""

    after_every = "step"

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, index))
        optimizer.step()
        if self.after_every == "step":
            self.lr_schedulers().step()

    def on_train_epoch_end(self):
        if self.after_every == "epoch":
            self.lr_schedulers().step()

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [schedules.MultiStepLR(optimizer, [8, 12, 16], gamma=0.05)]


class ByHandAfterEpochs(ByHand):
    after_every = "epoch"


def test_a_step_that_optimises_by_itself_says_when_it_calls_its_schedule():
    assert "ART541" in found(ByHand, epochs=20)
    assert not found(ByHandAfterEpochs, epochs=20)
