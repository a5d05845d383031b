"""Overfit one batch: a model that cannot learn a handful of examples by heart has a fault."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from art_training.checks import Check
from art_training.checks.bounds import Below, Equals
from art_training.checks.finite import NoNaN
from art_training.checks.losses import LossDecreases
from art_training.engines import FitResult
from art_training.errors import ProjectError
from art_training.records import Outcome, Reading, Score, Split
from art_training.records.counted import counted
from art_training.setup.scores.expected_loss import OF_ERRORS
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.overfitting.one_batch import ABOVE, ANY_ZERO, DECIDING, FLOOR, OneBatch, above
from art_training.steps.overfitting.repeats import (
    DIFFERING,
    LossTrace,
    readings_of,
    repeat,
    require_repeats,
    scores_of,
)
from art_training.steps.step import TRAINING_LENGTH, Step

CONSTANT = "constant_loss"
SHARE = "loss_share"

_EPOCH = 20  # repetitions of the batch between two looks at the loss
_SHARE = 0.1  # of what the best constant leaves; for a squared error it is an R² of 0.9
_ROUNDING = 1e-9  # a share of the loss that is none
_BELOW = 1e-4  # a share of two losses in single precision that are the same
_ABOVE = 0.1  # nats above the floor; a right decision that is 90 % sure loses as much
_ABOVE_FLOOR = {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "poisson_nll_loss",
}  # where nothing is decided


@dataclass(frozen=True)
class OverfitOneBatch(Step):
    """Train on one fixed batch until its loss is nearly as low as it can be, and evaluate on the same batch.

    Augmentation is off (the data's `plain()` form), the batch is the first of the training split, and what stops or
    chooses by validation (early stopping, checkpointing) is left out. The score is taken in evaluation mode, on the
    batch that was trained on.

    How low the loss can be is derived: `floor_loss` is what the best predictions leave, if equal inputs get equal ones. It
    is above nothing for smoothed and soft labels, and where the batch holds equal inputs with different targets.
    `loss_above_floor` is the loss without it; for classes and labels it must be below 0.1. The labels are kept beside the
    predictions, and the examples that resist are named, the worst first.

    How small a loss of errors (squared, absolute, Huber) is depends on the targets' units. So it is told as a share too:
    `constant_loss` is what the best constant prediction leaves on this batch, the targets' variance for a squared error,
    and `loss_share` is what the model leaves of that; it must be below 0.1. Where all targets are equal, a constant
    leaves nothing, and an output of zero stands in for it. Of counts, and of shares that are learned by a binary
    cross-entropy without a decision, both are counted from `floor_loss`.

    What a step makes of its loss (a factor, a penalty, a root, weights of hard examples) is asked of the step: it is given
    the least loss, or that of the constant, in place of its own. Where no floor is known, there are no such scores, and the
    reading `floor_loss` says why.

    Attributes:
        max_steps: optimiser steps at most.
        target: the training loss above the floor at which it may stop early; of a loss of errors, as a share of
            `constant_loss`.
        repeats: trainings with the same seed; from 2 on, their weights must be bit-identical.
    """

    max_steps: int = 500
    target: float = 0.01
    repeats: int = 1
    purpose: ClassVar[str] = (
        "Can the model learn one batch by heart? If not, something between data, model and loss is broken."
    )
    unused_settings: ClassVar[frozenset[str]] = TRAINING_LENGTH
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.TRAIN})
    leaves_weights: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        steps, target = cast("Any", self.max_steps), cast("Any", self.target)
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ProjectError(f"max_steps={steps!r} of step {self.name!r} must be a whole number of at least 1")
        if isinstance(target, bool) or not isinstance(target, int | float) or not 0 <= target < math.inf:
            raise ProjectError(f"target={target!r} of step {self.name!r} must be a number of at least 0")
        require_repeats(self.repeats, self.name)

    def run(self, bench: Bench) -> Outcome:
        fresh = OneBatch(bench)
        before = _scale(bench, fresh)
        lowest = fresh.floor
        least = None if lowest is None else lowest.value + self.target
        stop = before.of_share(self.target) if before.known else least
        trace = LossTrace()
        result = self._train(bench, stop, "", trace)
        artifacts = [bench.keep(result.last, name="last.ckpt", kind="checkpoint")] if result.last else []
        scored = bench.evaluate(Split.TRAIN, weights=result.last, plain=True, one_batch=True)
        # What the step adds to its loss may depend on the weights.
        batch = OneBatch(bench, result.last)
        scale = _scale(bench, batch)
        loss = scored.scores.get("train/loss")
        floor, why = batch.floor, batch.why_no_floor
        if floor is not None and loss is not None and not _is_floor_of(loss, floor):
            floor, why = None, f"the loss is below {floor.value:.4g}, which was derived to be its least"
        scores = {**scored.scores, **_beside_floor(loss, floor), **_shares(loss, scale)}
        artifacts += [table] if (table := batch.table()) else []

        def train(label: str, seen: LossTrace) -> FitResult:
            return self._train(bench, stop, label, seen)

        repetitions = repeat(bench.engine, result, trace, self.repeats, train)
        scores |= scores_of(repetitions)
        readings = [
            Reading("steps", result.steps, "optimiser steps"),
            *([Reading(FLOOR, None, note=why)] if why else []),
            *_readings(scores, scale, self.max_steps, bench.task, why),
            *batch.readings(_resisting_from(bench.task, scale)),
            *readings_of(repetitions),
        ]
        return Outcome(
            scores=scores,
            readings=tuple(readings),
            findings=(*result.findings, *scored.findings),
            parameters=result.parameters,
            artifacts=tuple(artifacts),
            seconds={"fit": result.seconds, "evaluate": scored.seconds},
            summary=_summary(loss, scores, result.steps),
            stopped=result.stopped,
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        again = (Equals(DIFFERING, 0),) if self.repeats > 1 else ()
        if task.kind in DECIDING:
            return (Below(ABOVE, _ABOVE), NoNaN(), *again)
        if _has_scale(task):
            return (Below(SHARE, _SHARE), NoNaN(), *again)
        # Of a loss whose zero lies anywhere a share means nothing.
        return (LossDecreases("train/loss", factor=1.0 if task.loss in ANY_ZERO else 0.5), NoNaN(), *again)

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss", FLOOR, ABOVE, CONSTANT, SHARE, *((DIFFERING,) if self.repeats > 1 else ()))

    def candidate_names(self) -> Sequence[str]:
        return ()

    def _train(self, bench: Bench, stop: float | None, label: str, seen: LossTrace) -> FitResult:
        steps = self.max_steps
        return bench.fit(plain=True, one_batch=_EPOCH, max_steps=steps, stop_below=stop, label=label, stop=seen.see)


@dataclass(frozen=True)
class _Scale:
    """What the loss on the batch is measured by.

    Attributes:
        constant: the loss that the best constant leaves, with what the step adds to its loss; None where not known.
        least: what the right predictions leave: what the step adds to its loss, and the floor where it is no loss of errors.
        note: what stands for the best constant, or why it is not known.
        targets: mean and standard deviation of the batch's targets.
    """

    constant: float | None = None
    least: float = 0.0
    note: str = ""
    targets: tuple[float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether there is a loss to divide by."""
        return self.constant is not None and self.constant > self.least

    def of_share(self, share: float) -> float:
        """The loss that is this share."""
        assert self.constant is not None
        return self.least + share * (self.constant - self.least)

    def share(self, loss: float) -> float:
        """What a loss leaves of what the best constant leaves."""
        assert self.constant is not None
        return (loss - self.least) / (self.constant - self.least)


def _has_scale(task: Task) -> bool:
    if task.loss in OF_ERRORS:
        return task.loss_options.get("weight") is None
    return task.kind not in DECIDING and task.loss in _ABOVE_FLOOR


def _scale(bench: Bench, batch: OneBatch) -> _Scale:
    if not _has_scale(bench.task):
        return _Scale()
    seen = batch.targets
    expected = seen.expected()
    if expected.prior is None or (expected.uniform is None and bench.task.loss in OF_ERRORS):
        return _Scale(note=expected.reason_if_none)
    floor = batch.floor
    if bench.task.loss not in OF_ERRORS and floor is None:
        return _Scale(note=batch.why_no_floor)
    # An error is nothing at best, and what equal inputs leave of it is to be mended; a count or a share is never certain.
    least = batch.made_of(0.0) if bench.task.loss in OF_ERRORS or floor is None else floor.value
    constant = batch.made_of(expected.prior)
    zero = None if expected.uniform is None else batch.made_of(expected.uniform)
    if not math.isfinite(constant - least):
        return _Scale(note="the loss of this batch is not finite")
    stats = seen.mean_and_deviation()
    if constant - least > _ROUNDING * abs((constant if zero is None else zero) - least):
        return _Scale(constant, least, "of the best constant prediction on this batch", stats)
    if zero is not None and zero > least:
        note = "of an output of zero: the targets of this batch are all equal, and a constant leaves nothing"
        return _Scale(zero, least, note, stats)
    return _Scale(least=least, note="every target of this batch is zero, which an output of zero predicts")


def _resisting_from(task: Task, scale: _Scale) -> float | None:
    """How far above its floor an example must be to be said to resist."""
    if task.kind in DECIDING:
        return _ABOVE
    return None if scale.constant is None else _SHARE * (scale.constant - scale.least)


def _is_floor_of(loss: Score, floor: Score) -> bool:
    """Whether a loss is not below its floor, but for rounding."""
    return not loss.value < floor.value - _BELOW * (abs(loss.value) + abs(floor.value)) - _ROUNDING


def _beside_floor(loss: Score | None, floor: Score | None) -> dict[str, Score]:
    return {} if loss is None or floor is None else {FLOOR: floor, ABOVE: above(loss, floor)}


def _shares(loss: Score | None, scale: _Scale) -> dict[str, Score]:
    if loss is None or scale.constant is None:
        return {}
    source = "from the loss function and the targets of the batch"
    constant = Score(scale.constant, rows=loss.rows, direction="minimize", source=source, note=scale.note)
    between = loss.interval
    if between is not None:
        between = replace(between, low=scale.share(between.low), high=scale.share(between.high))
    note = f"the loss as a share of {CONSTANT}" + (", both without what right predictions leave" if scale.least else "")
    return {CONSTANT: constant, SHARE: replace(loss, value=scale.share(loss.value), interval=between, note=note)}


def _readings(scores: Mapping[str, Score], scale: _Scale, steps: int, task: Task, no_floor: str) -> list[Reading]:
    """What to do about a loss that is too high, and why one is not known."""
    remedies = ["try another learning rate", f"take more steps with OverfitOneBatch(max_steps={2 * steps})"]
    if task.kind in DECIDING and ABOVE in scores and not scores[ABOVE].value < _ABOVE:
        return [_remedy(ABOVE, remedies)]
    share = scores.get(SHARE)
    if share is None:
        note = scale.note or no_floor or ("the step has no loss" if ABOVE not in scores else "")
        missing = [Reading(ABOVE, None, note=note)] if ABOVE not in scores else []
        return [*missing, Reading(SHARE, None, note=note)] if note else []
    if share.value < _SHARE:
        return []
    if scale.targets is not None and _is_far(*scale.targets):
        mean, deviation = scale.targets
        measured = f"they have the mean {mean:.4g} and the standard deviation {deviation:.4g}"
        remedies.insert(0, f"standardise the targets ({measured})")
    if FLOOR in scores and scores[FLOOR].value - scale.least > _ROUNDING * abs(scale.least):
        remedies.insert(0, f"mend the targets of equal inputs (they alone leave {scores[FLOOR].value:.4g})")
    return [_remedy(SHARE, remedies)]


def _remedy(score: str, remedies: list[str]) -> Reading:
    return Reading(f"remedy for {score}", ", ".join(remedies[:-1]) + f", or {remedies[-1]}")


def _is_far(mean: float, deviation: float) -> bool:
    """Whether targets are of another size than the outputs of a fresh model."""
    return abs(mean) > 2 * deviation or not 0.1 < deviation < 10


def _summary(loss: Score | None, scores: Mapping[str, Score], steps: int) -> str:
    if loss is None:
        return ""
    said = f"loss {loss.value:.3g} on one batch after {counted(steps, 'step')}"
    if FLOOR in scores and scores[FLOOR].value != 0:
        said += f", where {scores[FLOOR].value:.3g} is the least"
    if SHARE not in scores:
        return said
    return f"{said}, {scores[SHARE].value:.1%} of the {scores[CONSTANT].value:.3g} that a constant prediction leaves"
