"""How fast the SQLite store is: `python -m benchmarks.store` measures and writes REPORT.md beside this file.

Work of the size of a year of a team: 10,000 runs with 10 scores each, a million points of curves, eight processes that
write at once. Reading must answer within 100 ms, or the tables of the command line and the dashboard feel slow.
"""

import multiprocessing
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from art_training.records import (
    Fingerprint,
    Judgement,
    Outcome,
    Provenance,
    RunRecord,
    RunStatus,
    Score,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.stores import Point, RunQuery
from art_training.stores.mounts import file_system
from art_training.stores.sql import SqlStore

RUNS, SCORES, STEPS, POINTS, WRITERS, EACH = 10_000, 10, 8, 1_000_000, 8, 250
LIMIT_MS = 100.0
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
REPORT = Path(__file__).with_name("REPORT.md")


class Row(NamedTuple):
    what: str
    measured: str
    holds: bool | None = None


def run_record(number: int, project: str = "digits") -> RunRecord:
    return RunRecord(
        id=f"20260101T000000{number:06d}-abcdef",
        project=project,
        step=f"Step{number % STEPS}",
        kind="Overfit",
        fingerprint=Fingerprint({f"model: part{n}": {"digest": f"{number:064x}"} for n in range(20)}),
        seed=number,
        started=BEGINNING + timedelta(seconds=number),
        status=RunStatus.COMPLETED,
        ended=BEGINNING + timedelta(seconds=number + 1),
        process="host|1|0",
        parameters={f"hparams.p{n}": n for n in range(20)},
        provenance=Provenance(versions={f"distribution-{n}": "1.2.3" for n in range(120)}, seeds={"step": number}),
    )


def outcome(number: int) -> Outcome:
    chance = random.Random(number)
    return Outcome(scores={f"validation/metric{n}": Score(chance.random(), rows=1000) for n in range(SCORES)})


def judgement() -> Judgement:
    verdict = Verdict("validation/metric0 > 0.1", VerdictState.PASSED, "0.5 > 0.1", {"value": 0.5})
    return Judgement((verdict,), BEGINNING, StepState.PASSED)


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write_runs(store: SqlStore) -> Row:
    """As the runner does: the record, the outcome, the judgement, each durably; 10,000 times."""

    def work() -> None:
        for number in range(RUNS):
            run = run_record(number)
            store.write(replace(run, status=RunStatus.RUNNING))
            store.write(run, outcome(number))
            store.judge(run.id, judgement())

    seconds = seconds_of(work)
    per_run = f"{seconds / RUNS * 1e3:.2f} ms a run, three durable transactions each"
    return Row(f"{RUNS:,} runs with {SCORES} scores", f"{seconds:.1f} s ({per_run})", store.count() == RUNS)


def write_points(store: SqlStore) -> Row:
    """In batches of 1,000 points of five curves, as training hands them over."""
    run = run_record(0).id
    names = [f"train/curve{n}" for n in range(5)]

    def work() -> None:
        for start in range(0, POINTS // len(names), 200):
            store.append(run, points=[Point(name, start + n, start // 1000, 0.5) for name in names for n in range(200)])

    seconds = seconds_of(work)
    kept = sum(len(curve.steps) for curve in store.curves(run).values())
    text = f"{seconds:.1f} s ({seconds / POINTS * 1e6:.1f} µs a point)"
    return Row(f"{POINTS:,} points of curves", text, kept == POINTS)


def writer(where: str, number: int) -> None:
    with closing(SqlStore(where)) as store:
        for one in range(EACH):
            run = run_record(RUNS + number * EACH + one, project=f"project{number}")
            store.write(run, outcome(one))
            store.append(run.id, points=[Point("loss", step, 0, 0.1) for step in range(20)], lines=["a line"])


def write_at_once(where: Path) -> Row:
    """Eight processes, one store."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=writer, args=(str(where), number)) for number in range(WRITERS)]

    def work() -> None:
        for process in processes:
            process.start()
        for process in processes:
            process.join()

    seconds = seconds_of(work)
    with closing(SqlStore(where)) as store:
        found = [run for number in range(WRITERS) for run in store.runs(RunQuery(project=f"project{number}"))]
        whole = all(len(store.curves(run.id)["loss"].steps) == 20 and store.outcome(run.id) for run in found)
    with closing(sqlite3.connect(where)) as raw:
        intact = raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    lost = WRITERS * EACH - len(found)
    done = lost == 0 and whole and intact and all(process.exitcode == 0 for process in processes)
    what = f"{WRITERS} processes at once, {EACH} runs each, two transactions a run"
    return Row(what, f"{seconds:.1f} s with the start of the processes, {lost} runs lost", done)


def read(store: SqlStore) -> list[Row]:
    digits, metric = "digits", "validation/metric3"
    run = run_record(0).id
    views: dict[str, Callable[[], object]] = {
        "50 best runs of a project by a metric": lambda: store.runs(
            RunQuery(project=digits, limit=50, order_by=metric)
        ),
        "50 newest runs of a project": lambda: store.runs(RunQuery(project=digits, limit=50)),
        "50 runs behind the first 9,000, by a metric": lambda: store.runs(
            RunQuery(project=digits, limit=50, offset=9000, order_by=metric)
        ),
        "50 newest runs of all projects": lambda: store.runs(RunQuery(limit=50)),
        "the newest run of each step of a project": lambda: store.latest(digits),
        "how many runs of a project passed": lambda: store.count(RunQuery(project=digits, state=StepState.PASSED)),
        "the runs with one fingerprint": lambda: store.runs(RunQuery(fingerprint=run_record(77).fingerprint.digest)),
        "one run: record, outcome, judgements, log": lambda: (
            store.run(run),
            store.outcome(run),
            store.judgements(run),
            store.log(run),
        ),
    }
    rows: list[Row] = []
    for what, view in views.items():
        times = [seconds_of(view) * 1e3 for _ in range(21)]
        median = statistics.median(times)
        rows.append(Row(what, f"{median:.1f} ms (slowest of 21: {max(times):.1f} ms)", median < LIMIT_MS))
    whole = statistics.median(seconds_of(lambda: store.runs(RunQuery(project=digits))) * 1e3 for _ in range(5))
    rows.append(Row(f"all {RUNS:,} runs with all scores, not paged", f"{whole:.0f} ms"))
    curve = statistics.median(seconds_of(lambda: store.curves(run, ["train/curve0"])) * 1e3 for _ in range(5))
    rows.append(Row(f"one curve of {POINTS // 5:,} points", f"{curve:.0f} ms"))
    return rows


OPEN = """
import sys, time
import art_training.stores.sql as sql
began = time.perf_counter()
store = sql.SqlStore(sys.argv[1])
for run in store.latest("digits").values():
    store.run(run.id), store.outcome(run.id), store.judgements(run.id)
print(time.perf_counter() - began)
"""


def open_again(where: Path) -> Row:
    """What a run that only recalls waits for: a new process, the store opened, eight steps read."""
    command = [sys.executable, "-c", OPEN, str(where)]
    times = [float(subprocess.check_output(command, text=True)) * 1e3 for _ in range(7)]
    median = statistics.median(times)
    return Row("opening in a new process and reading the newest run of 8 steps", f"{median:.0f} ms", median < 60)


def machine(where: Path) -> str:
    cores, load = os.cpu_count(), os.getloadavg()[0]
    versions = (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, SQLAlchemy {version('sqlalchemy')}"
    )
    return (
        f"{cores} cores ({platform.machine()}), {platform.system()} {platform.release()}, file system "
        f"{file_system(where)}, {versions}; load {load:.1f} when it began; {datetime.now(UTC):%Y-%m-%d}"
    )


def report(machine: str, rows: list[Row], size: int) -> str:
    marks = {True: "yes", False: "**no**", None: ""}
    table = "\n".join(f"| {row.what} | {row.measured} | {marks[row.holds]} |" for row in rows)
    return f"""# The store

Made by `python -m benchmarks.store`. Machine: {machine}.

Times are medians where something was done more than once. "Holds" means that nothing was lost (writing) or that the
answer came within {LIMIT_MS:.0f} ms (reading; 60 ms for opening). The last two reads are no table of a view and have no
limit. The database has {size / 1e6:.0f} MB in the end. A load above the number of cores means that other work
shared the machine, and that the times are longer than they would be alone.

| what | measured | holds |
|---|---|---|
{table}
"""


def main() -> int:
    with tempfile.TemporaryDirectory(dir=os.environ.get("ART_BENCH_FOLDER")) as folder:
        where = Path(folder) / "art.db"
        name = machine(where.parent)
        with closing(SqlStore(where)) as store:
            rows = [write_runs(store), write_points(store)]
        rows.append(write_at_once(where))
        with closing(SqlStore(where)) as store:
            rows += read(store)
        rows.append(open_again(where))
        text = report(name, rows, where.stat().st_size)
    REPORT.write_text(text, encoding="utf-8")
    print(text)
    return 0 if all(row.holds in {True, None} for row in rows) else 1
