"""What this report does not show, and what its numbers cannot bear."""

import re
from collections.abc import Iterator

from art_training.records import StepState, VerdictState
from art_training.records.counted import counted
from art_training.report.document import Points, Section, Text
from art_training.report.pictures import Album
from art_training.report.telling import when
from art_training.views.account import Account, StepAccount

_MOST = 12


def limits(account: Account, album: Album) -> Section:
    """What was not judged, not run or not known, and how far intervals reach."""
    points = (
        *_not_run(account),
        *(point for one in account.steps for point in _of_step(one)),
        *_unknown(account),
        *_intervals(account),
        *_test(account),
        *album.left_out,
    )
    blocks = (Points(points),) if points else (Text("Nothing was left out, unknown or not judged."),)
    return Section("Limits", "limits", blocks)


def _not_run(account: Account) -> Iterator[str]:
    waiting = [one.status.step for one in account.steps if one.status.state is StepState.NOT_RUN]
    if waiting:
        yield f"Not run: {', '.join(waiting)}."
    for name, what in account.left_out.items():
        yield f"Left out: {name}, which needs {what}."
    if account.planned_at is not None:
        yield f"What is stale is told as the plan of {when(account.planned_at)} found it; what has changed since is not known."
    if not account.planned:
        yield "Whether code, data or settings have changed since is not known to this report: it was made from the store alone."


def _of_step(one: StepAccount) -> Iterator[str]:
    step = one.status
    if step.waits_for or one.view is None:
        return
    for check in step.checks:
        if check.state in {VerdictState.NOT_JUDGED, VerdictState.ERRORED}:
            yield f"{step.step}: {check.state.value}: {check.told}"
    if step.state is StepState.UNCHECKED:
        yield f"{step.step} ran, and nothing asked whether its result is right."
    if one.view.outcome is not None and one.view.outcome.stopped:
        yield f"{step.step} ended early: {one.view.outcome.stopped}."
    if one.view.record.fingerprint.unknown:
        what = "; ".join(one.view.record.fingerprint.unknown)
        yield f"{step.step}: part of what its result depends on could not be resolved, so that a change of it would not be seen: {what}."


def _unknown(account: Account) -> Iterator[str]:
    digests = {one.status.step: one.view.record.provenance for one in account.steps if one.view}
    unknown = [step for step, origin in digests.items() if origin.data_digest in {"", "unknown"}]
    if unknown:
        yield f"The data is unknown to {', '.join(unknown)}: a change of it would not be seen."
    for note in dict.fromkeys(origin.data_note for origin in digests.values() if origin.data_note):
        yield f"The digest of the data does not look at everything: {note}."


def _intervals(account: Account) -> Iterator[str]:
    """Which scores have none, and what those of single trainings do not hold."""
    outcomes = [one.view.outcome for one in account.steps if one.view and one.view.outcome]
    methods = dict.fromkeys(
        _method(score.interval.method)
        for outcome in outcomes
        for score in outcome.scores.values()
        if score.interval and score.interval.method
    )
    if methods:
        yield (
            f"Intervals are of 95 % ({'; '.join(methods)}). They tell how a score would vary over other examples; that of a single "
            "training does not tell how much another seed would change it."
        )
    single = [
        name
        for one in account.steps
        for name, score in (one.view.outcome.scores.items() if one.view and one.view.outcome else ())
        if score.interval is None and name.startswith(("validation/", "test/")) and score.rows is None and score.note
    ]
    if single:
        yield f"Without an interval: {', '.join(dict.fromkeys(single[:_MOST]))}{' and others' if len(single) > _MOST else ''}."


def _method(text: str) -> str:
    """How an interval was computed, without its counts: `bca bootstrap, 2000 resamples of 359 examples`."""
    return re.split(r",| over | and ", text)[0]


def _test(account: Account) -> Iterator[str]:
    if account.status.test_uses > 1:
        yield (
            f"The test split was used {counted(account.status.test_uses, 'time')}; each use after the first makes its number "
            "look better than it is."
        )
