"""What a step produced."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from numbers import Integral
from typing import Any, Literal, Self

from art_training.errors import UnknownMetric, UsageError
from art_training.records.metric import Metric
from art_training.records.plain import plain
from art_training.records.probes import PROBED

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: lower bound.
        high: upper bound.
        level: nominal coverage, in 0..1.
        method: how it was computed, e.g. `wilson` or `bootstrap, 2000 resamples of 360 examples`.
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""

    def holding(self, value: float) -> Self:
        """The narrowest interval with this one in it that holds `value`.

        Percentiles of resamples of a biased statistic may leave out what was measured, and so may the rounding of its last
        digit; what was measured is never implausible.
        """
        return (
            self
            if self.low <= value <= self.high
            else replace(self, low=min(self.low, value), high=max(self.high, value))
        )


@dataclass(frozen=True)
class Score:
    """One number with what is needed to believe it.

    Attributes:
        value: the number.
        interval: its confidence interval, where per-example values exist.
        rows: how many examples it was computed on; None where it is not a mean over examples.
        direction: which way is better, if known.
        source: where predictions and targets came from, e.g. `cross_entropy call`, `outputs= adapter`.
        note: why there is no interval, or anything else that a reader must know.

    Raises:
        UsageError: the interval is upside down, or does not hold the value.
    """

    value: float
    interval: Interval | None = None
    rows: int | None = None
    direction: Direction | None = None
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if isinstance(
            self.value, Integral
        ):  # a count is stored as a number like any other, and is to be the same before
            object.__setattr__(self, "value", float(self.value))
        between = self.interval
        if between is not None and _impossible(self.value, between):
            raise UsageError(
                f"the interval [{between.low}, {between.high}] does not hold its value {self.value}; give one that does, such "
                "as interval.holding(value), or None"
            )

    @classmethod
    def restored(cls, *, interval: Interval | None = None, value: float, note: str = "", **stored: Any) -> Self:
        """One that was stored; of an interval that an earlier version wrote and that cannot be, the note tells."""
        if interval is not None and _impossible(value, interval):
            left_out = f"its interval [{interval.low}, {interval.high}] does not hold it and was left out"
            interval, note = None, "; ".join(filter(None, (note, left_out)))
        return cls(value, interval, note=note, **stored)


def _impossible(value: float, between: Interval) -> bool:
    """Whether an interval is upside down or leaves out its value; NaN lies nowhere, and checks never pass on it."""
    return between.low > between.high or value < between.low or value > between.high


@dataclass(frozen=True)
class Curve:
    """A sequence of numbers over training.

    Attributes:
        steps: optimiser steps at which a value was taken, ascending.
        values: one value a step; NaN and infinity are kept.
        epochs: the epoch (from 0) of each value, where known; as long as `steps`, or empty.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]
    epochs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One measurement of a probe or a step that is not a score: a count, a share, a statistic, a small table."""

    name: str
    value: Any
    unit: str = ""
    note: str = ""


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """Something wrong or suspicious, with its evidence and its remedy.

    Attributes:
        code: stable code, `ART` and three digits.
        category: data, split, labels, preprocessing, model, initialization, loss, optimizer, schedule, mode, metrics,
            evaluation, reproducibility, transfer, checkpoint or numerics.
        severity: error, warning or info.
        message: one sentence with the numbers.
        evidence: the numbers, by name (plain data).
        remedy: what to change.
        where: module path, file and line, or indices of examples.
        confirmed_by: the experiment that confirmed the cause, or empty.
        stage: of a diagnosis: inspect, probe, train or evaluate; empty where a step noticed it.
    """

    code: str
    category: str
    severity: Severity
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    remedy: str = ""
    where: str = ""
    confirmed_by: str = ""
    stage: str = ""

    @property
    def rule(self) -> str:
        """The code, as the rule that found it is called."""
        return self.code


@dataclass(frozen=True)
class Artifact:
    """A file that a step left, kept by its digest.

    Attributes:
        name: its name within the outcome, e.g. `last.ckpt`.
        kind: checkpoint, figure, table, text or other.
        digest: SHA-256 of its bytes, in hexadecimal.
        bytes: its size.
        note: what it is, in a few words.
    """

    name: str
    kind: str
    digest: str
    bytes: int
    note: str = ""


@dataclass(frozen=True)
class Candidate:
    """One of several things that a step compared: a baseline, a regularisation, a trial.

    Attributes:
        name: unique within the outcome.
        scores: what it reached.
        parameters: what it was (plain data).
        note: why it could not be scored, or where its number comes from.
    """

    name: str
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a step produced. Frozen plain data; never a live trainer or a model.

    Attributes:
        scores: numbers by metric address, e.g. `validation/accuracy`.
        curves: learning curves by name, thinned to at most a thousand points; all points are in the store.
        readings: other measurements.
        findings: what was found wrong on the way.
        candidates: what was compared, for steps that compare.
        parameters: what the step worked with (plain data).
        artifacts: files left, by digest.
        seconds: time by phase, e.g. `{"fit": 31.2, "evaluate": 1.4}`.
        summary: one line that says what the step saw.
        stopped: why training ended early (`interrupted`, `out of memory`, `loss is not finite`), or empty.
    """

    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    curves: Mapping[str, Curve] = field(default_factory=dict[str, Curve])
    readings: tuple[Reading, ...] = ()
    findings: tuple[Finding, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    artifacts: tuple[Artifact, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    summary: str = ""
    stopped: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, over what was measured; time, wording and what probes looked at do not count."""
        left = tuple(one for one in self.artifacts if not one.name.startswith(PROBED))
        counted = (self.scores, self.readings, self.candidates, self.parameters, left, self.stopped)
        text = json.dumps(plain(counted), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def score(self, metric: Metric | str) -> Score:
        """The score at `metric`.

        Raises:
            UnknownMetric: the outcome has no such score; the message names those that exist.
        """
        score = self.scores.get(str(metric))
        if score is None:
            raise UnknownMetric(f"no metric '{metric}' in this outcome; it has: {', '.join(self.scores) or 'none'}")
        return score

    def reading(self, name: str) -> Reading | None:
        """The reading called `name`, if there is one."""
        return next((reading for reading in self.readings if reading.name == name), None)

    def artifact(self, name: str) -> Artifact | None:
        """The artifact called `name`, if there is one."""
        return next((artifact for artifact in self.artifacts if artifact.name == name), None)

    def candidate(self, name: str) -> Candidate | None:
        """The candidate called `name`, if there is one."""
        return next((candidate for candidate in self.candidates if candidate.name == name), None)
