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
from dataclasses import asdict
from pathlib import Path

from benchmarks.faults import load
from benchmarks.faults.rows import Key, Row, computed, counted, known, wanted

REPORT = Path(__file__).with_name("REPORT.md")
RESULTS = Path(__file__).with_name("results.jsonl")
PARTS = ("opened", "held_out")


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


def table(part: str, rows: dict[Key, Row], seeds: list[int]) -> list[str]:
    """What came of one part: the counts, then misses and false alarms by name."""
    counts = counted(load(part), rows, seeds)
    found = [(case, new) for case, new in counts.pairs if new]
    misses = {case.name: f"{case.title} ({', '.join(case.categories)})" for case, new in counts.pairs if not new}
    wrong = [(case, new[0]) for case, new in found if new[0][1] not in case.categories]
    misses |= {f"{case.name}, detected as {one[0]} {one[1]}": one[4] for case, one in wrong}
    alarms = {f"{clean.case}, {one[0]}": one[4] for clean in counts.clean for one in clean.serious}
    alarms |= {f"{clean.case}, broken": clean.broken for clean in counts.clean if clean.broken}
    confirmed = sum(new[0][3] for _, new in found)
    seconds = counts.seconds or [0]
    return [
        f"## {part}",
        "",
        "| faults | detected | right category first | confirmed, of detected | clean forms | with a false alarm | median seconds | worst |",
        "|---|---|---|---|---|---|---|---|",
        (
            f"| {len(counts.pairs)} | {len(found)} | {len(found) - len(wrong)} | {confirmed} | {len(counts.clean)} "
            f"| {len({name.split(',')[0] for name in alarms})} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"
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
    rows = known(RESULTS)
    parts = (arguments.part,) if arguments.part else PARTS
    todo = [
        (part, case.name, form, seed, arguments.budget)
        for part, case, form, seed in wanted(parts, arguments.names, arguments.seeds)
        if (case.name, form, seed) not in rows
    ]
    rows |= computed(todo, lambda one: [in_a_process(*one)], RESULTS, arguments.jobs)
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
