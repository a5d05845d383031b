"""`python -m benchmarks.explore`: what ExploreData costs on a million examples of a hundred features; report in REPORT.md.

The data are generated batch by batch while they are read through a DataLoader, so that they take no memory of their own:
a hundred features of which some are skewed, some are whole numbers and some depend on the class, ten classes, 1,000 copies and
a shifted feature in validation. Each row of the report is one process, so that its peak of resident memory is its own.
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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

REPORT = Path(__file__).with_name("REPORT.md")
BATCH = 8_192
FEATURES = 100
LIMIT_SECONDS, LIMIT_BYTES = 60, 2 * 10**9


class Generated(IterableDataset):
    """Batches of examples; the same in each pass."""

    def __init__(self, rows: int, seed: int, *, shift: float = 0.0, copies: int = 0) -> None:
        self.rows, self.seed, self.shift, self.copies = rows, seed, shift, copies

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        centres = np.random.default_rng(7).standard_normal((10, 30), np.float32) * 0.5
        for number, first in enumerate(range(0, self.rows, BATCH)):
            generator = np.random.default_rng((self.seed, number))
            count = min(BATCH, self.rows - first)
            x = generator.standard_normal((count, FEATURES), np.float32)
            y = generator.integers(10, size=count)
            x[:, :30] += centres[y]
            x[:, 30:40] = np.exp(x[:, 30:40])
            x[:, 40:50] = np.floor(x[:, 40:50] * 3)
            x[:, 99] += self.shift
            if number == 0:
                x[count - self.copies :] = x[: self.copies]
            yield torch.from_numpy(x), torch.from_numpy(y)


def measure(rows: int, folder: Path) -> dict[str, float]:
    """Explore so many training examples and a tenth of them for validation, as a project does."""
    import art_training as art
    from art_training.steps import ExploreData

    torch.set_num_threads(2)
    warnings.filterwarnings("ignore", module="lightning")
    data = art.data(
        train=DataLoader(Generated(rows, 1, copies=1_000), batch_size=None),
        validation=DataLoader(Generated(max(1, rows // 10), 2, shift=0.3), batch_size=None),
    )
    setup = art.Setup(
        model=art.from_torch(lambda: nn.Linear(FEATURES, 10), loss=nn.CrossEntropyLoss, lr=1e-3),
        data=data,
        data_version="generated",
        trainer={"accelerator": "cpu"},
    )
    project = art.ArtProject("explore", setup, steps=[ExploreData()], store=folder / "art.db")
    before = peak()
    wall, cpu = time.perf_counter(), time.process_time()
    result = project.run()
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    outcome = result["ExploreData"].outcome
    codes = {finding.code for finding in outcome.findings}
    assert outcome.score("train/examples").value == rows
    assert outcome.score("train/duplicates").value == 1_000
    assert {"ART108", "ART110"} <= codes or rows < 10_000, codes
    return {"rows": rows, **spent, "peak": peak(), "before": before}


def peak() -> int:
    """The most memory that this process has had resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_process(rows: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.explore", "--rows", str(rows)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout.splitlines()[-1])


def report(measured: list[dict[str, float]], load: tuple[float, float]) -> str:
    lines = [
        f"| {one['rows']:,} | {one['wall']:.1f} | {one['cpu']:.1f} | {one['peak'] / 1e6:,.0f} | {one['before'] / 1e6:,.0f} |"
        for one in measured
    ]
    last = measured[-1]
    held = "held" if last["wall"] <= LIMIT_SECONDS and last["peak"] <= LIMIT_BYTES else "not held"
    return "\n".join(
        [
            "# What exploring a million examples costs",
            "",
            f"`python -m benchmarks.explore`: examples of {FEATURES} features, generated in batches of {BATCH:,} while they are read,",
            "and a tenth as many for validation; a whole run of a project whose only step is `ExploreData()`.",
            "",
            f"{machine()} The load was {load[0]:.1f} when it began and {load[1]:.1f} when it ended, this benchmark included.",
            "",
            "| training examples | seconds | of a processor | peak of memory, MB | before the step, MB |",
            "|---|---|---|---|---|",
            *lines,
            "",
            f"A million examples within {LIMIT_SECONDS} seconds and {LIMIT_BYTES / 1e9:g} GB: {held}. What is kept grows with the",
            "number of examples by their hashes and sketches only, 120 bytes an example up to a million of each loader.",
            "",
        ]
    )


def machine() -> str:
    return (
        f"Machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}; Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}."
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, help="measure so many in this process, and print the figures")
    arguments = parser.parse_args()
    if arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(arguments.rows, Path(folder))))
        return
    began = os.getloadavg()[0]
    measured = [in_process(rows) for rows in (10_000, 100_000, 1_000_000)]
    text = report(measured, (began, os.getloadavg()[0]))
    print(text)
    REPORT.write_text(text)


if __name__ == "__main__":
    main()
