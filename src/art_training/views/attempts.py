"""What was tried of a step before the run on which it stands: how each run ended, why, and what was changed after it."""

from dataclasses import dataclass, replace

from art_training.records import RunRecord, StepState, VerdictState
from art_training.stores import RunQuery, RunSummary, Store
from art_training.views.life import standing
from art_training.views.rows import RunRow

_MOST = 12


@dataclass(frozen=True)
class Attempt:
    """One earlier run of a step.

    Attributes:
        run: the run as a row.
        why: why it did not pass, one sentence each: answers of its checks, or what it raised; empty where it passed.
        changed: what was changed before the next run of the step, as sentences.
    """

    run: RunRow
    why: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Attempts:
    """The earlier runs of a step, oldest first.

    Attributes:
        shown: the newest of them.
        more: how many older ones there are besides.
    """

    shown: tuple[Attempt, ...] = ()
    more: int = 0


def attempts_of(store: Store, record: RunRecord, most: int = _MOST) -> Attempts:
    """The runs of the same step that started before this one, with what told them apart.

    Args:
        store: where they are.
        record: the run on which the step stands.
        most: tell of so many, the newest.
    """
    newer, earlier = _around(store, record, most)
    found: list[Attempt] = []
    after = record
    for summary in earlier:
        run = store.run(summary.id)
        if run is None:  # removed a moment ago
            continue
        changed = tuple(str(change) for change in after.fingerprint.changes(run.fingerprint))
        found.append(Attempt(RunRow.of(run, store.outcome(run.id)), _why(store, run), changed))
        after = run
    there = store.count(RunQuery(project=record.project, step=record.step))
    return Attempts(tuple(reversed(found)), max(0, there - newer - 1 - len(earlier)))


def _around(store: Store, record: RunRecord, most: int) -> tuple[int, list[RunSummary]]:
    """How many runs of the step are newer, and the newest of those that are older: a step may have thousands."""
    query = RunQuery(project=record.project, step=record.step, limit=most + 1)
    newer, earlier = 0, list[RunSummary]()
    while len(earlier) < most and (page := store.runs(query)):
        for run in page:
            if (run.started, run.id) > (record.started, record.id):
                newer += 1
            elif run.id != record.id and len(earlier) < most:
                earlier.append(run)
        query = replace(query, offset=query.offset + len(page))
    return newer, earlier


def _why(store: Store, run: RunRecord) -> tuple[str, ...]:
    if run.error:
        return (run.error,)
    judgements = store.judgements(run.id)
    verdicts = judgements[-1].verdicts if judgements else ()
    told = tuple(verdict.told for verdict in verdicts if verdict.state is not VerdictState.PASSED)
    if told:
        return told
    outcome = store.outcome(run.id)
    if outcome is not None and outcome.stopped:
        return (f"stopped early: {outcome.stopped}",)
    return () if standing(run) is StepState.PASSED else (f"it ended {standing(run).value}",)
