"""Check the loss at initialisation: a fresh model that knows nothing should lose what knowing nothing costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from art_training.checks import Check
from art_training.checks.finite import NoNaN
from art_training.checks.losses import EXPECTED, REMEDY, LossIsTheoretical
from art_training.records import Metric, Outcome, Reading, Score, Split
from art_training.setup.scores.expected_loss import OF_ERRORS, OF_VALUES, Expected
from art_training.setup.task import Task, TaskKind
from art_training.steps.bench import Bench
from art_training.steps.loss_targets import LossTargets
from art_training.steps.step import TRAINING_LENGTH, Step

TRAINING_MODE = "loss_in_training_mode"
UNIFORM = "uniform_loss"
ZERO = "zero_loss"
PRIOR = "prior_loss"

# A fresh regression's outputs have a size of their own, unlike probabilities: torch's linear layer begins with a third of
# the second moment of its inputs, which adds as much to a squared error whatever the targets are.
_VALUES = {TaskKind.REGRESSION, TaskKind.RECONSTRUCTION}
_TOLERANCE_OF_VALUES = 2.0
_CLOSE = 1.5  # a loss of less than this times another is told apart from it by no remedy

_MOST_BIASES = 1_000  # outputs whose bias is worth writing down


@dataclass(frozen=True)
class CheckLossOnInit(Step):
    """Measure the loss of freshly made weights, and what it should be.

    The loss is measured over the whole training and validation split in evaluation mode, and over the training split in
    training mode. What it should be follows from the loss function and the labels of the training split: the loss of
    uniform predictions, and that of the label prior, which a model reaches at once when its final bias is set so;
    `expected_loss` is the one of the two that is nearer to what was measured. A loss of errors (squared, absolute,
    Huber) has no uniform predictions: `expected_loss` is what the best constant leaves, the targets' variance for a
    squared error, and what an output of zero leaves, `zero_loss`, is told beside it.

    By default the loss must be within 20 % of it, and in regressions, whose outputs have a size of their own, below
    three times of it. So fresh outputs around zero pass where the targets are standardised, and fail where the targets
    are far from zero; the remedy is to start the final bias at their mean, or to standardise them.
    """

    unused_settings: ClassVar[frozenset[str]] = TRAINING_LENGTH
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.TRAIN, Split.VALIDATION})

    def run(self, bench: Bench) -> Outcome:
        splits = tuple(split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits)
        training = bench.evaluate(Split.TRAIN, mode="train")
        scored = bench.evaluate(*splits)
        seen = LossTargets(bench)
        bench.observe(Split.TRAIN, see=seen.see)
        expected = seen.expected()
        measured = scored.scores.get("train/loss")
        scores = {**scored.scores, **_training_mode(training.scores), **_theory(expected, measured, bench.task)}
        findings = {(one.code, one.message): one for one in (*scored.findings, *training.findings)}
        return Outcome(
            scores=scores,
            readings=tuple(_readings(expected, measured, bench.task)),
            findings=tuple(findings.values()),
            parameters={"loss": bench.task.loss, "loss options": dict(bench.task.loss_options)},
            seconds={"evaluate": scored.seconds, "evaluate in training mode": training.seconds},
            summary=_summary(measured, expected, bench.task),
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        values = task.kind in _VALUES or task.loss in OF_ERRORS
        return (LossIsTheoretical(tolerance=_TOLERANCE_OF_VALUES) if values else LossIsTheoretical(), NoNaN())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss", TRAINING_MODE, EXPECTED, UNIFORM, ZERO, PRIOR)


def _training_mode(scores: Mapping[str, Score]) -> dict[str, Score]:
    loss = scores.get("train/loss")
    if loss is None:
        return {}
    note = "; ".join(part for part in ("dropout on, batch norm on the batch's own statistics", loss.note) if part)
    return {str(Metric(TRAINING_MODE, Split.TRAIN)): replace(loss, note=note)}


def _theory(expected: Expected, measured: Score | None, task: Task) -> dict[str, Score]:
    source = "from the loss function and the labels of the training split"
    ignorant = ZERO if task.loss in OF_VALUES else UNIFORM
    values = {ignorant: expected.uniform, PRIOR: expected.prior}
    scores = {
        name: Score(value, direction="minimize", source=source) for name, value in values.items() if value is not None
    }
    if measured is not None and (nearest := _nearest(expected, measured.value, task)) is not None:
        other = PRIOR if nearest != PRIOR else ignorant
        note = f"it is the {nearest}" + (f"; the {other} is {scores[other].value:.4g}" if other in scores else "")
        scores[EXPECTED] = replace(scores[nearest], note=note)
    return scores


def _nearest(expected: Expected, measured: float, task: Task) -> str | None:
    """Which of the two a fresh model should have; a final bias that holds the label prior is as good as none.

    An output of zero is no lack of knowledge: how wrong it is depends on where the targets' zero lies.
    """
    if expected.uniform is None:
        return None  # whether a model begins at the prior alone is its author's choice, not theory
    if task.loss in OF_ERRORS:
        return None if expected.prior is None else PRIOR
    known = {ZERO if task.loss in OF_VALUES else UNIFORM: expected.uniform} | (
        {} if expected.prior is None else {PRIOR: expected.prior}
    )
    return min(known, key=lambda name: abs(known[name] - measured) if math.isfinite(measured) else 0.0)


def _readings(expected: Expected, measured: Score | None, task: Task) -> "list[Reading]":
    readings: list[Reading] = []
    if expected.uniform is None or measured is None:
        note = expected.reason_if_none if measured is not None else "the step has no loss"
        readings.append(Reading(EXPECTED, None, note=note))
    elif expected.reason_if_none:
        readings.append(Reading("theory", None, note=expected.reason_if_none))
    if expected.bias:
        gain = _gain(expected, measured)
        what = "the best constant" if task.loss in OF_VALUES else "the label prior"
        readings.append(Reading("final bias", _shown(expected.bias), note=f"predicts {what}{gain}"))
    if measured is not None and (remedy := _remedy(expected, measured.value, task)):
        readings.append(Reading(REMEDY, remedy))
    if measured is not None and task.classes and measured.value > 0 and task.activation == "softmax":
        readings.append(Reading("loss in units of ln(classes)", measured.value / math.log(task.classes)))
    return readings


def _gain(expected: Expected, measured: Score | None) -> str:
    if expected.prior is None:
        return ""
    before = "" if measured is None else f", where the model begins at {measured.value:.4g}"
    return f" and gives a loss of {expected.prior:.4g}{before}"


def _remedy(expected: Expected, measured: float, task: Task) -> str:
    """What to do about a loss of errors that is above that of the best constant, if its cause is known."""
    zero, prior = expected.uniform, expected.prior
    if task.loss not in OF_ERRORS or zero is None or prior is None or not measured > _CLOSE * prior:
        return ""
    if zero > _CLOSE * prior and measured < _CLOSE * zero:
        one = len(expected.bias) == 1
        start = f"{expected.bias[0]:.4g}" if one else "what the reading `final bias` says, one number an output,"
        return f"start the final bias at {start} (or standardise the targets)"
    return "standardise the inputs and the targets, or make the initial weights of the final layer smaller"


def _shown(bias: tuple[float, ...]) -> Any:
    return [round(value, 6) + 0.0 for value in bias] if len(bias) <= _MOST_BIASES else f"{len(bias)} values"


def _summary(measured: Score | None, expected: Expected, task: Task) -> str:
    if measured is None:
        return "the step has no loss"
    said = f"loss {measured.value:.4g} at initialisation"
    nearest = _nearest(expected, measured.value, task)
    if nearest is None:
        return f"{said}; what it should be is not known: {expected.reason_if_none}"
    if nearest == PRIOR and task.loss in OF_VALUES:
        return f"{said}, {expected.prior:.4g} expected of the best constant"
    if nearest == PRIOR:
        return f"{said}, {expected.prior:.4g} expected of the label prior"
    what = "an output of zero" if nearest == ZERO else "uniform predictions"
    return f"{said}, {expected.uniform:.4g} expected of {what}"
