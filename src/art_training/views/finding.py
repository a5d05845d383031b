"""Which run a person means."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from art_training.errors import ProjectError
from art_training.records import RunRecord, RunStatus
from art_training.records.counted import counted
from art_training.records.meant import did_you_mean
from art_training.stores import RunQuery, RunSummary, Store

_LISTED = 8


def find_run(store: Store, project: str, text: str, declared: Callable[[], Sequence[str]] = tuple) -> RunRecord:
    """The run that `text` names: an id or its beginning or end, a step (its newest run), or `Step~1` (the one before).

    Args:
        store: where runs are kept.
        project: whose.
        text: what a person gave.
        declared: the steps that the project declares, in order; asked only where there is no such run, because it may
            cost an import.

    Raises:
        ProjectError: there is no such run, or several could be meant.
    """
    exact = store.run(text)
    if exact is not None and exact.project == project:
        return exact
    step, _, back = text.partition("~")
    if back and not back.isdigit():
        raise ProjectError(f"{text!r}: what stands after '~' says how many runs to go back; write e.g. {step}~1")
    found = _of_step(store, project, step, int(back or 0))
    if found is not None:
        return found
    steps = sorted(store.latest(project))
    for name in steps:
        if name.lower() == step.lower() and (found := _of_step(store, project, name, int(back or 0))) is not None:
            return found
    return _by_part(store, project, text, steps, declared)


def run_of(store: Store, run: str) -> RunRecord:
    """The run of any project with this id.

    Raises:
        ProjectError: there is none.
    """
    record = store.run(run)
    if record is None:
        raise ProjectError(f"there is no run {run!r} in this store; `art runs` lists those that there are")
    return record


def run_before(store: Store, record: RunRecord) -> RunRecord:
    """The newest completed run of the same step that started before this one.

    One that was interrupted says nothing of what a change did, least of all the one that this run went on from.

    Raises:
        ProjectError: there is none.
    """
    query = RunQuery(project=record.project, step=record.step, status=RunStatus.COMPLETED, limit=_LISTED)
    while runs := store.runs(query):
        for run in runs:
            if (run.started, run.id) < (record.started, record.id):
                return _record(store, run)
        query = replace(query, offset=query.offset + _LISTED)
    raise ProjectError(
        f"step {record.step!r} has no completed run before {record.id}, so that there is nothing to compare it with yet; "
        "`art runs` lists the runs, and `art diff RUN RUN` compares any two"
    )


def _of_step(store: Store, project: str, step: str, back: int) -> RunRecord | None:
    """Asks for no more runs than it needs: a project may have thousands."""
    runs = store.runs(RunQuery(project=project, step=step, limit=back + 1))
    if not runs:
        return None
    if len(runs) <= back:
        raise ProjectError(f"step {step!r} has {counted(len(runs), 'run')}, so that {step}~{back} does not exist")
    return _record(store, runs[back])


def _by_part(
    store: Store, project: str, text: str, steps: Sequence[str], declared: Callable[[], Sequence[str]]
) -> RunRecord:
    query = RunQuery(project=project, part=text, limit=_LISTED)
    runs = store.runs(query)
    if len(runs) == 1:
        return _record(store, runs[0])
    if runs:
        count = store.count(query)
        listed = ", ".join(run.id for run in runs) + (", ..." if count > len(runs) else "")
        raise ProjectError(f"{text!r} may mean {count} runs: {listed}; give more of the id")
    raise _unknown(project, text, steps, declared())


def _unknown(project: str, text: str, ran: Sequence[str], declared: Sequence[str]) -> ProjectError:
    """Nothing of this name has run: a step that is still to be run, or one that there is not."""
    step = text.partition("~")[0]
    waiting = [name for name in declared if name not in ran]
    meant = next((name for name in waiting if name.lower() == step.lower()), "")
    if meant:
        until = shlex.quote(meant)
        return ProjectError(
            f"step {meant!r} has not been run yet; `art run --until {until}` runs it, and what is to run before it"
        )
    known = [*(name for name in declared if name in ran), *(name for name in ran if name not in declared)]
    left = f"; not run yet: {', '.join(waiting)}" if waiting else ""
    return ProjectError(
        f"project {project!r} has no run or step {text!r}{did_you_mean(step, [*known, *waiting])}; "
        f"steps with runs are: {', '.join(known) or 'none'}{left}; `art runs` lists the runs"
    )


def _record(store: Store, run: RunSummary) -> RunRecord:
    record = store.run(run.id)
    if record is None:
        raise ProjectError(f"run {run.id} was removed a moment ago")
    return record
