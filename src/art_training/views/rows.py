"""The rows that views are made of: frozen, plain, with nothing of how they are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from art_training.records import (
    Direction,
    Outcome,
    RunRecord,
    RunStatus,
    Score,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.stores import Course, RunSummary
from art_training.views.life import standing
from art_training.views.limits import Limit


@dataclass(frozen=True)
class ScoreRow:
    """One score, beside the best baseline for it where there is one.

    Attributes:
        metric: its address.
        value: the number.
        low: lower bound of its interval, if it has one.
        high: upper bound.
        rows: how many examples it was computed on.
        direction: which way is better.
        source: where predictions and targets came from.
        note: what a reader must know.
        baseline: the best baseline's number; a declared human score is not one.
        baseline_name: its name.
        baseline_low: lower bound of its interval, if it has one.
        baseline_high: upper bound.
    """

    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    direction: Direction | None = None
    source: str = ""
    note: str = ""
    baseline: float | None = None
    baseline_name: str = ""
    baseline_low: float | None = None
    baseline_high: float | None = None

    @classmethod
    def of(cls, metric: str, score: Score, baseline: tuple[str, Score] | None = None) -> "ScoreRow":
        """The row of one score, beside the score of the best baseline by its name."""
        name, best = baseline or ("", None)
        theirs = best.interval if best else None
        return cls(
            metric=metric,
            value=score.value,
            low=score.interval.low if score.interval else None,
            high=score.interval.high if score.interval else None,
            rows=score.rows,
            direction=score.direction,
            source=score.source,
            note=score.note,
            baseline=best.value if best else None,
            baseline_name=name,
            baseline_low=theirs.low if theirs else None,
            baseline_high=theirs.high if theirs else None,
        )


@dataclass(frozen=True)
class CheckRow:
    """One check's answer.

    Attributes:
        check: the check as it reads.
        state: its answer.
        reason: one sentence with the numbers.
        numbers: the numbers by name.
        limit: the number that decided beside its limits; None where a picture of them would not show what the answer says.
    """

    check: str
    state: VerdictState
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    limit: Limit | None = None

    @property
    def told(self) -> str:
        """As of a verdict."""
        return Verdict(self.check, self.state, self.reason).told

    @classmethod
    def of(cls, verdict: Verdict) -> "CheckRow":
        """The row of one verdict."""
        return cls(verdict.check, verdict.state, verdict.reason, verdict.numbers, Limit.of(verdict))


@dataclass(frozen=True)
class CurveRow:
    """One curve in a few numbers.

    Attributes:
        name: its name.
        points: how many there are.
        first: the first value.
        last: the last value.
        lowest: the smallest value; NaN does not count.
        highest: the largest value; NaN does not count.
    """

    name: str
    points: int
    first: float | None
    last: float | None
    lowest: float | None
    highest: float | None

    @classmethod
    def of(cls, name: str, course: Course) -> "CurveRow":
        """The row of one curve."""
        return cls(name, *course)


@dataclass(frozen=True)
class RunRow:
    """One run as a line of a table; `state` knows of processes that died, `seconds` of the runs that it went on from."""

    id: str
    project: str
    step: str
    kind: str
    state: StepState
    status: RunStatus
    started: datetime
    ended: datetime | None
    seconds: float | None
    scores: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def of(cls, run: RunRecord | RunSummary, outcome: Outcome | None = None) -> "RunRow":
        """The row of one run; a record's scores come from its outcome."""
        scores = run.scores if isinstance(run, RunSummary) else {n: s.value for n, s in _scores(outcome).items()}
        return cls(
            id=run.id,
            project=run.project,
            step=run.step,
            kind=run.kind,
            state=standing(run),
            status=run.status,
            started=run.started,
            ended=run.ended,
            seconds=run.seconds,
            scores=dict(scores),
        )


def short(run: str) -> str:
    """The end of a run's id: enough to name it."""
    return run[-6:]


def _scores(outcome: Outcome | None) -> Mapping[str, Score]:
    return {} if outcome is None else outcome.scores
