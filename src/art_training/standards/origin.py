"""Requirements about where a record comes from: the test split, the code, its age, and what is not known of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from art_training.records import RunRecord
from art_training.records.counted import counted
from art_training.standards.record import Record, StepRecord
from art_training.standards.requirement import Answer, Requirement, met, not_judged, not_met
from art_training.standards.steps import nothing_ran, require_count

_UNTRACKED = "untracked files:\n"
_CODE = (".py", ".ipynb", ".pyx", ".cpp", ".cu", ".yaml", ".yml", ".toml", ".json")


@dataclass(frozen=True)
class TestUsedAtMost(Requirement):
    """The test split was used at most so often by this project, runs that were removed since among the uses.

    Counted are uses of the test rows that were looked at last; recalled runs are none.

    Attributes:
        times: uses.
    """

    __test__ = False  # pytest collects classes by such names

    times: int = 1

    def __post_init__(self) -> None:
        require_count("times", self.times, least=0)

    def judge(self, record: Record) -> Answer:
        """Count the uses."""
        uses, models = len(record.uses), len({one.model for one in record.uses})
        said = f"the test split was used {counted(uses, 'time')}" + (
            f", for {counted(models, 'model')}" if uses else ""
        )
        numbers = {"uses": uses, "models": models, "at_most": self.times}
        if uses <= self.times:
            return met(said, **numbers)
        return not_met(f"{said}, not {self.times} or fewer", **numbers)


@dataclass(frozen=True)
class CodeCommitted(Requirement):
    """Every run on which a step stands was made from a git commit, with no difference and no source outside of it."""

    def judge(self, record: Record) -> Answer:
        """Look at what each run says of its repository."""
        runs = list(_runs(record))
        if not runs:
            return not_judged("nothing has run")
        wrong = {one.step: why for one, run in runs if (why := _uncommitted(run))}
        commits = sorted({run.provenance.git_commit for _, run in runs} - {""})
        if wrong:
            told = "; ".join(f"{', '.join(_with(wrong, why))}: {why}" for why in dict.fromkeys(wrong.values()))
            return not_met(told, runs=len(runs), wrong=len(wrong))
        short = ", ".join(commit[:12] for commit in commits)
        return met(f"{counted(len(runs), 'run')} of {counted(len(commits), 'commit')}: {short}", runs=len(runs))


@dataclass(frozen=True)
class NothingUnknown(Requirement):
    """Every part of what the results depend on could be told, so that no change of it goes unseen.

    Without it, data or code that cannot be looked into counts as unchanged. `data_version=` of a setup tells of data.
    """

    def judge(self, record: Record) -> Answer:
        """Look at what could not be resolved."""
        if (nothing := nothing_ran(record)) is not None:
            return nothing
        unknown = list(dict.fromkeys(what for one in record.steps for what in one.unknown))
        if unknown:
            return not_met(f"not known: {'; '.join(unknown)}", unknown=len(unknown))
        return met("all that the results depend on is known", unknown=0)


@dataclass(frozen=True)
class YoungerThan(Requirement):
    """No run on which a step stands is older than this.

    Attributes:
        days: since the oldest began.
    """

    days: int

    def __post_init__(self) -> None:
        require_count("days", self.days)

    def judge(self, record: Record) -> Answer:
        """Look at the oldest run."""
        runs = list(_runs(record))
        if not runs:
            return not_judged("nothing has run")
        step, oldest = min(runs, key=lambda one: one[1].started)
        age = (record.at - oldest.started).total_seconds() / 86_400
        said = f"the oldest run is that of {step.step}, of {oldest.started:%Y-%m-%d}, {counted(int(age), 'day')} ago"
        if age <= self.days:
            return met(said, days=age, at_most=self.days)
        return not_met(f"{said}, not {self.days} or fewer", days=age, at_most=self.days)


def _runs(record: Record) -> Iterator[tuple[StepRecord, RunRecord]]:
    for one in record.steps:
        if one.run is not None:
            yield one, one.run


def _uncommitted(run: RunRecord) -> str:
    """Why a run's code is not that of a commit; empty where it is."""
    told = run.provenance
    if not told.git_commit:
        return "its folder was in no git repository, or had no commit"
    if told.git_dirty:
        return f"tracked files differed from {told.git_commit[:12]}"
    listed = told.git_diff.partition(_UNTRACKED)[2].splitlines()
    sources = [name.strip() for name in listed if name.strip().endswith(_CODE)]
    return f"not in git: {', '.join(sources)}" if sources else ""


def _with(wrong: dict[str, str], why: str) -> list[str]:
    return [step for step, reason in wrong.items() if reason == why]
