"""The best baseline on the very test rows that the model is judged on: what the model is worth beyond it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from art_training.checks.against import AGAINST, BASELINE, GAIN
from art_training.checks.baseline import NOT_TO_BEAT
from art_training.checks.values import number, with_interval
from art_training.errors import CheckError, UnknownMetric, UsageError
from art_training.records import Finding, Metric, Reading, Score, Severity, Split
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.metrics import LOSS
from art_training.setup.setup import Setup
from art_training.steps.baselines.predicting import predict
from art_training.steps.bench import Bench
from art_training.steps.evaluate_baseline import EvaluateBaseline

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.comparison import Comparison


@dataclass(frozen=True)
class Beside:
    """What a baseline reaches on the test rows, and how much better the model is.

    Attributes:
        scores: `test/baseline.accuracy` and `test/baseline_gain.accuracy`, and so for each score.
        readings: which baseline it is, and what could not be compared.
        findings: that the model is not surely better by the score that is told first.
    """

    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    readings: tuple[Reading, ...] = ()
    findings: tuple[Finding, ...] = ()


def beside_baseline(bench: Bench, examples: Examples, main: str) -> Beside:
    """Let the best baseline of the nearest EvaluateBaseline learn anew, and compare it with the model, row by row.

    It learns from the data that its step worked on, which no later step has changed by what regularises a network, and
    predicts the rows that the model was scored on as these data have them. Nobody
    chooses by what it reaches there: which one it is was chosen on validation, so the split is not used once more.

    Args:
        bench: of the final test.
        examples: what the model predicts for the test split.
        main: the score that is told first.

    Returns:
        Nothing at all where no earlier step evaluated a baseline.
    """
    chosen = next(_chosen(bench), None)
    if chosen is None:
        return Beside()
    declared, data, name, by, passed_over = chosen
    learned = declared.again(bench, name, data)
    pool = predict(bench, learned, Split.TEST, data).get(name, {}).get(None)
    if name in learned.left_out or pool is None or pool.left_out:
        why = learned.left_out.get(name) or "it predicts more numbers than are kept"
        return Beside({}, (Reading(AGAINST, None, note=f"{name}, the best baseline by {by}: {why}"),))
    own = pool.scores(bench.metrics, seed=bench.seed, source=f"baseline {name}")
    bench.say(f"compare with {name}")
    gains = _gains(bench, own, examples, _same_rows(examples, pool.predictions().examples))
    scores = {
        _at(BASELINE, metric): replace(score, source=f"baseline {name}")
        for metric, score in own.items()
        if math.isfinite(score.value)
    }
    scores |= {_at(GAIN, metric): _gain(one, name) for metric, one in gains.items() if not isinstance(one, str)}
    said = f"{name}, the best baseline by {by}{passed_over}, learned anew from the training split"
    unknown = (Reading(_at(GAIN, metric), None, note=why) for metric, why in gains.items() if isinstance(why, str))
    return Beside(scores, (Reading(AGAINST, said), *unknown), tuple(_not_surely_better(scores, main, name)))


def _gains(
    bench: Bench, own: Mapping[str, Score], ours: Examples, theirs: Examples | None
) -> "dict[str, Comparison | str]":
    """By metric, how much better the model is, or why that is not known."""
    from art_training.setup.scores.comparison import compare

    found: dict[str, Comparison | str] = {}
    for metric in (one for one in (*bench.metrics.names, LOSS) if one in own):
        if theirs is None:
            found[metric] = "the targets in the batches are not those that the model was scored on"
            continue
        try:
            one = compare(bench.metrics, metric, [ours], [theirs], seed=bench.seed)
        except (CheckError, UnknownMetric, UsageError) as error:
            found[metric] = str(error)
            continue
        found[metric] = one if math.isfinite(one.value) else one.note
    return found


def _chosen(bench: Bench) -> Iterator[tuple[EvaluateBaseline, Setup | None, str, str, str]]:
    """Of each earlier step that evaluated baselines, the last first: it, its setup, its best that can predict other rows, and by what.

    The last entry says which better ones cannot.
    """
    for one in reversed(bench.earlier):
        by = str(one.outcome.parameters.get("by", ""))
        if not isinstance(one.step, EvaluateBaseline) or not by:
            continue
        reached = [
            candidate
            for candidate in one.outcome.candidates
            if by in candidate.scores
            and math.isfinite(candidate.scores[by].value)
            and candidate.parameters.get("kind") not in NOT_TO_BEAT
        ]
        up = any(candidate.scores[by].direction == "maximize" for candidate in reached)
        reached.sort(key=lambda candidate: candidate.scores[by].value, reverse=up)
        names = [candidate.name for candidate in reached]
        name = next((name for name in names if one.step.can_learn(name)), "")
        if name:
            better = ", ".join(names[: names.index(name)])
            data = one.works_on() if one.works_on is not None else None
            yield one.step, data, name, by, f" that can be asked of other examples, behind {better}" if better else ""


def _same_rows(ours: Examples, theirs: Examples) -> Examples | None:
    """What a baseline predicts in the form that the model's predictions have; None where it is not of the same rows."""
    if ours.pool is None or theirs.pool is None or ours.count != theirs.count:
        return None
    mine, other = ours.pool.targets, theirs.pool.targets
    if mine.numel() != other.numel() or not _equal(mine, other.reshape(mine.shape)):
        return None
    predictions = theirs.pool.predictions
    if predictions.shape == other.shape:  # a number a target, shaped as the targets are
        predictions = predictions.reshape(mine.shape)
    return replace(theirs, pool=replace(ours.pool, predictions=predictions))


def _equal(ours: "Tensor", theirs: "Tensor") -> bool:
    theirs = theirs.to(ours.dtype)
    return bool(((ours == theirs) | (ours.isnan() & theirs.isnan())).all())


def _gain(found: "Comparison", name: str) -> Score:
    told = f"how much better than {name} on the same examples, which reaches {number(found.theirs)}"
    note = "; ".join(filter(None, (told, found.note if found.interval is None else "")))
    return Score(found.value, found.interval, found.examples, "maximize", f"paired with baseline {name}", note)


def _not_surely_better(scores: Mapping[str, Score], main: str, name: str) -> Iterator[Finding]:
    metric = Metric.parse(main).name
    gain, theirs = scores.get(_at(GAIN, metric)), scores.get(_at(BASELINE, metric))
    if gain is None or theirs is None or gain.interval is None or gain.interval.low > 0:
        return
    worse = gain.interval.high < 0
    yield Finding(
        code="ART804",
        category="evaluation",
        severity=Severity.WARNING,
        message=f"on test the model is {'worse than' if worse else 'not surely better than'} the baseline {name}, which reaches "
        f"{main} {with_interval(theirs)}: the gain is {with_interval(gain)}",
        evidence={"baseline": name, "gain": gain.value, "low": gain.interval.low, "high": gain.interval.high},
        remedy=f"use {name}, which is cheaper, or find on validation what makes the model better, and judge it on new test examples",
    )


def _at(name: str, metric: str) -> str:
    return str(Metric(f"{name}.{metric}", Split.TEST))
