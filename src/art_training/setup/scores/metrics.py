"""The project's metrics, declared once and computed the same way for every step and every model."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from art_training.errors import CheckError, ProjectError, UnknownMetric
from art_training.records import Direction, Metric, Plain, Score, Split
from art_training.records.meant import meant
from art_training.setup.scores.measures import Measure, measure
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import Adapter
    from art_training.setup.scores.scoring import Scorer

LOSS = "loss"
TASK_LOSS = "task_loss"  # the task's loss alone, where the step makes something else of it

# How modules log what has a split: `val_loss`.
_LOGGED = re.compile(r"^(validation|valid|val|training|train|test)_", re.IGNORECASE)


class MetricCalculator:
    """Metrics by name. What the user gave is never changed: each pass over each loader works on a clone of its own.

    A metric is an object of torchmetrics, or a function of pooled predictions and targets (tensors on the CPU) that
    returns a number. Predictions are probabilities where the task's loss makes them so; positions that do not count
    are left out. A metric that gives several numbers, one a class or by key, has one score each: `f1.0`, `f1.1`, ...
    """

    def __init__(self, metrics: "Mapping[str, Any] | None" = None) -> None:
        """Declare metrics.

        Raises:
            ProjectError: a name is none or is `loss`, or a value is not a metric.
        """
        if metrics is not None and not isinstance(metrics, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ProjectError(f"metrics={metrics!r} is not a mapping; give metrics={{'accuracy': ...}}")
        self._objects: dict[str, Any] = {}
        self._measures: dict[str, Measure] = {}
        for name, metric in (metrics or {}).items():
            _check_name(name)
            self._objects[name] = metric
            self._measures[name] = measure(name, metric)

    def __repr__(self) -> str:
        return f"MetricCalculator({', '.join(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names in the order of their declaration; the loss is always measured and is none of them."""
        return tuple(self._measures)

    @property
    def measures(self) -> Mapping[str, Measure]:
        """The metrics in the one form that ART computes with, by name."""
        return dict(self._measures)

    def without(self, skip: Sequence[str]) -> "MetricCalculator":
        """The same without some metrics.

        Raises:
            UnknownMetric: a name is none of a metric.
        """
        for name in skip:
            self._require(name)
        return MetricCalculator({name: metric for name, metric in self._objects.items() if name not in skip})

    def direction(self, name: str) -> Direction | None:
        """Which way is better: a loss goes down, a metric says so by `higher_is_better`; None where it is not known.

        Raises:
            UnknownMetric: there is no metric of that name.
        """
        if name in {LOSS, TASK_LOSS}:
            return "minimize"
        owner = self._owner(name)
        if owner not in self._measures:
            known = (*self.names, LOSS)
            near = meant_metric(name, known)
            raise UnknownMetric(
                f"no metric {name!r} in this project; it has: {', '.join(known)}"
                + (f"; did you mean '{Split.VALIDATION}/{near}'?" if near else "")
            )
        return self._measures[owner].direction

    def best(self, name: str) -> float | None:
        """The best value that a metric can have, as 1 of an accuracy; None where it is not known.

        Raises:
            UnknownMetric: there is no metric of that name.
        """
        self._require(name)
        return self._measures[name].best

    def described(self) -> dict[str, Plain]:
        """Class and configuration of each metric, by name."""
        return {name: metric.described() for name, metric in self._measures.items()}

    def name_of(self, metric: Any) -> str:
        """The name under which a metric object was declared.

        Raises:
            UnknownMetric: it was not.
        """
        for name, declared in self._objects.items():
            if declared is metric:
                return name
        raise UnknownMetric(
            f"{metric!r} is none of the project's metrics: {', '.join(self.names) or 'none'}; "
            "declare it in metrics={...} and name it, or give the very object that was declared"
        )

    def scorer(self, task: Task, adapter: "Adapter | None", seed: int) -> "Scorer":
        """What turns the batches of one evaluation into scores.

        Args:
            task: what the setup is for.
            adapter: the setup's `outputs`.
            seed: of the resamples of intervals.
        """
        from art_training.setup.scores.scoring import Scorer

        return Scorer(self, task, adapter, seed)

    def score(
        self,
        predictions: "Tensor",
        targets: "Tensor",
        *,
        task: Task,
        rows_weight: "Sequence[int] | None" = None,
        seed: int = 0,
        source: str = "predictions",
    ) -> dict[str, Score]:
        """Scores of pooled predictions, e.g. those of a model that is not neural.

        Args:
            predictions: (rows, classes) probabilities, (rows,) labels, or values as in the targets.
            targets: (rows,) classes, or values.
            task: what the setup is for.
            rows_weight: how many rows each example has, in their order, where examples have several; None: one.
            seed: of the resamples of intervals.
            source: where the predictions came from.

        Returns:
            A score by the metric's name. One that cannot be computed on such predictions is NaN, and its note says why.
        """
        from art_training.setup.scores.scoring import score_pooled

        return score_pooled(self, predictions, targets, task=task, rows_weight=rows_weight, seed=seed, source=source)

    def _owner(self, name: str) -> str:
        """One entry of a metric that gives several numbers goes the way of the whole."""
        return name if name in self._measures else name.partition(".")[0]

    def _require(self, name: str) -> None:
        if name not in self._measures:
            raise UnknownMetric(f"no metric {name!r} in this project; it has: {', '.join(self.names) or 'none'}")


def comparable(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Scores by address as another model's can be compared with: the loss is the task's alone."""
    alone = {address: score for address, score in scores.items() if Metric.parse(address).name == TASK_LOSS}
    losses = {str(replace(Metric.parse(address), name=LOSS)): score for address, score in alone.items()}
    return {address: losses.get(address, score) for address, score in scores.items() if address not in alone}


def meant_metric(name: str, known: Iterable[str]) -> str:
    """The known name that is meant by a mistyped one, or by one as modules log it: `val_loss`; empty where none is near."""
    names = tuple(known)
    return meant(name, names) or meant(_LOGGED.sub("", name), names)


def _check_name(name: Any) -> None:
    if name in {LOSS, TASK_LOSS}:
        raise ProjectError(
            f"a metric is called {name!r}, which is the name of the model's own loss; choose another name"
        )
    try:
        address = Metric.parse(name) if isinstance(name, str) else None
    except CheckError as error:
        raise ProjectError(f"a metric cannot be called so: {error}") from error
    if address is None or address.split is not None:
        raise ProjectError(f"a metric is called {name!r}; give its name alone, ART adds the split: 'accuracy'")
