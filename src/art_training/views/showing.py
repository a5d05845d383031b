"""Everything about one run."""

from collections.abc import Mapping
from dataclasses import dataclass

from art_training.records import Judgement, LayerCurve, Outcome, RunRecord, RunStatus
from art_training.stores import Course, Store
from art_training.views.rows import CheckRow, CurveRow, RunRow, ScoreRow


@dataclass(frozen=True)
class RunView:
    """Everything about one run.

    Attributes:
        run: the run as a row; its state knows of processes that died.
        checks: the last judgement's.
        scores: in the outcome's order.
        curves: every curve in a few numbers, over all of its points, but for those of layers.
        layers: those of layers; see `health_of`.
        record: as stored: fingerprint, parameters, provenance, error, ...
        outcome: as stored; None where the run left none.
        judgements: all of them, oldest first; a run is judged again when its checks change.
        lines: how many lines of log there are.
    """

    run: RunRow
    checks: tuple[CheckRow, ...]
    scores: tuple[ScoreRow, ...]
    curves: tuple[CurveRow, ...]
    layers: tuple[CurveRow, ...]
    record: RunRecord
    outcome: Outcome | None
    judgements: tuple[Judgement, ...]
    lines: int

    @property
    def told(self) -> tuple[RunRecord, tuple[Judgement, ...]]:
        """All that can change once the run has ended."""
        return self.record, self.judgements


def view_of(store: Store, record: RunRecord, known: RunView | None = None) -> RunView:
    """Everything that a store knows about a run.

    Args:
        store: where it is.
        record: the run.
        known: what was seen of it before: given back as it is where the run has ended and was not judged again.
    """
    judgements = tuple(store.judgements(record.id))
    if known is not None and record.status is not RunStatus.RUNNING and (record, judgements) == known.told:
        return known
    outcome = store.outcome(record.id)
    of_outcome = {name: Course.of(curve) for name, curve in (outcome.curves if outcome else {}).items()}
    curves, layers = _rows(of_outcome | dict(store.courses(record.id)))
    return RunView(
        run=RunRow.of(record, outcome),
        checks=tuple(CheckRow.of(verdict) for verdict in judgements[-1].verdicts) if judgements else (),
        scores=tuple(ScoreRow.of(name, score) for name, score in (outcome.scores if outcome else {}).items()),
        curves=curves,
        layers=layers,
        record=record,
        outcome=outcome,
        judgements=judgements,
        lines=store.lines(record.id),
    )


def curve_rows(store: Store, run: str) -> tuple[CurveRow, ...]:
    """The curves of a run, live or ended, but for those of layers."""
    return _rows(store.courses(run))[0]


def _rows(courses: Mapping[str, Course]) -> tuple[tuple[CurveRow, ...], tuple[CurveRow, ...]]:
    """Curves in a few numbers, since a long training has millions of points: those of a training, and those of its layers."""
    of_layers = {name for name in courses if LayerCurve.parse(name)}
    rows = {name: CurveRow.of(name, course) for name, course in courses.items()}
    return (
        tuple(row for name, row in rows.items() if name not in of_layers),
        tuple(row for name, row in rows.items() if name in of_layers),
    )
