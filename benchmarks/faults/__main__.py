"""`python -m benchmarks.faults [--part opened] [--seeds 0 1 2] [--budget 60] [--jobs 1] [name ...]`: how ART diagnoses the cases.

Every case is diagnosed in both forms, once a seed, each diagnosis in a process of its own. Counted are

- detected: the faulty form draws an error or a warning of a rule that its clean twin does not draw;
- first: the category of the first such finding is one that the case accepts;
- confirmed: it was confirmed by an experiment;
- stage: the earliest of the four stages that such a finding is of;
- not judged: rules that concern the set-up and could not tell, of all that concern it;
- false alarms: errors and warnings on clean twins and on clean set-ups.

Rows are written to `results.jsonl` as they come, and are not computed again until the file is removed; without names the
table goes to REPORT.md.
"""

import argparse
import os
import platform
import statistics
from collections import Counter
from pathlib import Path

from benchmarks.faults import load
from benchmarks.faults.diagnosing import in_a_process
from benchmarks.faults.rows import Key, Row, computed, counted, known, wanted

REPORT = Path(__file__).with_name("REPORT.md")
RESULTS = Path(__file__).with_name("results.jsonl")
PARTS = ("opened", "held_out")
STAGES = ("inspect", "probe", "train", "evaluate")


def table(part: str, rows: dict[Key, Row], seeds: list[int]) -> list[str]:
    """What came of one part: the counts, then misses and false alarms by name."""
    counts = counted(load(part), rows, seeds)
    found = [(case, new) for case, new in counts.pairs if new]
    missed = Counter(
        f"{case.name}: {case.title} ({', '.join(case.categories)})" for case, new in counts.pairs if not new
    )
    wrong = [(case, new[0]) for case, new in found if new[0][1] not in case.categories]
    misnamed = Counter(f"{case.name}: {one[0]}, {one[1]}, for {' or '.join(case.categories)}" for case, one in wrong)
    alarms = [f"{clean.case}, {one[0]}: {one[4]}" for clean in counts.clean for one in clean.serious]
    alarms += [f"{row.case}, {row.form}, broken: {row.broken}" for row in counts.broken]
    confirmed = sum(new[0][3] for _, new in found)
    seconds, processor = counts.seconds or [0], [row.processor for row in counts.rows] or [0]
    judging = sum(row.judging for row in counts.rows)
    unjudged = sum(len(row.unjudged) for row in counts.rows)
    stages = Counter(min((one[5] for one in new), key=STAGES.index) for _, new in found)
    return [
        f"## {part}",
        "",
        (
            "| faults | detected | right category first | confirmed, of detected | clean forms | with a false alarm | not judged "
            "| median seconds | worst | of the processor | worst |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
        (
            f"| {len(counts.pairs)} | {len(found)} | {len(found) - len(wrong)} | {confirmed} | {len(counts.clean)} "
            f"| {len({(row.case, row.seed) for row in counts.clean if row.serious or row.broken})} | {unjudged / max(judging, 1):.1%} "
            f"| {statistics.median(seconds):.1f} | {max(seconds):.1f} | {statistics.median(processor):.1f} | {max(processor):.1f} |"
        ),
        "",
        f"Earliest stage that tells: {', '.join(f'{stage} {stages[stage]}' for stage in STAGES)}.",
        "",
        *_listed("Missed", missed, seeds),
        *_listed("Called by another category first", misnamed, seeds),
        *_listed("False alarms, and what did not come to an end", Counter(alarms), seeds),
    ]


def _listed(title: str, items: Counter[str], seeds: list[int]) -> list[str]:
    """Each with how many of the seeds it came under."""
    if not items:
        return [f"{title}: none.", ""]
    return [f"{title}:", "", *(f"- {one} ({n} of {len(seeds)} seeds)" for one, n in sorted(items.items())), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of names of cases")
    parser.add_argument("--part", choices=PARTS, help="only this one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before a process is begun
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
