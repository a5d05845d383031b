"""A project as its page shows it: every step with all that is known of it, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from art_training.records import Action, Planned, StepState
from art_training.stores import Store
from art_training.views.deciding import Deciding
from art_training.views.planned import plan_trouble, planned_of
from art_training.views.progress import Progress, progress_of
from art_training.views.seen import Seen
from art_training.views.status import ProjectStatus, StepStatus, status_of

_WORKS = {Action.RUN, Action.RESUME}


@dataclass(frozen=True)
class TimelineStep:
    """One step of a project.

    Attributes:
        status: where it stands, its checks beside their limits, its scores, findings and times.
        score: the score that says what it reached, beside the best baseline; None where there is none.
        progress: how far it is; None unless it runs.
        expected_seconds: how long the next run of it is going to take, as it took before; None where nothing is known, or where
            the next run has nothing to do.
    """

    status: StepStatus
    score: Deciding | None = None
    progress: Progress | None = None
    expected_seconds: float | None = None


@dataclass(frozen=True)
class Timeline:
    """Everything that a project's page shows.

    Attributes:
        project: its name.
        store: where its records are.
        steps: in the project's order; by first run where no plan is remembered.
        next: one sentence: what to do now.
        running: the step that runs; empty where none does.
        passed: how many steps passed and are not outdated.
        test_uses: how many runs left a score on the test rows that were looked at last, removed runs among them.
        left_out: steps and questions that the project could have, by name, and what each would need.
        planned: when the plan was made that says what is stale; None where none is remembered, so that this is not known.
        notes: what a careful reader should know of the store and the plan, one sentence each.
    """

    project: str
    store: str
    steps: tuple[TimelineStep, ...]
    next: str
    running: str = ""
    passed: int = 0
    test_uses: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    planned: datetime | None = None
    notes: tuple[str, ...] = ()


def timeline_of(store: Store, project: str, now: datetime | None = None, seen: Seen | None = None) -> Timeline:
    """Everything that a project's page shows, from its store alone.

    Args:
        store: where its records are.
        project: its name; one without runs has no steps, unless a plan of it is remembered.
        now: the present, in UTC.
        seen: what earlier questions read of this store, of who asks again and again.
    """
    now = now or datetime.now(UTC)
    plan = planned_of(store, project, now)
    status = status_of(store, project, plan, now=now, seen=seen)
    steps = tuple(_step(store, step, plan, now) for step in status.steps)
    trouble = "" if plan else plan_trouble(store, project)
    return Timeline(
        project=project,
        store=status.store,
        steps=steps,
        next=status.next if steps else nothing_of(store, project) or status.next,
        running=_running(status),
        passed=sum(_holds(step) for step in status.steps),
        test_uses=status.test_uses,
        left_out=plan.left_out if plan else {},
        planned=plan.at if plan else None,
        notes=(*store.notes, *([trouble] if trouble else [])),
    )


def nothing_of(store: Store, project: str) -> str:
    """That a store has only other projects, in a sentence; empty where it has this one, or none at all."""
    names = store.projects()
    if not names or project in names:
        return ""
    return f"project {project!r} has no runs in {store.location}; it holds: {', '.join(names)}"


def _step(store: Store, step: StepStatus, plan: Planned | None, now: datetime) -> TimelineStep:
    record = store.run(step.run) if step.state is StepState.RUNNING else None
    return TimelineStep(
        status=step,
        score=Deciding.of(step),
        progress=progress_of(store, record, now) if record else None,
        expected_seconds=_expected(step, plan),
    )


def _expected(step: StepStatus, plan: Planned | None) -> float | None:
    if plan is None or step.action not in _WORKS or step.waits_for:
        return None
    return next((planned.seconds for planned in plan.steps if planned.step == step.step), None)


def _running(status: ProjectStatus) -> str:
    return next((step.step for step in status.steps if step.state is StepState.RUNNING), "")


def _holds(step: StepStatus) -> bool:
    return step.state is StepState.PASSED and not step.stale and not step.broken
