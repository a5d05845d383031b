"""The last plan of each project, remembered beside its runs: a store alone can then say what is stale, and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from art_training.errors import StoreError
from art_training.records import Action, Change, Plan, Planned, PlannedStep, plain
from art_training.stores.reading import Unreadable, decode
from art_training.stores.store import Store


@dataclass(frozen=True)
class _Change:
    component: str
    before: Any
    after: Any


@dataclass(frozen=True)
class _Step:
    """One planned step as it is stored."""

    step: str
    kind: str
    action: Action
    reason: str
    changes: tuple[_Change, ...] = ()
    run: str | None = None
    seconds: float | None = None
    unknown: tuple[str, ...] = ()
    judge_again: bool = False
    broken: str = ""


@dataclass(frozen=True)
class _Plan:
    at: datetime
    steps: tuple[_Step, ...]
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    continuing: tuple[str, ...] = ()


def keep_plan(store: Store, plan: Plan, continuing: Collection[str] = (), at: datetime | None = None) -> None:
    """Remember a plan, in place of the project's earlier one.

    Args:
        store: where; nothing is written to one that was opened for reading.
        plan: what a run of the whole project would do.
        continuing: steps behind which the project goes on though they did not pass.
        at: when it was made; by default now.

    Raises:
        StoreError: the store cannot be written.
    """
    steps = tuple(_stored(one) for one in plan.steps)
    kept = _Plan(at or datetime.now(UTC), steps, dict(plan.left_out), tuple(sorted(continuing)))
    store.remember(_key(plan.project), plain(kept))


def kept_plan(store: Store, project: str) -> Planned | None:
    """The plan that was remembered last, as it was made; None where there is none, as in a store of an earlier version.

    Raises:
        StoreError: it cannot be read.
    """
    found = _read(store, project)
    if found is None:
        return None
    return Planned(
        project=project,
        steps=tuple(_planned(one) for one in found.steps),
        left_out=found.left_out,
        at=found.at,
        continuing=found.continuing,
    )


def _key(project: str) -> str:
    return f"plan:{project}"


def _read(store: Store, project: str) -> _Plan | None:
    memo = store.memo(_key(project))
    if memo is None:
        return None
    try:
        found = decode(_Plan, memo)
    except Unreadable as error:
        raise _damaged(project, str(error)) from None
    if found.at.tzinfo is None:
        raise _damaged(project, "a time in it has no time zone")
    return found


def _damaged(project: str, why: str) -> StoreError:
    return StoreError(
        f"the last plan of project {project!r} cannot be read: {why}; its runs are not concerned, and what is stale is not "
        "known until `art run` plans again"
    )


def _stored(one: PlannedStep) -> _Step:
    changes = tuple(_Change(change.component, change.before, change.after) for change in one.changes)
    return _Step(
        step=one.step,
        kind=one.kind,
        action=one.action,
        reason=one.reason,
        changes=changes,
        run=one.run,
        seconds=one.seconds,
        unknown=one.unknown,
        judge_again=one.judge_again,
        broken=one.broken,
    )


def _planned(one: _Step) -> PlannedStep:
    return PlannedStep(
        step=one.step,
        kind=one.kind,
        action=one.action,
        reason=one.reason,
        changes=tuple(Change(change.component, change.before, change.after) for change in one.changes),
        run=one.run,
        seconds=one.seconds,
        unknown=one.unknown,
        judge_again=one.judge_again,
        broken=one.broken,
    )
