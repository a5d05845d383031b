"""The figures of the fault benchmark, and those that are asked of it."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.faults.rows import Counts


@dataclass(frozen=True)
class Figures:
    """What is counted, of one seed or of several, of one part or of both.

    Attributes:
        right: faults whose first new finding is of a category that the case accepts.
        confirmed: faults whose first new finding was confirmed.
        alarms: clean forms that drew an error or a warning, or whose diagnosis did not come to an end.
        unjudged: of all rules that concern a set-up, the share that could not judge it.
        seconds: of each diagnosis, of the clock.
        processor: of each diagnosis, seconds of the processor.
    """

    faults: int
    detected: int
    right: int
    confirmed: int
    clean: int
    alarms: int
    unjudged: float
    seconds: list[float]
    processor: list[float]

    @property
    def cells(self) -> dict[str, str]:
        """By the column of the table."""
        return {
            "faults": str(self.faults),
            "detected": _share(self.detected, self.faults),
            "right first": _share(self.right, self.faults),
            "confirmed": _share(self.confirmed, self.detected),
            "clean forms": str(self.clean),
            "false alarms": str(self.alarms),
            "not judged": f"{self.unjudged:.1%}",
            "seconds, worst": _middle_and_worst(self.seconds),
            "of the processor, worst": _middle_and_worst(self.processor),
        }


# What is asked of a column: in words, and whether figures reach it.
ASKED: dict[str, tuple[str, Callable[[Figures], bool]]] = {
    "detected": ("at least 95 %", lambda one: 100 * one.detected >= 95 * one.faults),
    "right first": ("at least 90 %", lambda one: 100 * one.right >= 90 * one.faults),
    "confirmed": ("at least half", lambda one: 2 * one.confirmed >= one.detected),
    "false alarms": ("none", lambda one: one.alarms == 0),
    "seconds, worst": (
        "under 20, under 60",
        lambda one: statistics.median(one.seconds or [0]) < 20 and max(one.seconds, default=0) < 60,
    ),
}


def figures(*counts: Counts) -> Figures:
    """Of all of them together."""
    pairs = [pair for one in counts for pair in one.pairs]
    found = [(case, new[0]) for case, new in pairs if new]
    rows, clean = [row for one in counts for row in one.rows], [row for one in counts for row in one.clean]
    return Figures(
        faults=len(pairs),
        detected=len(found),
        right=sum(first[1] in case.categories for case, first in found),
        confirmed=sum(bool(first[3]) for _, first in found),
        clean=len(clean),
        alarms=sum(bool(row.serious or row.broken) for row in clean),
        unjudged=sum(len(row.unjudged) for row in rows) / max(sum(row.judging for row in rows), 1),
        seconds=[row.seconds for row in rows],
        processor=[row.processor for row in rows],
    )


def reached(title: str, one: Figures) -> str:
    """Which of the figures that are asked for the part of this title reaches."""
    met: dict[bool, list[str]] = {True: [], False: []}
    for column, (_, reaches) in ASKED.items():
        met[reaches(one)].append(column.removesuffix(", worst"))
    if not met[False]:
        return f"The part {title} reaches all that is asked."
    short = f"The part {title} does not reach what is asked of: {', '.join(met[False])}"
    return f"{short}; it does of: {', '.join(met[True])}." if met[True] else f"{short}."


def _share(number: int, of: int) -> str:
    return f"{number} ({number / max(of, 1):.1%})"


def _middle_and_worst(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds or [0]):.1f}, {max(seconds, default=0):.1f}"
