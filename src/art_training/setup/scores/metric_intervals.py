"""Confidence intervals of torchmetrics objects."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from torch import Tensor

from art_training.setup.scores import intervals
from art_training.setup.scores.intervals import Estimated
from art_training.setup.scores.measures import Pool, chosen_rows, defined, entries_of, fitted, quiet
from art_training.setup.scores.ranges import name_of, range_of

if TYPE_CHECKING:
    from art_training.setup.scores.intervals import Indices

_BLOCKS = 400  # one update of the metric each
_RESAMPLES = 1_000  # one compute of the metric each
_LARGEST_STATE = 50_000  # numbers


def of_metric(metric: Any, value: float, pool: Pool, *, seed: int) -> Estimated:
    """The interval of a metric that has the value `value` on `pool`.

    A share of correct examples, or of their labels or positions, gets Wilson's interval. A metric whose states are sums
    is computed on resampled sums of the states of examples (of random blocks of them, when there are many). Any other is
    computed again on resampled examples as often as the time allows.
    """
    if pool.examples and _is_share_of_elements(metric):
        estimated = _of_share(metric, value, pool)
        if estimated is not None:
            return estimated
    with quiet():
        estimated = _of_sums(metric, value, pool, seed) or _of_anything(metric, value, pool, seed)
    if estimated.interval is None and estimated.note == intervals.DEGENERATE.format(n=pool.examples):
        return _of_perfect(metric, value, pool) or estimated
    return estimated


def _is_share_of_elements(metric: Any) -> bool:
    kind = name_of(metric)
    micro = kind == "BinaryAccuracy" or (kind == "MulticlassAccuracy" and metric.average == "micro")
    return micro and metric.multidim_average == "global"


def _of_share(metric: Any, value: float, pool: Pool) -> Estimated | None:
    """Wilson's interval of a share of correct elements; None where these do not reproduce the value.

    Labels of an example and positions of a sequence are not independent: where an example may have several, they are
    counted by example.
    """
    ignored = metric.ignore_index
    if pool.example is None and pool.targets.ndim == 1:
        count = pool.examples if ignored is None else int((pool.targets != ignored).sum())
        return Estimated(intervals.wilson(value, count)) if count else None
    predictions, targets = fitted(metric, pool.predictions, pool.targets)
    counted = (torch.ones_like(targets) if ignored is None else targets != ignored).flatten(
        1 if targets.ndim > 1 else 0
    )
    weights = counted.double() if counted.ndim == 1 else counted.double().sum(1)
    hits = (_share_by_row(metric, predictions, targets).double() * weights).round()
    if pool.example is not None:
        weights = torch.bincount(pool.example, weights, pool.examples)
        hits = torch.bincount(pool.example, hits, pool.examples)
    if not weights.sum() > 0 or not np.isclose(float(hits.sum() / weights.sum()), value, rtol=1e-4, atol=1e-6):
        return None
    return intervals.of_share(hits.numpy(), weights.numpy())


def _share_by_row(metric: Any, predictions: Tensor, targets: Tensor) -> Tensor:
    """(rows,) share of correct elements; 0 in a row without any that counts."""
    from torchmetrics.functional.classification import binary_accuracy, multiclass_accuracy

    given: dict[str, Any] = {
        "multidim_average": "samplewise",
        "ignore_index": metric.ignore_index,
        "validate_args": False,
    }
    # A row that is one element has a dimension of one for it, as this asks for.
    elements = predictions[..., None], targets[..., None]
    if name_of(metric) == "BinaryAccuracy":
        return binary_accuracy(*elements, threshold=metric.threshold, **given)
    return multiclass_accuracy(*elements, num_classes=metric.num_classes, average="micro", top_k=metric.top_k, **given)


def _of_perfect(metric: Any, value: float, pool: Pool) -> Estimated | None:
    """Wilson's interval of a share of correct examples that all resamples agree on: 0 or 1.

    A mean over classes of the shares within them, s = Σ s_c / C, has the variance Σ s_c (1 - s_c) / n_c / C² and so
    about that of a plain share of n = C² / Σ 1/n_c examples.
    """
    kind = name_of(metric)
    if kind not in {"BinaryAccuracy", "MulticlassAccuracy", "MulticlassRecall"} or value not in {0.0, 1.0}:
        return None
    average = getattr(metric, "average", "micro")
    ignored = getattr(metric, "ignore_index", None)
    counted = torch.ones_like(pool.targets, dtype=torch.bool) if ignored is None else pool.targets != ignored
    if pool.example is not None or average not in {"macro", "micro"}:
        # Positions of a sequence are not independent: its examples are what was tried.
        n = _examples_of(counted, pool)
        return Estimated(intervals.wilson(value, n, of=f" of {n} examples")) if n else None
    _, counts = pool.targets[counted].unique(return_counts=True)
    if not len(counts):
        return None
    counts = counts.double()
    n = float(len(counts) ** 2 / (1 / counts).sum()) if average == "macro" else float(counts.sum())
    return Estimated(intervals.wilson(value, n, of=f" with {n:.0f} effective examples"))


def _examples_of(counted: Tensor, pool: Pool) -> int:
    """How many examples have something that counts."""
    if pool.example is None:
        return int(counted.reshape(len(counted), -1).any(1).sum())
    return len(pool.example[counted.reshape(len(counted), -1).any(1)].unique())


@dataclass(frozen=True)
class States:
    """States of blocks of examples, all of them sums, of a metric of torchmetrics.

    Attributes:
        clone: whatever it holds is overwritten.
        rows: (blocks, numbers) all states of a block in one row; of a block without rows they are 0.
        shapes: shape and type of each state, by name, in the order of the numbers.
    """

    clone: Any
    rows: Tensor
    shapes: dict[str, tuple[torch.Size, torch.dtype]]

    @staticmethod
    def add_up(metric: Any) -> bool:
        """Whether the states of a metric are sums, and not too large to keep for each block."""
        defaults: dict[str, Any] = metric._defaults  # noqa: SLF001  torchmetrics has no public name for its states.
        reductions: dict[str, Any] = metric._reductions  # noqa: SLF001
        if not defaults or not all(
            isinstance(default, Tensor) and getattr(reductions[name], "__name__", "") == "dim_zero_sum"
            for name, default in defaults.items()
        ):
            return False
        return sum(default.numel() for default in defaults.values()) <= _LARGEST_STATE

    @classmethod
    def of(cls, metric: Any, pool: Pool, owner: Tensor, blocks: int) -> Self:
        """Update a clone of the metric with each block alone.

        Args:
            metric: whose states add up.
            pool: predictions and targets.
            owner: (rows,) the block of each row.
            blocks: how many there are.
        """
        clone = fresh(metric)
        defaults: dict[str, Any] = clone._defaults  # noqa: SLF001
        found: list[Tensor] = []
        for chosen in _rows_of_blocks(owner, blocks):
            clone.reset()
            if len(chosen):
                clone.update(*fitted(clone, pool.predictions[chosen], pool.targets[chosen]))
            found.append(torch.cat([getattr(clone, name).double().reshape(-1) for name in defaults]))
        shapes = {name: (getattr(clone, name).shape, getattr(clone, name).dtype) for name in defaults}
        return cls(clone, torch.stack(found), shapes)

    def compute(self, summed: Tensor) -> Any:
        """The metric of a (numbers,) sum of states."""
        at = 0
        for name, (shape, kind) in self.shapes.items():
            count = shape.numel()
            setattr(self.clone, name, summed[at : at + count].reshape(shape).to(kind))
            at += count
        self.clone._computed = None  # noqa: SLF001  Else compute() answers from its cache.
        return self.clone.compute()


def fresh(metric: Any) -> Any:
    """A clone on the CPU that was reset."""
    clone = metric.clone().cpu()
    clone.reset()
    if hasattr(clone, "validate_args"):
        clone.validate_args = False  # the same rows were validated when the score itself was computed
    return clone


def _of_sums(metric: Any, value: float, pool: Pool, seed: int) -> Estimated | None:
    """By sums of states; None where the states are no sums, or do not reproduce the value."""
    n = pool.examples
    if n < intervals.FEWEST_EXAMPLES:
        return Estimated(None, intervals.TOO_FEW.format(n=n))
    if not States.add_up(metric):
        return None
    generator = np.random.default_rng(seed)
    by_example = torch.from_numpy(intervals.random_blocks(n, generator, _BLOCKS))
    owner = by_example if pool.example is None else by_example[pool.example]
    blocks = int(by_example.max()) + 1
    states = States.of(metric, pool, owner, blocks)

    def compute(summed: Tensor) -> float:
        return entries_of(states.compute(summed))[""]

    if not np.isclose(compute(states.rows.sum(0)), value, rtol=1e-4, atol=1e-6):
        return None
    drawn = torch.from_numpy(generator.multinomial(blocks, np.full(blocks, 1 / blocks), _RESAMPLES)).double()
    values = map(defined(compute), drawn @ states.rows)
    held = _classes(metric, pool)
    if held is not None:
        in_blocks = torch.stack([held[rows].any(0) for rows in _rows_of_blocks(owner, blocks)]).double()
        complete = (drawn @ in_blocks > 0).all(1)
        values = (value if whole else math.nan for value, whole in zip(values, complete.tolist(), strict=True))
    return intervals.of_values(values, value, n, bounds=range_of(metric))


def _rows_of_blocks(owner: Tensor, blocks: int) -> tuple[Tensor, ...]:
    counts = torch.bincount(owner, minlength=blocks)
    return torch.argsort(owner, stable=True).split(cast("list[int]", counts.tolist()))


def _of_anything(metric: Any, value: float, pool: Pool, seed: int) -> Estimated:
    clone = fresh(metric)
    owned = pool.rows_of()
    held = _classes(metric, pool)

    def compute(chosen: "Indices") -> float:
        rows = chosen_rows(chosen, owned)
        if held is not None and not bool(held[rows].any(0).all()):
            return math.nan
        clone.reset()
        clone.update(*fitted(clone, pool.predictions[rows], pool.targets[rows]))
        return entries_of(clone.compute())[""]

    strata = None if held is None or owned is not None else held.double().argmax(1).numpy()
    bounds = range_of(metric)
    return intervals.of_resamples(defined(compute), value, pool.examples, seed=seed, bounds=bounds, strata=strata)


def _classes(metric: Any, pool: Pool) -> Tensor | None:
    """(rows, classes) which classes each row holds, for a metric that means nothing without each of them.

    torchmetrics gives 0 to a class that is not there, e.g. as its area under the curve: a resample that lacks a rare class
    would pull the interval down. Averages over examples, and those weighted by classes, do not suffer.
    """
    kind, targets = name_of(metric), pool.targets
    if kind.startswith("Multilabel") and getattr(metric, "average", None) == "macro" and targets.ndim == 2:
        held = torch.cat([targets == 1, targets == 0], 1)
    elif kind.startswith("Multiclass") and getattr(metric, "average", None) == "macro" and targets.ndim == 1:
        ignored = getattr(metric, "ignore_index", None)
        kinds = targets.unique()
        held = targets[:, None] == (kinds if ignored is None else kinds[kinds != ignored])
    elif kind.startswith("Binary") and kind != "BinaryAccuracy" and targets.ndim == 1:
        held = torch.stack([targets == 1, targets == 0], 1)
    else:
        return None
    return held[:, held.any(0)]
