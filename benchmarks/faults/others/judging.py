"""One judgement of one tool, in a process of its own that is forked from one with torch and Lightning imported."""

import logging
import multiprocessing
import sys
import time
import warnings
from dataclasses import replace
from typing import Any

from benchmarks.faults import load
from benchmarks.faults.others import judge_of
from benchmarks.faults.rows import Row

LIMIT = 300.0
Job = tuple[str, tuple[str, ...], str, int]
_PRELOADED = [
    "lightning.pytorch",
    "pytorch_lightning",
    "torchmetrics.classification",
    "sklearn.datasets",
    "sklearn.metrics",
]


def judged(tool: str, site: str, job: Job, answer: Any) -> None:
    """Send the row of one judgement, made in this process."""
    multiprocessing.set_start_method(None, force=True)  # loaders start workers as in a program of their own
    sys.path.append(site)
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")
    part, (name, *_), form, seed = job
    case = next(case for case in load(part) if case.name == name)
    make = case.faulty if form == "faulty" else case.clean
    assert make is not None
    project = make(seed)
    began, said, broken = time.monotonic(), [], ""
    try:
        said = judge_of(tool)(project, seed)
    except Exception as error:  # noqa: BLE001 - a judge that breaks down is counted
        broken = f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"
    seconds = round(time.monotonic() - began, 2)
    answer.send(
        Row(part, name, form, seed, seconds, [[code, "", severity, False, ""] for code, severity in said], [], broken)
    )


def in_a_process(tool: str, site: str, job: Job) -> list[Row]:
    """The rows of one judgement, made in a process of its own that has torch and Lightning already."""
    context = multiprocessing.get_context("forkserver")
    cases = [name for name in sys.modules if name.startswith("benchmarks.faults.") and "others" not in name]
    context.set_forkserver_preload([*_PRELOADED, *(name for name in cases if not name.endswith("__main__"))])
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=judged, args=(tool, site, job, theirs))
    process.start()
    theirs.close()
    part, names, form, seed = job
    row = Row(part, names[0], form, seed, LIMIT, [], [], "it did not come to an end")
    if mine.poll(LIMIT):
        try:
            row = mine.recv()
        except EOFError:
            row = replace(row, broken="its process died")
    process.kill()
    process.join()
    return [replace(row, case=name) for name in names]
