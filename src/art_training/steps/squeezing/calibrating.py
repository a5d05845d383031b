"""Calibrating a result: the temperature, what it gains on examples it has not seen, and the reliability diagram."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from art_training.records import Artifact, Score
from art_training.setup.scores.calibration import (
    BINS,
    COLDEST,
    FOLDS,
    HOTTEST,
    Reliability,
    confidences,
    cross_fitted,
    reliability,
    temperature_of,
)
from art_training.setup.scores.comparison import Comparison, compare
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.scores.told_loss import of_likelihood
from art_training.setup.task import Task, TaskKind
from art_training.steps.bench import Bench
from art_training.steps.delivering.predictions import Predictions
from art_training.steps.squeezing.names import ECE, ECE_BEFORE

_ROUGHLY = 5_000  # rows
_TABLE, _FIGURE = "reliability.csv", "reliability.png"
_WITH_CLASSES = frozenset({TaskKind.CLASSIFICATION, TaskKind.SEQUENCE})


@dataclass(frozen=True)
class Calibrated:
    """Predictions after tempering.

    Attributes:
        temperature: chosen on the whole split.
        predictions: each by a temperature that was chosen without it.
        raw: as they were.
        folds: the temperatures of the folds.
        gained: how much lower the negative log-likelihood of examples that the temperature has not seen is with it. It is
            what a temperature is chosen by, and is known whatever loss the model was trained with.
    """

    temperature: float
    predictions: Predictions
    raw: Predictions
    folds: tuple[float, ...]
    gained: Comparison

    @property
    def why_not_applied(self) -> str:
        """Why it is not applied, in words; empty where its gain is beyond doubt."""
        if self.temperature < 1 and self._all_right:
            return f"all {self.raw.count} validation examples are right, so that nothing there tells what being surer costs"
        if self.gained.better:
            return ""
        between = self.gained.interval
        told = f" [{between.low:.2g}, {between.high:.2g}]" if between else f" ({self.gained.note})"
        return f"the gain of {self.gained.value:.2g}{told} in the negative log-likelihood of examples that it has not seen is not beyond doubt"

    @property
    def applied(self) -> float:
        """The temperature that is delivered; 1 changes nothing."""
        return 1.0 if self.why_not_applied else self.temperature

    @property
    def delivered(self) -> Predictions:
        """As they are delivered."""
        return self.raw if self.why_not_applied else self.predictions

    @property
    def _all_right(self) -> bool:
        pool = self.raw.pool
        return bool(confidences(pool.predictions.numpy(), pool.targets.numpy())[1].all())


@dataclass(frozen=True)
class Diagram:
    """Confidence and accuracy, before and after.

    Attributes:
        before: of the model as it is.
        after: with the temperature.
        not_applied: whether it is shown only, and the model is delivered without it.
    """

    before: Reliability
    after: Reliability
    not_applied: bool


def why_not(task: Task, predictions: Predictions | None = None) -> str:
    """Why there is no calibration, in one sentence; empty where there is one."""
    if task.kind is TaskKind.MULTI_LABEL:
        return (
            "a multi-label task has one probability a label and no most probable class, so that one temperature and the "
            "error of the top class do not apply; calibrate each label by itself"
        )
    if task.kind not in _WITH_CLASSES:
        return f"a {task.kind.value} task predicts values, not probabilities of classes, which is what a temperature changes"
    if predictions is None:
        return ""
    found = predictions.pool.predictions
    if found.ndim > 2 or (predictions.pool.targets.is_floating_point() and found.ndim == 2):
        return f"predictions of shape {tuple(found.shape)} against soft targets have no right class to compare with"
    if bool(((found < -1e-4) | (found > 1 + 1e-4)).any()):
        return "the predictions are not probabilities (some lie outside of 0..1)"
    if predictions.count < 2 * FOLDS:
        return f"{predictions.count} validation examples are too few for {FOLDS} folds"
    return ""


def calibrate(metrics: MetricCalculator, predictions: Predictions, *, seed: int) -> Calibrated:
    """Choose the temperature, and see what it does.

    Args:
        metrics: of the project, for the comparison of losses.
        predictions: probabilities of classes.
        seed: of the folds.
    """
    import torch

    values, targets, example = _arrays(predictions)
    found, folds = cross_fitted(values, targets, example, seed=seed)
    tempered = predictions.saying(torch.from_numpy(found))
    likelihoods = [
        replace(one, task=of_likelihood(one.task, binary=values.ndim == 1)) for one in (tempered, predictions)
    ]
    gained = compare(metrics, LOSS, *([one.examples] for one in likelihoods), seed=seed)
    return Calibrated(temperature_of(values, targets), tempered, predictions, folds, gained)


def rough_temperature(predictions: Predictions) -> float:
    """A temperature of some of the rows, for use while weights are chosen."""
    values, targets, _ = _arrays(predictions)
    return temperature_of(values[:_ROUGHLY], targets[:_ROUGHLY])


def diagram(found: Calibrated, *, seed: int) -> Diagram:
    """The reliability before and after; `seed` is that of the intervals."""
    before, after = (reliability(*_arrays(one), seed=seed) for one in (found.raw, found.predictions))
    return Diagram(before, after, bool(found.why_not_applied))


def scores(found: Diagram, rows: int) -> dict[str, Score]:
    """The expected calibration error before and after."""
    note = f"expected calibration error of the most probable class in {BINS} bins of equal width"
    after = f"{note}, each example by a temperature that was chosen without it"
    after += "; that temperature is not applied" if found.not_applied else ""
    return {ECE_BEFORE: _error(found.before, rows, note), ECE: _error(found.after, rows, after)}


def told(found: Calibrated) -> str:
    """The temperature in words, and why it is not applied where it is not."""
    meant = _meant(found)
    return f"not applied: {found.why_not_applied}; {meant}" if found.why_not_applied else meant


def _meant(found: Calibrated) -> str:
    if found.temperature <= COLDEST * 1.01 or found.temperature >= HOTTEST * 0.99:
        return f"at the end of the range {COLDEST:g} to {HOTTEST:g}: no temperature in it is the best"
    return "above 1 the model was too sure of itself, below 1 not sure enough"


def artifacts(bench: Bench, found: Diagram) -> list[Artifact]:
    """The reliability diagram: its numbers always, the figure where matplotlib is installed."""
    table = bench.folder / _TABLE
    _write(table, found)
    kept = [bench.keep(table, name=_TABLE, kind="table", note="confidence and accuracy, before and after")]
    figure = bench.folder / _FIGURE
    if _draw(figure, found):
        kept.append(bench.keep(figure, name=_FIGURE, kind="figure", note="reliability diagram, before and after"))
    return kept


def _arrays(predictions: Predictions) -> tuple[Any, Any, Any]:
    pool = predictions.pool
    return pool.predictions.numpy(), pool.targets.numpy(), None if pool.example is None else pool.example.numpy()


def _error(found: Reliability, rows: int, note: str) -> Score:
    told = "; ".join(part for part in (note, found.estimated.note) if part)
    return Score(found.error, found.estimated.interval, rows, "minimize", "predicted probabilities", told)


def _write(path: Path, found: Diagram) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["when", "from", "to", "rows", "confidence", "accuracy", "accuracy_low", "accuracy_high"])
        for when, one in (("before", found.before), ("after", found.after)):
            for bin_ in one.bins:
                numbers = (bin_.low, bin_.high, bin_.count, bin_.confidence, bin_.accuracy)
                ends = (bin_.interval.low, bin_.interval.high)
                out.writerow([when, *(f"{number:.6g}" for number in (*numbers, *ends))])


def _draw(path: Path, found: Diagram) -> bool:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:  # an extra; the numbers are in the table
        return False
    figure: Any = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = cast("list[Any]", figure.subplots(1, 2, sharex=True, sharey=True))
    for axis, one, when in zip(axes, (found.before, found.after), ("before", "after"), strict=True):
        axis.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        x, y = [bin_.confidence for bin_ in one.bins], [bin_.accuracy for bin_ in one.bins]
        low = [bin_.accuracy - bin_.interval.low for bin_ in one.bins]
        high = [bin_.interval.high - bin_.accuracy for bin_ in one.bins]
        sizes = [bin_.count for bin_ in one.bins]
        axis.errorbar(x, y, yerr=[low, high], fmt="none", color="0.4", linewidth=1)
        axis.scatter(x, y, s=[12 + 100 * size / max(sizes) for size in sizes], zorder=3)
        axis.set(title=f"{when}: error {one.error:.3f}", xlabel="confidence", xlim=(0, 1.02), ylim=(0, 1.02))
    axes[0].set_ylabel("accuracy")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    return True
