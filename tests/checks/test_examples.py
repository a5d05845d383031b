"""Every check that ART ships keeps the contract, with its own examples as tests."""

import pytest

from art_training import checks
from art_training.checks import Check
from art_training.testing.checks import CheckContract


def every_check() -> list[type[Check]]:
    found, waiting = [], [Check]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("art_training.") and not kind.__abstractmethods__:
                found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


SHIPPED = every_check()
CONTRACT = [name for name in dir(CheckContract) if name.startswith("test_")]


@pytest.mark.parametrize("rule", CONTRACT)
@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.__name__)
def test_every_check_keeps_the_contract(kind: type[Check], rule: str):
    class OfThisKind(CheckContract):
        check = kind
        nan_may_pass = kind in {checks.FunctionCheck, checks.Changed, checks.Unchanged, checks.Healthy}  # no numbers

    getattr(OfThisKind(), rule)()


def test_every_check_is_exported():
    assert {kind.__name__ for kind in SHIPPED} == {
        "Above", "BeatsBaseline", "Below", "Between", "CapacityHelps", "Changed", "CloseTo", "Equals", "Exists", "FunctionCheck",
        "Healthy",         "ExportAgrees", "GeneralizationGap", "Improves", "KeepsUpWithBaseline", "LossDecreases", "LossIsTheoretical", "NoNaN", "Unchanged", "UsesInputs",
    }  # fmt: skip
    assert all(getattr(checks, kind.__name__) is kind for kind in SHIPPED)
