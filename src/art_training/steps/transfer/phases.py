"""The two phases of a transfer: what they have in common, and what comes of them."""

import functools
import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from art_training.engines import FitResult, Parameter, Parts
from art_training.setup.called import Called
from art_training.setup.setup import Setup
from art_training.steps.forgetting import Forgotten
from art_training.steps.transfer.freezing import Names


class Work(NamedTuple):
    """What the trainings of the step have in common, whatever their seed."""

    names: Names
    frozen: tuple[str, ...]
    fresh: tuple[str, ...]
    factors: dict[str, float]
    tuning: Setup
    parts: Parts


class Phases(NamedTuple):
    """Both phases: the first, the weights that it ended with, the second, and what that forgot."""

    before: FitResult
    ended: Path
    after: FitResult
    forgotten: Forgotten | None


def names_of(setup: Setup, parameters: Sequence[Parameter]) -> Names:
    """The names of a setup's parameters, as its user and as the engine know them."""
    return Names.of(parameters, prefix=Called.of(setup.model).prefix)


def exactly(names: Sequence[str]) -> tuple[str, ...]:
    """Patterns that match these names and no others."""
    return tuple(map(glob.escape, names))


def lasting(setup: Setup, epochs: int) -> Setup:
    """The setup with training of so many epochs, however its Trainer is made."""
    if not callable(setup.trainer):
        return setup.but(trainer={"max_epochs": epochs})
    factory: Callable[..., Any] = setup.trainer

    @functools.wraps(factory)
    def trainer(*arguments: Any, **offered: Any) -> Any:
        made = factory(*arguments, **offered)
        made.fit_loop.max_epochs = epochs
        return made

    return setup.but(trainer=trainer)
