"""Made-up records with something odd in every field, for tests of what keeps or shows them."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from art_training.records import (
    Artifact,
    Candidate,
    Curve,
    Finding,
    Fingerprint,
    Interval,
    Judgement,
    Outcome,
    Provenance,
    Reading,
    RunRecord,
    Score,
    Severity,
    StepState,
    Verdict,
    VerdictState,
)

BEGINNING = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
ODD = "naïve 学習 \N{SNOWMAN}\0\n'; DROP TABLE runs; --"


def a_run(number: int = 0, **changes: Any) -> RunRecord:
    """A run that began `number` seconds after `BEGINNING`."""
    record = RunRecord(
        id=f"run-{number:05d}",
        project="digits",
        step="Overfit",
        kind="Overfit",
        fingerprint=Fingerprint({"hparams.lr": 0.001, "model: Net": {"digest": "ab" * 32}}, ("callback Foo",)),
        seed=2**63 + 11,
        started=BEGINNING + timedelta(seconds=number),
        process="host|1|0",
        parameters={"hparams.lr": 0.001, "nested": {"list": [1, 2.5, None, True, ODD]}},
        consumes={"ExploreData": "run-before"},
        provenance=Provenance(
            command=("art", "run"), versions={"torch": "2.13.0"}, hardware={"cores": 2}, git_diff=ODD, seeds={"step": 3}
        ),
    )
    return replace(record, **changes)


def an_outcome(**scores: float) -> Outcome:
    """An outcome with something in every field; scores are of the validation split."""
    artifact = Artifact("last.ckpt", "checkpoint", "cd" * 32, 1234, "weights at the end")
    return Outcome(
        scores={f"validation/{name}": Score(value, _around(value), 360, "maximize") for name, value in scores.items()},
        curves={"train/loss": Curve((1, 2, 3), (2.3, math.nan, math.inf), (0, 0, 1))},
        readings=(Reading("rows", {"train": 3}, "rows"),),
        findings=(Finding("ART001", "data", Severity.WARNING, ODD, {"share": 0.5}),),
        candidates=(Candidate("dummy", {"validation/accuracy": Score(0.1)}, {"kind": "dummy"}),),
        parameters={"epochs": 3, "odd": ODD},
        artifacts=(artifact,),
        seconds={"fit": 1.5},
        summary=ODD,
    )


def _around(value: float) -> Interval | None:
    return None if math.isnan(value) else Interval(0.1, 0.9).holding(value)


def a_judgement(state: StepState = StepState.PASSED, minute: int = 0) -> Judgement:
    """A judgement with one verdict."""
    verdict = Verdict("train/loss < 0.05", VerdictState.FAILED, ODD, {"loss": math.inf}, {"limit": 0.05})
    return Judgement((verdict,), BEGINNING + timedelta(minutes=minute), state)
