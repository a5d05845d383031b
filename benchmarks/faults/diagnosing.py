"""One diagnosis of one form of a case, in a process of its own, so that none knows of another."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.faults import load
from benchmarks.faults.rows import Row

# Processes are forked off one that has imported what every diagnosis needs, and nothing else.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["art_training.diagnosis.diagnose", "lightning", "torchmetrics", "sklearn.datasets"])


def diagnosed(part: str, name: str, form: str, seed: int, budget: float) -> Row:
    """Diagnose one form in this process."""
    import warnings

    import art_training as art

    warnings.filterwarnings("ignore")
    case = next(case for case in load(part) if case.name == name)
    make = case.faulty if form == "faulty" else case.clean
    assert make is not None
    project = make(seed)
    began, before = time.monotonic(), time.process_time()
    result = art.diagnose(
        project.model,
        project.data,
        trainer=project.trainer,
        hparams=project.hparams or None,
        budget=budget,
        seed=seed,
        **project.declarations,
    )
    seconds = time.monotonic() - began
    processor = time.process_time() - before
    found = [[f.code, f.category, f.severity.value, bool(f.confirmed_by), f.message, f.stage] for f in result.findings]
    unjudged = [one.code for one in result.judged if one.state == "not judged"]
    judging = sum(one.state not in {"not applicable", "ignored"} for one in result.judged)
    judged = [[one.code, one.name, one.state, one.reason] for one in result.judged]
    return Row(
        part, name, form, seed, round(seconds, 2), found, unjudged, result.broken, round(processor, 2), judging, judged
    )


def in_a_process(part: str, name: str, form: str, seed: int, budget: float) -> Row:
    """Diagnose one form in a process of its own."""
    receiving, sending = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_tell, args=(sending, part, name, form, seed, budget))
    process.start()
    sending.close()
    try:
        if receiving.poll(10 * budget):
            return receiving.recv()
        process.kill()
        return Row(part, name, form, seed, 10 * budget, [], [], "it did not come to an end")
    except EOFError:
        process.join()
        return Row(part, name, form, seed, 0.0, [], [], f"crashed: the process ended with {process.exitcode}")
    finally:
        process.join()


def _tell(sending: Connection, *judged: Any) -> None:
    sending.send(diagnosed(*judged))
    sending.close()
