"""What ExploreData's questions are given and what they answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

from art_training.records import Finding, Interval, Plain, Reading, Score
from art_training.setup.data.hashing import Hashed
from art_training.setup.task import Task
from art_training.steps.exploration.survey import MOST_LISTED, SHOWN, Survey

FOUND = "found.csv"
Surveys: TypeAlias = Sequence[Survey]


@dataclass
class Answers:
    """What the questions found; each adds to it.

    Attributes:
        scores: by name.
        readings: in the order in which they are shown.
        findings: likewise.
        tables: rows that are kept as a file, and what they are, by the file's name.
    """

    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    readings: list[Reading] = field(default_factory=list[Reading])
    findings: list[Finding] = field(default_factory=list[Finding])
    tables: dict[str, tuple[list[dict[str, Plain]], str]] = field(
        default_factory=dict[str, tuple[list[dict[str, Plain]], str]]
    )

    def fewer_is_better(
        self, name: str, value: float, survey: Survey, note: str = "", interval: Interval | None = None
    ) -> None:
        """Note a number of one place, best at zero."""
        score = Score(float(value), interval, rows=survey.examples, direction="minimize", note=note)
        self.scores[f"{survey.place}/{name}"] = score

    def neutral(self, name: str, value: float, survey: Survey, note: str = "") -> None:
        """Note a number of one place that is neither good nor bad."""
        self.scores[f"{survey.place}/{name}"] = Score(float(value), rows=survey.examples, note=note)

    def found(self, code: str, survey: Survey, rows: Iterable[int]) -> None:
        """Note all examples that a finding is about, of which its sentence names the first."""
        table, _ = self.tables.setdefault(FOUND, ([], "every example that a finding is about"))
        table += [{"code": code, "place": survey.place, "example": int(row)} for row in islice(rows, MOST_LISTED)]


Question: TypeAlias = Callable[[Surveys, Task, Answers], None]


def listed(items: Iterable[Any]) -> str:
    """Items as a person reads them."""
    return ", ".join(str(item) for item in items)


def examples_told(survey: Survey, first: Iterable[int], count: int) -> str:
    """Which examples are meant: the first of them, and where the others stand."""
    listed_there = f"all {count} are" if count <= MOST_LISTED else f"{MOST_LISTED:,} of {count:,} are"
    more = f", ...; {listed_there} in {FOUND}" if count > SHOWN else ""
    return f"{survey.place}: examples {listed(first)}{more}"


def of_hashed(count: int, hashed: Hashed, survey: Survey) -> tuple[int, float, str]:
    """How many of all examples it is that were counted among those whose hashes are kept, their share, and a note."""
    kept = len(hashed.inputs)
    if hashed.whole:
        return count, count / max(1, survey.examples), ""
    share = count / max(1, kept)
    return round(share * survey.examples), share, f"estimated from the {kept:,} examples with the smallest hashes"
