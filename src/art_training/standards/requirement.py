"""The contract of a requirement: one question about a record, and its answer."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from art_training.records import Plain, plain
from art_training.standards.record import Record
from art_training.standards.waivers import Waiver


class Met(StrEnum):
    """Whether a record meets a requirement."""

    MET = "met"
    NOT_MET = "not met"
    WAIVED = "waived"  # not met, or not judged, and somebody answers for it with a name, a reason and a date
    NOT_COVERED = "not covered"  # no record could say; it is named, so that nobody takes silence for an answer
    NOT_JUDGED = "not judged"  # this record does not say


@dataclass(frozen=True)
class Part:
    """One thing that a requirement is not met for, and that can be waived by itself.

    Attributes:
        key: how a waiver names it, e.g. `Overfit: train/loss < 0.05` or `FinalTest: ART804`.
        reason: one sentence with the numbers.
        waiver: who answers for it; filled in when waivers are applied, None where nobody does.
    """

    key: str
    reason: str
    waiver: Waiver | None = None


@dataclass(frozen=True)
class Answer:
    """What a requirement found out.

    Attributes:
        state: met, not met, not covered or not judged; that something is waived is not for a requirement to say.
        reason: one sentence with the numbers.
        numbers: the numbers by name (plain data).
        parts: what it is not met for, where all of that can be told apart; waiving each waives the whole.
    """

    state: Met
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Requirement(ABC):
    """One thing that a standard asks of a record. Pure: the same record gets the same answer.

    A requirement is a frozen dataclass; its fields are its configuration, validated at construction.
    """

    @abstractmethod
    def judge(self, record: Record) -> Answer:
        """Answer the question."""

    @property
    def key(self) -> str:
        """How a table and a waiver name it: the class with its fields; empty ones are left out."""
        values = (getattr(self, one.name) for one in dataclasses.fields(self))
        told = ", ".join(repr(value) for value in values if value is not None and value != "")
        return f"{type(self).__name__}({told})" if told else type(self).__name__

    @property
    def section(self) -> str:
        """The section that its points count for; empty where it has none."""
        return ""

    @property
    def points(self) -> float:
        """What it counts for in its section where it is met."""
        return 0.0

    @property
    def decides(self) -> bool:
        """Whether a record that does not meet it does not meet the standard; else it only counts for its section."""
        return True

    @property
    def configuration(self) -> Mapping[str, Plain]:
        """The class and the fields as plain data. Two requirements that read the same here ask the same question."""
        return {"requirement": type(self).__name__} | {
            one.name: plain(getattr(self, one.name)) for one in dataclasses.fields(self)
        }


def met(reason: str, **numbers: Any) -> Answer:
    """The record meets it."""
    return Answer(Met.MET, reason, numbers)


def not_met(reason: str, *parts: Part, **numbers: Any) -> Answer:
    """The record does not meet it."""
    return Answer(Met.NOT_MET, reason, numbers, parts)


def not_judged(reason: str, **numbers: Any) -> Answer:
    """The record does not allow an answer."""
    return Answer(Met.NOT_JUDGED, reason, numbers)


def not_covered(reason: str) -> Answer:
    """No record says anything of it."""
    return Answer(Met.NOT_COVERED, reason)
