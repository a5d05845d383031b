"""How often an interval holds the truth, and how often a difference is claimed that is none."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from art_training.records import Score
from art_training.setup.scores.comparison import compare
from art_training.setup.scores.intervals import of_mean, of_share, wilson
from art_training.setup.scores.measures import FunctionMeasure
from art_training.setup.setup import Setup
from art_training.setup.variant import Variant
from art_training.steps.regularization.telling import Compared, together
from art_training.steps.regularization.trying import Tried
from art_training.steps.searching.again import mean_score
from benchmarks.statistics.world import METRICS, World, value_of

LEVEL = 0.95
WORLD = World()
ONE_MODEL = World(seeds=0.0)
VARIANT = Variant(note="of which its comparison alone counts here")
CANDIDATE = Tried("candidate", Setup(dict, dict), ())


@dataclass(frozen=True)
class Rates:
    """
    Attributes:
        repeats: simulated studies.
        covered: share of intervals that hold the truth.
        claimed: share of studies that say "is better than" of a recipe that is not, by interval above zero.
        missing: share of studies without an interval.
    """

    repeats: int
    covered: float
    claimed: float
    missing: float

    @property
    def band(self):
        """Where the coverage of a right interval lies in 99 of 100 simulations like this one."""
        return band(LEVEL, self.repeats)

    @property
    def inside(self):
        return self.band[0] <= self.covered <= self.band[1]

    @property
    def at_least(self):
        """Whether the interval holds the truth as often as it says, or more often, and claims no more than it may."""
        return self.covered >= self.band[0] and not self.claimed > band((1 - LEVEL) / 2, self.repeats)[1]


def band(level, repeats):
    low, high = binom.interval(0.99, repeats, level)
    return float(low) / repeats, float(high) / repeats


def comparisons(name, count, seeds, repeats, *, world=WORLD, gain=0.0, start=0):
    """Comparisons of two recipes whose true difference is that of a gain in ability."""
    truth = world.truth(name, gain) if gain else 0.0
    covered = claimed = missing = 0
    for repeat in range(repeats):
        generator = np.random.default_rng([start, repeat])
        theirs, ours = world.trainings(count, seeds, generator, gains=(0.0, gain))
        found = compare(METRICS, name, ours, theirs, seed=repeat)
        if found.interval is None:
            missing += 1
            continue
        covered += found.interval.low <= truth <= found.interval.high
        claimed += found.better if gain == 0 else found.interval.low > truth
    known = max(1, repeats - missing)
    return Rates(repeats, covered / known, claimed / known, missing / repeats)


def families(count, seeds, gains, repeats, *, world=WORLD, start=0):
    """What Regularize says of several candidates, each with its true gain in ability over their reference, by their loss.

    Covered: the interval of the best holds the truth of that one. Claimed: any of them is said to be better by more than it is.
    """
    of_gain = {gain: world.truth("loss", gain) if gain else 0.0 for gain in set(gains)}
    truths = [of_gain[gain] for gain in gains]
    covered = claimed = 0
    for repeat in range(repeats):
        generator = np.random.default_rng([start, repeat])
        reference, *others = world.trainings(count, seeds, generator, gains=(0.0, *gains))
        alone = [compare(METRICS, "loss", one, reference, seed=repeat) for one in others]
        found = [one.comparison for one in together([Compared(CANDIDATE, VARIANT, (), one) for one in alone])]
        best, truth = max(zip(found, truths, strict=True), key=lambda one: one[0].value)
        covered += best.interval.low <= truth <= best.interval.high
        claimed += any(one.interval.low > true for one, true in zip(found, truths, strict=True))
    return Rates(repeats, covered / repeats, claimed / repeats, 0.0)


def searches(count, seeds, trials, top, repeats, *, world=WORLD, start=0):
    """What Tune says of its winner where all trials are like the incoming setup, by their loss.

    A seed ranks the trials on the very examples that they are judged on; the best of the `top` under fresh seeds is compared.
    """
    covered = claimed = 0
    for repeat in range(repeats):
        generator = np.random.default_rng([start, repeat])
        incoming, *others = world.trainings(count, 1 + seeds, generator, gains=(0.0,) * (1 + trials))
        leaders = sorted(others, key=lambda one: value_of("loss", one[0]))[:top]
        winner = min(leaders, key=lambda one: sum(value_of("loss", fresh) for fresh in one[1:]))
        found = compare(METRICS, "loss", winner[1:], incoming[1:], seed=repeat).of_best(trained=top, seen=trials)
        covered += found.interval.low <= 0 <= found.interval.high
        claimed += found.better
    return Rates(repeats, covered / repeats, claimed / repeats, 0.0)


def scores(name, count, repeats, *, world=ONE_MODEL, start=0):
    """Intervals of one model's score, as `art show` shows them."""
    generator = np.random.default_rng(54321)
    truth = float(np.mean([value_of(name, world.trainings(20_000, 1, generator)[0][0]) for _ in range(100)]))
    covered = missing = 0
    for repeat in range(repeats):
        examples = world.trainings(count, 1, np.random.default_rng([start, repeat]))[0][0]
        interval = _interval(name, examples, repeat)
        if interval is None:
            missing += 1
        else:
            covered += interval.low <= truth <= interval.high
    return Rates(repeats, covered / max(1, repeats - missing), math.nan, missing / repeats)


def means(count, seeds, repeats, *, world, start=0):
    """Intervals of a loss's mean over trainings, as Tune tells what it hands on; none may end below 0."""
    generator = np.random.default_rng(54321)
    truth = float(np.mean([value_of("loss", world.trainings(20_000, 1, generator)[0][0]) for _ in range(200)]))
    covered = missing = 0
    for repeat in range(repeats):
        trainings = world.trainings(count, seeds, np.random.default_rng([start, repeat]))[0]
        single = [Score(value_of("loss", one), _interval("loss", one, repeat)) for one in trainings]
        interval = mean_score(single, (0.0, math.inf)).interval
        if interval is None:
            missing += 1
        else:
            assert interval.low >= 0
            covered += interval.low <= truth <= interval.high
    return Rates(repeats, covered / max(1, repeats - missing), math.nan, missing / repeats)


def shares(alike, share, count, repeats):
    """Intervals of a share of positions in sequences of 20 to 59, whose own shares are Beta with this correlation."""
    generator = np.random.default_rng([0])
    covered = 0
    for _ in range(repeats):
        rows = generator.integers(20, 60, count)
        several = 1 / alike - 1 if alike else 0.0
        own = generator.beta(share * several, (1 - share) * several, count) if alike else share
        hits = generator.binomial(rows, own)
        interval = of_share(hits.astype(float), rows.astype(float)).interval
        covered += interval.low <= share <= interval.high
    return Rates(repeats, covered / repeats, math.nan, 0.0)


def _interval(name, examples, seed):
    value = value_of(name, examples)
    if name == "loss":
        return of_mean(examples.losses, None, seed=seed, floor=0.0).interval
    if name == "accuracy":
        return wilson(value, examples.count)
    return FunctionMeasure(METRICS.measures[name].function).interval(value, examples.pool, seed=seed).interval
