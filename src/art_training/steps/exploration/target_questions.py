"""Questions about what is learned: how rare the rarest class is, and how numbers are distributed."""

from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Plain, Reading, Severity, Split
from art_training.records.counted import counted
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.answers import Answers, Surveys, listed
from art_training.steps.exploration.axis_questions import CUT_DISTINCT, End, far_out
from art_training.steps.exploration.survey import SHOWN, Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMBALANCED = 10  # times as many of the most frequent class as of the rarest
FEW = 10  # examples of a class, from which little can be learned
TIED = 0.02  # share of the examples that have exactly the lowest or the highest target
_FEWEST_TIED = 5
FAR = 10.0  # times as large, or as small, as what fresh weights predict
# Losses that are distances of what is predicted; others, as of counts, want their numbers as they are.
_OF_DISTANCES = {"", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def imbalance(surveys: Surveys, task: Task, answers: Answers) -> None:
    """Is a class rare beside another, so that accuracy says little?"""
    if task.kind not in {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL}:
        return
    train = [survey for survey in surveys if survey.split is Split.TRAIN]
    shown = {label for survey in train for label in +survey.labels}
    if len(shown) == 1 and task.kind is TaskKind.CLASSIFICATION:
        answers.findings.append(
            Finding(
                "ART112",
                "labels",
                Severity.WARNING,
                f"all {sum(survey.examples for survey in train)} examples of train are of class {min(shown)}, so that there is "
                "nothing to tell apart",
                {"class": min(shown)},
                "look at how labels are read and how rows are divided; a model of one class learns to answer always the same",
                "train",
            )
        )
    for survey in train:
        if len(survey.labels) < 2:
            continue
        (most, many), (least, few) = survey.labels.most_common(1)[0], survey.labels.most_common()[-1]
        answers.neutral("rarest_class", few, survey, f"class {least}")
        answers.neutral("most_frequent_class_share", many / survey.examples, survey, f"class {most}")
        if many < IMBALANCED * max(few, 1):
            continue
        rare = sorted(label for label, count in survey.labels.items() if count * IMBALANCED <= many)
        always = f"; always answering {most} is right in {many / survey.examples:.1%}"
        answers.findings.append(
            Finding(
                "ART112",
                "labels",
                Severity.WARNING if few < FEW else Severity.INFO,
                f"class {least} has {counted(few, 'example')} in {survey.place} and class {most} has {many}"
                + (always if task.kind is TaskKind.CLASSIFICATION else ""),
                {"rare": rare[:SHOWN], "fewest": few, "most": many},
                "judge by a metric that counts classes alike (balanced accuracy, macro F1), and weight or gather rare ones",
                f"{survey.place}: classes {listed(rare[:SHOWN])}",
            )
        )


def values(surveys: Surveys, task: Task, answers: Answers) -> None:
    """How are the numbers that are learned distributed: do they vary, are they cut off, do some lie far out?"""
    if task.kind is not TaskKind.REGRESSION:
        return
    rows: list[dict[str, Plain]] = []
    for survey in surveys:
        if survey.targets is None or not len(survey.targets):
            continue
        table = survey.targets.reshape(len(survey.targets), -1).astype(float)
        for column in range(table.shape[1]):
            name = "target" if table.shape[1] == 1 else f"target[{column}]"
            row = _distribution(table[:, column])
            rows.append({"place": survey.place, "target": name, **row})
            if survey.split is Split.TRAIN and row["count"]:
                _judge(name, column, table[:, column], survey, answers)
    if rows:
        answers.readings.append(Reading("target distribution", rows[:SHOWN], note=surveys[0].sampled.note))
        answers.tables["targets.csv"] = (rows, "how the targets of each split are distributed")


def scale(surveys: Surveys, task: Task, answers: Answers) -> None:
    """Are the numbers that are learned far from what fresh weights predict, so that training begins with finding the mean?"""
    if task.kind is not TaskKind.REGRESSION or task.loss not in _OF_DISTANCES:
        return
    for survey in surveys:
        if survey.split is not Split.TRAIN or survey.targets is None or not len(survey.targets):
            continue
        table = survey.targets.reshape(len(survey.targets), -1).astype(float)
        moments = {column: _moments(table[:, column]) for column in range(table.shape[1])}
        far = {column: found for column, found in moments.items() if far_from_fresh(*found)}
        if far:
            answers.findings.append(_unscaled(far, table.shape[1], survey))


def far_from_fresh(mean: float, deviation: float) -> bool:
    """Whether targets are far from what fresh weights predict, which is around 0 with a deviation of about 1."""
    if not deviation > 0:
        return False
    return deviation > FAR or deviation < 1 / FAR or abs(mean) > FAR * min(deviation, 1.0)


def _moments(column: "NDArray[Any]") -> tuple[float, float]:
    import numpy as np

    known = column[np.isfinite(column)]
    return (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)


def _unscaled(far: dict[int, tuple[float, float]], columns: int, survey: Survey) -> Finding:
    column, (mean, deviation) = next(iter(far.items()))
    name = "target" if columns == 1 else f"target[{column}]"
    others = f" ({len(far)} of {columns} targets are so)" if len(far) > 1 else ""
    return Finding(
        "ART123",
        "labels",
        Severity.INFO,
        f"{name} of {survey.place} has a mean of {mean:.4g} and a deviation of {deviation:.4g}, and fresh weights predict "
        f"around 0 with about 1{others}: training begins with finding the mean",
        {"mean": _short(mean), "deviation": _short(deviation), "targets": sorted(far)[:SHOWN]},
        f"unless the model does it, standardise the targets where they are read, (y - {mean:.4g}) / {deviation:.4g}, and undo it "
        f"for predictions; or keep mean and deviation as buffers of the model and return net(x) * {deviation:.4g} + "
        f"{mean:.4g}, so that metrics and baselines stay in the units of the targets",
        survey.place,
    )


def _distribution(column: "NDArray[Any]") -> dict[str, Plain]:
    import numpy as np

    known = column[np.isfinite(column)]
    row: dict[str, Plain] = {"count": len(known)}
    if not len(known):
        return row
    apart = known - known.mean()
    deviation = float(known.std())
    distinct, counts = np.unique(known, return_counts=True)
    row |= {"mean": _short(known.mean()), "std": _short(deviation), "min": _short(known.min())}
    row |= {f"{share:.0%}": _short(at) for share, at in zip(_QUANTILES, np.quantile(known, _QUANTILES), strict=True)}
    row |= {"max": _short(known.max()), "skewness": _short((apart**3).mean() / deviation**3) if deviation else None}
    row |= {"distinct": len(distinct), "most_frequent": _short(distinct[counts.argmax()])}
    return row | {"its_share": _short(counts.max() / len(known))}


def _judge(name: str, column: int, drawn: "NDArray[Any]", survey: Survey, answers: Answers) -> None:
    import numpy as np

    known = drawn[np.isfinite(drawn)]
    statistics = survey.target_statistics
    whole = not statistics.pooled and statistics.shape is not None and column < statistics.features
    low, high = (statistics.low[column], statistics.high[column]) if whole else (known.min(), known.max())
    if low == high:
        if survey.examples > 1:
            message = f"{name} is {low:g} in every example of {survey.place}"
            remedy = "look where targets are read: a constant one teaches nothing"
            finding = Finding("ART113", "labels", Severity.ERROR, message, {"value": float(low)}, remedy, survey.place)
            answers.findings.append(finding)
        return
    distinct, counts = np.unique(known, return_counts=True)
    for at, end in ((0, "lowest"), (-1, "highest")):
        share = counts[at] / len(known)
        usual = 10 * np.median(counts)
        if len(distinct) >= CUT_DISTINCT and share >= TIED and counts[at] >= max(_FEWEST_TIED, usual):
            answers.findings.append(_tied(name, end, float(distinct[at]), float(share), survey))
    for sign in (-1, 1):
        place = 0
        if whole:
            place = int((statistics.low_at if sign < 0 else statistics.high_at)[column])
        one = far_out(drawn, End(float(low if sign < 0 else high), place), sign)
        if one is not None:
            times, rows = one
            places = [int(survey.sampled.indices[row]) for row in rows] or [place]
            answers.findings.append(_far(name, float(low if sign < 0 else high), times, places, survey))


def _tied(name: str, end: str, value: float, share: float, survey: Survey) -> Finding:
    return Finding(
        "ART114",
        "labels",
        Severity.INFO,
        f"{share:.1%} of the examples of {survey.place} have exactly {value:g}, the {end} {name}",
        {"value": value, "share": share, "end": end},
        "look whether targets were clipped, censored or filled in; squared errors then pull towards the wrong value",
        survey.place,
    )


def _far(name: str, value: float, times: float, places: list[int], survey: Survey) -> Finding:
    return Finding(
        "ART120",
        "labels",
        Severity.WARNING,
        f"{len(places)} example{'s' if len(places) > 1 else ''} of {survey.place} {'have' if len(places) > 1 else 'has'} a {name} far out: it goes to {value:g}, {times:.3g} times as far "
        "from the median as what comes next",
        {"value": value, "times": times, "examples": places[:SHOWN]},
        "look at these examples: a wrong unit or a code for a missing value; else scale by logarithms, or use an L1 loss",
        f"{survey.place}: examples {listed(places[:SHOWN])}",
    )


def _short(value: Any) -> float:
    return float(f"{float(value):.6g}")
