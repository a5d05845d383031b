"""What a standard judges: the record of a project as it stands, assembled once from a store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from art_training.records import Judgement, Outcome, RunRecord, Severity, StepState, Use

Known = Literal["now", "remembered", "never"]


@dataclass(frozen=True)
class StepRecord:
    """One step of a project, with the run on which it stands.

    Attributes:
        step: its name.
        kind: its class.
        state: where it stands; `not run` behind a step that did not pass, whatever it reached before.
        run: the run on which it stands; None where it never ran.
        outcome: what that run produced.
        judgement: the newest answers of its checks; None where they do not hold any more, because the checks changed.
        stale: what changed since, where it is outdated; else empty.
        broken: what its setup raised, so that it is not known whether it is outdated; else empty.
        judge_again: whether its checks changed and nothing has answered them yet.
        unknown: what of its fingerprint could not be resolved, so that a change of it goes unseen.
        why: what it waits for, or what it raised; else empty.
    """

    step: str
    kind: str
    state: StepState
    run: RunRecord | None = None
    outcome: Outcome | None = None
    judgement: Judgement | None = None
    stale: str = ""
    broken: str = ""
    judge_again: bool = False
    unknown: tuple[str, ...] = ()
    why: str = ""

    @property
    def declared(self) -> Mapping[str, Any]:
        """What its run was declared with, by dotted name."""
        return self.run.parameters if self.run else {}


@dataclass(frozen=True)
class FindingRecord:
    """One fault that a step of the project found in some run of its own.

    Attributes:
        code: of the rule.
        severity: as it was seen last.
        step: that found it.
        message: one sentence with the numbers.
        state: `open`: the run on which the step stands has it; `settled`: it no longer does; `not judged`: it could not tell.
        how: how it was settled: ignored with a reason, declared, or gone.
        reason: the reason, what was declared, or why it was not judged; else empty.
    """

    code: str
    severity: Severity
    step: str
    message: str
    state: Literal["open", "settled", "not judged"]
    how: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Subject:
    """The very thing that is verified: a file, or a run.

    Attributes:
        given: as it was given.
        digest: SHA-256 of the file's bytes, in hexadecimal; empty for a run.
        bytes: the file's size; None for a run.
        artifact: its name among the files of the run; empty where it is none of them, and for a run.
        run: the run that left it, or that it is; empty where none of the project's did.
        step: of that run.
        refused: why it is not what the record is about, in one sentence; empty where it is.
        told: what it is, in words.
    """

    given: str
    digest: str = ""
    bytes: int | None = None
    artifact: str = ""
    run: str = ""
    step: str = ""
    refused: str = ""
    told: str = ""


@dataclass(frozen=True)
class Record:
    """The record of a project as it stands.

    Attributes:
        project: its name.
        store: where its records are.
        at: when it was read, in UTC.
        art_version: of the ART that read it.
        steps: in the project's order.
        findings: of these steps over time, the worst first.
        ignored: reasons to ignore a finding that steps were declared with, by step and code.
        uses: of the test rows that were looked at last, oldest first, by whatever run, removed ones among them.
        planned: whether it was asked `now` what is outdated, or `remembered` since the last plan, or `never`.
        planned_at: when it was remembered, in UTC.
        subject: what is verified; None where it is the record alone.
    """

    project: str
    store: str
    at: datetime
    art_version: str
    steps: tuple[StepRecord, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    ignored: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    uses: tuple[Use, ...] = ()
    planned: Known = "never"
    planned_at: datetime | None = None
    subject: Subject | None = None

    def named(self, step: str) -> tuple[StepRecord, ...]:
        """The steps of this class; where there are none, the one of this name.

        A standard is written for many projects, which name their steps as they like.
        """
        of_kind = tuple(one for one in self.steps if one.kind == step)
        return of_kind or tuple(one for one in self.steps if one.step == step)
