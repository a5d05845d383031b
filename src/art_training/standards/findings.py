"""The requirement that faults which were found are settled."""

from dataclasses import dataclass

from art_training.errors import UsageError
from art_training.records import Severity
from art_training.standards.record import FindingRecord, Record
from art_training.standards.requirement import Answer, Part, Requirement, met, not_met
from art_training.standards.steps import nothing_ran

_ORDER = tuple(Severity)  # the worst first


@dataclass(frozen=True)
class FindingsSettled(Requirement):
    """Every finding of at least this severity is gone from the newest record, or was ignored or declared with a reason.

    One that is open, or that the newest run could not judge, can be waived by itself, as `FinalTest: ART804` or `ART804`.

    Attributes:
        severity: `error`, `warning` or `info`: the mildest that must be settled.
    """

    severity: str = Severity.WARNING.value

    def __post_init__(self) -> None:
        if self.severity not in set(Severity):
            raise UsageError(f"severity={self.severity!r} is none; give one of: {', '.join(Severity)}")
        object.__setattr__(self, "severity", str(Severity(self.severity).value))

    def judge(self, record: Record) -> Answer:
        """Look which findings are left."""
        if (nothing := nothing_ran(record)) is not None:
            return nothing
        asked = _ORDER[: _ORDER.index(Severity(self.severity)) + 1]
        counted_in = [one for one in record.findings if one.severity in asked]
        left = [one for one in counted_in if one.state != "settled"]
        ignored = sum(len(codes) for codes in record.ignored.values())
        numbers = {"open": len(left), "settled": len(counted_in) - len(left), "ignored": ignored}
        if left:
            parts = {one.key: one for one in map(_part, left)}
            return not_met("; ".join(part.reason for part in parts.values()), *parts.values(), **numbers)
        what = " or ".join(asked) if len(asked) < len(_ORDER) else "finding"
        told = [f"no {what} is open", *([f"{numbers['settled']} settled"] if numbers["settled"] else [])]
        return met(", ".join([*told, *([f"{ignored} ignored with a reason"] if ignored else [])]), **numbers)


def _part(one: FindingRecord) -> Part:
    told = f"{one.code} of {one.step}: {one.message}"
    if one.state == "not judged":
        told = f"{one.code} of {one.step} was found before and could not be judged since: {one.reason or one.message}"
    return Part(f"{one.step}: {one.code}", told)
