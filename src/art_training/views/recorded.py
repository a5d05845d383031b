"""The record of a project as a standard judges it: read once, from where the steps stand."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from art_training.records import Plan, Planned
from art_training.records.use import of_rows
from art_training.standards import FindingRecord, Record, StepRecord
from art_training.stores import Store
from art_training.views.findings import FindingRow, findings_of
from art_training.views.status import StepStatus, status_of
from art_training.views.subject import subject_of

_IGNORED = "step.ignore"


def record_of(
    store: Store,
    project: str,
    plan: Plan | None = None,
    continuing: Collection[str] | None = None,
    *,
    subject: str | Path | None = None,
    version: str = "",
    now: datetime | None = None,
) -> Record:
    """The record of a project as it stands.

    Args:
        store: where it is.
        project: its name.
        plan: as of `status_of`: one that was made now, or that a store remembers.
        continuing: as of `status_of`.
        subject: what is verified: a file, or the id of a run; None where it is the record alone.
        version: of the ART that reads it.
        now: when it is read, in UTC; by default the present.

    Raises:
        UsageError: the file cannot be read.
    """
    now = now or datetime.now(UTC)
    status = status_of(store, project, plan, continuing, now=now)
    unknown = {one.step: one.unknown for one in plan.steps} if plan else {}
    steps = tuple(_step(store, one, unknown.get(one.step, ())) for one in status.steps)
    record = Record(
        project=project,
        store=store.location,
        at=now,
        art_version=version,
        steps=steps,
        findings=_findings(store, project, steps),
        ignored={one.step: ignored for one in steps if (ignored := _ignored(one))},
        uses=_uses(store, project),
        planned="never" if plan is None else "remembered" if isinstance(plan, Planned) else "now",
        planned_at=plan.at if isinstance(plan, Planned) else None,
    )
    return record if subject is None else replace(record, subject=subject_of(store, record, subject))


def _step(store: Store, status: StepStatus, unknown: tuple[str, ...]) -> StepRecord:
    run = store.run(status.run) if status.run else None
    judgements = store.judgements(run.id) if run else ()
    return StepRecord(
        step=status.step,
        kind=status.kind,
        state=status.state,
        run=run,
        outcome=store.outcome(run.id) if run else None,
        judgement=judgements[-1] if judgements and not status.judge_again else None,
        stale=status.reason or "what it depends on changed" if status.stale else "",
        broken=status.broken,
        judge_again=status.judge_again,
        unknown=unknown or (run.fingerprint.unknown if run else ()),
        why=status.waiting or status.error,
    )


def _findings(store: Store, project: str, steps: tuple[StepRecord, ...]) -> tuple[FindingRecord, ...]:
    """Of the steps that the project has by now. What the run on which a step stands has is open, whatever another run has."""
    stands = {one.step: one.run.id for one in steps if one.run}
    return tuple(_finding(row, stands[row.step]) for row in findings_of(store, project) if row.step in stands)


def _finding(row: FindingRow, stands: str) -> FindingRecord:
    state, how = row.state, row.settled
    if stands in row.runs:
        state, how = "open", ""
    elif state == "open":  # a run has it that the step does not stand on
        state, how = "settled", "gone"
    return FindingRecord(row.code, row.severity, row.step, row.message, state, how, row.reason)


def _ignored(step: StepRecord) -> Mapping[str, str]:
    told: Any = step.declared.get(_IGNORED)
    found = cast("Mapping[str, Any]", told) if isinstance(told, Mapping) else {}
    return {code: str(reason) for code, reason in found.items()}


def _uses(store: Store, project: str) -> tuple[Any, ...]:
    uses = store.uses(project)
    return tuple(of_rows(uses, uses[-1].rows)) if uses else ()
