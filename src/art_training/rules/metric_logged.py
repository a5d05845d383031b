"""What a validation logged, and what metrics of its predictions come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from art_training.probes.evaluation import Evaluation
from art_training.probes.recomputed import Batch, batches_of
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.metric_names import family_of, says_nothing
from art_training.rules.metric_values import ERRORS, RANKINGS, RATES, Made, made
from art_training.setup.task import Task

_RELATIVE, _ABSOLUTE = 1e-4, 2e-6  # single precision, summed in another order
_LOWER = frozenset({"mae", "mse", "rmse", "loss", "perplexity"})
_FAMILIES = (*RATES, *RANKINGS, *ERRORS, "loss", "perplexity")


@dataclass(frozen=True)
class Logged:
    """A number that a validation logged; its family is empty where its name says nothing."""

    name: str
    family: str
    value: float
    by_batch: tuple[float, ...]


@dataclass(frozen=True)
class Known:
    """What a validation predicted, and what metrics come to, each computed once."""

    batches: tuple[Batch, ...]
    made: dict[str, Made] = field(default_factory=dict[str, Made])

    def of(self, family: str) -> Made:
        """What a metric of this family comes to."""
        if family not in self.made:
            self.made[family] = made(family, self.batches)
        return self.made[family]

    def right(self, logged: Logged) -> list[float]:
        """What may rightly be logged under this name; under one that says nothing, any metric."""
        families = (logged.family,) if logged.family else _FAMILIES
        return [value for family in families for value in self.of(family).right.values()]


def known_metrics(laboratory: Laboratory) -> Known:
    """What the validation predicted.

    Raises:
        NotMeasured: it is not known.
    """
    return laboratory.once(Known, lambda: Known(_batches(laboratory)))


def _batches(laboratory: Laboratory) -> tuple[Batch, ...]:
    evaluation = laboratory.get(Evaluation)
    if len({one.loader for one in evaluation.observations}) > 1:
        raise NotMeasured("there are several validation loaders")
    found = batches_of(evaluation, laboratory.task)
    if found is None:
        raise NotMeasured("predictions and targets of a validation are not known")
    if not _alike(found):
        raise NotMeasured("batches of a validation have predictions of several shapes")
    return found


def batches_in(evaluation: Evaluation, task: Task | None) -> tuple[Batch, ...] | None:
    """What a pass predicted; None where it is not known, or has several shapes."""
    found = batches_of(evaluation, task)
    return found if found and _alike(found) else None


def _alike(batches: tuple[Batch, ...]) -> bool:
    shapes = {(one.predictions.shape[1:], one.targets.shape[1:]) for one in batches}
    return all(len(one.targets) for one in batches) and len(shapes) == 1


def _logged(evaluation: Evaluation) -> list[Logged]:
    found: list[Logged] = []
    for name, value in evaluation.logged.items():
        family = family_of(name)
        if (family is None and not says_nothing(name)) or not np.isfinite(value):
            continue
        by_batch = [one.logged[name] for one in evaluation.observations if name in one.logged]
        whole = tuple(by_batch) if len(by_batch) == len(evaluation.observations) else ()
        found.append(Logged(name, family or "", value, whole))
    return found


def some_logged(evaluation: Evaluation) -> list[Logged]:
    """Logged numbers that may be metrics of one pass.

    Raises:
        NotApplicable: there is none.
    """
    found = _logged(evaluation)
    if not found:
        raise NotApplicable("the validation logs no number that may be a metric of one pass")
    return found


def is_right(value: float, right: Iterable[float]) -> bool:
    """Whether a value is one of those that are right."""
    return any(same(value, one) for one in right if np.isfinite(one))


def same(one: float, other: float, relative: float = _RELATIVE) -> bool:
    """Whether two numbers are one, to single precision."""
    return abs(one - other) <= _ABSOLUTE + relative * abs(other)


def direction_by_value(laboratory: Laboratory, name: str) -> str | None:
    """`max` or `min` for what was logged under a name, by which metrics of the predictions it is; None where that is open.

    A mean over batches of a metric has its direction too.
    """
    try:
        known, value = known_metrics(laboratory), laboratory.get(Evaluation).logged.get(name)
    except NotMeasured:
        return None
    if value is None or not np.isfinite(value) or value in {0.0, 1.0}:
        return None
    found: set[str] = set()
    for family in _FAMILIES:
        if family == "error":  # which knows right answers as well
            continue
        given = known.of(family)
        if is_right(value, (*given.right.values(), *(one.value for one in given.averaged))):
            found.add("min" if family in _LOWER else "max")
    return found.pop() if len(found) == 1 else None
