"""Hold a record to a standard: ask every requirement, apply the waivers that count, and say what follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from art_training.records import Plain, plain
from art_training.records.meant import did_you_mean
from art_training.standards.always import Fresh, OfThisRecord
from art_training.standards.record import Record
from art_training.standards.requirement import Answer, Met, Part, Requirement
from art_training.standards.standard import Standard
from art_training.standards.waivers import Waiver

_ROUNDING = 1e-9  # of a sum of points


class WaiverState(StrEnum):
    """What became of a waiver."""

    USED = "used"
    NOT_NEEDED = "not needed"  # what it waives is met
    EXPIRED = "expired"
    NOT_YET = "not yet granted"
    UNMATCHED = "matches nothing"
    AMBIGUOUS = "matches several"
    REFUSED = "cannot be waived"


@dataclass(frozen=True)
class WaiverAccount:
    """What became of a waiver, and why.

    Attributes:
        waiver: it.
        state: used, or why not.
        told: one sentence; empty where it was used.
    """

    waiver: Waiver
    state: WaiverState
    told: str = ""


@dataclass(frozen=True)
class RequirementAnswer:
    """How a record answers one requirement.

    Attributes:
        requirement: as a waiver names it.
        state: met, not met, waived, not covered or not judged.
        reason: one sentence with the numbers.
        numbers: the numbers by name (plain data).
        parts: what it is not met for, where that can be told apart.
        waivers: that were used, of the whole or of its parts.
        section: that it counts for.
        points: what it counted.
        worth: what it would count where it were met.
        decides: whether it decides by itself.
        configuration: the requirement as plain data.
    """

    requirement: str
    state: Met
    reason: str
    numbers: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    parts: tuple[Part, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    section: str = ""
    points: float = 0.0
    worth: float = 0.0
    decides: bool = True
    configuration: Mapping[str, Plain] = field(default_factory=dict[str, Plain])


@dataclass(frozen=True)
class Assessment:
    """Whether a record meets a standard.

    Attributes:
        standard: that it was held to.
        record: that was judged.
        answers: what every verification asks first, then the standard's requirements in their order.
        waivers: what became of each.
        state: met, not met, or not judged.
        sections: the points of each section, where there are any.
        score: the smallest of them; None where there are none.
    """

    standard: Standard
    record: Record
    answers: tuple[RequirementAnswer, ...]
    waivers: tuple[WaiverAccount, ...]
    state: Met
    sections: Mapping[str, float] = field(default_factory=dict[str, float])
    score: float | None = None

    def of(self, *states: Met) -> tuple[RequirementAnswer, ...]:
        """The deciding answers in one of these states."""
        return tuple(one for one in self.answers if one.decides and one.state in states)


def assess(standard: Standard, record: Record, waivers: Iterable[Waiver] = (), *, recorded: bool = False) -> Assessment:
    """Hold a record to a standard.

    Args:
        standard: what is asked.
        record: of what.
        waivers: exceptions; those that do not count on the day on which the record was read change nothing.
        recorded: whether what the store remembers of the last plan is enough to be fresh.
    """
    given, day = tuple(waivers), record.at.date()
    always = (OfThisRecord(), Fresh(recorded))
    first = [_answered(one, _judged(one, record)) for one in always]
    asked = [_answered(one, _judged(one, record)) for one in standard.requires]
    meant = {at: _meant(one, asked) for at, one in enumerate(given)}
    counting = {at: keys for at, keys in meant.items() if len(keys) == 1 and given[at].counts(day)}
    waived = {keys[0]: given[at] for at, keys in counting.items()}
    answers = (*first, *(_waived(one, waived) for one in asked))
    used = {one for answer in answers for one in answer.waivers}
    sections = _sections(answers)
    score = min(sections.values(), default=None)
    return Assessment(
        standard,
        record,
        answers,
        tuple(_account(one, meant[at], day, used, [*first, *asked]) for at, one in enumerate(given)),
        _state(answers, standard.at_least, score),
        sections,
        score,
    )


def _judged(requirement: Requirement, record: Record) -> Answer:
    """A requirement may be anybody's code; one that raises, or gives no answer, could not be judged, alone."""
    try:
        answer: object = requirement.judge(record)
    except Exception as error:  # noqa: BLE001  Whatever it is, it is its own result.
        return Answer(Met.NOT_JUDGED, f"the requirement raised {type(error).__name__}: {error}")
    if not isinstance(answer, Answer) or answer.state is Met.WAIVED:
        return Answer(
            Met.NOT_JUDGED,
            f"its judge() gave {answer!r}; return met('why'), not_met('why'), not_judged('why') or not_covered('why')",
        )
    return answer


def _answered(one: Requirement, answer: Answer) -> RequirementAnswer:
    return RequirementAnswer(
        requirement=one.key,
        state=answer.state,
        reason=answer.reason,
        numbers={name: plain(number) for name, number in answer.numbers.items()},
        parts=answer.parts,
        section=one.section,
        points=one.points if answer.state is Met.MET else 0.0,
        worth=one.points,
        decides=one.decides,
        configuration=one.configuration,
    )


def _meant(waiver: Waiver, asked: Sequence[RequirementAnswer]) -> tuple[str, ...]:
    """The keys that a waiver may mean: the one that it names, else all that it may be short for."""
    keys = list(dict.fromkeys(key for one in asked for key in (one.requirement, *(part.key for part in one.parts))))
    named = tuple(key for key in keys if waiver.names(key))
    return named or tuple(key for key in keys if waiver.may_mean(key))


def _waived(answer: RequirementAnswer, waived: Mapping[str, Waiver]) -> RequirementAnswer:
    """Waived, where the whole of it is, or each of its parts."""
    if answer.state not in {Met.NOT_MET, Met.NOT_JUDGED}:
        return answer
    if (whole := waived.get(answer.requirement)) is not None:
        return replace(answer, state=Met.WAIVED, waivers=(whole,))
    parts = tuple(replace(part, waiver=waived.get(part.key)) for part in answer.parts)
    some = tuple(dict.fromkeys(part.waiver for part in parts if part.waiver is not None))
    state = Met.WAIVED if some and all(part.waiver for part in parts) else answer.state
    return replace(answer, state=state, parts=parts, waivers=some)


def _sections(answers: Iterable[RequirementAnswer]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in answers:
        if one.section:
            found[one.section] = found.get(one.section, 0.0) + one.points
    return found


def _state(answers: Iterable[RequirementAnswer], at_least: float | None, score: float | None) -> Met:
    """What is not met is known, whatever else could not be judged."""
    states = [one.state for one in answers if one.decides]
    if Met.NOT_MET in states:
        return Met.NOT_MET
    if Met.NOT_JUDGED in states:
        return Met.NOT_JUDGED
    if at_least is not None:
        return Met.MET if score is not None and score >= at_least - _ROUNDING else Met.NOT_MET
    return Met.MET if {Met.MET, Met.WAIVED} & set(states) else Met.NOT_JUDGED


def _account(
    waiver: Waiver, keys: Sequence[str], day: date, used: set[Waiver], asked: Sequence[RequirementAnswer]
) -> WaiverAccount:
    what = f"the waiver of {waiver.requirement!r}"
    if any(waiver.names(one.key) or waiver.may_mean(one.key) for one in (OfThisRecord(), Fresh())):
        return WaiverAccount(
            waiver, WaiverState.REFUSED, f"{what} waives what no one can: that the record is fresh and of this"
        )
    if not keys:
        near = did_you_mean(waiver.requirement, [one.requirement for one in asked])
        return WaiverAccount(waiver, WaiverState.UNMATCHED, f"{what} matches nothing that is asked or open{near}")
    if len(keys) > 1:
        listed = ", ".join(keys)
        return WaiverAccount(waiver, WaiverState.AMBIGUOUS, f"{what} may mean {len(keys)}: {listed}; name one of them")
    if not waiver.counts(day):
        state = WaiverState.EXPIRED if day > waiver.last_day else WaiverState.NOT_YET
        return WaiverAccount(waiver, state, f"{what} does not count: {waiver.told(day)}")
    if waiver in used:
        return WaiverAccount(waiver, WaiverState.USED)
    return WaiverAccount(waiver, WaiverState.NOT_NEEDED, f"{what} is not needed any more: {keys[0]} is met without it")
