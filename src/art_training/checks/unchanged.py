"""Whether weights stayed what they were, or became others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.errors import CheckError
from art_training.records import Outcome, Reading

_NAMED = 3


@dataclass(frozen=True)
class Unchanged(Check):
    """A part of the weights is, bit by bit, what it was.

    Attributes:
        part: name of the step's reading that compares the part: its digests `before` and `after`, how many `tensors` there
            are, and the names of those that `changed`.
    """

    part: str = "frozen part"

    def __post_init__(self) -> None:
        _require_name(self.part)

    @property
    def title(self) -> str:
        """The part."""
        return f"{self.part} unchanged"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the two digests."""
        reading, compared = _compared(evidence, self.part)
        if compared is None:
            return not_judged(f"{self.part} is not known: {reading.note}")
        before, after, said = _said(self.part, compared)
        numbers = {"before": before, "after": after}
        if before == after:
            return passed(f"{said}, bit by bit what it was ({before[:8]})", **numbers)
        changed: list[str] = compared.get("changed", [])
        shown = ", ".join(changed[:_NAMED]) + (", ..." if len(changed) > _NAMED else "")
        which = f": {shown}" if changed else ""
        return failed(f"{said}, became another ({before[:8]} to {after[:8]}){which}", **numbers)


@dataclass(frozen=True)
class Changed(Check):
    """A part of the weights is not what it was.

    Attributes:
        part: as of `Unchanged`.
    """

    part: str = "trained part"

    def __post_init__(self) -> None:
        _require_name(self.part)

    @property
    def title(self) -> str:
        """The part."""
        return f"{self.part} changed"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the two digests."""
        reading, compared = _compared(evidence, self.part)
        if compared is None:
            return not_judged(f"{self.part} is not known: {reading.note}")
        before, after, said = _said(self.part, compared)
        count = compared.get("changed tensors", len(compared.get("changed", [])))
        if before == after:
            return failed(f"{said}, is bit by bit what it was ({before[:8]}): it was not trained", changed=0)
        return passed(f"{said}, changed in {count}", changed=count)


def _require_name(part: Any) -> None:
    if not isinstance(part, str) or not part:
        raise CheckError(f"part={part!r} is not the name of a reading; give part='frozen part'")


def _compared(evidence: Evidence, part: str) -> tuple[Reading, Mapping[str, Any] | None]:
    """The reading, and what it compares where that is known.

    Raises:
        CheckError: there is no such reading, or it compares nothing.
    """
    reading = evidence.outcome.reading(part)
    if reading is None:
        known = ", ".join(repr(one.name) for one in evidence.outcome.readings) or "none"
        raise CheckError(f"no reading {part!r} in this outcome; it has: {known}")
    if reading.value is None:
        return reading, None
    if not isinstance(reading.value, Mapping) or not {"before", "after"} <= set(
        cast("Mapping[str, Any]", reading.value)
    ):
        raise CheckError(f"the reading {part!r} holds no digests 'before' and 'after', so it compares no weights")
    return reading, cast("Mapping[str, Any]", reading.value)


def _said(part: str, compared: Mapping[str, Any]) -> tuple[str, str, str]:
    tensors = compared.get("tensors")
    of = f", {tensors} tensors" if tensors is not None else ""
    return str(compared["before"]), str(compared["after"]), f"the {part}{of}"


def _weights(part: str, after: str, *changed: str) -> Evidence:
    value = {"before": "a" * 64, "after": after * 64, "tensors": 4, "changed": list(changed)}
    return Evidence("TransferLearning", Outcome(readings=(Reading(part, value),)))


def _unknown(part: str) -> Evidence:
    return Evidence("TransferLearning", Outcome(readings=(Reading(part, None, note="the training left no weights"),)))


Unchanged.PASSES = ((Unchanged(), _weights("frozen part", "a")),)
Unchanged.FAILS = ((Unchanged(), _weights("frozen part", "b", "backbone.1.running_mean")),)
Unchanged.NOT_JUDGED = ((Unchanged(), _unknown("frozen part")),)
Changed.PASSES = ((Changed(), _weights("trained part", "b", "head.weight")),)
Changed.FAILS = ((Changed(), _weights("trained part", "a")),)
Changed.NOT_JUDGED = ((Changed(), _unknown("trained part")),)
