"""All that a project has to account for, gathered once: where each step stands, on which run, and how it came there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from art_training.errors import StoreError
from art_training.records import Artifact, Curve, Plan, Planned, RunRecord, StepState
from art_training.stores import Store
from art_training.views.attempts import Attempts, attempts_of
from art_training.views.findings import FindingRow, findings_of
from art_training.views.overall import Overall, overall_of
from art_training.views.showing import RunView, view_of
from art_training.views.status import ProjectStatus, StepStatus, status_of

_LINES = 20


@dataclass(frozen=True)
class KeptPicture:
    """A picture among the files of a run.

    Attributes:
        artifact: as the run's outcome names it.
        path: where its bytes are; None where they are not kept any more.
        why: why they are not.
    """

    artifact: Artifact
    path: Path | None
    why: str = ""


@dataclass(frozen=True)
class StepAccount:
    """All that there is to say of one step.

    Attributes:
        status: where it stands.
        view: the run on which it stands; None where it never ran.
        attempts: its earlier runs.
        curves: of that run, also of one that still runs.
        pictures: that it left.
        lines: the end of its log, where it did not pass.
    """

    status: StepStatus
    view: RunView | None = None
    attempts: Attempts = field(default_factory=Attempts)
    curves: Mapping[str, Curve] = field(default_factory=dict[str, Curve])
    pictures: tuple[KeptPicture, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """All that a project has to account for.

    Attributes:
        status: where it stands.
        overall: the verdict on the whole.
        steps: in the project's order.
        left_out: what the project leaves out, by name, and what it would need.
        planned: whether the project was planned, so that it is known which steps are stale, broken or left out.
        planned_at: when that was, of a plan that a store remembers; None of one that was made for this.
        findings: of the project over time, or of the one run's step.
        only: the run that this is about; empty where it is about the project.
    """

    status: ProjectStatus
    overall: Overall
    steps: tuple[StepAccount, ...]
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    planned: bool = False
    planned_at: datetime | None = None
    findings: tuple[FindingRow, ...] = ()
    only: str = ""

    def of_kind(self, kind: str) -> StepAccount | None:
        """The last step of a kind that has a run."""
        return next((one for one in reversed(self.steps) if one.status.kind == kind and one.view is not None), None)


def account_of(
    store: Store, project: str, plan: Plan | None = None, continuing: Collection[str] | None = None
) -> Account:
    """The account of a whole project; arguments as of `status_of`."""
    status = status_of(store, project, plan, continuing)
    return Account(
        status=status,
        overall=overall_of(status),
        steps=tuple(_step(store, step) for step in status.steps),
        left_out=dict(plan.left_out) if plan else {},
        planned=plan is not None,
        planned_at=plan.at if isinstance(plan, Planned) else None,
        findings=findings_of(store, project),
    )


def account_of_run(
    store: Store, record: RunRecord, plan: Plan | None = None, continuing: Collection[str] | None = None
) -> Account:
    """The account of one run, beside the baselines of its project.

    It is stale only if it is the run on which its step stands and the plan says so.
    """
    whole = status_of(store, record.project, plan, continuing)
    standing = next((step for step in whole.steps if step.run == record.id), None)
    row = standing or _row_of(store, record)
    status = ProjectStatus(record.project, whole.store, (row,), whole.next if standing else "", whole.test_uses)
    return Account(
        status=status,
        overall=overall_of(status),
        steps=(_step(store, row),),
        planned=plan is not None and standing is not None,
        planned_at=plan.at if isinstance(plan, Planned) else None,
        findings=tuple(row for row in findings_of(store, record.project) if record.id in row.runs),
        only=record.id,
    )


def _row_of(store: Store, record: RunRecord) -> StepStatus:
    """The row of a run on which no step stands: a later one took its place."""
    view = view_of(store, record)
    return StepStatus(
        step=record.step,
        kind=record.kind,
        state=view.run.state,
        run=record.id,
        started=record.started,
        seconds=record.seconds,
        checks=view.checks,
        scores=view.scores,
        findings=len(view.outcome.findings) if view.outcome else 0,
        summary=view.outcome.summary if view.outcome else "",
        error=record.error,
    )


def _step(store: Store, status: StepStatus) -> StepAccount:
    record = store.run(status.run) if status.run else None
    if record is None:
        return StepAccount(status)
    view = view_of(store, record)
    lines = () if view.run.state is StepState.PASSED else tuple(store.log(record.id))[-_LINES:]
    return StepAccount(
        status=status,
        view=view,
        attempts=attempts_of(store, record),
        curves=view.outcome.curves if view.outcome else store.curves(record.id, [one.name for one in view.curves]),
        pictures=tuple(
            _picture(store, one) for one in (view.outcome.artifacts if view.outcome else ()) if _is_picture(one)
        ),
        lines=lines,
    )


def _is_picture(artifact: Artifact) -> bool:
    return artifact.name.lower().endswith((".png", ".jpg", ".jpeg", ".webp", ".gif"))


def _picture(store: Store, artifact: Artifact) -> KeptPicture:
    if not store.artifacts.has(artifact.digest):
        return KeptPicture(artifact, None, "it is not kept any more")
    try:
        return KeptPicture(artifact, store.artifacts.fetch(artifact.digest))
    except StoreError as error:
        return KeptPicture(artifact, None, str(error))
