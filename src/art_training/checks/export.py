"""Whether a model that was exported is the one that was trained."""

from collections.abc import Mapping
from dataclasses import dataclass

from art_training.checks.check import Answer, Check, failed, passed
from art_training.checks.evidence import Evidence
from art_training.checks.values import not_negative, number, settle
from art_training.records import Outcome, Reading, Score

SCORE = "export_difference"
READING = "export"
NEEDS = "needs"  # where the reading tells of targets that the export cannot do without


@dataclass(frozen=True)
class ExportAgrees(Check):
    """The exported model, loaded again, predicts what the trained one does.

    Attributes:
        tolerance: the largest distance of two predictions that passes.
    """

    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        settle(self, tolerance=not_negative("tolerance", self.tolerance))

    @property
    def title(self) -> str:
        """The distance and its limit."""
        return f"{SCORE} <= {number(self.tolerance)}"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the largest distance; where there is none, the reading says why."""
        score = evidence.outcome.scores.get(SCORE)
        reading = evidence.outcome.reading(READING)
        if score is None:
            why = reading.note if reading and reading.note else "this outcome says nothing of an export"
            return failed(f"that it predicts the same was not shown: {why}")
        said = (
            f"predictions of the export, loaded {score.source}, are at most {number(score.value)} off{_needs(reading)}"
        )
        if score.value <= self.tolerance:
            return passed(said, difference=score.value)
        return failed(f"{said}, not {number(self.tolerance)} or less", difference=score.value)


def _needs(reading: Reading | None) -> str:
    told = reading.value if reading else None
    path = told.get(NEEDS) if isinstance(told, Mapping) else None
    return f", where batches hold their targets ({path!r}), which the export needs" if path else ""


def _with(value: float, *readings: Reading) -> Evidence:
    return Evidence("Squeeze", Outcome(scores={SCORE: Score(value, source="in a new process")}, readings=readings))


ExportAgrees.PASSES = (
    (ExportAgrees(), _with(0.0)),
    (ExportAgrees(), _with(0.0, Reading(READING, {NEEDS: "labels"}))),
    (ExportAgrees(tolerance=0.1), _with(0.01)),
)
ExportAgrees.FAILS = (
    (ExportAgrees(), _with(0.01)),
    (ExportAgrees(), _with(float("nan"))),
    (ExportAgrees(), Evidence("Squeeze", Outcome(readings=(Reading(READING, None, note="no module 'net'"),)))),
    (ExportAgrees(), Evidence("Squeeze", Outcome())),
)
