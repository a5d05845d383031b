"""`python -m benchmarks.startup`: what starting costs, as differences of whole processes run in turn; report in REPORT.md.

- `import art_training` over bare Python;
- `art --help`;
- `art run` on the digits project with everything recalled, over importing the project file alone.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import art_training

REPORT = Path(__file__).with_name("REPORT.md")
ART = Path(sys.executable).with_name("art")
DIGITS = Path(art_training.__file__).parent / "templates" / "digits" / "art_project.py"

BELOW_ZERO = (
    "Below zero: `art` freezes what the project file imported (`gc.freeze`), so that the collector does not visit those "
    "objects again at exit, which costs plain Python more than all that `art run` does."
)


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def differences(a: list[str], b: list[str], folder: Path, rounds: int) -> list[float]:
    """Seconds of `a` less seconds of `b`, pair by pair, after one pair that warms up."""
    pairs = [(seconds(a, folder), seconds(b, folder)) for _ in range(rounds + 1)]
    return [first - second for first, second in pairs[1:]]


def row(name: str, values: list[float], limit: str) -> str:
    median = statistics.median(values) * 1000
    return f"| {name} | {median:.0f} | {min(values) * 1000:.0f} to {max(values) * 1000:.0f} | {limit} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    python = sys.executable
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(DIGITS, folder / "art_project.py")
        os.environ |= {"ART_STORE": str(folder / "art.db"), "OMP_NUM_THREADS": "1"}
        subprocess.run([ART, "run"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        rows = [
            row(
                "`import art_training`, over bare Python",
                differences([python, "-c", "import art_training"], [python, "-c", "pass"], folder, rounds),
                "under 60",
            ),
            row("`art --help`", [seconds([str(ART), "--help"], folder) for _ in range(rounds)], "under 300"),
            row(
                "`art run`, everything recalled, over importing the project file",
                differences([str(ART), "run"], [python, "-c", "import art_project"], folder, rounds),
                "at most 500",
            ),
        ]
    text = "\n".join(
        [
            "# What starting costs",
            "",
            f"`python -m benchmarks.startup --rounds {rounds}`: whole processes, in turn; milliseconds of wall time.",
            "",
            (
                f"Machine: {platform.machine()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}; "
                f"Python {platform.python_version()}, art-training {art_training.__version__}."
            ),
            "",
            "| what | median | range | wanted |",
            "|---|---|---|---|",
            *rows,
            "",
            BELOW_ZERO,
            "",
        ]
    )
    print(text)
    REPORT.write_text(text)


if __name__ == "__main__":
    main()
