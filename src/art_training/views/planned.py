"""What the last plan said of a project, as far as it still holds."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from art_training.errors import StoreError
from art_training.records import Action, Planned, PlannedStep, StepState
from art_training.stores import RunSummary, Store
from art_training.stores.planned import kept_plan
from art_training.views.life import standing

# What the next run does with a step whose newest run ended so, and why: in the words of plans.
_SINCE: Mapping[StepState, tuple[Action, str]] = {
    StepState.RUNNING: (Action.RESUME, "it is running now"),
    StepState.INTERRUPTED: (Action.RESUME, "the run before was interrupted"),
    StepState.ERRORED: (Action.RUN, "it raised an error before"),
}


def planned_of(store: Store, project: str, now: datetime | None = None) -> Planned | None:
    """The plan that was remembered last, with what has run since; None where there is none that can be read.

    What it said of a step holds until that step runs: then it is not outdated any more.

    Args:
        store: where records are.
        project: its name.
        now: the time to compare signs of life with, in UTC; by default the present.
    """
    try:
        plan = kept_plan(store, project)
    except StoreError:
        return None
    if plan is None:
        return None
    newest = store.latest(project)
    since = {one.step: newest[one.step] for one in plan.steps if _moved(newest.get(one.step), plan.at)}
    steps = tuple(
        _ran(one, since[one.step], now)
        if one.step in since
        else _held(store, _there(store, one, newest.get(one.step)), plan, moved=bool(since))
        for one in plan.steps
    )
    return replace(plan, steps=steps)


def plan_trouble(store: Store, project: str) -> str:
    """Why the plan that was remembered cannot be read, in a sentence; empty where it can, and where there is none."""
    try:
        kept_plan(store, project)
    except StoreError as error:
        return str(error)
    return ""


def _moved(run: RunSummary | None, told: datetime) -> bool:
    """Whether a step began, or ended, after the plan that speaks of it."""
    return run is not None and max(run.started, run.ended or run.started) >= told


def _ran(planned: PlannedStep, run: RunSummary, now: datetime | None) -> PlannedStep:
    action, reason = _SINCE.get(standing(run, now), (Action.RECALL, ""))
    return replace(planned, action=action, reason=reason, changes=(), run=run.id, judge_again=False, broken="")


def _there(store: Store, planned: PlannedStep, newest: RunSummary | None) -> PlannedStep:
    """A step whose run may have been removed since."""
    if planned.run is None or (newest is not None and newest.id == planned.run) or store.run(planned.run) is not None:
        return planned
    return replace(planned, action=Action.RUN, reason="its run was removed", run=None, judge_again=False)


def _held(store: Store, planned: PlannedStep, plan: Planned, *, moved: bool) -> PlannedStep:
    """A step that has not run since; what it waited for may have, and it may have been judged."""
    if planned.judge_again and planned.run:
        judgements = store.judgements(planned.run)
        if judgements and judgements[-1].at >= plan.at:
            planned = replace(planned, judge_again=False, reason="")
    if moved and planned.action is Action.WAIT:  # whether it still waits is told by where the others stand now
        action = Action.RECALL if planned.run else Action.RUN
        return replace(planned, action=action, reason=planned.changed)
    return planned
