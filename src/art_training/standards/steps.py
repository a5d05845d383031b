"""Requirements about steps: which must be there and pass, and what their scores must reach."""

from dataclasses import dataclass
from typing import Any

from art_training.checks import Check, Evidence, judge
from art_training.errors import UsageError
from art_training.records import Outcome, StepState, Verdict, VerdictState
from art_training.records.counted import counted
from art_training.records.meant import did_you_mean
from art_training.standards.record import Record, StepRecord
from art_training.standards.requirement import Answer, Met, Part, Requirement, met, not_judged, not_met

_JUDGED = {VerdictState.PASSED: Met.MET, VerdictState.FAILED: Met.NOT_MET}


@dataclass(frozen=True)
class StepPassed(Requirement):
    """A step of this class, or else of this name, is there, and every such step passed.

    A check of it that failed can be waived by itself, as `Overfit: train/loss < 0.05`.

    Attributes:
        step: the class of the step, such as `OverfitOneBatch`; a name where no step is of such a class.
    """

    step: str

    def __post_init__(self) -> None:
        require_text("step", self.step, "OverfitOneBatch")

    def judge(self, record: Record) -> Answer:
        """Look for the steps, and where each stands."""
        steps = record.named(self.step)
        return not_met(missing(record, self.step)) if not steps else together(steps)


@dataclass(frozen=True)
class EveryStepPassed(Requirement):
    """Every step that the project declares passed; there is at least one."""

    def judge(self, record: Record) -> Answer:
        """Look where each step stands."""
        return together(record.steps) if record.steps else not_met("nothing has run")


@dataclass(frozen=True)
class CheckPasses(Requirement):
    """A step answers a check of the standard's own, whatever the project asks of it.

    It is asked of what the step left, as the step's own checks are: `CheckPasses("FinalTest", Above("test/accuracy", 0.9))`.

    Attributes:
        step: as of `StepPassed`; of several such steps each is asked.
        check: any check.
    """

    step: str
    check: Check

    def __post_init__(self) -> None:
        require_text("step", self.step, "FinalTest")
        if not isinstance(self.check, Check):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"check={self.check!r} is no check; give one, such as Above('test/accuracy', 0.9)")

    @property
    def key(self) -> str:
        """The step and the question."""
        return f"{self.step}: {self.check.title}"

    @property
    def configuration(self) -> dict[str, Any]:
        """With the check as it is stored beside its verdicts."""
        return {"requirement": type(self).__name__, "step": self.step, "check": dict(self.check.configuration)}

    def judge(self, record: Record) -> Answer:
        """Ask the check of each such step; the worst answer counts."""
        steps = record.named(self.step)
        if not steps:
            return not_met(missing(record, self.step))
        answers = [self._of(record, one) for one in steps]
        return next(
            (one for state in (Met.NOT_MET, Met.NOT_JUDGED) for one in answers if one.state is state), answers[0]
        )

    def _of(self, record: Record, step: StepRecord) -> Answer:
        if step.outcome is None:
            return not_met(f"{step.step} {step.state.ended}, so that there is nothing to ask")
        verdict = judge(self.check, evidence_of(record, step, step.outcome))
        state = _JUDGED.get(verdict.state, Met.NOT_JUDGED)
        return Answer(state, f"{step.step}: {verdict.reason}", verdict.numbers)


@dataclass(frozen=True)
class CheckAsked(Requirement):
    """A step was asked a check of this class, whatever its limits, and passed it: the project did not take the question away.

    Attributes:
        step: as of `StepPassed`; of several such steps each was asked.
        check: the class of the check, such as `LossIsTheoretical`.
    """

    step: str
    check: str

    def __post_init__(self) -> None:
        require_text("step", self.step, "CheckLossOnInit")
        require_text("check", self.check, "LossIsTheoretical")

    def judge(self, record: Record) -> Answer:
        """Look for the check among the newest answers."""
        steps = record.named(self.step)
        if not steps:
            return not_met(missing(record, self.step))
        asked = {one.step: self._verdicts(one) for one in steps}
        unasked = [step for step, verdicts in asked.items() if not verdicts]
        if unasked:
            return not_met(f"{', '.join(unasked)} was not asked {self.check}")
        told = [(step, one) for step, verdicts in asked.items() for one in verdicts]
        wrong = [(step, one) for step, one in told if one.state is not VerdictState.PASSED]
        if wrong:
            parts = [Part(f"{step}: {one.check}", one.told) for step, one in wrong]
            return not_met("; ".join(f"{step}: {one.reason}" for step, one in wrong), *parts)
        return met("; ".join(f"{step}: {one.reason}" for step, one in told))

    def _verdicts(self, step: StepRecord) -> list[Verdict]:
        verdicts = step.judgement.verdicts if step.judgement else ()
        return [one for one in verdicts if one.configuration.get("check") == self.check]


def evidence_of(record: Record, step: StepRecord, outcome: Outcome) -> Evidence:
    """What a check sees of a step of the record."""
    before = record.steps[: next(at for at, one in enumerate(record.steps) if one is step)]
    earlier = {one.step: one.outcome for one in before if one.outcome is not None}
    return Evidence(step.step, outcome, earlier, {one.step: one.kind for one in before})


def together(steps: tuple[StepRecord, ...]) -> Answer:
    """Whether all of some steps passed."""
    wrong = [one for one in steps if one.state is not StepState.PASSED or one.judge_again]
    numbers = {"passed": len(steps) - len(wrong), "steps": len(steps)}
    if not wrong:
        checks = sum(len(one.judgement.verdicts) for one in steps if one.judgement)
        who = steps[0].step if len(steps) == 1 else counted(len(steps), "step")
        return met(f"{who} passed {counted(checks, 'check')}", **numbers, checks=checks)
    parts = [part for one in wrong for part in _failed(one)]
    told = "; ".join(_told(one) for one in wrong)
    # A step that raised, or was not run, is no matter of single checks.
    apart = all(_failed(one) for one in wrong)
    return not_met(told, *(parts if apart else ()), **numbers)


def missing(record: Record, step: str) -> str:
    """That there is no such step, and which there are."""
    known = [one.step for one in record.steps]
    return f"there is no step {step!r}{did_you_mean(step, known)}; there are: {', '.join(known) or 'none'}"


def require_text(name: str, value: object, example: str) -> None:
    """Raises UsageError where a field is no text, or an empty one."""
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{name}={value!r} is no name; give one, such as {name}={example!r}")


def require_count(name: str, value: object, *, least: int = 1) -> None:
    """Raises UsageError where a field is no whole number of at least so many."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name}={value!r} is no whole number of at least {least}; give {name}={least} or more")


def nothing_ran(record: Record) -> Answer | None:
    """The answer where there is nothing to judge; else None."""
    return None if any(one.outcome is not None for one in record.steps) else not_judged("nothing has run")


def _failed(step: StepRecord) -> list[Part]:
    """The checks that did not pass, where they alone say that a step did not."""
    judged = {StepState.FAILED, StepState.NOT_JUDGED, StepState.ERRORED}
    if step.state not in judged or step.judgement is None or step.judge_again or (step.run and step.run.error):
        return []
    return [
        Part(f"{step.step}: {one.check}", one.told)
        for one in step.judgement.verdicts
        if one.state is not VerdictState.PASSED
    ]


def _told(step: StepRecord) -> str:
    if step.judge_again:
        return f"{step.step}: its checks changed, and nothing has answered them yet"
    parts = _failed(step)
    why = "; ".join(one.reason for one in parts) or step.why
    return f"{step.step} {step.state.ended}" + (f": {why}" if why else "")
