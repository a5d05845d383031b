"""What would be done to each step, and why: recall by fingerprint, staleness in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from art_training.errors import ARTError
from art_training.records import Action, Change, Fingerprint, PlannedStep, ProcessId, RunStatus, StepState
from art_training.records.fingerprint import in_words
from art_training.steps.step import Step
from art_training.stores import RunQuery, RunSummary, Store

_ENDS = {
    RunStatus.INTERRUPTED: "the run before was interrupted",
    RunStatus.KILLED: "the run before died",
    RunStatus.RUNNING: "the run before died",
}


@dataclass(frozen=True)
class Wish:
    """What the user wants of one run.

    Attributes:
        force: run these steps though they could be recalled; True means all.
        stale: what to do with a step whose stored outcome is outdated.
        only: only these steps; empty means all.
        until: the last step to run; empty means the last of the project.
    """

    force: bool | frozenset[str] = False
    stale: Literal["rerun", "keep"] = "rerun"
    only: frozenset[str] = frozenset()
    until: str = ""

    def forces(self, step: str) -> bool:
        """Whether this step shall run in any case."""
        return self.force if isinstance(self.force, bool) else step in self.force

    def asks_for(self, step: str, names: Sequence[str]) -> bool:
        """Whether this step is wanted; `names` are those of all steps in order."""
        if self.only:
            return step in self.only
        return not self.until or names.index(step) <= names.index(self.until)

    @property
    def reason_to_skip(self) -> str:
        """Why a step is left out that is not asked for."""
        return f"only {', '.join(sorted(self.only))}" if self.only else f"after {self.until}"


def plan_step(store: Store, project: str, step: Step, fingerprint: Fingerprint, wish: Wish) -> PlannedStep:
    """What would be done to a step that is asked for."""
    of_step = RunQuery(project=project, step=step.name, limit=1)
    same = replace(of_step, fingerprint=fingerprint.digest)
    before = _newest(store, replace(of_step, status=RunStatus.COMPLETED))

    def planned(
        action: Action, reason: str, *, run: RunSummary | None = None, changes: tuple[Change, ...] = ()
    ) -> PlannedStep:
        return PlannedStep(
            step=step.name,
            kind=type(step).__name__,
            action=action,
            reason=reason,
            changes=changes,
            run=run.id if run else None,
            seconds=_seconds(store, before),
            unknown=fingerprint.unknown,
        )

    if wish.forces(step.name):
        return planned(Action.RUN, "forced")
    if completed := _newest(store, replace(same, status=RunStatus.COMPLETED)):
        return planned(Action.RECALL, _recalled(completed), run=completed)
    if broken_off := _newest(store, same):
        if broken_off.status in _ENDS:
            return planned(Action.RESUME, _ends(broken_off), run=broken_off)
        return planned(Action.RUN, "it raised an error before")
    if before is None:
        return planned(Action.RUN, "no run of it was completed" if _newest(store, of_step) else "new")
    record = store.run(before.id)
    changes = fingerprint.changes(record.fingerprint) if record else ()
    reason = in_words(changes) or "what it depends on changed"
    if wish.stale == "keep":
        return planned(Action.KEEP, f"stale, kept: {reason}", run=before, changes=changes)
    return planned(Action.RUN, reason, changes=changes)


def skipped(step: Step, wish: Wish) -> PlannedStep:
    """A step that was not asked for."""
    return PlannedStep(step.name, type(step).__name__, Action.SKIP, wish.reason_to_skip)


def unplanned(step: Step, error: Exception) -> PlannedStep:
    """A step of which it cannot be told what would be done, because its setup cannot be looked at."""
    lines = str(error).strip().splitlines() or ["it said nothing"]
    broken = lines[0] if isinstance(error, ARTError) else f"{type(error).__name__}: {lines[0]}"
    return PlannedStep(step.name, type(step).__name__, Action.RUN, f"its setup is broken: {broken}", broken=broken)


def waiting(planned: PlannedStep, barrier: str, state: StepState) -> PlannedStep:
    """A step behind one that did not pass: whatever would be done to it, it is not done.

    Args:
        planned: what would be done.
        barrier: name of the step that bars the way.
        state: where that one stands.
    """
    return replace(planned, action=Action.WAIT, reason=f"waits for {barrier}, which {state.ended}")


def consumed(step: Step, kinds: Mapping[str, str], continued: str) -> tuple[str, ...]:
    """Names of the earlier steps whose outcomes a step's own work uses, in the project's order.

    Args:
        step: the step.
        kinds: kind of each earlier step by name.
        continued: the one that it goes on from, or empty.
    """
    used = {*step.consumes(kinds), continued}
    return tuple(name for name in kinds if name in used)


def _newest(store: Store, query: RunQuery) -> RunSummary | None:
    return next(iter(store.runs(query)), None)


def _seconds(store: Store, before: RunSummary | None) -> float | None:
    """How long the work took when it was last completed, runs that were gone on from included."""
    record = None if before is None else store.run(before.id)
    return None if record is None else record.seconds


def _ends(run: RunSummary) -> str:
    process = ProcessId.parse(run.process)
    if run.status is RunStatus.RUNNING and process is not None and process.alive() is not False:
        return "it is running now"
    return _ENDS[run.status]


def _recalled(run: RunSummary) -> str:
    return "nothing changed" if run.state is StepState.PASSED else f"nothing changed since it {run.state.ended}"
