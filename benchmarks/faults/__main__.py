"""`python -m benchmarks.faults [--part opened] [--seeds 0 1 2] [--budget 60] [--jobs 1] [name ...]`: how ART diagnoses the cases.

Every case is diagnosed in both forms, once a seed, each diagnosis in a process of its own. Counted are

- detected: the faulty form draws an error or a warning of a rule that its clean twin does not draw;
- first: the category of the first such finding is one that the case accepts;
- confirmed: it was confirmed by an experiment;
- false alarms: errors and warnings on clean twins and on clean set-ups.

Rows are written to `results.jsonl` as they come, and are not computed again until the file is removed; without names the
table goes to REPORT.md.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults import Case, load

REPORT = Path(__file__).with_name("REPORT.md")
RESULTS = Path(__file__).with_name("results.jsonl")
PARTS = ("opened", "held_out")
_SERIOUS = {"error", "warning"}


@dataclass(frozen=True)
class Row:
    """One diagnosis of one form of a case.

    Attributes:
        found: `(code, category, severity, confirmed, message)` of each finding, in the order of the account.
        unjudged: rules that could not judge.
        broken: what broke the diagnosis.
    """

    part: str
    case: str
    form: str
    seed: int
    seconds: float
    found: list[list[Any]]
    unjudged: list[str]
    broken: str = ""

    @property
    def serious(self) -> list[list[Any]]:
        """Errors and warnings."""
        return [one for one in self.found if one[2] in _SERIOUS]


def diagnosed(part: str, name: str, form: str, seed: int, budget: float) -> Row:
    """Diagnose one form in this process."""
    import warnings

    import art_training as art

    warnings.filterwarnings("ignore")
    case = next(case for case in load(part) if case.name == name)
    make = case.faulty if form == "faulty" else case.clean
    assert make is not None
    project = make(seed)
    began = time.monotonic()
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
    found = [[f.code, f.category, f.severity.value, bool(f.confirmed_by), f.message] for f in result.findings]
    unjudged = [one.code for one in result.judged if one.state == "not judged"]
    return Row(part, name, form, seed, round(seconds, 2), found, unjudged, result.broken)


def in_a_process(part: str, name: str, form: str, seed: int, budget: float) -> Row:
    """The same in a process of its own, so that none knows of another."""
    command = [sys.executable, "-m", "benchmarks.faults", "--one", part, name, form, str(seed), str(budget)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=10 * budget
        )
    except subprocess.TimeoutExpired:
        return Row(part, name, form, seed, 10 * budget, [], [], "it did not come to an end")
    lines = [line for line in result.stdout.splitlines() if line.startswith('{"part"')]
    if not lines:
        return Row(part, name, form, seed, 0.0, [], [], f"crashed: {result.stderr.strip().splitlines()[-1:]}")
    return Row(**json.loads(lines[-1]))


def wanted(parts: Iterable[str], names: Iterable[str], seeds: Iterable[int]) -> Iterator[tuple[str, Case, str, int]]:
    """Every diagnosis that is asked for; names are beginnings."""
    chosen = tuple(names)
    for part in parts:
        for case in load(part):
            if chosen and not case.name.startswith(chosen):
                continue
            for seed in seeds:
                if case.faulty is not None:
                    yield part, case, "faulty", seed
                yield part, case, "clean", seed


def known() -> dict[tuple[str, str, int], Row]:
    """Rows that were computed before."""
    if not RESULTS.exists():
        return {}
    rows = [Row(**json.loads(line)) for line in RESULTS.read_text().splitlines()]
    return {(row.case, row.form, row.seed): row for row in rows}


def new_findings(faulty: Row, clean: Row) -> list[list[Any]]:
    """Errors and warnings that the clean twin does not draw."""
    twin = {one[0] for one in clean.serious}
    return [one for one in faulty.serious if one[0] not in twin]


def table(part: str, rows: dict[tuple[str, str, int], Row], seeds: list[int]) -> list[str]:
    """What came of one part: the counts, then misses and false alarms by name."""
    faults = detected = first = confirmed = 0
    misses: dict[str, str] = {}
    alarms: dict[str, str] = {}
    seconds: list[float] = []
    clean_forms = 0
    for case in load(part):
        for seed in seeds:
            clean = rows.get((case.name, "clean", seed))
            faulty = rows.get((case.name, "faulty", seed))
            if clean is None:
                continue
            clean_forms += 1
            seconds.append(clean.seconds)
            for one in clean.serious:
                alarms[f"{case.name}, {one[0]}"] = one[4]
            if clean.broken:
                alarms[f"{case.name}, broken"] = clean.broken
            if faulty is None:
                continue
            faults += 1
            seconds.append(faulty.seconds)
            found = new_findings(faulty, clean)
            if not found:
                misses[case.name] = f"{case.title} ({', '.join(case.categories)})"
                continue
            detected += 1
            right = found[0][1] in case.categories
            first += right
            confirmed += found[0][3]
            if not right:
                misses[f"{case.name}, detected as {found[0][0]} {found[0][1]}"] = found[0][4]
    return [
        f"## {part}",
        "",
        "| faults | detected | right category first | confirmed, of detected | clean forms | with a false alarm | median seconds | worst |",
        "|---|---|---|---|---|---|---|---|",
        (
            f"| {faults} | {detected} | {first} | {confirmed} | {clean_forms} | {len({name.split(',')[0] for name in alarms})} "
            f"| {statistics.median(seconds or [0]):.1f} | {max(seconds or [0]):.1f} |"
        ),
        "",
        "Missed, or called by another category first:",
        "",
        *[f"- {name}: {why}" for name, why in sorted(misses.items())],
        "",
        "False alarms:",
        "",
        *[f"- {name}: {why}" for name, why in sorted(alarms.items())],
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of names of cases")
    parser.add_argument("--part", choices=PARTS, help="only this one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        part, name, form, seed, budget = arguments.one
        print(json.dumps(asdict(diagnosed(part, name, form, int(seed), float(budget)))))
        return
    rows = known()
    parts = (arguments.part,) if arguments.part else PARTS
    todo = [
        (part, case.name, form, seed, arguments.budget)
        for part, case, form, seed in wanted(parts, arguments.names, arguments.seeds)
        if (case.name, form, seed) not in rows
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool, RESULTS.open("a") as file:
        for row in pool.map(lambda one: in_a_process(*one), todo):
            rows[row.case, row.form, row.seed] = row
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
            print(row.case, row.form, row.seed, row.seconds, [one[0] for one in row.serious], row.broken, flush=True)
    head = [
        "# Silent faults, and who finds them",
        "",
        (
            f"`make bench-faults`; seeds {', '.join(map(str, arguments.seeds))}, a process a diagnosis, {arguments.jobs} at a time. Machine: "
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}."
        ),
        "",
    ]
    text = "\n".join([*head, *(line for part in parts for line in table(part, rows, arguments.seeds))])
    print(text)
    if not arguments.names and not arguments.part:
        REPORT.write_text(text)


if __name__ == "__main__":
    main()
