"""Made-up history for tests of whatever reads a store: views, command line, dashboard, reports."""

from collections.abc import Mapping, Sequence
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
    RunRecord,
    RunStatus,
    Score,
    Verdict,
    VerdictState,
    state_of,
)
from art_training.stores import Point, Store

BEGINNING = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def verdict(check: str, state: str = "passed", reason: str = "") -> Verdict:
    """A verdict without much thought."""
    return Verdict(check, VerdictState(state), reason or f"{check}: {state}")


def keep_run(
    store: Store,
    step: str,
    *,
    minute: int = 0,
    project: str = "toy",
    kind: str = "",
    status: RunStatus = RunStatus.COMPLETED,
    seconds: float = 12.5,
    scores: Mapping[str, Score | float] | None = None,
    candidates: Sequence[Candidate] = (),
    artifacts: Sequence[Artifact] = (),
    findings: Sequence[Finding] = (),
    curves: Mapping[str, Sequence[float]] | None = None,
    lines: Sequence[str] = (),
    verdicts: Sequence[Verdict] | None = (),
    components: Mapping[str, Any] | None = None,
    process: str = "elsewhere|1|",
    heartbeat: datetime | None = None,
    error: str = "",
    traceback: str = "",
    summary: str = "",
    provenance: Provenance | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> RunRecord:
    """Keep one run in a store as the runner would have: its record and outcome, then its judgement.

    Args:
        store: where.
        step: the step's name.
        minute: when it started, in minutes after `BEGINNING`; part of its id.
        project: the project's name.
        kind: the step's class; the step's name by default.
        status: how far it got; only a completed run is judged.
        seconds: how long it took.
        scores: of its outcome; a bare number is a score without an interval.
        candidates: of its outcome.
        artifacts: of its outcome.
        findings: of its outcome.
        curves: of its outcome, and every point of them in the store.
        lines: of its log.
        verdicts: None leaves it without a judgement.
        components: of its fingerprint.
        process: who ran it.
        heartbeat: its last sign of life.
        error: what it raised.
        traceback: where.
        summary: of its outcome.
        provenance: with what it was made.
        parameters: its resolved setup.
    """
    started = BEGINNING + timedelta(minutes=minute)
    running = status is RunStatus.RUNNING
    record = RunRecord(
        id=f"{started:%Y%m%dT%H%M%S}000000-{minute:06x}",
        project=project,
        step=step,
        kind=kind or step,
        fingerprint=Fingerprint(components or {"step": step}),
        seed=7,
        started=started,
        status=status,
        ended=None if running else started + timedelta(seconds=seconds),
        heartbeat=heartbeat or started,
        process=process,
        parameters=parameters or {},
        provenance=provenance or Provenance(),
        error=error,
        traceback=traceback,
    )
    store.write(replace(record, status=RunStatus.RUNNING, ended=None))
    numbers = {n: s if isinstance(s, Score) else Score(s) for n, s in (scores or {}).items()}
    lists = {name: Curve(tuple(range(len(values))), tuple(values)) for name, values in (curves or {}).items()}
    points = [Point(n, i, 0, value) for n, values in (curves or {}).items() for i, value in enumerate(values)]
    store.append(record.id, points=points, lines=lines)
    outcome = Outcome(
        scores=numbers,
        curves=lists,
        candidates=tuple(candidates),
        artifacts=tuple(artifacts),
        findings=tuple(findings),
        summary=summary,
    )
    if not running:
        store.write(record, outcome)
    if status is RunStatus.COMPLETED and verdicts is not None:
        store.judge(record.id, Judgement(tuple(verdicts), started + timedelta(seconds=seconds), state_of(verdicts)))
    return record


def keep_toy_project(store: Store) -> None:
    """A project `toy` whose four steps ran one after the other; the last one failed, was changed, and passed."""
    reached = {"dummy": 0.1, "linear": 0.9639}
    keep_run(store, "ExploreData", seconds=1.2, verdicts=[verdict("no NaN or infinity")], summary="1437 rows")
    keep_run(
        store,
        "EvaluateBaseline",
        minute=1,
        seconds=4.0,
        candidates=[
            Candidate(name, {"validation/accuracy": Score(value, direction="maximize")})
            for name, value in reached.items()
        ],
        verdicts=[verdict("validation/accuracy exists")],
    )
    keep_run(
        store,
        "CheckLossOnInit",
        minute=2,
        scores={"train/loss": 2.31, "expected_loss": 2.3026},
        verdicts=[verdict("train/loss = expected_loss ± 20%", reason="train/loss is 2.31 where 2.303 is expected")],
    )
    for minute, rate, value, state in ((3, 0.1, 0.31, "failed"), (9, 0.001, 0.9806, "passed")):
        accuracy = Score(value, Interval(value - 0.02, value + 0.011), 360, "maximize")
        keep_run(
            store,
            "Overfit",
            minute=minute,
            seconds=31.4,
            scores={"train/loss": Score(1 - value, direction="minimize"), "validation/accuracy": accuracy},
            curves={"train/loss": [2.3, 1.1, 1 - value]},
            lines=[f"epoch {epoch}" for epoch in range(3)],
            verdicts=[
                verdict("train/loss < 0.05", state, f"train/loss is {1 - value:.4g}"),
                verdict("no NaN or infinity", reason="2 scores and 1 curves are finite"),
            ],
            components={"step": "Overfit", "hparams.lr": rate, "model: Net.forward": {"digest": f"{minute:x}"}},
            parameters={"hparams.lr": rate, "hparams.width": 16},
            summary=f"after 20 epochs: validation/accuracy {value}",
            provenance=Provenance(
                command=("art", "run"),
                folder="/home/ada/toy",
                host="lovelace",
                python="3.11.2",
                versions={"torch": "2.13.0", "numpy": f"2.{minute}.0"},
                git_commit="1f3a" * 10,
                git_dirty=minute == 9,
                git_diff="diff --git a/toy/net.py b/toy/net.py\n+x = 1\n" if minute == 9 else "",
            ),
        )
