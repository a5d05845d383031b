"""How much the user's own model learns from its inputs: trained with them, and the same way without."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from art_training.checks.baseline import OWN
from art_training.checks.inputs import INPUTS, INPUTS_GAIN, TARGETS
from art_training.checks.values import alike
from art_training.engines import Change, FitResult
from art_training.errors import TrainingStopped, UsageError
from art_training.records import Candidate, Finding, Metric, Reading, Score, Split
from art_training.setup.data.batch import as_array, entries
from art_training.setup.scores.comparison import Comparison, compare, holm
from art_training.setup.scores.metrics import LOSS, comparable
from art_training.setup.task import TaskKind
from art_training.steps.baselines.control import Hiding, How, called, hiding
from art_training.steps.bench import Bench, Scored
from art_training.steps.exploration.target_questions import far_from_fresh

REAL = "inputs real"
_REMEDY = "try inputs='shuffled', or a function of a batch that returns one whose inputs tell nothing"


@dataclass(frozen=True)
class WithoutInputs:
    """What two trainings gave.

    Attributes:
        candidates: the model with its inputs and without.
        reached: scores of the one without, which is a baseline; empty where it has none.
        gains: how much better the model is with its inputs, by name.
        reading: both by each measure, or why they are not known.
        findings: what was seen to be wrong with the model on its real inputs.
        seconds: by training.
    """

    candidates: tuple[Candidate, ...]
    reached: Mapping[str, Score]
    gains: Mapping[str, Score]
    reading: Reading
    findings: tuple[Finding, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])


def train_without_inputs(
    bench: Bench, inputs: "How | Hiding", steps: int | None, dummy: Mapping[str, Score]
) -> WithoutInputs:
    """Train the model twice under the step's seed, without augmentation, and compare on the validation split.

    Args:
        bench: what the step works with.
        inputs: what is done to the inputs.
        steps: optimiser steps of each at most, within what the Trainer's settings allow; None: as long as they say.
        dummy: the dummy's scores by address.
    """
    name = f"inputs {called(inputs)}"
    try:
        change = hiding(inputs, bench.task)
    except ValueError as why:
        left_out = Candidate(name, note=str(why))
        return WithoutInputs((left_out,), {}, {}, Reading(INPUTS, None, note=str(why)))
    real = _train(bench, REAL, steps, None)
    arms = [real] if real.failure else [real, _train_hidden(bench, name, steps, change)]
    candidates = tuple(_candidate(arm, called(inputs), steps) for arm in arms)
    seconds = {arm.name: arm.seconds for arm in arms}
    failure = next((arm.failure for arm in arms if arm.failure), "")
    if failure:
        return WithoutInputs(candidates, {}, {}, Reading(INPUTS, None, note=failure), real.findings, seconds)
    told = {"how": called(inputs), "steps": real.steps, "changed": list(getattr(change, "changed", ()))}
    if real.epochs and (steps is None or real.steps < steps) and not callable(bench.setup.trainer):
        told["trainer_epochs"] = real.epochs
    told |= _far_targets(bench)
    hidden = arms[1]
    gains, reading = _compared(bench, real, hidden, told, dummy)
    for arm in arms:
        bench.discard(arm.name)
    return WithoutInputs(candidates, hidden.scores, gains, reading, real.findings, seconds)


@dataclass(frozen=True, eq=False)
class _Arm:
    """One of the two trainings."""

    name: str
    scored: Scored = field(default_factory=Scored)
    steps: int = 0
    epochs: int = 0
    seconds: float = 0.0
    failure: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def scores(self) -> Mapping[str, Score]:
        """By address, as those of baselines are: what the step makes of the task's loss is left out."""
        return comparable(self.scored.scores)


def _train(bench: Bench, name: str, steps: int | None, change: Change | None) -> _Arm:
    bench.say(f"fit {name}")
    result: FitResult = bench.fit(plain=True, max_steps=steps, within_settings=True, label=name, change=change)
    if result.stopped or result.last is None:
        why = f"{name}: {result.message or result.stopped or 'the training left no weights'}"
        return _Arm(name, steps=result.steps, seconds=result.seconds, failure=why, findings=result.findings)
    scored = bench.evaluate(Split.VALIDATION, weights=result.last, plain=True, change=change, keep=False)
    findings = (*result.findings, *scored.findings)
    return _Arm(name, scored, result.steps, result.epochs, result.seconds, findings=findings)


def _train_hidden(bench: Bench, name: str, steps: int | None, change: Change) -> _Arm:
    """The model was not written for such inputs; what it raises on them is no fault of its own."""
    try:
        arm = _train(bench, name, steps, change)
    except TrainingStopped:
        raise
    except Exception as error:  # noqa: BLE001  Whatever a model raises on inputs that no data of it ever has.
        first = str(error).strip().partition("\n")[0]
        told = first if isinstance(error, UsageError) else f"{type(error).__name__}: {first}"
        return _Arm(name, failure=f"{name}: {told}; {_REMEDY}")
    return replace(arm, failure=f"{arm.failure}; {_REMEDY}") if arm.failure else arm


def _candidate(arm: _Arm, how: str, steps: int | None) -> Candidate:
    parameters: dict[str, Any] = {"model": "the setup's own", "inputs": "real" if arm.name == REAL else how}
    parameters |= {"steps": arm.steps, "most_steps": steps}
    if arm.name == REAL:
        parameters["kind"] = OWN
    note = f"the setup's own model after {arm.steps} steps"
    if arm.name == REAL:
        note += ", to compare with; it is no baseline"
    return Candidate(arm.name, arm.scores, parameters, arm.failure or note)


def _far_targets(bench: Bench) -> dict[str, Any]:
    """Mean and deviation of targets of a regression that fresh outputs, which are around 0 with a deviation of about 1, are far from."""
    import numpy as np

    found: list[Any] = []

    def see(_: Split, __: str | None, batch: Any) -> None:
        targets = entries(batch).get(bench.task.target or "")
        if targets is not None:
            found.append(as_array(targets).astype(float).reshape(len(targets), -1))

    if bench.task.kind is TaskKind.REGRESSION:
        bench.read(Split.VALIDATION, see=see)
    table = np.concatenate(found) if found else np.zeros((0, 0))
    for column in table.T:
        mean, deviation = float(column.mean()), float(column.std())
        if far_from_fresh(mean, deviation):
            return {TARGETS: {"mean": _short(mean), "deviation": _short(deviation)}}
    return {}


def _compared(
    bench: Bench, real: _Arm, hidden: _Arm, told: Mapping[str, Any], dummy: Mapping[str, Score]
) -> tuple[dict[str, Score], Reading]:
    """By the first metric whose direction is known, and by the loss."""
    comparisons: dict[str, Comparison] = {}
    notes: list[str] = []
    for name in _measures(bench, real.scores):
        try:
            found = compare(bench.metrics, name, *_sides(real, hidden), seed=bench.seed)
        except UsageError as error:  # a validation split that is another one each time
            notes.append(str(error))
            continue
        if found.value == found.value:
            comparisons[name] = found
        else:
            notes.append(found.note)
    if not comparisons:
        return {}, Reading(INPUTS, None, note="; ".join(dict.fromkeys(notes)) or "the loss is not known")
    adjusted = _adjusted(comparisons)
    rows = {name: _row(name, one, adjusted.get(name), dummy) for name, one in comparisons.items()}
    gains = {f"{INPUTS_GAIN}{name}": _gain(one, adjusted.get(name)) for name, one in comparisons.items()}
    note = (
        f"the setup's own model after {real.steps} steps with and without its inputs, on the same validation examples"
    )
    return gains, Reading(INPUTS, {**told, "compared": rows}, note="; ".join([note, *notes]))


def _measures(bench: Bench, scores: Mapping[str, Score]) -> list[str]:
    known = [
        name
        for name in bench.metrics.names
        if str(Metric(name, Split.VALIDATION)) in scores and bench.metrics.direction(name) is not None
    ]
    return [*known[:1], LOSS]


def _sides(real: _Arm, hidden: _Arm) -> tuple[list[Any], list[Any]]:
    return [real.scored.passes[Split.VALIDATION]], [hidden.scored.passes[Split.VALIDATION]]


def _adjusted(comparisons: Mapping[str, Comparison]) -> dict[str, float]:
    known = {name: one.p_value for name, one in comparisons.items() if one.p_value is not None}
    return dict(zip(known, holm(list(known.values())), strict=True))


def _row(name: str, one: Comparison, adjusted: float | None, dummy: Mapping[str, Score]) -> dict[str, Any]:
    theirs = dummy.get(str(Metric(name, Split.VALIDATION)))
    row: dict[str, Any] = {"with": _short(one.ours), "without": _short(one.theirs)}
    row["p_adjusted"] = None if adjusted is None else _short(adjusted)
    if theirs is None or theirs.value != theirs.value:
        return {**row, "dummy": None, "beyond_dummy": None}
    sign = 1 if cast("Any", theirs.direction) == "maximize" else -1
    beyond = 0.0 if alike(one.ours, theirs.value) else _short(sign * (one.ours - theirs.value))
    return {**row, "dummy": _short(theirs.value), "beyond_dummy": beyond}


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _gain(one: Comparison, adjusted: float | None) -> Score:
    told = "" if one.p_value is None else f"p {one.p_value:.3g}, adjusted {adjusted:.3g}"
    note = "; ".join(filter(None, (told, one.note)))
    return Score(one.value, one.interval, one.examples, "maximize", "paired comparison", note)
