"""A model is made afresh, and a sentence says what is wrong with one that cannot be."""

import functools

import lightning.pytorch as pl
import pytest
from torch import nn

from art_training.errors import SetupError
from art_training.setup.setup import Setup
from art_training.setup.torch_model import from_torch


class Plain(nn.Module):
    pass


class NoStep(pl.LightningModule):
    def configure_optimizers(self):
        return None


class NoOptimiser(pl.LightningModule):
    def training_step(self, batch, batch_idx):
        return None


def make_plain():
    return Plain()


def make_no_step():
    return NoStep()


@pytest.mark.parametrize(
    ("model", "hparams", "sentence"),
    [
        (
            Plain,
            {},
            r"model=Plain, a plain nn.Module, where a LightningModule is needed; write model=art.from_torch\(Plain",
        ),
        (make_plain, {}, r"model make_plain returned a Plain, a plain nn.Module, .*art.from_torch\(Plain"),
        (lambda: 3, {}, r"model <lambda> returned 3, which is no LightningModule"),
        (dict, {}, r"model=dict, which is no LightningModule"),
        (NoStep, {}, r"NoStep defines no training_step, which Lightning needs"),
        (NoOptimiser, {}, r"NoOptimiser defines no configure_optimizers, which Lightning needs"),
        (make_no_step, {}, r"NoStep defines no training_step"),
        (lambda lr: NoStep(), {}, r"<lambda> needs 'lr'; give hparams=\{'lr': ...\}; it takes: lr"),
        (
            lambda lr: NoStep(),
            {"lr": 1, "depth": 3},
            r"hparams has 'depth', which <lambda> does not take; it takes: lr",
        ),
        (make_no_step, {"depth": 3}, r"hparams has 'depth', which make_no_step does not take; it takes: nothing"),
    ],
)
def test_a_model_that_cannot_be_used_gives_one_sentence(engine, points, model, hparams, sentence):
    with pytest.raises(SetupError, match=sentence):
        engine.validate(Setup(model, points, hparams=hparams))


def test_models_that_can_be_used_are_not_made_where_a_class_tells_enough(engine, net, points):
    made = []

    class Counting(net):
        def __init__(self, **hparams):
            made.append(hparams)
            super().__init__(**hparams)

    engine.validate(Setup(Counting, points, hparams={"lr": 1.0}))
    assert made == []
    engine.validate(Setup(functools.partial(Counting, width=3), points, hparams={"lr": 1.0}))
    assert made == [{"width": 3, "lr": 1.0}]
    engine.validate(Setup(from_torch(Plain, loss=nn.MSELoss, lr=0.1), points))


def test_what_the_users_constructor_raises_is_raised(engine, points):
    def broken():
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        engine.validate(Setup(broken, points))
