"""Questions about the axes that the examples of each split can be ordered by: both ends, what is far out, what is cut off."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Plain, Reading, Severity
from art_training.setup.task import Task
from art_training.steps.exploration.answers import Answers, Surveys, listed
from art_training.steps.exploration.axes import BRIGHT, DARK
from art_training.steps.exploration.survey import SHOWN, Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR = 4  # times as far from the median as all others
FAR_AT_MOST = 0.05  # of the examples; more are no outliers but a part of the data
FEWEST = 30  # examples
SATURATED, USUALLY = 0.6, 0.25  # of an image's pixels; of the usual image's
CUT, CUT_DISTINCT = 0.1, 50  # share of examples at the end of an axis; values that it has at least
_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True)
class End:
    """One end of an axis: its value, and the place of an example that has it."""

    value: float
    place: int


def ends(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Which examples are at the ends of each axis, and what lies between?"""
    import numpy as np

    rows: list[dict[str, Plain]] = []
    for survey in surveys:
        axes = survey.axes
        for number, name in enumerate(axes.names):
            values = axes.values[:, number]
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            low, high = _ends(survey, number)
            row: dict[str, Plain] = {"place": survey.place, "axis": name, "low": _short(low.value), "low_at": low.place}
            for share, value in zip(_QUANTILES, np.quantile(values, _QUANTILES), strict=True):
                row[f"{share:.0%}"] = _short(float(value))
            row |= {"high": _short(high.value), "high_at": high.place, "missing": len(axes.values) - len(values)}
            rows.append(row)
    if not rows:
        return
    survey = surveys[0]
    notes = [note for note in (survey.axes.note, _of_sample(survey)) if note]
    whole = {name for name, source in zip(survey.axes.names, survey.axes.sources, strict=True) if source is None}
    varying = sorted((row for row in rows if row["low"] != row["high"]), key=lambda row: row["axis"] not in whole)
    shown: list[dict[str, Plain]] = [
        {key: row[key] for key in ("place", "axis", "low", "low_at", "high", "high_at")} for row in varying[:SHOWN]
    ]
    note = "; ".join([f"{len(rows):,} in axes.csv; low_at and high_at are places of examples", *notes])
    answers.readings.append(Reading("ends of the axes", shown, note=note))
    told = "; ".join(["lowest and highest value of each axis with the example that has it, and quantiles", *notes])
    answers.tables["axes.csv"] = (rows, told)


def outliers(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Do a few examples lie far out of all others along an axis?"""
    for survey in surveys:
        found: list[dict[str, Plain]] = []
        for number, name in enumerate(survey.axes.names):
            for end, sign in zip(_ends(survey, number), (-1, 1), strict=True):
                one = far_out(survey.axes.values[:, number], end, sign)
                if one is not None:
                    times, rows = one
                    places: list[Plain] = [int(survey.sampled.indices[row]) for row in rows] or [end.place]
                    found.append({"axis": name, "value": _short(end.value), "times": _short(times), "examples": places})
        if survey.axes.names:
            answers.fewer_is_better("axes_with_outliers", len(found), survey)
        if not found:
            continue
        worst: Any = max(found, key=lambda one: float(str(one["times"])))
        answers.findings.append(
            Finding(
                "ART120",
                "data",
                Severity.WARNING,
                f"{len(found)} ends of axes of {survey.place} have examples far out: {worst['axis']} goes to "
                f"{worst['value']:g}, {worst['times']:.3g} times as far from the median as what comes next",
                {"axes": found[:SHOWN], "count": len(found)},
                "look at these examples: a wrong unit, a code for a missing value, a broken sensor; else scale by ranks or "
                "logarithms",
                f"{survey.place}: examples {listed(worst['examples'][:SHOWN])}",
            )
        )


def far_out(values: "NDArray[Any]", end: End, sign: int) -> "tuple[float, NDArray[Any]] | None":
    """How many times as far from the median as all others the values at one end are, and the rows that have them.

    They are outliers if they are at most a twentieth of all, and further out by a gap that leaves their distance at least
    four times that of the next value and of the interquartile range. A long tail has no such gap.

    Args:
        values: (rows,) of a sample; NaN where there is none.
        end: of all examples, which may lie further out than those of the sample.
        sign: 1 for the upper end, -1 for the lower.
    """
    import numpy as np

    known = values[np.isfinite(values)]
    if len(known) < FEWEST:
        return None
    low, median, high = np.quantile(known, (0.25, 0.5, 0.75))
    if high <= low:
        return None  # most examples have one value; there is no scale to be far out of
    apart = np.sort(sign * (known - median))[-(int(len(known) * FAR_AT_MOST) + 2) :]
    beyond = sign * (end.value - float(median))
    if beyond > apart[-1]:
        apart = np.append(apart, beyond)
    times = apart[1:] / np.maximum(apart[:-1], high - low)
    gaps = np.flatnonzero(times >= FAR)
    if not len(gaps):
        return None
    reach = float(apart[1:][gaps[0]])
    return float(times[gaps[0]]), np.flatnonzero(sign * (values - median) >= reach * (1 - 1e-9))


def saturated(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Are there images most of whose pixels are at an end of the range, where it is not the background?"""
    import numpy as np

    for survey in surveys:
        shares = [
            survey.axes.values[:, number]
            for number, name in enumerate(survey.axes.names)
            if survey.axes.sources[number] is None and name.startswith((DARK, BRIGHT))
        ]
        if not shares or not len(survey.sampled):
            continue
        found = np.zeros(len(survey.sampled), bool)
        for share in shares:
            known = share[np.isfinite(share)]
            if len(known) and np.median(known) < USUALLY:
                found |= share >= SATURATED
        rows = survey.sampled.indices[found]
        count = round(len(rows) / len(survey.sampled) * survey.examples)
        answers.fewer_is_better("saturated_inputs", count, survey, _of_sample(survey))
        if count:
            answers.findings.append(
                Finding(
                    "ART115",
                    "data",
                    Severity.WARNING,
                    f"{count} of {survey.examples} images of {survey.place} have at least {SATURATED:.0%} of their pixels "
                    "at an end of the range",
                    {"count": count, "examples": rows[:SHOWN].tolist()},
                    "look at these images: they are over- or underexposed, or were scaled twice",
                    f"{survey.place}: examples {listed(rows[:SHOWN].tolist())}",
                )
            )


def cut_off(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Are features of many values clipped, so that many examples share the highest or the lowest?"""
    for survey in surveys:
        found: list[dict[str, Plain]] = []
        for number, name in enumerate(survey.axes.names):
            if survey.axes.sources[number] is not None:
                found += [{"axis": name} | one for one in cut_ends(survey.axes.values[:, number])]
        if not found:
            continue
        worst: Any = max(found, key=lambda one: float(str(one["share"])))
        answers.findings.append(
            Finding(
                "ART116",
                "data",
                Severity.INFO,
                f"{len(found)} ends of features of {survey.place} look cut off: {worst['share']:.1%} of the examples have "
                f"exactly {worst['value']:g}, the {worst['end']} value of {worst['axis']}",
                {"features": found[:SHOWN], "count": len(found)},
                "look where the data are made for clipping, saturation and values that stand for missing ones",
                survey.place,
            )
        )


def cut_ends(values: "NDArray[Any]") -> list[dict[str, Plain]]:
    """The ends of an axis of many values that an unusual share of the examples has exactly."""
    import numpy as np

    known = values[np.isfinite(values)]
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) < CUT_DISTINCT or len(known) < FEWEST:
        return []
    usual = np.median(counts) / len(known)
    found: list[dict[str, Plain]] = []
    for at, end in ((0, "lowest"), (-1, "highest")):
        share = float(counts[at] / len(known))
        if share >= max(CUT, 10 * usual):
            found.append({"end": end, "value": _short(float(distinct[at])), "share": _short(share)})
    return found


def _ends(survey: Survey, number: int) -> tuple[End, End]:
    """Of all examples where the axis is a feature, else of the sample."""
    import numpy as np

    source = survey.axes.sources[number]
    statistics = None if source is None else survey.statistics.get(source[0])
    if source is not None and statistics is not None and not statistics.pooled:
        at = source[1]
        return (
            End(float(statistics.low[at]), int(statistics.low_at[at])),
            End(float(statistics.high[at]), int(statistics.high_at[at])),
        )
    values, places = survey.axes.values[:, number], survey.sampled.indices
    if not np.isfinite(values).any():
        return End(float("nan"), 0), End(float("nan"), 0)
    low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
    return End(float(values[low]), int(places[low])), End(float(values[high]), int(places[high]))


def _of_sample(survey: Survey) -> str:
    return survey.sampled.note


def _short(value: float) -> float:
    return float(f"{value:.6g}")
