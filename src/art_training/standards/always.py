"""What every verification asks before any standard: is it this very thing, and is the record fresh. Neither can be waived."""

from dataclasses import dataclass

from art_training.records import StepState
from art_training.records.counted import counted
from art_training.standards.record import Record, StepRecord
from art_training.standards.requirement import Answer, Requirement, met, not_covered, not_judged, not_met


@dataclass(frozen=True)
class OfThisRecord(Requirement):
    """What is verified is what the record is about: by its bytes the delivered model, or a run on which a step stands."""

    def judge(self, record: Record) -> Answer:
        """As it was found when the record was read."""
        subject = record.subject
        if subject is None:
            return not_covered("nothing was given to compare with; the record itself is judged")
        numbers = {"digest": subject.digest} if subject.digest else {"run": subject.run}
        return not_met(subject.refused, **numbers) if subject.refused else met(subject.told, **numbers)


@dataclass(frozen=True)
class Fresh(Requirement):
    """Nothing that a step depends on has changed since its run.

    Attributes:
        recorded: whether what the store remembers of the last plan is enough; what it says is outdated is, in any case.
    """

    recorded: bool = False

    @property
    def key(self) -> str:
        """One name for both."""
        return type(self).__name__

    def judge(self, record: Record) -> Answer:
        """Look at what the plan says of each step."""
        if not record.steps:
            return not_judged("nothing has run")
        outdated = [told for one in record.steps if (told := _outdated(one))]
        numbers = {"outdated": len(outdated), "steps": len(record.steps)}
        if outdated:
            return not_met("; ".join(outdated), **numbers)
        broken = [f"the setup of {one.step} is broken ({one.broken})" for one in record.steps if one.broken]
        if broken:
            return not_judged("; ".join(broken), **numbers)
        if record.planned == "now":
            unknown = list(dict.fromkeys(what for one in record.steps for what in one.unknown))
            beside = f"; not known: {', '.join(unknown)}" if unknown else ""
            return met(f"nothing changed for {counted(len(record.steps), 'step')}{beside}", **numbers)
        since = "it was never planned" if record.planned_at is None else f"as of {record.planned_at:%Y-%m-%d %H:%M} UTC"
        if self.recorded:
            return not_covered(f"only the store was asked ({since}): what changed in code or data since is not known")
        return not_judged(
            f"the project's file was not there or did not import, so that it is not known what changed ({since}); "
            "run it where the project is, or ask for the record alone with --record-only"
        )


def _outdated(one: StepRecord) -> str:
    if one.stale:
        return f"{one.step} is stale: {one.stale}"
    return "" if one.state is not StepState.RUNNING else f"{one.step} is running"
