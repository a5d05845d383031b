"""Do the splits have the same distribution? First by how much they differ, then whether chance explains it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Plain, Reading, Severity, Split
from art_training.setup.scores.comparison import holm
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.answers import Answers, Surveys, listed
from art_training.steps.exploration.axes import BRIGHT, DARK
from art_training.steps.exploration.survey import SHOWN, Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

DISTANCE = 0.1  # between distribution functions; a smaller one hardly matters, however certain it is
PROBABILITY = 0.001
_BINS = 10
_LEAST_SHARE = 1e-4  # of an empty bin, so that the stability index stays finite


@dataclass(frozen=True)
class Drift:
    """How one axis differs between two samples.

    Attributes:
        axis: its name.
        mean_difference: difference of the means over the pooled standard deviation; None where nothing varies.
        distance: largest difference of the distribution functions (Kolmogorov and Smirnov), 0..1.
        stability: population stability index over tenths of the training split; 0.1 is called small, 0.25 large.
        probability: of such a distance, if there is no difference (asymptotic; too high for few distinct values).
    """

    axis: str
    mean_difference: float | None
    distance: float
    stability: float
    probability: float


def feature_drift(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Are the features of validation distributed as those of training?"""
    train = _train(surveys)
    rows: list[dict[str, Plain]] = []
    for survey in surveys:
        if survey.split is not Split.VALIDATION or train is None or not train.axes.names:
            continue
        if survey.axes.names != train.axes.names or not len(survey.sampled):
            continue
        found = [
            drift(name, train.axes.values[:, number], survey.axes.values[:, number])
            for number, name in enumerate(train.axes.names)
            if not name.startswith((DARK, BRIGHT))  # which are measured by each split's own range
        ]
        rows += _tell(found, train, survey, answers, "ART110", "features", "feature_drift")
    if rows:
        answers.tables["drift.csv"] = (rows, "how features of validation differ from those of train")


def target_drift(surveys: Surveys, task: Task, answers: Answers) -> None:
    """Are the numbers that are learned distributed in validation as in training?"""
    train = _train(surveys)
    if task.kind is not TaskKind.REGRESSION or train is None or train.targets is None:
        return
    before = train.targets.reshape(len(train.targets), -1)
    for survey in surveys:
        if survey.split is not Split.VALIDATION or survey.targets is None:
            continue
        after = survey.targets.reshape(len(survey.targets), -1)
        if after.shape[1] != before.shape[1]:
            continue
        names = ["target"] if after.shape[1] == 1 else [f"target[{at}]" for at in range(after.shape[1])]
        found = [drift(name, before[:, at], after[:, at]) for at, name in enumerate(names)]
        _tell(found, train, survey, answers, "ART111", "targets", "target_drift")


def drift(axis: str, before: "NDArray[Any]", after: "NDArray[Any]") -> Drift:
    """How `after` differs from `before`, both (rows,); what is not finite is left out."""
    import numpy as np
    from scipy.special import kolmogorov

    before, after = (np.sort(one[np.isfinite(one)]) for one in (before, after))
    if not len(before) or not len(after):
        return Drift(axis, None, 0.0, 0.0, 1.0)
    every = np.concatenate([before, after])
    shares = [np.searchsorted(one, every, side="right") / len(one) for one in (before, after)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    with np.errstate(over="ignore", invalid="ignore"):
        pooled = float(np.sqrt((before.var() + after.var()) / 2))
    effective = len(before) * len(after) / len(every)
    return Drift(
        axis,
        float(after.mean() - before.mean()) / pooled if 0 < pooled < np.inf else None,
        distance,
        _stability(before, after),
        float(kolmogorov(distance * effective**0.5)),
    )


def _stability(before: "NDArray[Any]", after: "NDArray[Any]") -> float:
    """Sum of (a - b) ln(a / b) over bins that each hold a tenth of `before`; both ascending."""
    import numpy as np

    edges = np.unique(np.quantile(before, np.arange(1, _BINS) / _BINS))
    shares = [
        np.maximum(np.diff([0, *np.searchsorted(one, edges, side="right"), len(one)]) / len(one), _LEAST_SHARE)
        for one in (before, after)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _tell(  # noqa: PLR0917  Each is another word of one sentence.
    found: Sequence[Drift],
    train: Survey,
    survey: Survey,
    answers: Answers,
    code: str,
    what: str,
    score: str,
) -> list[dict[str, Plain]]:
    adjusted = holm([one.probability for one in found])
    order = sorted(range(len(found)), key=lambda at: -found[at].distance)
    rows: list[dict[str, Plain]] = [
        {
            "place": survey.place,
            "axis": found[at].axis,
            "mean_difference": _short(found[at].mean_difference),
            "distance": _short(found[at].distance),
            "stability": _short(found[at].stability),
            "p": _short(found[at].probability),
            "p_adjusted": _short(adjusted[at]),
        }
        for at in order
    ]
    note = f"the largest of {len(found)} Kolmogorov-Smirnov distances to train" if len(found) > 1 else ""
    note = "; ".join(part for part in (note, survey.sampled.note) if part)
    answers.fewer_is_better(score, found[order[0]].distance, survey, note)
    told = "distance of the distribution functions, difference of means in standard deviations, population stability"
    answers.readings.append(Reading(f"{survey.place} {what} against train", rows[:SHOWN], note=told))
    moved = [found[at] for at in order if found[at].distance >= DISTANCE and adjusted[at] < PROBABILITY]
    if moved:
        worst, p = moved[0], adjusted[found.index(moved[0])]
        shift = (
            "" if worst.mean_difference is None else f", means {worst.mean_difference:+.2f} standard deviations apart"
        )
        answers.findings.append(
            Finding(
                code,
                "split",
                Severity.WARNING,
                f"{len(moved)} of {len(found)} {what} are distributed in {survey.place} otherwise than in {train.place}: "
                f"{worst.axis} most, by {worst.distance:.2f} of 1{shift} (adjusted p {p:.1g})",
                {what: [one.axis for one in moved[:SHOWN]], "distance": worst.distance, "p": p, "count": len(moved)},
                "shuffle before splitting unless the difference is meant, and pass both through the same preprocessing",
                f"{survey.place}: {listed(one.axis for one in moved[:SHOWN])}",
            )
        )
    return rows


def _train(surveys: Surveys) -> Survey | None:
    """The training split; of several loaders, the first."""
    return next((one for one in surveys if one.split is Split.TRAIN and len(one.sampled)), None)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
