"""The health of a training: what its rules said, and what is known of each layer over time, as one table."""

import math
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any, cast

from art_training.checks.healthy import HEALTH
from art_training.records import LayerCurve, Outcome, Severity
from art_training.records.layers import ACTIVATION
from art_training.stores import Store
from art_training.views.points import Pairing, PointsRow, natural, points_of

_POINTS = 600  # of each curve: the lowest, the highest and every gap are among them
_FAR = 1e3  # how many times smaller than the median layer's a gradient is that hardly arrives
_JUMP = 1e2  # how many times larger than its own median a gradient is that jumps
_SLOW, _FAST = 1e-5, 1e-1  # of weights that one step changes; about 1e-3 is usual
_MOST = 0.5  # of units, or of values
_SHARES = {
    "dead": "units are dead",
    "silent": "units give 0 for every example of a batch",
    "saturated": "values are at the ends of their range",
}

# What modules log of layers themselves, as Lightning's `grad_norm` names it (`grad_2.0_norm/head.weight`) and others do alike. A training
# may have any label, `weight_decay` among them, so that only what stands behind `logged` is looked at.
_STATISTIC = re.compile(
    r"(?:.*/)?logged/(?P<statistic>(?:grad|update|activation|weight|dead|silent|saturated)[\w.\-]*)/(?P<layer>.+)",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"(?:.*/)?logged/(?P<statistic>grad[\w.\-]*_norm)_total", re.IGNORECASE)
_WHOLE = "all layers"


class Verdict(StrEnum):
    """What is said of one statistic of one layer, the worst first."""

    BAD = "bad"
    WATCH = "watch"  # unusual; whether it does harm is not said
    GOOD = "good"
    UNKNOWN = "unknown"  # nothing is known of what is usual


@dataclass(frozen=True)
class LayerRow:
    """One statistic of one layer over a training.

    Attributes:
        training: which training of the step, where it has several; else empty.
        layer: the module or parameter.
        statistic: what was measured, as it was named.
        curve: the name of the curve that it is read from.
        first: the first value.
        last: the last one.
        worst: the value farthest from what is usual; NaN where one was.
        verdict: what is said of it.
        reason: why, with its numbers; empty where it is good or unknown.
    """

    training: str
    layer: str
    statistic: str
    curve: str
    first: float
    last: float
    worst: float
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Layer:
    """All that is known of one layer.

    Attributes:
        training: which training of the step, where it has several; else empty.
        name: the module or parameter.
        rows: its statistics, by name.
    """

    training: str
    name: str
    rows: Mapping[str, LayerRow]

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        return min((row.verdict for row in self.rows.values()), key=list(Verdict).index)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not good, each with what was measured."""
        return tuple(f"{row.statistic}: {row.reason}" for row in self.rows.values() if row.reason)


@dataclass(frozen=True)
class FoundRow:
    """What a rule found in a training."""

    code: str
    severity: Severity
    message: str
    remedy: str


@dataclass(frozen=True)
class TrainingRow:
    """What the rules said of one training that was watched.

    Attributes:
        training: its label; `setup` in a diagnosis.
        passed: codes of rules that looked and found nothing.
        found: what others found; information alone is not among it.
        not_judged: why a rule could not tell, by its code.
        broken: why it could not be gone through; empty where it could.
    """

    training: str
    passed: tuple[str, ...]
    found: tuple[FoundRow, ...]
    not_judged: Mapping[str, str]
    broken: str


@dataclass(frozen=True)
class HealthView:
    """The health of a run.

    Attributes:
        trainings: what rules said, by training; empty while the run has no outcome, or where nothing watched it.
        layers: what is known of layers: the worst first.
    """

    trainings: tuple[TrainingRow, ...]
    layers: tuple[LayerRow, ...]


def by_layer(rows: Sequence[LayerRow]) -> tuple[Layer, ...]:
    """One row a layer, those that something is wrong with first, and else as they follow one another by name."""
    found: dict[tuple[str, str], dict[str, LayerRow]] = {}
    for row in rows:
        found.setdefault((row.training, row.layer), {})[row.statistic] = row
    layers = [Layer(training, name, statistics) for (training, name), statistics in found.items()]
    order = [Verdict.BAD, Verdict.WATCH]
    return tuple(
        sorted(
            layers,
            key=lambda one: (
                order.index(one.verdict) if one.verdict in order else len(order),
                natural(one.training),
                natural(one.name),
            ),
        )
    )


def health_of(store: Store, run: str) -> HealthView:
    """The health of a run, live or ended. Of layers there is what the runner saw, and what the module logged besides."""
    outcome = store.outcome(run)
    known = [*store.courses(run), *(outcome.curves if outcome else ())]
    names = sorted({name for name in known if is_of_layer(name)})
    return health_from(outcome, points_of(store, run, names, _POINTS) if names else ())


def health_from(outcome: Outcome | None, curves: Iterable[PointsRow]) -> HealthView:
    """The health of a run whose outcome and curves were read already; curves that are of no layer say nothing of it."""
    rows = [row for row in curves if is_of_layer(row.name)]
    layers = [row for family in _families(rows).values() for row in _judged(family)]
    order = list(Verdict)
    layers.sort(key=lambda row: (order.index(row.verdict), row.training, row.statistic, row.layer))
    return HealthView(tuple(_trainings(outcome)), tuple(layers))


def not_followed(layers: Iterable[LayerRow], curves: Iterable[str]) -> tuple[str, ...]:
    """The trainings of a step with curves of which no layer is known, where some is known of others.

    Args:
        layers: what is known.
        curves: names of all curves of the run.
    """
    followed = {row.training for row in layers}
    trainings = {Pairing.of(name).training for name in curves if not is_of_layer(name)}
    return tuple(sorted(trainings - followed - {""}, key=natural)) if followed else ()


def is_of_layer(name: str) -> bool:
    """Whether a curve of this name tells of a layer."""
    return _read(name) is not None


def _read(name: str) -> tuple[str, str] | None:
    """The statistic and the layer that a curve is of; None of a curve that is of no layer."""
    if own := LayerCurve.parse(name):
        return own.statistic, own.layer
    if total := _TOTAL.fullmatch(name):
        return total["statistic"], _WHOLE
    found = _STATISTIC.fullmatch(name)
    return (found["statistic"], found["layer"]) if found else None


def _families(rows: Sequence[PointsRow]) -> dict[tuple[str, str], list[PointsRow]]:
    """Curves of one statistic in one training: what is usual for one layer is told by the others."""
    found: dict[tuple[str, str], list[PointsRow]] = {}
    for row in rows:
        statistic, _ = _read(row.name) or ("", "")
        found.setdefault((_training_of(row), statistic), []).append(row)
    return found


def _judged(family: Sequence[PointsRow]) -> Iterator[LayerRow]:
    middles = {row.name: _middle(row) for row in family}
    usual = _median([middle for row in family if not math.isnan(middle := middles[row.name]) and not _is_whole(row)])
    for row in family:
        statistic, layer = _read(row.name) or ("", "")
        worst, verdict, reason = _verdict(
            statistic, row.values, middles[row.name], math.nan if _is_whole(row) else usual
        )
        yield LayerRow(
            _training_of(row), layer, statistic, row.name, row.values[0], row.values[-1], worst, verdict, reason
        )


def _training_of(row: PointsRow) -> str:
    own = LayerCurve.parse(row.name)
    return own.training if own else row.training


def _is_whole(row: PointsRow) -> bool:
    return _TOTAL.fullmatch(row.name) is not None


def _verdict(statistic: str, values: Sequence[float], middle: float, usual: float) -> tuple[float, Verdict, str]:
    """The worst value, and what is said of it.

    Args:
        statistic: what was measured, as it was named.
        values: in the order of their steps.
        middle: the median of them.
        usual: the median over all layers of such medians.
    """
    wrong = next((value for value in values if not math.isfinite(value)), None)
    low, high, last = min(values), max(values), values[-1]
    word = statistic.lower()
    if wrong is not None:
        return wrong, Verdict.BAD, f"one of its values is {wrong:g}"
    if word.startswith("grad"):
        if high == 0:
            return 0.0, Verdict.BAD, "no gradient ever arrived"
        if middle * _FAR < usual:
            return low, Verdict.WATCH, f"its median is {middle:.3g} where that of all layers is {usual:.3g}"
        if high > _JUMP * middle:
            return high, Verdict.WATCH, f"it jumped to {high:.3g}, where its median is {middle:.3g}"
        return high, Verdict.GOOD, ""
    if word.startswith("update") and "ratio" in word:
        if middle < _SLOW:
            return low, Verdict.WATCH, f"a step changes {middle:.3g} of the weights, where about 0.001 is usual"
        if middle > _FAST:  # not the highest: from weights that begin at 0 the first step is all that they are
            return high, Verdict.WATCH, f"a step changes {middle:.3g} of the weights, where about 0.001 is usual"
        return high, Verdict.GOOD, ""
    for begins, what in _SHARES.items():
        if word.startswith(begins):
            told = f"{last:.0%} of its {what}, when it was looked at last" if last > _MOST else ""
            return high, Verdict.WATCH if told else Verdict.GOOD, told
    if word == ACTIVATION and not math.isnan(usual):
        if middle > _FAR * usual or middle * _FAR < usual:
            return middle, Verdict.WATCH, f"its median is {middle:.3g} where that of all layers is {usual:.3g}"
        return max(values, key=lambda value: abs(value - middle)), Verdict.GOOD, ""
    return max(values, key=lambda value: abs(value - middle)), Verdict.UNKNOWN, ""


def _middle(row: PointsRow) -> float:
    """The median over the steps: where points are left out, each of the others stands for the steps up to the next."""
    if not row.truncated:
        return _median(row.values)
    lengths = [after - step for step, after in zip(row.steps, (*row.steps[1:], row.steps[-1] + 1), strict=True)]
    finite = sorted(pair for pair in zip(row.values, lengths, strict=True) if math.isfinite(pair[0]))
    half = sum(length for _, length in finite) / 2
    past = accumulate(length for _, length in finite)
    return next((value for (value, _), length in zip(finite, past, strict=True) if length >= half), math.nan)


def _median(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan


def _trainings(outcome: Outcome | None) -> Iterator[TrainingRow]:
    reading = outcome.reading(HEALTH) if outcome else None
    if reading is None or not isinstance(reading.value, Mapping):
        return
    for training, told in cast("Mapping[str, Any]", reading.value).items():
        if not isinstance(told, Mapping):
            continue
        said = cast("Mapping[str, Any]", told)
        yield TrainingRow(
            training=training,
            passed=tuple(said.get("passed", ())),
            found=tuple(
                FoundRow(code, Severity(one["severity"]), one["message"], one.get("remedy", ""))
                for code, one in said.get("found", {}).items()
            ),
            not_judged=dict(said.get("not judged", {})),
            broken=said.get("broken", ""),
        )
