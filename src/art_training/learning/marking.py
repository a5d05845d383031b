"""Marks what a learner takes for the fault of a dealt project."""

from dataclasses import dataclass, replace
from pathlib import Path

from art_training.errors import UsageError
from art_training.learning.dealing import Dealt, fault_called, lines_of
from art_training.learning.faults import Fault
from art_training.records.meant import did_you_mean
from art_training.rules.rule import CATEGORIES

_NEAR = 2  # lines beside the fault that count as its place
_HINTS = 3  # wrong answers after which the line is told


@dataclass(frozen=True)
class Mark:
    """What an answer is worth.

    Attributes:
        fault: that was dealt.
        tries: answers that were given, this one included.
        category: whether it names the category.
        place: whether it names the place; None where it names none.
        hint: what to look at next; empty where the category is right.
    """

    fault: Fault
    tries: int
    category: bool
    place: bool | None
    hint: str = ""

    @property
    def right(self) -> bool:
        """Whether it is the fault."""
        return self.category and self.place is not False


def mark(folder: Path, category: str, where: str = "") -> Mark:
    """Mark an answer, and count it.

    Args:
        folder: that was dealt into.
        category: the learner's, e.g. `loss`.
        where: the place, as `model.py:31`; empty for none.

    Raises:
        UsageError: nothing was dealt there, there is no such category, or the place is none.
    """
    dealt = Dealt.read(folder)
    if category not in CATEGORIES:
        raise UsageError(
            f"no category is called {category!r}{did_you_mean(category, CATEGORIES)}; there are: {', '.join(CATEGORIES)}"
        )
    fault = fault_called(dealt.fault)
    place = None if not where else _is_there(fault, where)
    dealt = replace(dealt, tries=dealt.tries + 1)
    dealt.write(folder)
    found = Mark(fault, dealt.tries, category in fault.categories, place)
    return found if found.right else replace(found, hint=_hint(fault, dealt.tries))


def given_up(folder: Path) -> Fault:
    """The fault of a dealt project.

    Raises:
        UsageError: nothing was dealt there.
    """
    return fault_called(Dealt.read(folder).fault)


def _is_there(fault: Fault, where: str) -> bool:
    file, colon, line = where.rpartition(":")
    if not colon or not line.isdigit():
        raise UsageError(f"--where {where} is no place; write the file and the line, e.g. model.py:31")
    lines = lines_of(fault)
    return Path(file).name == fault.file and lines.start - _NEAR <= int(line) < lines.stop + _NEAR


def _hint(fault: Fault, tries: int) -> str:
    if tries == 1:
        return fault.symptom
    if tries < _HINTS:
        return f"It is in {fault.file}. {fault.symptom}"
    return f"Look at line {lines_of(fault).start} of {fault.file}, and at what `art diagnose` says."
