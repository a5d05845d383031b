"""The loss over one pass, weighted by its own denominator, with its interval."""

import math
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from art_training.records import Interval, Score
from art_training.setup.scores.intervals import Estimated, of_mean
from art_training.setup.scores.losses import CALL, floor_of_mean
from art_training.setup.scores.outputs import BatchOutputs


class PassLoss:
    """Adds up the losses of batches."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._examples = [0.0, 0.0]  # sum and weight where every batch counts by its examples
        self._weight = 0.0
        self._without = 0
        self._batches = 0
        self._totals: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._parts: list[tuple[float, float]] = []  # of each batch: all of its loss, what the call of the loss gave
        self._name = ""
        self._summed = False

    def add(self, outputs: BatchOutputs, examples: int) -> None:
        """Take in what one batch gave."""
        self._batches += 1
        if outputs.loss is None:
            self._without += 1
            return
        if outputs.loss_weight > 0:  # a batch in which every position is ignored has no loss
            self._sum += outputs.loss * outputs.loss_weight
            self._weight += outputs.loss_weight
        self._examples[0] += outputs.loss * examples
        self._examples[1] += examples
        call = outputs.call
        if call is not None:
            self._name = call.name
            self._summed = self._summed or outputs.loss_summed
        if outputs.per_example_loss is not None and outputs.per_example_weight is not None:
            self._totals.append(outputs.per_example_loss.cpu())
            self._weights.append(outputs.per_example_weight.cpu())
            if outputs.call_loss is not None and outputs.loss_weight > 0:
                self._parts.append((outputs.loss, outputs.call_loss))

    def score(self, rows: int, seed: int) -> Score | None:
        """The loss of the pass; None where no batch had one."""
        if self._weight == 0:
            return None
        value = self._sum / self._weight
        estimated, note = self._interval(rows, seed)
        notes = [note, estimated.note]
        if self._summed:
            notes.append(f"{self._name} sums over a batch; this is an example's share")
        if self._without:
            notes.append(f"{self._without} of {self._batches} batches had no loss")
        text = "; ".join(note for note in notes if note)
        # The interval comes from single examples, whose sum may round to another last digit than that of batches.
        between = None if estimated.interval is None else estimated.interval.holding(value)
        return Score(value, between, rows, "minimize", self._source(), text)

    def alone(self, rows: int, seed: int) -> Score | None:
        """What the call of the loss gave, without what the step makes of it; None where that is the loss, or not known."""
        found = self._relation(rows)
        if found is None or not found[2]:
            return None
        totals, weights = self._of_examples()
        if not weights.sum() > 0:
            return None
        estimated = of_mean(totals, weights, seed=seed, floor=floor_of_mean(self._name))
        value = float(totals.sum() / weights.sum())
        between = None if estimated.interval is None else estimated.interval.holding(value)
        notes = (f"{self._name} alone, which is what baselines have: {found[2]}", estimated.note)
        return Score(value, between, rows, "minimize", self._source(), "; ".join(filter(None, notes)))

    def of_examples(self, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The loss of each example and what it adds to the denominator; None where they are not known of all."""
        if not self._totals or sum(map(len, self._totals)) != rows:
            return None
        totals, weights = self._of_examples()
        return np.divide(totals, weights, out=np.zeros_like(totals), where=weights > 0), weights

    @property
    def by_examples(self) -> float | None:
        """The mean of the batches' losses by their examples, as a loop takes it that knows no denominators."""
        total, weight = self._examples
        return total / weight if weight else None

    def _source(self) -> str:
        return f"{self._name}{CALL}" if self._name else "returned or logged by the step"

    def _interval(self, rows: int, seed: int) -> tuple[Estimated, str]:
        """The interval, and in words what the step's loss holds besides the call of the loss function."""
        found = self._relation(rows)
        if found is None:
            return Estimated(None, "no interval: the loss has no values of single examples"), ""
        scale, shift, told = found
        if scale is None:
            return Estimated(None, f"no interval: the values of single examples are known of {self._name} alone"), told
        totals, weights = self._of_examples()
        floor = floor_of_mean(self._name) if scale > 0 and shift >= 0 else -math.inf
        estimated = of_mean(totals, weights, seed=seed, floor=floor)
        if estimated.interval is None:
            return estimated, told
        ends = sorted(end * scale + shift for end in (estimated.interval.low, estimated.interval.high))
        moved = Interval(ends[0], ends[1], estimated.interval.level, estimated.interval.method)
        return Estimated(moved, estimated.note), told

    def _relation(self, rows: int) -> tuple[float | None, float, str] | None:
        """As the function of that name says it; None where the call's values are not known of all examples."""
        if not self._totals or sum(map(len, self._totals)) != rows:
            return None
        return _relation(np.array(self._parts), self._name)

    def _of_examples(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The call's loss of each example, and what it adds to the denominator."""
        return torch.cat(self._totals).double().numpy(), torch.cat(self._weights).double().numpy()


def _relation(parts: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", name: str) -> tuple[float | None, float, str]:
    """How the losses of batches follow from what the call gave: factor and summand; no factor where they do not."""
    if len(parts) == 0 or not np.isfinite(parts).all():  # what is not finite gets no interval for that reason
        return 1.0, 0.0, ""
    whole, part = parts[:, 0], parts[:, 1]
    if np.allclose(whole, part, rtol=1e-4, atol=1e-6):
        return 1.0, 0.0, ""
    more = whole - part
    if np.allclose(more, more.mean(), rtol=1e-3, atol=1e-5 * float(np.abs(whole).max())):
        shift = cast("float", more.mean().item())
        return 1.0, shift, f"{shift:.4g} of it is added to {name} by the step, in every batch"
    with np.errstate(divide="ignore", invalid="ignore"):
        times = whole / part
    if np.isfinite(times).all() and np.allclose(times, times.mean(), rtol=1e-4):
        scale = cast("float", times.mean().item())
        return scale, 0.0, f"it is {scale:.4g} times {name}"
    return None, 0.0, f"the step adds to {name}, on average {more.mean():.4g}"
