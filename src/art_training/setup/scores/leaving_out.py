"""A metric without each block of examples: what the jackknife computes with."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from art_training.setup.scores.measures import FunctionMeasure, Measure, Pool, TorchMeasure, entries_of, fitted, quiet
from art_training.setup.scores.metric_intervals import States, fresh

if TYPE_CHECKING:
    from art_training.setup.scores.intervals import Indices, Numbers


@dataclass(frozen=True)
class LeavingOut:
    """Computes one number of a metric on a pool, and on the pool without each block.

    Attributes:
        measure: the metric.
        entry: which of its numbers; empty where it has one.
        deadline: by `time.monotonic`, after which nothing more is tried.
    """

    measure: Measure
    entry: str
    deadline: float

    @property
    def by_sums(self) -> bool:
        """Whether the states of examples add up, so that leaving out costs no more than a subtraction."""
        return isinstance(self.measure, TorchMeasure) and States.add_up(self.measure.metric)

    def __call__(self, pool: Pool, blocks: "Indices") -> "tuple[float, Numbers]":
        """The metric on all rows, and (blocks,) the metric without each block.

        Args:
            pool: predictions and targets.
            blocks: (examples,) block of each example, numbered from 0 without a gap.

        Raises:
            TimeoutError: the deadline has passed.
            Exception: whatever the metric raises.
        """
        owner = torch.from_numpy(blocks)
        owner = owner if pool.example is None else owner[pool.example]
        values = self._by_sums(pool, owner) if self.by_sums else self._again(pool, owner)
        count = int(blocks.max()) + 1
        found: list[float] = []
        with quiet():
            for value in values(count):
                found.append(value)
                if time.monotonic() > self.deadline:
                    raise TimeoutError(f"{len(found)} of {count + 1} computations of the metric took all of the time")
        return found[0], np.array(found[1:])

    def _by_sums(self, pool: Pool, owner: Tensor) -> Callable[[int], Iterator[float]]:
        assert isinstance(self.measure, TorchMeasure)
        metric = self.measure.metric

        def values(count: int) -> Iterator[float]:
            states = States.of(metric, pool, owner, count)
            whole = states.rows.sum(0)
            yield self._number(states.compute(whole))
            yield from (self._number(states.compute(whole - row)) for row in states.rows)

        return values

    def _again(self, pool: Pool, owner: Tensor) -> Callable[[int], Iterator[float]]:
        compute = _function_of(self.measure)

        def values(count: int) -> Iterator[float]:
            yield self._number(compute(pool.predictions, pool.targets))
            for block in range(count):
                rows = owner != block
                yield self._number(compute(pool.predictions[rows], pool.targets[rows]))

        return values

    def _number(self, result: Any) -> float:
        entries = entries_of(result)
        if self.entry not in entries:
            raise ValueError(f"it gives several numbers ({', '.join(entries)}); name one of them")
        return entries[self.entry]


def _function_of(measure: Measure) -> Callable[[Tensor, Tensor], Any]:
    if isinstance(measure, FunctionMeasure):
        return measure.function
    assert isinstance(measure, TorchMeasure)
    clone = fresh(measure.metric)

    def compute(predictions: Tensor, targets: Tensor) -> Any:
        clone.reset()
        clone.update(*fitted(clone, predictions, targets))
        return clone.compute()

    return compute
