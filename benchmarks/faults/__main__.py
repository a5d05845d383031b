"""`python -m benchmarks.faults [--part opened] [--seeds 0 1 2] [--budget 60] [--jobs 1] [name ...]`: how ART diagnoses the cases.

Every case is diagnosed in both forms, once a seed, each diagnosis in a process of its own. Counted are

- detected: the faulty form draws an error or a warning of a rule that its clean twin does not draw;
- first: the category of the first such finding is one that the case accepts;
- confirmed: it was confirmed by an experiment;
- stage: the earliest of the four stages that such a finding is of;
- not judged: rules that concern the set-up and could not tell, of all that concern it;
- false alarms: errors and warnings on clean twins and on clean set-ups.

Rows are written to `results.jsonl` as they come, and are not computed again until the file is removed; without names the
account goes to REPORT.md: the opened part by name, with what `notes.toml` says of misses, the held-out one by kind of
fault alone. The sealed part is counted only where it is asked for, `--part sealed`; its rows stay in its folder, and its
account, by kind of fault too, goes to SEALED.md.
"""

import argparse
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks.faults import load
from benchmarks.faults.diagnosing import in_a_process
from benchmarks.faults.report import REPORT, SEALED, Notes, part_of, report
from benchmarks.faults.rows import computed, known, wanted

RESULTS = Path(__file__).with_name("results.jsonl")
# Beside the cases, so that nobody who looks up misses in the other rows comes across these.
SEALED_RESULTS = Path(__file__).with_name("sealed") / "results.jsonl"
PARTS = ("opened", "held_out")


def _commit() -> str:
    """The commit that is measured, and whether something that git knows was changed since."""
    said = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    return subprocess.run(said, cwd=REPORT.parent, capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of names of cases")
    parser.add_argument("--part", choices=(*PARTS, "sealed"), help="only this one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before a process is begun
    parts = (arguments.part,) if arguments.part else PARTS
    results = SEALED_RESULTS if arguments.part == "sealed" else RESULTS
    rows = known(results)
    todo = [
        (part, case.name, form, seed, arguments.budget)
        for part, case, form, seed in wanted(parts, arguments.names, arguments.seeds)
        if (case.name, form, seed) not in rows
    ]
    commit = _commit()
    rows |= computed(todo, lambda one: [replace(in_a_process(*one), commit=commit)], results, arguments.jobs)
    judged = [part_of(part, load(part), rows, arguments.seeds) for part in parts]
    text = report(judged, arguments.jobs, arguments.budget, Notes.read())
    print(text)
    written = {None: REPORT, "sealed": SEALED}.get(arguments.part)
    if written and not arguments.names:
        written.write_text(text)


if __name__ == "__main__":
    main()
