"""Whether a model is better than what needs no training."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.reference import MetricLike, address, reference
from art_training.checks.values import (
    alike,
    direction,
    direction_of,
    not_negative,
    number,
    numbers_of,
    settle,
    with_interval,
)
from art_training.errors import CheckError
from art_training.records import Candidate, Direction, Foresight, Metric, Outcome, Promise, Score, Split
from art_training.records.meant import did_you_mean
from art_training.setup.scores.metrics import LOSS, TASK_LOSS, comparable

BEST = "best"
HUMAN = "human"
OWN = "own model"
BASELINES = "EvaluateBaseline"  # the kind of step whose candidates are baselines without being named
NOT_TO_BEAT = frozenset({HUMAN, OWN})  # kinds of candidates that are meant only where they are named


_SHOWN = 12  # names in a sentence
_MEANT = {HUMAN: "a declared human score", OWN: "the model itself"}


class _Baseline(NamedTuple):
    step: str
    name: str
    score: Score
    kind: str


@dataclass(frozen=True)
class BeatsBaseline(Check):
    """The score is better than a baseline's, strictly and by more than a margin. A tie does not pass.

    Scores that differ by no more than rounding in single precision are a tie. Of a loss that the step makes something else of
    (`0.1 * cross_entropy`, a focal loss, a penalty), the task's loss alone is compared, which is what baselines have.

    The two are not compared example by example. Where their intervals overlap, the sentence says that the gain may be chance;
    ask for a `margin` where that is not enough.

    Baselines are the candidates with this metric that earlier EvaluateBaseline steps left. What other steps compared, such as
    the trials of Tune, is none, and only meant where its name or its step is given.

    Attributes:
        metric: which score, here and there.
        against: which score of the baselines, where it is another one: `BeatsBaseline("train/loss", against="validation/loss")`
            asks whether a model fits what it was trained on better than a baseline predicts what it was not.
        baseline: a baseline's name, or `best`. A declared human score is only meant where it is named, because a model need
            not beat people to be worth training on; so is the model itself, as it was trained with its inputs to be
            compared with itself without.
        step: the step whose candidates count, of whatever kind; None: those of every earlier EvaluateBaseline, or, where
            `baseline` names one, of every earlier step.
        margin: how much better the score must be, in the metric's units.
        direction: which way is better, where the scores do not say.
    """

    metric: MetricLike
    baseline: str = BEST
    step: str | None = None
    margin: float = 0.0
    direction: Direction | None = None
    against: "MetricLike | None" = None

    def __post_init__(self) -> None:
        settle(
            self,
            metric=reference(self.metric),
            against=None if self.against is None else reference(self.against),
            margin=not_negative("margin", self.margin),
            direction=direction(self.direction),
        )
        if not isinstance(self.baseline, str) or not self.baseline:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CheckError(f"baseline={self.baseline!r} is not a name; give a baseline's name, or 'best'")

    @property
    def title(self) -> str:
        """Whom it must beat, and by how much."""
        whom = "the best baseline" if self.baseline == BEST else f"baseline {self.baseline!r}"
        theirs = f" in {self.against}" if self.against is not None else ""
        return f"{self.metric} beats {whom}{theirs}" + (f" by more than {number(self.margin)}" if self.margin else "")

    def foresee(self, before: Foresight) -> None:
        """Refuse a baseline that no earlier step evaluates, or none on that split."""
        who = f"the check `{self.title}` of step {before.step!r}"
        if self.step is not None:
            before.of(self.step, f"step={self.step!r} of {who}")
        counted = {name: one for name, one in before.earlier.items() if self._counts(name, one.kind)}
        comparing = {name: one for name, one in counted.items() if one.candidates != ()}
        if not comparing:
            raise CheckError(f"{who} has no baseline before it; {self._add(before)}")
        meant = {name: one for name, one in comparing.items() if one.may_compare(self.baseline)}
        if self.baseline == BEST:
            meant = comparing
        if not meant:
            raise CheckError(f"{who} names what no step before it evaluates{self._near(comparing.values())}")
        wanted = address(self.metric if self.against is None else self.against)
        if not any(one.may_score(wanted) for one in meant.values()):
            scored = {split for one in meant.values() for split in one.splits or ()}
            other = next((replace(wanted, split=split, loader=None) for split in Split if split in scored), None)
            remedy = f"compare with what it reaches there: against='{other}'" if other else "leave the check out"
            there = " and ".join(sorted(scored)) or "nothing"
            raise CheckError(
                f"{who} compares with '{wanted}', and {' and '.join(meant)} scores {there} alone; {remedy}"
            )
        if all(name in before.absent for name in meant):
            first = next(iter(meant))
            raise CheckError(
                f"{who} compares with what {first} leaves, which has not run; run {first} first: `art run --until {first}`"
            )

    def judge(self, evidence: Evidence) -> Answer:
        """Find the baseline and compare."""
        metric = address(self.metric)
        wanted = metric if self.against is None else address(self.against)
        alone = replace(metric, name=TASK_LOSS)
        if metric.name == LOSS and str(alone) in evidence.outcome.scores:  # a baseline has no more than that
            metric = alone
        mine = evidence.score(metric)
        found = list(self._found(evidence, wanted))
        if not found:
            return not_judged(self._nowhere(evidence, wanted))
        way = direction_of(self.direction, (mine, *(one.score for one in found)), metric=metric, check="BeatsBaseline")
        chosen = self._chosen(found, way)
        if chosen is None:
            return not_judged(
                f"the only baseline for {wanted} is {_MEANT[found[0].kind]}; name it to be compared with it: "
                f"baseline={found[0].name!r}"
            )
        return self._compare(metric, mine, chosen, way)

    def _found(self, evidence: Evidence, metric: Metric) -> Iterator[_Baseline]:
        for step, outcome in evidence.earlier.items():
            if not self._counts(step, evidence.kinds.get(step, step)):
                continue
            for candidate in outcome.candidates:
                score = comparable(candidate.scores).get(str(metric))
                if score is not None and math.isfinite(score.value):
                    yield _Baseline(step, candidate.name, score, str(candidate.parameters.get("kind")))

    def _counts(self, step: str, kind: str) -> bool:
        if self.step is not None:
            return self.step == step
        return self.baseline != BEST or kind == BASELINES

    def _add(self, before: Foresight) -> str:
        """What to do where there is no baseline."""
        if self.step is not None:
            return f"{self.step} compares nothing; name a step that does, or leave step= out for EvaluateBaseline()"
        there = next((name for name in before.later if name == BASELINES), "")
        remedy = f"put {there} before {before.step}" if there else f"add the step {BASELINES}() before {before.step}"
        others = [name for name, one in before.earlier.items() if one.candidates != ()]
        return remedy + (f", or name the step whose candidates are meant: step={others[0]!r}" if others else "")

    def _near(self, comparing: Iterable[Promise]) -> str:
        """What there will be in place of the baseline that is named."""
        known = list(dict.fromkeys(name for one in comparing for name in one.candidates or ()))
        shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        remedy = "; or declare it: EvaluateBaseline(human={...})" if self.baseline == HUMAN else ""
        return f"{did_you_mean(self.baseline, known)}; there will be: {shown}{remedy}"

    def _chosen(self, found: list[_Baseline], way: Direction) -> _Baseline | None:
        """Raises CheckError where the named baseline does not exist."""
        if self.baseline == BEST:
            found = [one for one in found if one.kind not in NOT_TO_BEAT]
        else:
            names = ", ".join(dict.fromkeys(one.name for one in found))
            found = [one for one in found if one.name == self.baseline]
            if not found:
                raise CheckError(
                    f"no baseline is called {self.baseline!r}; those with {self.against or self.metric} are: {names}"
                )
        best = max if way == "maximize" else min
        return best(found, key=lambda one: one.score.value, default=None)

    def _compare(self, metric: Metric, mine: Score, theirs: _Baseline, way: Direction) -> Answer:
        sign = 1 if way == "maximize" else -1
        gain = sign * (mine.value - theirs.score.value)
        numbers = {**numbers_of(mine), **numbers_of(theirs.score, "baseline_"), "baseline": theirs.name, "gain": gain}
        told = with_interval(mine, apart_from=theirs.score.value)
        whose = f"{theirs.name}'s {with_interval(theirs.score, apart_from=mine.value)}"
        whose += f" ({theirs.step})" if self.against is None else f" in {self.against} ({theirs.step})"
        beyond = "above" if way == "maximize" else "below"
        if not math.isfinite(mine.value):
            return failed(f"{metric} is {told}, which is not a finite number and not {beyond} {whose}", **numbers)
        if alike(mine.value, theirs.score.value):
            tie = f"{metric} is {with_interval(mine)}, as is {theirs.name}'s"
            where = "" if self.against is None else f" in {self.against}"
            return failed(f"{tie}{where} ({theirs.step}): a tie, and no better", **numbers)
        if gain > self.margin and not alike(mine.value - self.margin * sign, theirs.score.value):
            return passed(f"{metric} is {told}, {beyond} {whose}{_doubt(mine, theirs.score)}", **numbers)
        if gain > 0:
            short = f"but the gain of {number(gain)} is not above {number(self.margin)}"
            return failed(f"{metric} is {told}, {beyond} {whose}, {short}", **numbers)
        return failed(f"{metric} is {told}, not {beyond} {whose}", **numbers)

    def _nowhere(self, evidence: Evidence, metric: Metric) -> str:
        if self.step is not None and self.step not in evidence.earlier:
            known = ", ".join(evidence.earlier) or "none"
            return f"no step {self.step!r} with an outcome stands before {evidence.step}; there are: {known}"
        with_candidates = {
            name: outcome.candidates
            for name, outcome in evidence.earlier.items()
            if outcome.candidates and self._counts(name, evidence.kinds.get(name, name))
        }
        if not with_candidates:
            where = "before this one" if self.step is None else f"in step {self.step!r}"
            others = [name for name, outcome in evidence.earlier.items() if outcome.candidates]
            told = f", or name the step whose candidates are meant: step={others[0]!r}" if others else ""
            return f"there is no baseline {where}; add the step EvaluateBaseline() before {evidence.step}{told}"
        known = sorted({name for those in with_candidates.values() for one in those for name in one.scores})
        return (
            f"no baseline in {', '.join(with_candidates)} has a number for {metric}; they have: "
            f"{', '.join(known) or 'none'}"
        )


def _doubt(mine: Score, theirs: Score) -> str:
    """What a reader must know of a gain that is not paired example by example: whether it may be chance."""
    one, other = mine.interval, theirs.interval
    apart = one is None or other is None or one.low > other.high or one.high < other.low
    return "" if apart else "; the intervals overlap, so that it may be chance"


def _baselines(**reached: float) -> Outcome:
    candidates = tuple(
        Candidate(
            name,
            {"validation/accuracy": Score(value, direction="maximize")},
            {"kind": name} if name in NOT_TO_BEAT else {},
        )
        for name, value in reached.items()
    )
    return Outcome(candidates=candidates)


_OF_ITSELF = Outcome(
    candidates=(
        Candidate("inputs real", {"validation/accuracy": Score(0.97, direction="maximize")}, {"kind": OWN}),
        Candidate("inputs zeroed", {"validation/accuracy": Score(0.1, direction="maximize")}),
    )
)


def _against(value: float, baselines: Outcome) -> Evidence:
    return Evidence(
        "Overfit",
        Outcome(scores={"validation/accuracy": Score(value, direction="maximize")}),
        {"ExploreData": Outcome(), "EvaluateBaseline": baselines},
    )


def _fitting(value: float, baselines: Outcome) -> Evidence:
    scores = {"train/accuracy": Score(value, direction="maximize")}
    return Evidence("Overfit", Outcome(scores=scores), {"EvaluateBaseline": baselines})


_ACCURACY = "validation/accuracy"
_THREE = _baselines(dummy=0.1, linear=0.9, human=0.99)

_SEARCHED = _baselines(ensemble=0.95)
_KINDS = {"EvaluateBaseline": "EvaluateBaseline", "Squeeze": "Squeeze"}


def _behind_a_squeeze(value: float) -> Evidence:
    return Evidence(
        "Final", _against(value, _THREE).outcome, {"EvaluateBaseline": _THREE, "Squeeze": _SEARCHED}, _KINDS
    )


BeatsBaseline.PASSES = (
    (BeatsBaseline(_ACCURACY), _behind_a_squeeze(0.91)),
    (BeatsBaseline(_ACCURACY, step="Squeeze"), _behind_a_squeeze(0.96)),
    (BeatsBaseline("train/accuracy", against=_ACCURACY), _fitting(0.91, _THREE)),
    (BeatsBaseline(_ACCURACY), _against(0.91, _THREE)),
    (BeatsBaseline(_ACCURACY, "dummy", margin=0.3), _against(0.5, _THREE)),
    (BeatsBaseline(_ACCURACY, "human", step="EvaluateBaseline"), _against(0.995, _THREE)),
    (BeatsBaseline(_ACCURACY, direction="minimize"), _against(0.05, _THREE)),
    (BeatsBaseline(_ACCURACY), _against(0.95, _OF_ITSELF)),
)
BeatsBaseline.FAILS = (
    (BeatsBaseline(_ACCURACY, "ensemble"), _behind_a_squeeze(0.91)),
    (BeatsBaseline(_ACCURACY, step="Squeeze"), _behind_a_squeeze(0.91)),
    (BeatsBaseline("train/accuracy", against=_ACCURACY), _fitting(0.9, _THREE)),
    (BeatsBaseline(_ACCURACY), _against(0.9, _THREE)),
    (BeatsBaseline(_ACCURACY, margin=0.05), _against(0.92, _THREE)),
    (BeatsBaseline(_ACCURACY, "human"), _against(0.98, _THREE)),
    (BeatsBaseline(_ACCURACY, "inputs real"), _against(0.95, _OF_ITSELF)),
    (BeatsBaseline(_ACCURACY), _against(0.9 + 1e-8, _THREE)),
    (BeatsBaseline(_ACCURACY, margin=0.05), _against(0.95, _THREE)),
    (BeatsBaseline(_ACCURACY, direction="minimize"), _against(0.1 - 1e-9, _THREE)),
    (BeatsBaseline(_ACCURACY), _against(math.nan, _THREE)),
)
BeatsBaseline.NOT_JUDGED = (
    (BeatsBaseline(_ACCURACY), _against(0.9, Outcome())),
    (BeatsBaseline(_ACCURACY), _against(0.9, _baselines(human=0.99))),
    (BeatsBaseline(_ACCURACY), _against(0.9, _baselines(linear=math.nan))),
    (BeatsBaseline(_ACCURACY, step="Elsewhere"), _against(0.9, _THREE)),
    (BeatsBaseline("train/accuracy"), _fitting(0.9, _THREE)),
)
