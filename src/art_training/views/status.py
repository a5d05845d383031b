"""Where a project stands, step by step."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from art_training.checks.baseline import BASELINES, NOT_TO_BEAT
from art_training.records import (
    Action,
    Outcome,
    Plan,
    Planned,
    PlannedStep,
    ProcessId,
    RunRecord,
    RunStatus,
    Score,
    Severity,
    StepState,
)
from art_training.records.use import of_rows
from art_training.runner.advice import next_sentence
from art_training.runner.result import StepResult
from art_training.stores import RunQuery, Store
from art_training.views.history import steps_that_ran
from art_training.views.life import is_busy, standing
from art_training.views.rows import CheckRow, ScoreRow
from art_training.views.seen import Kept, Seen

_OPEN = {StepState.PASSED, StepState.NOT_RUN, StepState.RUNNING}
_JUDGE_AGAIN = "its checks changed; `art run` judges it again"


@dataclass(frozen=True)
class StepStatus:
    """Where one step of a project stands.

    Attributes:
        step: its name.
        kind: its class.
        state: where it stands. A step behind one that did not pass is `not run`, whatever it reached before.
        stale: whether its outcome is outdated.
        reason: why it is stale, else what the next run does with it and why.
        waits_for: the earlier step that did not pass; empty where none bars the way.
        waiting: how that one ended, and how its own last run did, in words; empty where none bars the way.
        judge_again: whether the next run judges it again, because its checks would answer otherwise than they did; the
            old answers are then left out.
        broken: what its setup raised, in one line, so that it is not known whether its outcome is outdated; else empty.
        action: what the next run does with it; None where no plan was given.
        run: the run that this is about; empty where it never ran.
        started: when that run started.
        decided: when it was last judged, or ended.
        seconds: how long it took.
        checks: the answers of its checks.
        scores: its scores beside the best baseline of an earlier EvaluateBaseline.
        findings: how many faults it noticed on the way.
        severities: how many of them are errors, warnings and remarks; those that there are none of are left out.
        summary: one line that says what it saw.
        error: what it raised, if it did.
    """

    step: str
    kind: str
    state: StepState
    stale: bool = False
    reason: str = ""
    waits_for: str = ""
    waiting: str = ""
    judge_again: bool = False
    broken: str = ""
    action: Action | None = None
    run: str = ""
    started: datetime | None = None
    decided: datetime | None = None
    seconds: float | None = None
    checks: tuple[CheckRow, ...] = ()
    scores: tuple[ScoreRow, ...] = ()
    findings: int = 0
    severities: Mapping[str, int] = field(default_factory=dict[str, int])
    summary: str = ""
    error: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it does not stand as it did: what it waits for, and what made it stale, each by itself."""
        own = self.reason if self.stale or self.judge_again else ""
        return tuple(filter(None, (self.waiting, f"stale: {own}" if own and self.waiting and self.stale else own)))


@dataclass(frozen=True)
class ProjectStatus:
    """Where a project stands.

    Attributes:
        project: its name.
        store: where its records are.
        steps: in the project's order, or by first run where only the store was asked.
        next: one sentence: what to do now.
        test_uses: how many runs left a score on the test rows that were looked at last, removed runs among them.
    """

    project: str
    store: str
    steps: tuple[StepStatus, ...]
    next: str
    test_uses: int = 0


def status_of(
    store: Store,
    project: str,
    plan: Plan | None = None,
    continuing: Collection[str] | None = None,
    *,
    now: datetime | None = None,
    seen: Seen | None = None,
) -> ProjectStatus:
    """Where each step of a project stands.

    Args:
        store: where its records are.
        project: its name.
        plan: what the next run would do, found now or as `planned_of` gives it; without it nothing is known of stale steps
            and of those that never ran.
        continuing: steps behind which the project goes on though they did not pass; by default as a remembered plan says.
            None where that is not known: a step then counts as reached if its run began after the judgement that bars the
            way.
        now: the time to compare signs of life with, in UTC; by default the present.
        seen: what earlier questions read of this store, of who asks again and again.
    """
    seen = seen or Seen()
    if continuing is None and isinstance(plan, Planned):
        continuing = plan.continuing
    found: list[StepStatus] = []
    kept: list[Kept] = []
    baselines: list[Outcome] = []
    for planned in plan.steps if plan else _ran(store, project):
        run = _meant(store, project, planned)
        stored = seen.read(store, run) if run else Kept()
        row = _row(planned, stored, baselines, is_planned=plan is not None, now=now)
        barred = _barrier(found, continuing, row)
        if barred is not None:
            row = replace(row, state=StepState.NOT_RUN, waits_for=barred.step, waiting=_waiting(row, barred))
        elif stored.outcome is not None and row.kind == BASELINES:
            baselines.append(stored.outcome)
        found.append(row)
        kept.append(stored)
    uses = _test_uses(store, project)
    return ProjectStatus(project, store.location, tuple(found), _next(project, found, kept, now), uses)


def _ran(store: Store, project: str) -> Sequence[PlannedStep]:
    """The steps that have runs, each with its newest, in the order in which they first ran."""
    return [PlannedStep(run.step, run.kind, Action.RECALL, "", run=run.id) for run in steps_that_ran(store, project)]


def _meant(store: Store, project: str, planned: PlannedStep) -> str:
    """The run that a step stands on: the one that the plan recalls, else its newest; empty where it never ran."""
    if planned.run:
        return planned.run
    newest = store.runs(RunQuery(project=project, step=planned.step, limit=1))
    return newest[0].id if newest else ""


def _row(
    planned: PlannedStep, kept: Kept, baselines: Sequence[Outcome], *, is_planned: bool, now: datetime | None
) -> StepStatus:
    action, reason = (planned.action, planned.changed or planned.reason) if is_planned else (None, "")
    record, outcome, judgement = kept
    if record is None:
        return StepStatus(
            planned.step, planned.kind, StepState.NOT_RUN, reason=reason, broken=planned.broken, action=action
        )
    scores = outcome.scores.items() if outcome else ()
    # What is completed is judged at once: until then its process is at work, if it is there.
    at_work = record.status is RunStatus.COMPLETED and judgement is None and is_busy(record, now)
    state = StepState.NOT_JUDGED if planned.judge_again else StepState.RUNNING if at_work else standing(record, now)
    verdicts = judgement.verdicts if judgement and not planned.judge_again else ()
    return StepStatus(
        step=planned.step,
        kind=planned.kind,
        state=state,
        stale=bool(planned.changes),
        reason=reason if not planned.judge_again else _JUDGE_AGAIN,
        judge_again=planned.judge_again,
        broken=planned.broken,
        action=action,
        run=record.id,
        started=record.started,
        decided=judgement.at if judgement else record.ended or record.started,
        seconds=record.seconds,
        checks=tuple(CheckRow.of(verdict) for verdict in verdicts),
        scores=tuple(ScoreRow.of(name, score, _best_baseline(name, score, baselines)) for name, score in scores),
        findings=len(outcome.findings) if outcome else 0,
        severities=_severities(outcome),
        summary=outcome.summary if outcome else "",
        error=record.error,
    )


def _severities(outcome: Outcome | None) -> dict[str, int]:
    """The worst first."""
    counted = Counter(one.severity for one in outcome.findings) if outcome else Counter[Severity]()
    return {severity.value: counted[severity] for severity in Severity if counted[severity]}


def _barrier(found: Sequence[StepStatus], continuing: Collection[str] | None, row: StepStatus) -> StepStatus | None:
    """The first earlier step that did not pass and that the project does not go on behind."""
    for before in found:
        if before.state in _OPEN or before.judge_again or before.step in (continuing or ()):
            continue
        if continuing is None and row.started and before.decided and row.started >= before.decided:
            continue
        return before
    return None


def _waiting(row: StepStatus, barred: StepStatus) -> str:
    own = f"; its own last run {row.state.ended}" if row.run else ""
    return f"waits for {barred.step}, which {barred.state.ended}{own}"


def _test_uses(store: Store, project: str) -> int:
    """Of the rows that were looked at last, by whatever run, though it was removed since."""
    uses = store.uses(project)
    return len(of_rows(uses, uses[-1].rows)) if uses else 0


def _best_baseline(metric: str, own: Score, baselines: Sequence[Outcome]) -> tuple[str, Score] | None:
    """Of those on the same rows: a step may have data of its own, on which no baseline was scored."""
    if own.direction is None:
        return None
    reached = [
        (candidate.name, score)
        for outcome in baselines
        for candidate in outcome.candidates
        if candidate.parameters.get("kind") not in NOT_TO_BEAT
        and (score := candidate.scores.get(metric)) is not None
        and math.isfinite(score.value)
        and (own.rows is None or score.rows is None or own.rows == score.rows)
    ]
    best = max if own.direction == "maximize" else min
    return best(reached, key=lambda one: one[1].value, default=None)


def _between(found: Sequence[StepStatus], kept: Sequence[Kept], now: datetime | None) -> RunRecord | None:
    """The run after which another process is about to begin the next step; None where none seems to."""
    records = [one.record for one in kept if one.record is not None]
    ended = max(records, key=lambda one: one.ended or one.started, default=None)
    if ended is None or ended.process == str(ProcessId.current()) or not is_busy(ended, now):
        return None
    place = next(place for place, one in enumerate(kept) if one.record is ended)
    goes_on = found[place].state is StepState.PASSED and any(row.state is not StepState.PASSED for row in found[place:])
    return ended if goes_on else None


def _next(project: str, found: Sequence[StepStatus], kept: Sequence[Kept], now: datetime | None) -> str:
    if (ended := _between(found, kept, now)) is not None:
        return f"Next: {project} is running; {ended.step} has passed, and what comes after it is about to begin."
    if not found:
        return f"Next: project {project!r} has no runs yet; type `art run`."
    for row in found:
        if row.state is StepState.RUNNING:
            return f"Next: {row.step} is running; `art log {row.step}` shows what it says."
        if row.broken and not row.waits_for:
            return f"Next: mend the setup of {row.step} and type `art run`."
        if row.stale or (row.state is StepState.NOT_RUN and not row.waits_for):
            return f"Next: type `art run`; it begins with {row.step} ({row.reason or 'not run yet'})."
        if row.judge_again and not row.waits_for:
            return f"Next: type `art run`; the checks of {row.step} changed, and it judges them on what the step left."
        if row.state is StepState.NOT_JUDGED and not row.checks:
            return f"Next: type `art run`; {row.step} was measured, but nothing has judged it yet."
        if row.state is not StepState.PASSED:
            break
    return next_sentence(
        project,
        [StepResult(row.step, row.kind, row.state, *one, recalled=True) for row, one in zip(found, kept, strict=True)],
    )
