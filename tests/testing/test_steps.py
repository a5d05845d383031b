"""The suite for steps, on the steps that ART ships: what can be asked of each without running it, and one that runs."""

import pytest

import art_training as art
from art_training import steps
from art_training.steps import Step
from art_training.testing.steps import StepContract, StepDeclarationContract

NEEDS = {
    "Regularize": {"candidates": {"dropout": art.Variant(hparams={"dropout": 0.5})}},
    "Tune": {"space": {"lr": art.space.log_uniform(1e-5, 1e-1)}, "trials": 1},
}
SHIPPED = [
    kind(**NEEDS.get(name, {}))
    for name in steps.__all__
    if isinstance(kind := getattr(steps, name), type) and issubclass(kind, Step) and kind is not Step
]


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda one: one.name)
class TestShipped(StepDeclarationContract):
    @pytest.fixture(autouse=True)
    def _one(self, shipped: Step) -> None:
        self.step = shipped


class TestOverfit(StepContract):
    step = steps.Overfit(checks=steps.only())
    passes = False  # nothing is asked
