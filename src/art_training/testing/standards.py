"""What every standard must keep to: a suite for those who write one, and records to try it on.

class TestOurStandard(StandardContract):
standard = LAB
meets = (made_up_record(made_up_step("ExploreData"), ...),)

"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from art_training.records import (
    Fingerprint,
    Judgement,
    Outcome,
    Provenance,
    RunRecord,
    RunStatus,
    Score,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.standards import Met, Record, Standard, StepRecord, assess

MADE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
_VERDICTS = {StepState.PASSED: VerdictState.PASSED, StepState.FAILED: VerdictState.FAILED}


def made_up_step(
    kind: str,
    *,
    name: str = "",
    state: StepState = StepState.PASSED,
    checks: Sequence[Verdict] = (),
    scores: Mapping[str, Score | float] | None = None,
    parameters: Mapping[str, Any] | None = None,
    provenance: Provenance | None = None,
    **outcome: Any,
) -> StepRecord:
    """A step as if it had run.

    Args:
        kind: its class.
        name: of the step; its class by default.
        state: where it stands; `not run` leaves it without a run.
        checks: the newest answers; by default one that says what the state does.
        scores: of its outcome; a bare number is a score without an interval.
        parameters: what it was declared with, by dotted name.
        provenance: with what it was made; by default from a clean commit.
        outcome: other fields of its outcome.
    """
    step = name or kind
    if state is StepState.NOT_RUN:
        return StepRecord(step, kind, state)
    default = Verdict("it works", _VERDICTS.get(state, VerdictState.NOT_JUDGED), f"it works: {state.value}")
    numbers = {name: one if isinstance(one, Score) else Score(one) for name, one in (scores or {}).items()}
    run = RunRecord(
        id=f"20260504T090000000000-{step}",
        project="made up",
        step=step,
        kind=kind,
        fingerprint=Fingerprint({"step": step}),
        seed=7,
        started=MADE,
        status=RunStatus.COMPLETED,
        ended=MADE,
        parameters=parameters or {},
        provenance=provenance or Provenance(git_commit="1f3a" * 10),
    )
    return StepRecord(
        step, kind, state, run, Outcome(scores=numbers, **outcome), Judgement(tuple(checks) or (default,), MADE, state)
    )


def made_up_record(*steps: StepRecord, **fields: Any) -> Record:
    """A fresh record of these steps; `fields` are others of `Record`."""
    made = Record("made up", "memory", MADE, "2.0.0", steps, planned="now")
    return dataclasses.replace(made, **fields)


class StandardContract:
    """A pytest class to inherit from.

    Attributes:
        standard: the standard under test.
        meets: records that meet it; at least one.
        fails: records that do not.
    """

    standard: ClassVar[Standard]
    meets: ClassVar[Sequence[Record]] = ()
    fails: ClassVar[Sequence[Record]] = ()

    def test_it_brings_a_record_that_meets_it(self) -> None:
        """A standard that nothing can meet helps nobody."""
        assert self.meets, "give a record that meets the standard: meets = (made_up_record(...),)"
        for record in self.meets:
            found = assess(self.standard, record)
            wrong = [f"{one.requirement}: {one.reason}" for one in found.of(Met.NOT_MET, Met.NOT_JUDGED)]
            assert found.state is Met.MET, "; ".join(wrong) or f"its score is {found.score}"

    def test_records_that_fail_do_not_meet_it(self) -> None:
        """As it was promised."""
        for record in self.fails:
            assert assess(self.standard, record).state is not Met.MET

    def test_nothing_does_not_meet_it(self) -> None:
        """A project that never ran has shown nothing."""
        assert assess(self.standard, made_up_record()).state is not Met.MET

    def test_the_same_record_gets_the_same_answer(self) -> None:
        """A requirement keeps nothing between two questions."""
        for record in self._records():
            assert assess(self.standard, record).answers == assess(self.standard, record).answers

    def test_no_requirement_raises(self) -> None:
        """Whatever a record holds."""
        for record in self._records():
            for one in assess(self.standard, record).answers:
                assert " raised " not in one.reason, f"{one.requirement}: {one.reason}"

    def test_each_reads_as_one_line_and_gives_a_reason(self) -> None:
        """Keys and reasons are shown in tables, and waivers name keys."""
        for record in self._records():
            for one in assess(self.standard, record).answers:
                assert one.requirement, "a requirement has no key"
                assert one.reason, f"{one.requirement} gives no reason"
                assert "\n" not in one.requirement + one.reason, f"{one.requirement} has more than a line"

    def test_what_it_tells_is_plain_data(self) -> None:
        """The evidence is JSON."""
        for record in self._records():
            for one in assess(self.standard, record).answers:
                json.dumps([dict(one.numbers), dict(one.configuration)])

    def test_equal_requirements_have_one_configuration(self) -> None:
        """A copy asks the same question; so does a copy of the standard, by its digest."""
        for one in self.standard.requires:
            copy = dataclasses.replace(one)
            assert copy == one
            assert copy.configuration == one.configuration
        assert dataclasses.replace(self.standard).digest == self.standard.digest

    def _records(self) -> Sequence[Record]:
        return (*self.meets, *self.fails, made_up_record())
