"""`python -m benchmarks.diagnosis`: what `art.diagnose` costs on a ResNet-18 and on a small network; report in REPORT.md.

Every row is measured in a process of its own, so that its peak of resident memory is its own. Processor time stands beside
seconds, because a machine that does other things too makes seconds longer and processor time hardly. `--network` and `--arm`
measure one row in this process and print it as JSON.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch

from benchmarks.diagnosis.models import BATCH, SIDE, TRAIN, VALIDATION, Classifier, Images

REPORT = Path(__file__).with_name("REPORT.md")
NETWORKS = {
    "small": "network of three convolutions",
    "resnet18-imagenet": "ResNet-18 that begins as for large images (7x7, stride 2, pooled)",
    "resnet18": "ResNet-18 that begins as for small images (3x3, stride 1)",
}
STAGES = ("inspect", "probe", "train", "evaluate")
TRAINER = {"accelerator": "cpu", "max_epochs": 30}
STEPS = 3
LIMIT_SECONDS, LIMIT_BEFORE, LIMIT_MEMORY = 90, 15, 3
SHOWN = 12  # probes of each network


class Clock:
    """Seconds and processor time by name."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    @contextmanager
    def of(self, name: str) -> Generator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.spent[name][0] += time.perf_counter() - wall
            self.spent[name][1] += time.process_time() - cpu


def diagnosed(network: str) -> dict[str, Any]:
    """A diagnosis, with the seconds of its stages and probes."""
    import art_training as art
    from art_training.diagnosis import diagnosing
    from art_training.rules import Laboratory

    stages, probes = Clock(), Clock()
    # There is no public way to see a probe begin and end, nor should there be one for a benchmark's sake.
    whose: Any = diagnosing._Diagnosing  # noqa: SLF001
    experiment, timed = Laboratory._experiment, whose._timed  # noqa: SLF001

    def ask(laboratory: Laboratory, probe: Callable[..., Any]) -> Any:
        name = getattr(probe, "__qualname__", str(probe)).partition(".")[0]
        with probes.of(f"{probe.__module__.rpartition('.')[2]}.{name}"):
            return experiment(laboratory, probe)

    @contextmanager
    def stage(self: Any, name: str) -> Generator[None]:
        with timed(self, name), stages.of(name):
            yield

    Laboratory._experiment, whose._timed = ask, stage  # noqa: SLF001
    before = peak()
    whole = Clock()
    with whole.of("all"):
        found = art.diagnose(Classifier, Images, hparams={"network": network}, trainer=TRAINER)
    return {
        "status": found.status,
        "findings": [f"{one.code} {one.severity.value}: {one.message}" for one in found.findings],
        "unjudged": {one.code: one.reason for one in found.judged if one.state == "not judged"},
        "whole": whole.spent["all"],
        "stages": dict(stages.spent),
        "probes": dict(probes.spent),
        "peak": peak(),
        "before": before,
    }


def trained(network: str) -> dict[str, Any]:
    """The model's own training over a few batches, and its validation over as many."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(
            **{**TRAINER, "max_epochs": 1}, default_root_dir=folder, logger=False, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, limit_train_batches=STEPS, limit_val_batches=STEPS,
        )  # fmt: skip
        before, whole = peak(), Clock()
        with whole.of("all"):
            trainer.fit(Classifier(network), datamodule=Images())
    return {"whole": whole.spent["all"], "peak": peak(), "before": before}


def peak() -> int:
    """The most memory that this process has had resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_process(network: str, arm: str, threads: int) -> dict[str, Any]:
    """An arm in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.diagnosis",
        "--network",
        network,
        "--arm",
        arm,
        "--threads",
        str(threads),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(ran.stdout.splitlines()[-1])


def row(network: str, found: dict[str, Any], own: dict[str, Any]) -> str:
    """The line of a network: seconds, of the processor in brackets, and megabytes."""
    stages = [found["stages"].get(name, (0.0, 0.0)) for name in STAGES]
    before = [sum(one) for one in zip(*stages[:2], strict=True)]
    cells = [
        NETWORKS[network],
        found["status"],
        *(f"{wall:.1f} ({cpu:.1f})" for wall, cpu in (found["whole"], before, *stages)),
        f"{found['peak'] / 1e6:,.0f}",
        f"{own['peak'] / 1e6:,.0f}",
        f"{found['before'] / 1e6:,.0f}",
        f"{found['peak'] / own['peak']:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def shares(found: dict[str, Any]) -> list[str]:
    """The lines of the probes that take longest."""
    longest = sorted(found["probes"].items(), key=lambda one: -one[1][1])
    rest = [sum(one) for one in zip(*(spent for _, spent in longest[SHOWN:]), strict=True)]
    shown = [*longest[:SHOWN], (f"{len(longest) - SHOWN} others", rest)]
    return [f"| {name} | {wall:.2f} | {cpu:.2f} |" for name, (wall, cpu) in shown]


def held(measured: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    """What is promised of a ResNet-18, and whether it is kept."""
    found, own = measured["resnet18"]
    before = sum(found["stages"][name][0] for name in STAGES[:2])
    promises = (
        ("the diagnosis", found["whole"][0], LIMIT_SECONDS, "s"),
        ("its stages before training", before, LIMIT_BEFORE, "s"),
        ("its peak of memory, as a multiple of its own training's", found["peak"] / own["peak"], LIMIT_MEMORY, ""),
    )
    return [
        f"- {what}: {value:.1f} {unit} of {limit:g}: {'kept' if value <= limit else 'not kept'}".replace("  ", " ")
        for what, value, limit, unit in promises
    ]


def report(measured: dict[str, tuple[dict[str, Any], dict[str, Any]]], threads: int, load: tuple[float, float]) -> str:
    """The report, in Markdown."""
    lines = [
        "# What a diagnosis costs",
        "",
        f"`python -m benchmarks.diagnosis`: `art.diagnose` with its usual budget of a minute on {TRAIN:,} generated images of {SIDE}x{SIDE}",
        f"pixels and {VALIDATION} for validation, in batches of {BATCH}, each in a process of its own. Seconds, and in brackets seconds of",
        "the processor, which what else a machine does hardly changes. Memory is the peak of what is resident, in MB, beside that of",
        f"the model's own training ({STEPS} steps and a validation), and what either process holds before it begins.",
        "",
        f"{machine()} Threads: {threads}. The load was {load[0]:.1f} when it began and {load[1]:.1f} when it ended, this benchmark included.",
        "",
        "| network | status | whole | before training | inspect | probe | train | evaluate | MB | of a training | before | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(row(network, *both) for network, both in measured.items()),
        "",
        "A ResNet-18 on images of 32x32:",
        "",
        *held(measured),
    ]
    for network, (found, _) in measured.items():
        lines += [
            "",
            f"## Probes of the {NETWORKS[network]}",
            "",
            "| probe | seconds | of the processor |",
            "|---|---|---|",
            *shares(found),
        ]
    return "\n".join([*lines, ""])


def machine() -> str:
    """What it was measured on."""
    return (
        f"Machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}; Python {platform.python_version()}, torch {torch.__version__}, lightning {L.__version__}."
    )


def main() -> None:
    """Measure an arm in this process, or all of them and write the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=list(NETWORKS))
    parser.add_argument("--arm", choices=["diagnosis", "training"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if arguments.arm:
        torch.set_num_threads(arguments.threads)
        warnings.filterwarnings("ignore", module="lightning")
        arm = diagnosed if arguments.arm == "diagnosis" else trained
        print(json.dumps(arm(arguments.network)))
        return
    began = os.getloadavg()[0]
    measured = {
        network: (
            in_process(network, "diagnosis", arguments.threads),
            in_process(network, "training", arguments.threads),
        )
        for network in NETWORKS
    }
    text = report(measured, arguments.threads, (began, os.getloadavg()[0]))
    print(text)
    REPORT.write_text(text)


if __name__ == "__main__":
    main()
