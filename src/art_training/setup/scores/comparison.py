"""Is one way to train better than another? Compared on the same examples, seed by seed.

Two things are random: the examples that happen to be in the split, and the training's own draws. The same examples are
seen under every seed, so neither the examples nor the seeds alone tell how far the mean difference may be off. This is
the design of studies in which several readers read the same cases by two methods, and it is analysed as they are:
seeds stand for readers, examples for cases.

The metric of each side and seed is computed again without each example (the jackknife); its pseudo-values make the
difference a table of seeds by examples, whose two-way analysis of variance gives the standard error of its mean, and
Student's t with Hillis' degrees of freedom its interval and its p-value. With few seeds that is too sure of itself; so
neither the interval of the seeds alone nor that of the examples alone may be wider than what is said. How often the
interval holds the truth is simulated in benchmarks/statistics: as often as it says, and more often where seeds hardly
matter.

- Dorfman, Berbaum, Metz, Receiver operating characteristic rating analysis: generalization to the population of readers
  and patients with the jackknife method, Investigative Radiology 27 (1992).
- Hillis, A comparison of denominator degrees of freedom methods for multiple observer ROC analysis, Statistics in
  Medicine 26 (2007), equation 6.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from art_training.errors import CheckError, UnknownMetric, UsageError
from art_training.records import Direction, Interval, Metric
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.intervals import Indices, Numbers, random_blocks
from art_training.setup.scores.standard_errors import StandardError, certainty, errors_of

if TYPE_CHECKING:
    from art_training.setup.scores.metrics import MetricCalculator

FEWEST = 30
"""Examples below which a difference gets no interval: the simulation in benchmarks/statistics does not bear it out."""

SECONDS = 20.0  # of recomputing a metric without examples, in one comparison
_BLOCKS = 400  # jackknife blocks at most; each costs one compute a side and seed
_FEWEST_BLOCKS = 50
_NUMBERS = 1_000_000  # of predictions that go through a metric that keeps them all, a side and seed


@dataclass(frozen=True)
class Comparison:
    """How much better one way to train is than another.

    Attributes:
        metric: what was compared, without its split.
        value: mean over seeds of ours minus theirs, turned so that positive is better.
        interval: of the value, over examples and, where there are several seeds, over seeds; None where `note` says why.
        p_value: two-sided, of no difference; None where there is no interval.
        ours: our metric, mean over seeds.
        theirs: their metric, mean over seeds.
        by_seed: the difference under each seed, turned likewise.
        examples: on how many it rests.
        note: what a reader must know.
        errors: of the value; the interval and the p-value are those of the one that asks for most.
    """

    metric: str
    value: float
    interval: Interval | None
    p_value: float | None
    ours: float
    theirs: float
    by_seed: tuple[float, ...]
    examples: int
    note: str = ""
    errors: tuple[StandardError, ...] = ()

    @property
    def better(self) -> bool:
        """Whether ours is better than theirs, the whole interval above zero."""
        return self.interval is not None and self.interval.low > 0

    def of_best(self, *, trained: int, seen: int) -> "Comparison":
        """The same, where ours was chosen for being the best of several: with the interval and the p-value of that.

        What was chosen by is partly what it is judged by, and in two ways: those who were trained under these seeds could
        win by luck with the seeds, and all that were ever ranked on these examples by luck with the examples. So what
        seeds add is corrected for the former and what examples leave open for the latter, each by Bonferroni's
        inequality: as if each of them had been compared. So it holds for all of them together, the best and the
        others: the chance that any of their intervals leaves its truth out stays what it is of a single one.
        benchmarks/statistics says how often a claim is false then.

        Args:
            trained: from how many it was chosen under these seeds, itself among them.
            seen: from how many it was chosen on these examples, under any seed.
        """
        if self.interval is None or max(trained, seen) == 1:
            return self
        interval, p_value = certainty(self.value, self.errors, self.interval.method, trained, max(trained, seen))
        return replace(self, interval=interval, p_value=p_value)


def compare(
    metrics: "MetricCalculator", name: str, ours: Sequence[Examples], theirs: Sequence[Examples], *, seed: int
) -> Comparison:
    """Compare two ways to train by their loss or by a metric.

    With one seed the interval says how far the difference of these two very models may be off on other examples; how
    much another training would differ it cannot know, and its note says so.

    The loss is compared as its function gives it for each example: what a step adds, such as a penalty on weights, is
    no part of it.

    Args:
        metrics: where a metric of this name is declared.
        name: `loss`, or a metric's name; a split before it does not matter: `validation/accuracy`.
        ours: what each seed gave on one split.
        theirs: likewise, in the same order of seeds.
        seed: of random blocks, where there are so many examples that they are left out in blocks.

    Raises:
        UnknownMetric: there is no such metric.
        CheckError: it is not known which way it is better.
        UsageError: seeds or examples of the two do not match.
    """
    name = Metric.parse(name).name
    sign = _sign(metrics, name)
    count = _matched(ours, theirs)
    try:
        table = _table(metrics, name, ours, theirs, seed=seed)
    except _NotCompared as why:
        return Comparison(name, math.nan, None, None, math.nan, math.nan, (), count, str(why))
    differences = sign * (table.ours - table.theirs)
    return _judged(name, sign * table.pseudo, differences, table, count)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for there being several, in the order given: the chance of any false one stays below the level.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise UsageError(f"p-values {list(p_values)} are not all in 0..1")
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


class _NotCompared(Exception):
    """Why there is no comparison."""


@dataclass(frozen=True)
class _Table:
    """Metrics and pseudo-values of their difference.

    Attributes:
        ours: (seeds,) metric.
        theirs: (seeds,) metric.
        pseudo: (seeds, blocks) pseudo-values of ours minus theirs; their mean over blocks is the difference.
    """

    ours: Numbers
    theirs: Numbers
    pseudo: Numbers


def _table(
    metrics: "MetricCalculator", name: str, ours: Sequence[Examples], theirs: Sequence[Examples], *, seed: int
) -> _Table:
    count = ours[0].count
    if name == "loss":
        left_out, blocks = _loss_without, _blocks(count, seed, _BLOCKS)
    else:
        left_out, blocks = _metric_without(metrics, name, [*ours, *theirs], seed)
    both = [left_out(examples, blocks) for examples in (*ours, *theirs)]
    whole, without = np.array([value for value, _ in both]), np.array([values for _, values in both])
    if not (np.isfinite(whole).all() and np.isfinite(without).all()):
        raise _NotCompared(f"no comparison: {name} is not a finite number on all of the examples or without some")
    seeds, size = len(ours), without.shape[1]
    pseudo = size * whole[:, None] - (size - 1) * without
    # Pseudo-values estimate without the bias that the jackknife sees; what is reported is the metric itself.
    pseudo += whole[:, None] - pseudo.mean(1, keepdims=True)
    return _Table(whole[:seeds], whole[seeds:], pseudo[:seeds] - pseudo[seeds:])


def _judged(name: str, pseudo: Numbers, differences: Numbers, table: _Table, count: int) -> Comparison:
    value = float(differences.mean())
    errors = errors_of(pseudo)
    interval, p_value, note = None, None, ""
    if count < FEWEST:
        note = f"no interval: {count} examples are fewer than {FEWEST}"
    elif not any(error.size for error in errors):
        note = "no interval: the two are the same on every example"
        p_value = 1.0 if value == 0 else None
    else:
        seeds = f"{len(pseudo)} seeds and " if len(pseudo) > 1 else ""
        interval, p_value = certainty(value, errors, f"paired jackknife over {seeds}{count} examples")
        if len(pseudo) == 1:
            note = "of these two models alone: one seed does not tell how much another training would differ"
    return Comparison(
        metric=name,
        value=value,
        interval=interval,
        p_value=p_value,
        ours=float(table.ours.mean()),
        theirs=float(table.theirs.mean()),
        by_seed=tuple(float(one) for one in differences),
        examples=count,
        note=note,
        errors=errors,
    )


def _sign(metrics: "MetricCalculator", name: str) -> float:
    direction: Direction | None = metrics.direction(name)
    if direction is None:
        raise CheckError(
            f"it is not known which way metric {name!r} is better; set its attribute higher_is_better to True or False"
        )
    return 1.0 if direction == "maximize" else -1.0


def _matched(ours: Sequence[Examples], theirs: Sequence[Examples]) -> int:
    """How many examples all have.

    Raises:
        UsageError: they do not match.
    """
    import torch

    if not ours or len(ours) != len(theirs):
        raise UsageError(
            f"{len(ours)} seeds of one cannot be paired with {len(theirs)} of another; give the same seeds"
        )
    counts = sorted({examples.count for examples in (*ours, *theirs)})
    if len(counts) > 1:
        raise UsageError(
            f"they were evaluated on {counts[0]} and on {counts[1]} examples, and can be compared on the same ones only"
        )
    pools = [examples.pool for examples in (*ours, *theirs) if examples.pool is not None]
    if any(not torch.equal(pools[0].targets, pool.targets) for pool in pools[1:]):
        raise UsageError("they were evaluated on other targets, and can be compared on the same examples only")
    return counts[0]


def _blocks(count: int, seed: int, at_most: int) -> Indices:
    return random_blocks(count, np.random.default_rng(seed), at_most)


def _loss_without(examples: Examples, blocks: Indices) -> tuple[float, Numbers]:
    """The loss, and the loss without each block."""
    if examples.losses is None or examples.weights is None:
        raise _NotCompared("no comparison: the loss has no values of single examples")
    weights = examples.weights.astype(np.float64)
    totals = np.where(weights > 0, examples.losses.astype(np.float64) * weights, 0.0)
    above, below = np.bincount(blocks, totals), np.bincount(blocks, weights)
    if below.sum() == 0:
        raise _NotCompared("no comparison: no example counts")
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(above.sum() / below.sum()), (above.sum() - above) / (below.sum() - below)


def _metric_without(
    metrics: "MetricCalculator", name: str, sides: Sequence[Examples], seed: int
) -> tuple[Callable[[Examples, Indices], tuple[float, Numbers]], Indices]:
    """What computes the metric and the metric without each block, and the blocks."""
    from art_training.setup.scores.leaving_out import LeavingOut

    owner, _, entry = (name, "", "") if name in metrics.measures else name.partition(".")
    if owner not in metrics.measures:
        raise UnknownMetric(f"no metric {name!r} in this project; it has: {', '.join(metrics.names) or 'none'}")
    pools = [examples.pool for examples in sides]
    if any(pool is None for pool in pools):
        raise _NotCompared("no comparison: predictions and targets were not found, or are too many to keep")
    deadline = time.monotonic() + SECONDS
    compute = LeavingOut(metrics.measures[owner], entry, deadline)
    numbers = max(pool.predictions.numel() for pool in pools if pool is not None)
    at_most = _BLOCKS if compute.by_sums else min(_BLOCKS, max(_FEWEST_BLOCKS, _NUMBERS // max(numbers, 1)))

    def left_out(examples: Examples, blocks: Indices) -> tuple[float, Numbers]:
        assert examples.pool is not None
        try:
            return compute(examples.pool, blocks)
        except TimeoutError as error:
            raise _NotCompared(f"no comparison: {error}") from error
        except (RuntimeError, ValueError, ZeroDivisionError, KeyError) as error:
            raise _NotCompared(f"no comparison: {name} raised {type(error).__name__}: {error}") from error

    return left_out, _blocks(sides[0].count, seed, at_most)
