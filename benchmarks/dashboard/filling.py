"""A store of the size of a year of a team: 10,000 runs of one step that were searched over, a million points of curves."""

import math
import multiprocessing
import random
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

from art_training.records import (
    Fingerprint,
    Interval,
    Judgement,
    LayerCurve,
    Outcome,
    ProcessId,
    Provenance,
    RunRecord,
    RunStatus,
    Score,
    StepProgress,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.records.layers import ACTIVATION, GRADIENT, SATURATED, SILENT, UPDATE
from art_training.stores import Point, Store
from art_training.stores.progress import keep_progress
from art_training.stores.sql import SqlStore

RUNS, POINTS, LONG = 10_000, 1_000_000, 10_000
SHORT = 4000, 4001  # runs with few points
AT_ONCE = 50  # points that a live run writes at once
PROJECT, STEP = "digits", "Overfit"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_OPTIMISERS = ("adamw", "sgd", "adam", "lion")


def run_id(number: int) -> str:
    return f"20260101T000000{number:06d}-{number:06x}"


def record(number: int, project: str = PROJECT) -> RunRecord:
    """One of a search over five parameters, with fifteen more that never change."""
    chance = random.Random(number)
    searched = {
        "hparams.lr": 10 ** chance.uniform(-5, -1),
        "hparams.width": chance.choice([16, 32, 64, 128]),
        "hparams.dropout": round(chance.uniform(0, 0.5), 2),
        "hparams.optimiser": chance.choice(_OPTIMISERS),
        "trainer.max_epochs": chance.choice([10, 20, 40]),
    }
    return RunRecord(
        id=run_id(number),
        project=project,
        step=STEP,
        kind="Overfit",
        fingerprint=Fingerprint({f"model: part{n}": {"digest": f"{number % 7:064x}"} for n in range(20)} | searched),
        seed=number,
        started=BEGINNING + timedelta(seconds=number),
        status=RunStatus.COMPLETED,
        ended=BEGINNING + timedelta(seconds=number + chance.uniform(1, 600)),
        process="host|1|0",
        parameters=searched | {f"step.option{n}": n for n in range(15)},
        provenance=Provenance(versions={f"distribution-{n}": "1.2.3" for n in range(120)}, seeds={"step": number}),
    )


def outcome(number: int) -> Outcome:
    chance = random.Random(number)
    rate = 10 ** chance.uniform(-5, -1)
    accuracy = min(0.999, max(0.1, 0.95 - 0.05 * (math.log10(rate) + 2.5) ** 2 + chance.gauss(0, 0.02)))
    interval = Interval(accuracy - 0.02, accuracy + 0.02)
    scores = {f"validation/recall.{n}": Score(chance.random(), direction="maximize") for n in range(8)}
    return Outcome(
        scores={
            "validation/accuracy": Score(accuracy, interval, 1000, "maximize"),
            "train/loss": Score(1.2 - accuracy, direction="minimize"),
            **scores,
        }
    )


def fill(store: Store, runs: int = RUNS) -> None:
    """Written as the runner writes: the record, the outcome, the judgement."""
    for number in range(runs):
        run, found = record(number), outcome(number)
        store.write(replace(run, status=RunStatus.RUNNING, ended=None))
        store.write(run, found)
        good = found.scores["validation/accuracy"].value > 0.7
        state = VerdictState.PASSED if good else VerdictState.FAILED
        verdict = Verdict("validation/accuracy > 0.7", state, "as it is", {})
        store.judge(run.id, Judgement((verdict,), run.started, StepState(state.value)))


def fill_curves(store: Store) -> None:
    """A million points: ten runs with ten curves of 10,000 points each; and two runs with as many curves of ten points."""
    for number in range(10):
        for start in range(0, LONG, 500):
            store.append(run_id(number), points=points_of(number, range(start, start + 500)))
    for number in SHORT:
        store.append(run_id(number), points=points_of(number, range(10)))


def points_of(number: int, steps: range) -> list[Point]:
    return [
        Point(f"{split}/{name}", step, step // 100, _value(number, place, step))
        for place, (split, name) in enumerate(_names())
        for step in steps
    ]


def _names() -> list[tuple[str, str]]:
    return [(split, name) for split in ("train", "validation") for name in ("loss", "accuracy", "f1", "recall", "ece")]


def _value(number: int, place: int, step: int) -> float:
    chance = random.Random(number * 1_000_003 + place * 10_007 + step)
    return 2.3 * math.exp(-step / (1500 + 200 * number)) + 0.05 * place + chance.gauss(0, 0.02)


@dataclass(frozen=True)
class Live:
    """A run of another process, and what it has behind it when somebody begins to look.

    Attributes:
        number: of the run.
        lines: of its log.
        layers: whose gradients its module logs at every step, beside what the runner follows of them.
    """

    number: int = RUNS
    lines: int = 0
    layers: int = 0


LONG_LOG = Live(RUNS + 100, lines=200_000)
LAYERS = Live(RUNS + 101, layers=60)
_LOGGED = 3_000  # points that each curve of a layer has
_FOLLOWED = 30  # and each that the runner followed
_STATISTICS = (GRADIENT, UPDATE, ACTIVATION, SILENT, SATURATED)


@contextmanager
def training(where: Path, live: Live | None = None) -> Generator[None]:
    """Another process that trains, for as long as this lasts; what it has behind it is written first."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    process = context.Process(target=_train, args=(where, live or Live(), begun), daemon=True)
    process.start()
    try:
        while not begun.wait(1):
            if not process.is_alive():
                raise RuntimeError(f"the process that trains ended with {process.exitcode}")
        yield
    finally:
        process.terminate()
        process.join()


def _train(where: Path, live: Live, begun: Event) -> None:
    with closing(SqlStore(where)) as store:
        run = replace(
            record(live.number),
            started=datetime.now(UTC),
            heartbeat=datetime.now(UTC),
            status=RunStatus.RUNNING,
            ended=None,
            process=str(ProcessId.current()),
        )
        store.write(run)
        store.append(run.id, points=_before(live), lines=[f"2026-01-01 00:00:00 step {n}" for n in range(live.lines)])
        begun.set()
        step = _LOGGED if live.layers else 0
        while True:
            steps = range(step, step + AT_ONCE // len(_names()))
            store.append(run.id, points=points_of(0, steps) + _logged(live, steps), lines=[f"step {step}"])
            store.beat(run.id, datetime.now(UTC))
            told = StepProgress(
                STEP, "fit", epoch=step // 100, epochs=1000, fraction=step / 100_000, seconds_left=600.0
            )
            keep_progress(store, PROJECT, run.id, told, datetime.now(UTC))
            step = steps.stop
            time.sleep(0.5)


def _before(live: Live) -> list[Point]:
    """The curves of a training that has gone on for a while."""
    if not live.layers:
        return []
    steps = range(_LOGGED)
    followed = [
        Point(str(LayerCurve("", statistic, f"block.{layer}")), step, step // 100, 0.01)
        for layer in range(live.layers)
        for statistic in _STATISTICS
        for step in range(0, _LOGGED, _LOGGED // _FOLLOWED)
    ]
    return [*points_of(0, steps), *_logged(live, steps), *followed]


def _logged(live: Live, steps: range) -> list[Point]:
    return [
        Point(f"logged/grad_2.0_norm/block.{layer}", step, step // 100, 1 + layer / 100)
        for layer in range(live.layers)
        for step in steps
    ]
