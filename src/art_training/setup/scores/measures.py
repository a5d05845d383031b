"""One way to use a metric, whether it is an object of torchmetrics or a function of predictions and targets."""

import math
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import ProjectError
from art_training.records import Direction, Plain, plain
from art_training.setup.scores.ranges import best_of, direction_of

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.intervals import Estimated, Indices

_SIMPLE = (bool, int, float, str, list, tuple, type(None))


@dataclass(frozen=True)
class Pool:
    """Pooled rows on the CPU.

    Attributes:
        predictions: (rows, ...).
        targets: (rows, ...).
        example: (rows,) ascending number of the example that each row belongs to; None where a row is an example.
    """

    predictions: "Tensor"
    targets: "Tensor"
    example: "Tensor | None" = None

    @property
    def examples(self) -> int:
        """How many examples there are."""
        if self.example is None:
            return len(self.targets)
        return int(self.example.max()) + 1 if len(self.example) else 0

    def rows_of(self) -> "list[Tensor] | None":
        """The rows of each example; None where a row is an example."""
        if self.example is None:
            return None
        import torch

        counts = torch.bincount(self.example, minlength=self.examples)
        return list(torch.argsort(self.example, stable=True).split(cast("list[int]", counts.tolist())))


class Running(ABC):
    """One metric over one pass of one loader."""

    @abstractmethod
    def update(self, predictions: "Tensor", targets: "Tensor") -> None:
        """Take in a batch."""

    @abstractmethod
    def values(self, pool: Pool | None) -> dict[str, float]:
        """The metric over the whole pass by entry: `""` for one number, else `0`, `1`, ... or the keys of its result."""


class Measure(ABC):
    """One metric of the project. The user's object is never changed."""

    needs_pool: bool

    @property
    @abstractmethod
    def direction(self) -> Direction | None:
        """Which way is better, if that is known."""

    @property
    def best(self) -> float | None:
        """The best value that there can be, where that is known."""
        return None

    @abstractmethod
    def described(self) -> Plain:
        """What it is, as plain data: class and configuration."""

    @abstractmethod
    def start(self) -> Running:
        """A fresh one for one pass."""

    @abstractmethod
    def interval(self, value: float, pool: Pool, *, seed: int) -> "Estimated":
        """The confidence interval of a value that was computed on `pool`."""


def measure(name: str, metric: Any) -> Measure:
    """The metric called `name` in one form.

    Raises:
        ProjectError: it is neither an object of torchmetrics nor a function.
    """
    if isinstance(metric, Measure):
        return metric
    if isinstance(metric, type):
        raise ProjectError(f"metric {name!r} is the class {metric.__name__}; give an object: {metric.__name__}(...)")
    torchmetrics = sys.modules.get("torchmetrics")  # imported by whoever made a metric object
    if torchmetrics is not None and isinstance(metric, torchmetrics.Metric):
        return TorchMeasure(metric)
    if torchmetrics is not None and isinstance(metric, torchmetrics.MetricCollection):
        raise ProjectError(f"metric {name!r} is a MetricCollection; give its metrics one by one, by name")
    if callable(metric):
        return FunctionMeasure(metric)
    raise ProjectError(
        f"metric {name!r} is {metric!r}, which is neither an object of torchmetrics nor a function of predictions and "
        "targets; give for example MulticlassAccuracy(num_classes=10)"
    )


@dataclass(frozen=True)
class TorchMeasure(Measure):
    """A torchmetrics object: cloned for each pass, updated per batch, computed once."""

    metric: Any
    needs_pool = False

    @property
    def direction(self) -> Direction | None:
        """By what it computes, else by `higher_is_better`."""
        return direction_of(self.metric)

    @property
    def best(self) -> float | None:
        """The end of its range, as 1 of an accuracy and 0 of an error."""
        return best_of(self.metric)

    def described(self) -> Plain:
        """The class, and what its constructor left on the object."""
        states = set(self.metric._defaults)  # noqa: SLF001  torchmetrics names its states nowhere else.
        kind = type(self.metric)
        configuration: dict[str, Plain] = {}
        for name, value in sorted(vars(self.metric).items()):
            if name.startswith("_") or name in states or name in _MACHINERY:
                continue
            if isinstance(value, _SIMPLE):
                configuration[name] = plain(value)
            elif _is_tensor(value):
                configuration[name] = plain(value.tolist())
        return {"class": f"{kind.__module__}.{kind.__qualname__}", **configuration, **_code(kind)}

    def start(self) -> "RunningTorch":
        """A clone that was reset."""
        clone = self.metric.clone()
        clone.reset()
        return RunningTorch(clone)

    def interval(self, value: float, pool: Pool, *, seed: int) -> "Estimated":
        """By resampled sums of states where states are sums, else by computing again on resampled examples."""
        from art_training.setup.scores.metric_intervals import of_metric

        return of_metric(self.metric, value, pool, seed=seed)


class RunningTorch(Running):
    """A clone of a torchmetrics object that is updated batch by batch."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def update(self, predictions: "Tensor", targets: "Tensor") -> None:
        """Update the clone, on the device of the predictions."""
        if self._metric.device != predictions.device:
            self._metric.to(predictions.device)
        self._metric.update(*fitted(self._metric, predictions, targets))

    def values(self, pool: Pool | None) -> dict[str, float]:
        """Compute once."""
        del pool
        return entries_of(self._metric.compute())


@dataclass(frozen=True)
class FunctionMeasure(Measure):
    """A function of pooled predictions and targets on the CPU that returns one number.

    Attributes:
        function: called as `function(predictions, targets)`; predictions are probabilities where the loss makes them so.
    """

    function: Callable[["Tensor", "Tensor"], Any]
    needs_pool = True

    @property
    def direction(self) -> Direction | None:
        """By an attribute `higher_is_better` of the function, if it has one."""
        return direction_of(self.function)

    def described(self) -> Plain:
        """The function's name, and the project's own code that it reaches."""
        return {"function": plain(self.function), **_code(self.function)}

    def start(self) -> "RunningFunction":
        """Nothing is kept but the pool."""
        return RunningFunction(self.function)

    def interval(self, value: float, pool: Pool, *, seed: int) -> "Estimated":
        """By computing again on resampled examples."""
        from art_training.setup.scores.intervals import of_resamples

        def statistic(chosen: "Indices") -> float:
            rows = chosen_rows(chosen, owned)
            return float(self.function(pool.predictions[rows], pool.targets[rows]))

        owned = pool.rows_of()
        with quiet():
            return of_resamples(defined(statistic), value, pool.examples, seed=seed)


class RunningFunction(Running):
    """A function that waits for the pool."""

    def __init__(self, function: Callable[["Tensor", "Tensor"], Any]) -> None:
        self._function = function

    def update(self, predictions: "Tensor", targets: "Tensor") -> None:
        """Nothing; the pool is kept elsewhere."""

    def values(self, pool: Pool | None) -> dict[str, float]:
        """Call the function."""
        if pool is None:
            raise ValueError("there are no predictions and targets")
        return entries_of(self._function(pool.predictions, pool.targets))


def fitted(metric: Any, predictions: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
    """Predictions and targets in the form that a torchmetrics class asks for.

    Targets of decisions that are written as 0.0 and 1.0 become integers; a binary metric gets the probability of the
    second of two classes, a multi-class metric of two classes gets both probabilities.
    """
    import torch

    kind = type(metric).__name__
    about_classes = kind.startswith(("Binary", "Multiclass", "Multilabel"))
    if about_classes and targets.is_floating_point():
        rounded = targets.long()
        targets = rounded if bool((rounded == targets).all()) else targets
    if kind.startswith("Binary") and predictions.ndim == 2 and predictions.shape[1] == 2 and targets.ndim == 1:
        predictions = predictions[:, 1]
    elif kind.startswith("Multiclass") and predictions.ndim == targets.ndim == 1 and predictions.is_floating_point():
        predictions = torch.stack([1 - predictions, predictions], 1)
    return predictions, targets


def entries_of(result: Any) -> dict[str, float]:
    """A metric's result as numbers by entry.

    Raises:
        ValueError: it is neither a number, a vector nor a mapping of such.
    """
    if isinstance(result, Mapping):
        found: dict[str, float] = {}
        for key, value in cast("Mapping[Any, Any]", result).items():
            found |= {f"{key}.{entry}".rstrip("."): number for entry, number in entries_of(value).items()}
        return found
    shape = getattr(result, "shape", ())
    if len(shape) == 0:
        return {"": float(result)}
    if len(shape) == 1:
        values = cast("list[Any]", result.tolist())
        return (
            {"": float(values[0])} if len(values) == 1 else {str(at): float(value) for at, value in enumerate(values)}
        )
    raise ValueError(f"it gives a result of shape {tuple(shape)}, which is neither a number nor a list of numbers")


def chosen_rows(chosen: "Indices", owned: "list[Tensor] | None") -> "Tensor":
    """The rows of the chosen examples."""
    import torch

    return torch.from_numpy(chosen) if owned is None else torch.cat([owned[index] for index in chosen])


@contextmanager
def quiet() -> Generator[None]:
    """Without warnings: a resample may lack a class, which says nothing about the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def defined(compute: Callable[[Any], float]) -> Callable[[Any], float]:
    """The same, NaN where it raises, as a metric may on a resample that lacks one of the classes."""

    def attempt(draw: Any) -> float:
        try:
            return compute(draw)
        except (RuntimeError, ValueError, ZeroDivisionError):
            return math.nan

    return attempt


_MACHINERY = {
    "training", "compute_on_cpu", "dist_sync_on_step", "process_group", "dist_sync_fn", "distributed_available_fn",
    "sync_on_compute", "compute_with_cache", "validate_args",
}  # fmt: skip


def _code(root: Any) -> dict[str, Plain]:
    """The project's own code behind a metric, so that a changed function is a changed metric."""
    from art_training.setup.identity.code import code_components

    components, _ = code_components(root, label="code")
    return dict(sorted(components.items()))


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)
