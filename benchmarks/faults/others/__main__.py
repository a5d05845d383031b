"""`python -m benchmarks.faults.others [--tool NAME] [--part opened] [--seeds 0] [--jobs 1] [--site DIRECTORY] [name ...]`.

How the tools that exist judge the cases, each in its best configuration. Every case is judged in both forms, once a seed,
each judgement in a process of its own; a clean form that several cases share is judged once. Counted are

- detected: the faulty form draws an error or a warning of a kind that its clean twin does not draw, whatever it says;
- false alarms: errors and warnings on clean twins and on clean set-ups;
- did not run: judgements that ended in an exception, or not in time.

None of these tools names our categories, so the right one first is not asked of them. DIRECTORY holds what
requirements.txt pins. Rows are written to `results/<tool>.jsonl` as they come, and are not computed again until the
file is removed; the table goes to ../OTHERS.md, unless only some cases are named.
"""

import argparse
import os
import platform
import statistics
import sys
from collections import Counter
from collections.abc import Iterable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmarks.faults import Case, load
from benchmarks.faults.others import TOOLS, versions
from benchmarks.faults.others.common import EPOCHS
from benchmarks.faults.others.judging import LIMIT, Job, in_a_process
from benchmarks.faults.rows import Counts, Key, Row, computed, counted, known, wanted

REPORT = Path(__file__).parent.with_name("OTHERS.md")
RESULTS = Path(__file__).with_name("results")
_SEEDS = 3
_TRAIN_CHECK = (
    "TrainCheck: it checks a training against invariants that it infers from the trace of a healthy one, which the user of a "
    "faulty project does not have."
)


def jobs_for(parts: Iterable[str], names: Iterable[str], seeds: Iterable[int], rows: dict[Key, Row]) -> list[Job]:
    """What is yet to be judged: a form once, with the names of all cases that share it."""
    shared: dict[tuple[str, str, str, int], list[str]] = {}
    for part, case, form, seed in wanted(parts, names, seeds):
        if (case.name, form, seed) not in rows:
            shared.setdefault((part, form, repr(getattr(case, form)), seed), []).append(case.name)
    return [(part, tuple(names), form, seed) for (part, form, _, seed), names in shared.items()]


def line(tool: str, counts: Counts) -> str:
    """The tool's line of the table."""
    detected = sum(bool(new) for _, new in counts.pairs)
    loud = sum(bool(row.serious) for row in counts.clean)
    seconds = counts.seconds or [0.0]
    return (
        f"| {tool} {versions().get(tool) or version(tool)} | {len(counts.pairs)} | {detected} | {len(counts.clean)} | {loud} "
        f"| {len(counts.broken)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"
    )


def details(tool: str, counts: Counts) -> list[str]:
    """What the tool found by name, what it says of clean forms by kind, and where it did not run."""
    alarms = Counter(code for row in counts.clean for code in {one[0] for one in row.serious})
    found = {case.name: ", ".join(dict.fromkeys(one[0] for one in new)) for case, new in counts.pairs if new}
    broken = {f"{row.case}, {row.form}": row.broken for row in counts.broken}
    return [
        f"### {tool}",
        "",
        "Detected:",
        "",
        *[f"- {name}: {codes}" for name, codes in sorted(found.items())],
        "",
        "Errors and warnings on clean forms, and on how many:",
        "",
        *[f"- {code}: {count}" for code, count in sorted(alarms.items(), key=lambda one: (-one[1], one[0]))],
        "",
        *(["Did not run:", "", *[f"- {name}: {why}" for name, why in sorted(broken.items())], ""] if broken else []),
    ]


def judged_by_all(cases: Iterable[Case], rows: dict[str, dict[Key, Row]], seeds: list[int]) -> list[Case]:
    """Cases of which every tool has judged every form."""
    forms = {case.name: ["clean", "faulty"] if case.faulty else ["clean"] for case in cases}
    return [
        case
        for case in cases
        if all(
            (case.name, form, seed) in known for known in rows.values() for form in forms[case.name] for seed in seeds
        )
    ]


def table(counts: dict[str, Counts]) -> list[str]:
    """A line for each tool."""
    return [
        "| tool | faults | detected | clean forms | with a false alarm | did not run | median seconds | worst |",
        "|---|---|---|---|---|---|---|---|",
        *[line(tool, one) for tool, one in counts.items()],
        "",
    ]


def report(part: str, tools: Iterable[str], rows: dict[str, dict[Key, Row]], seeds: list[int]) -> list[str]:
    """The table of one part, beside it that of the cases that all tools have judged if some have not, and the details."""
    cases = load(part)
    shared = judged_by_all(cases, rows, seeds)
    counts = {tool: counted(cases, rows[tool], seeds) for tool in tools}
    lines = [f"## {part}", "", *table(counts)]
    if len(shared) < len(cases):
        faults = sum(case.faulty is not None for case in shared)
        lines += [
            f"**Not complete**: not every tool has judged every one of the {len(cases)} cases; the command judges the rest. The",
            f"{len(shared)} cases ({faults} faults) that all have judged:",
            "",
            *table({tool: counted(shared, rows[tool], seeds) for tool in tools}),
        ]
    return [*lines, *[text for tool, one in counts.items() for text in details(tool, one)]]


CONFIGURATIONS = f"""\
Every case in both forms, a process a judgement; a clean form that several cases share is judged once and counts for each of
them. Detected: the faulty form draws an error or a warning of a kind that its clean twin does not draw, whatever it says.
None of these tools names the benchmark's categories, so the right one first is not asked of them, nor do they confirm. A false
alarm is an error or a warning on a clean form. What ended in an exception, or not within {LIMIT:.0f} s, did not run. Hints on speed
(workers of loaders, alignment for tensor cores, mixed precision) and on old interfaces count for nothing, in either form.

Each tool has what its documentation asks for and a project can give, on the CPU, under the project's own Trainer:

- lightning: warnings, logged warnings and the exception of a fit and a validation after it, with `detect_anomaly`; {EPOCHS} epochs.
- torch-audit: `autopatch` on every step with all its validators, the static and initial audits, and `audit_data` of whole
  batches; {EPOCHS} epochs.
- torcheck: every parameter is to change (those that are frozen, or declared so, are not to), no NaN, nothing infinite; outputs of
  a classifier are not all between 0 and 1. It raises at the first finding; here it is heard to the end; {EPOCHS} epochs.
- torchtest2: `check_model` with all checks that are on by default, on the first training batch, through its Lightning plugin, with
  the project's own optimiser, loss and declarations of what is frozen. Its plugin does not support manual optimisation; such
  a module is checked on a projection of its outputs.
- trainproof: the log of the whole training, a record an epoch but at least twelve, because checks want ten (mean loss, largest
  gradient norm, learning rate, validation loss), its checks of the objective over all targets, and its preflight of the training rows as texts. Its comparison with
  a baseline needs the healthy run that the user of a faulty project does not have.

A training of {EPOCHS} epochs is ended by a callback: `max_epochs`, and schedules that are made from it, stay as they are.
"""


def head(seeds: list[int], jobs: int) -> list[str]:
    """How it was measured."""
    return [
        "# The same silent faults, and the tools that exist",
        "",
        (
            f"`python -m benchmarks.faults.others`; seeds {', '.join(map(str, seeds))}, {jobs} at a time. Machine: {platform.machine()}, "
            f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')}. Seconds were taken beside other work."
        ),
        "",
        CONFIGURATIONS,
    ]


def not_run(parts: Iterable[str], seeds: list[int], rows: dict[str, dict[Key, Row]]) -> list[str]:
    """What could have been judged and was not, and why."""
    # A judgement that cases share is in the rows of each, with the same seconds.
    judgements = {(tool, row.form, row.seed, row.seconds) for tool, known in rows.items() for row in known.values()}
    minutes = sum(seconds for *_, seconds in judgements) / 60
    said = [_TRAIN_CHECK]
    if "held_out" not in parts:
        said.append("The held-out cases, which stay unopened while rules are written: `--part held_out` judges them.")
    if len(seeds) < _SEEDS:
        said.append(
            f"More seeds than {len(seeds)} of the {_SEEDS} that a diagnosis is measured with: the judgements here took "
            f"{minutes:.0f} minutes; `--seeds` names more."
        )
    return ["## Not run", "", *(f"- {one}" for one in said), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of names of cases")
    parser.add_argument("--tool", choices=TOOLS, action="append", help="only this one; may be given again")
    parser.add_argument("--part", choices=("opened", "held_out"), action="append", help="only this one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--site", default="", help="a directory with what requirements.txt pins")
    parser.add_argument(
        "--table", action="store_true", help="judge nothing; write the table of the rows that are there"
    )
    arguments = parser.parse_args()
    tools = () if arguments.table else tuple(arguments.tool or TOOLS)
    parts = arguments.part or ["opened"]
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.append(arguments.site)
    for tool in set(tools) & set(versions()):
        if find_spec(tool.replace("-", "_")) is None:
            parser.error(
                f"{tool} is not there; --site names a directory with what benchmarks/faults/others/requirements.txt pins"
            )
    RESULTS.mkdir(exist_ok=True)
    rows = {tool: known(RESULTS / f"{tool}.jsonl") for tool in TOOLS}
    for tool in tools:
        todo = jobs_for(parts, arguments.names, arguments.seeds, rows[tool])
        judge = partial(in_a_process, tool, arguments.site)
        rows[tool] |= computed(todo, judge, RESULTS / f"{tool}.jsonl", arguments.jobs)
    lines = [one for part in parts for one in report(part, TOOLS, rows, arguments.seeds)]
    text = "\n".join([*head(arguments.seeds, arguments.jobs), *not_run(parts, arguments.seeds, rows), *lines])
    print(text)
    if not arguments.names:
        REPORT.write_text(text)


if __name__ == "__main__":
    main()
