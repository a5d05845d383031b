"""The best of many noisy trials is partly the luckiest: here they are trained again under seeds that chose nothing."""

import hashlib
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.errors import Interrupted, ProjectError, StoreError, UsageError
from art_training.records import Direction, Finding, Interval, Metric, Score, Split, plain
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.losses import CALL, floor_of_mean
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.scores.ranges import POSITIVE, UNBOUNDED, Bounds, range_of
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.forgetting import Forgotten
from art_training.steps.looking_back import watched_fit
from art_training.steps.searching.trying import sentence
from art_training.tuning.trial import parse_score

if TYPE_CHECKING:
    from art_training.setup.scores.comparison import Comparison

INCOMING = "incoming setup"
_FEWEST_ABOVE = 2  # seeds; of more, the upper half of what cannot be below 0 is taken of the logarithm


@dataclass(frozen=True)
class Contestant:
    """One setup under several fresh seeds.

    Attributes:
        name: `incoming setup`, or the trial's.
        setup: what is trained.
        runs: scores of the validation split by address, one mapping a seed.
        note: why it could not be trained under one of them.
        bounds: what scores cannot leave, by address, where that is known.
    """

    name: str
    setup: Setup
    runs: tuple[Mapping[str, Score], ...] = ()
    note: str = ""
    bounds: Mapping[str, Bounds] = field(default_factory=dict[str, Bounds])

    def value(self, metric: Metric) -> float:
        """The mean over seeds; NaN where one is missing."""
        if self.note or not self.runs:
            return math.nan
        return statistics.fmean(run[str(metric)].value if str(metric) in run else math.nan for run in self.runs)

    @property
    def scores(self) -> dict[str, Score]:
        """The mean over seeds of every score; of one that could not be computed under each of them it is NaN."""
        if self.note or not self.runs:
            return {}
        return {name: self._mean(name) for name in dict.fromkeys(name for run in self.runs for name in run)}

    def _mean(self, name: str) -> Score:
        known = [run[name] for run in self.runs if name in run]
        if len(known) == len(self.runs):
            return mean_score(known, self.bounds.get(name, UNBOUNDED))
        note = f"it could not be computed under {len(self.runs) - len(known)} of {len(self.runs)} seeds"
        return Score(math.nan, None, known[0].rows, known[0].direction, known[0].source, note)


@dataclass(frozen=True)
class Decision:
    """What the trainings under fresh seeds say.

    Attributes:
        incoming: the setup that the step was given.
        contestants: the best trials, best first in the search.
        winner: the best of them under fresh seeds; None where none could be trained.
        comparison: of the winner with the incoming setup, positive where the winner is better; None where there is none.
            It was chosen, and its interval and p-value are those of the best of several.
        last: the weights of what is handed on, under the first seed.
        findings: what was found wrong with that training and its evaluation.
        forgotten: what that training forgot, where it was looked at.
        seconds: that all of this took.
    """

    incoming: Contestant
    contestants: tuple[Contestant, ...]
    winner: Contestant | None = None
    comparison: "Comparison | None" = None
    last: Path | None = None
    findings: tuple[Finding, ...] = ()
    forgotten: Forgotten | None = None
    seconds: float = 0.0

    @property
    def carried(self) -> bool:
        """Whether the winner is handed on: it is not worse than the incoming setup, or that one cannot be trained."""
        if self.winner is None:
            return False
        return self.comparison is None or not self.comparison.value < 0

    @property
    def chosen(self) -> Contestant:
        """What is handed on."""
        return self.winner if self.winner is not None and self.carried else self.incoming


@dataclass(frozen=True)
class _Fitted:
    """One training and its evaluation."""

    last: Path | None
    scores: Mapping[str, Score]
    examples: Examples | None
    findings: tuple[Finding, ...]
    forgotten: Forgotten | None = None


@dataclass
class Again:
    """Trains contestants under fresh seeds.

    What a training gave is remembered, so that whoever goes on after a kill, or with a larger budget, trains only what
    is missing. Weights are deleted as soon as their setup has lost.

    Attributes:
        bench: what it works with.
        metric: what is decided by.
        direction: which way of it is better.
        seeds: how many.
        watch: whether to count what trainings under the first of them forget.
    """

    bench: Bench
    metric: Metric
    direction: Direction
    seeds: int
    watch: bool = False
    _fitted: dict[str, _Fitted] = field(default_factory=dict[str, _Fitted])

    def decide(self, trials: Sequence[tuple[str, Setup]], *, ranked: int) -> Decision:
        """Train the incoming setup and the best trials, and compare the best of these with it.

        Args:
            trials: the best, by name.
            ranked: of how many they are the best.
        """
        began = time.monotonic()
        incoming = self._trained(INCOMING, self.bench.setup)
        contestants: list[Contestant] = []
        winner: Contestant | None = None
        for name, setup in trials:
            one = self._trained(name, setup)
            contestants.append(one)
            loser = one
            if self._beats(one, winner):
                loser, winner = winner, one
            if loser is not None:
                self._discard(loser.name)
        comparison = None if winner is None else self._compared(winner, incoming)
        if comparison is not None:
            # The best under the fresh seeds was chosen under them, and on examples that had ranked all trials before.
            comparison = comparison.of_best(trained=sum(1 for one in contestants if not one.note), seen=ranked)
        decided = Decision(incoming, tuple(contestants), winner, comparison)
        if winner is not None:
            chosen = self._fit(_label(decided.chosen.name, 0), decided.chosen.setup, 0)
            decided = replace(decided, last=chosen.last, findings=chosen.findings, forgotten=chosen.forgotten)
        return replace(decided, seconds=time.monotonic() - began)

    def _beats(self, one: Contestant, other: Contestant | None) -> bool:
        value = one.value(self.metric)
        if math.isnan(value):
            return False
        if other is None:
            return True
        before = other.value(self.metric)
        return value > before if self.direction == "maximize" else value < before

    def _trained(self, name: str, setup: Setup) -> Contestant:
        runs: list[Mapping[str, Score]] = []
        for seed in range(self.seeds):
            label = _label(name, seed)
            recalled = self.bench.recall(label)
            stored: dict[str, Any] = recalled if isinstance(recalled, dict) else self._outcome(label, setup, seed)
            if recalled is None:
                self.bench.remember(label, plain(stored))
            if stored["note"]:
                return Contestant(name, setup, note=f"{label}: {stored['note']}")
            runs.append({address: parse_score(score) for address, score in stored["scores"].items()})
        bounds = {address: _bounds(self.bench.metrics, address, runs) for address in runs[0]}
        return Contestant(name, setup, tuple(runs), bounds=bounds)

    def _outcome(self, label: str, setup: Setup, seed: int) -> dict[str, Any]:
        try:
            scores = self._fit(label, setup, seed).scores
        except _NotTrained as why:
            return {"scores": {}, "note": str(why)}
        except (Interrupted, StoreError, ProjectError):
            raise
        except Exception as error:  # noqa: BLE001  As of a trial: the user's code, whose errors are its own result.
            return {"scores": {}, "note": sentence(error)}
        score = scores.get(str(self.metric))
        if score is None or not math.isfinite(score.value):
            return {"scores": {}, "note": f"its {self.metric} is {'not known' if score is None else score.value}"}
        return {"scores": plain(scores), "note": ""}

    def _fit(self, label: str, setup: Setup, seed: int) -> _Fitted:
        """Train and evaluate, once a process; a training that an earlier process finished is found by its label."""
        if label not in self._fitted:
            number = fresh_seed(self.bench.seed, seed)
            watch = self.watch and seed == 0
            result, forgotten = watched_fit(self.bench, setup, label=label, watch=watch, seed=number)
            if result.stopped:
                raise _NotTrained(result.message)
            scored = self.bench.evaluate(Split.VALIDATION, setup=setup, weights=result.last, seed=number, keep=False)
            examples, findings = scored.passes.get(Split.VALIDATION), (*result.findings, *scored.findings)
            self._fitted[label] = _Fitted(result.last, scored.scores, examples, findings, forgotten)
        return self._fitted[label]

    def _compared(self, winner: Contestant, incoming: Contestant) -> "Comparison | None":
        from art_training.setup.scores.comparison import Comparison, compare

        if incoming.note:
            return None
        sides: list[list[Examples]] = []
        for one in (winner, incoming):
            fitted = [self._fit(_label(one.name, seed), one.setup, seed) for seed in range(self.seeds)]
            sides.append([one.examples for one in fitted if one.examples is not None])
        try:
            comparison = compare(self.bench.metrics, self.metric.name, *sides, seed=self.bench.seed)
        except UsageError as error:  # a modifier of the data that changes what is validated on
            note, examples = f"no interval: {error}", 0
        else:
            if not math.isnan(comparison.value):
                return comparison
            note, examples = comparison.note, comparison.examples
        # Without pairs of single examples there is still the difference of the means.
        sign = 1 if self.direction == "maximize" else -1
        pairs = [
            sign * (mine[str(self.metric)].value - theirs[str(self.metric)].value)
            for mine, theirs in zip(winner.runs, incoming.runs, strict=True)
        ]
        return Comparison(
            metric=self.metric.name,
            value=statistics.fmean(pairs),
            interval=None,
            p_value=None,
            ours=winner.value(self.metric),
            theirs=incoming.value(self.metric),
            by_seed=tuple(pairs),
            examples=examples,
            note=note,
        )

    def _discard(self, name: str) -> None:
        for seed in range(self.seeds):
            self.bench.discard(_label(name, seed))
            self._fitted.pop(_label(name, seed), None)


def mean_score(scores: Sequence[Score], bounds: Bounds = UNBOUNDED) -> Score:
    """The mean of one score under several seeds, on the same examples.

    Its interval adds, in squares, what the examples leave open (the mean half of the single intervals: the examples are
    the same under every seed, so their mean is no more certain) and what the seeds do (Student's t). Of what cannot be
    below 0 and has no upper end, such as a loss, the lower half is a share of the mean: it is taken from its logarithm, so that
    the interval of two or three seeds does not end below what can be. From three seeds on the upper half is, too: seeds that
    rarely end badly raise the mean, and a few of them that all ended well know little of it. Two, whose t is 12.7, reach far
    enough without. benchmarks/statistics says how often it holds the truth.
    """
    values = [score.value for score in scores]
    mean, count = statistics.fmean(values), len(values)
    first = scores[0]
    intervals = [score.interval for score in scores if score.interval is not None]
    if len(intervals) < count or not math.isfinite(mean):
        note = next((score.note for score in scores if score.interval is None), "")
        return Score(mean, None, first.rows, first.direction, first.source, note)
    below = statistics.fmean(score.value - one.low for score, one in zip(scores, intervals, strict=True))
    above = statistics.fmean(one.high - score.value for score, one in zip(scores, intervals, strict=True))
    level, half = intervals[0].level, 0.0
    if count > 1:
        from scipy.stats import t

        half = float(t.ppf((1 + level) / 2, count - 1)) * statistics.stdev(values) / math.sqrt(count)
    method = f"{intervals[0].method}, and t over {count} seeds" if count > 1 else intervals[0].method
    below, above = math.hypot(below, half), math.hypot(above, half)
    low, high = mean - below, mean + above
    if bounds == POSITIVE and mean > 0 and count > 1:
        low = mean * math.exp(-below / mean)
        high = mean * math.exp(above / mean) if count > _FEWEST_ABOVE else high
        method += ", of the logarithm" if count > _FEWEST_ABOVE else ", below it of the logarithm"
    interval = Interval(max(bounds[0], low), min(bounds[1], high), level, method).holding(mean)
    note = f"mean of {count} trainings" if count > 1 else "one training; another seed may give another value"
    return Score(mean, interval, first.rows, first.direction, first.source, note)


def fresh_seed(seed: int, number: int) -> int:
    """The seed of a training that chose nothing: another for each number, and none that a trial had."""
    digest = hashlib.sha256(f"{seed}/fresh seed {number}".encode()).digest()
    return int.from_bytes(digest[:4]) % 2**31


def _bounds(metrics: MetricCalculator, address: str, runs: Sequence[Mapping[str, Score]]) -> Bounds:
    """What a metric of torchmetrics cannot leave; 0, where a loss cannot be below and a step adds nothing to it."""
    if Metric.parse(address).name == LOSS:
        scores = [run[address] for run in runs if address in run]
        calls = all(floor_of_mean(score.source.removesuffix(CALL)) == 0 and not score.note for score in scores)
        return POSITIVE if calls else UNBOUNDED
    return range_of(getattr(metrics.measures.get(Metric.parse(address).name), "metric", None))


class _NotTrained(Exception):
    """Why a training gave no weights to score."""


def _label(name: str, seed: int) -> str:
    return f"{name}, seed {seed + 1}"
