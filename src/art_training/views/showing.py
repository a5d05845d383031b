"""Everything about one run."""

from dataclasses import dataclass

from art_training.records import Judgement, Outcome, RunRecord
from art_training.stores import Course, Store
from art_training.views.rows import CheckRow, CurveRow, RunRow, ScoreRow


@dataclass(frozen=True)
class RunView:
    """Everything about one run.

    Attributes:
        run: the run as a row; its state knows of processes that died.
        checks: the last judgement's.
        scores: in the outcome's order.
        curves: every curve in a few numbers, over all of its points.
        record: as stored: fingerprint, parameters, provenance, error, ...
        outcome: as stored; None where the run left none.
        judgements: all of them, oldest first; a run is judged again when its checks change.
        lines: how many lines of log there are.
    """

    run: RunRow
    checks: tuple[CheckRow, ...]
    scores: tuple[ScoreRow, ...]
    curves: tuple[CurveRow, ...]
    record: RunRecord
    outcome: Outcome | None
    judgements: tuple[Judgement, ...]
    lines: int


def view_of(store: Store, record: RunRecord) -> RunView:
    """Everything that a store knows about a run."""
    outcome = store.outcome(record.id)
    judgements = tuple(store.judgements(record.id))
    of_outcome = {name: Course.of(curve) for name, curve in (outcome.curves if outcome else {}).items()}
    courses = of_outcome | dict(store.courses(record.id))  # not the curves: a long training has millions of points
    return RunView(
        run=RunRow.of(record, outcome),
        checks=tuple(CheckRow.of(verdict) for verdict in judgements[-1].verdicts) if judgements else (),
        scores=tuple(ScoreRow.of(name, score) for name, score in (outcome.scores if outcome else {}).items()),
        curves=tuple(CurveRow.of(name, course) for name, course in courses.items()),
        record=record,
        outcome=outcome,
        judgements=judgements,
        lines=len(store.log(record.id)),
    )
