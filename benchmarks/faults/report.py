"""What the rows of the benchmark say: counts of its parts, the opened one by name, the others by kind of fault."""

import os
import platform
import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.faults import Case
from benchmarks.faults.figures import ASKED, figures, reached
from benchmarks.faults.rows import Counts, Key, Row, counted

STAGES = ("inspect", "probe", "train", "evaluate")
REPORT = Path(__file__).with_name("REPORT.md")
NOTES = Path(__file__).with_name("notes.toml")
SEALED = Path(__file__).with_name("SEALED.md")
KINDS = tuple(Path(__file__).with_name(part) / "kinds.toml" for part in ("held_out", "sealed"))
_TITLES = {"opened": "opened", "held_out": "held out", "sealed": "sealed"}
_WIDTH = 138


@dataclass(frozen=True)
class Notes:
    """What rows cannot say by themselves.

    Attributes:
        commit: of the rows that `run`, `held_out` and `missed` tell of.
        history: of the held-out part; it holds for every measurement.
        run: how it was measured.
        held_out: a remark on the figures of that part.
        sealed: how the sealed part came to be; it holds for every measurement.
        missed: why an opened case was missed.
        kinds: of held-out and sealed cases, the kind of fault in words that do not tell the case.
    """

    commit: str = ""
    history: str = ""
    run: str = ""
    held_out: str = ""
    sealed: str = ""
    missed: Mapping[str, str] = field(default_factory=dict[str, str])
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def read(cls) -> "Notes":
        """Those that stand beside this file."""
        # A checkout may be without one of these parts, and then without its kinds.
        kinds = {name: kind for one in KINDS if one.exists() for name, kind in tomllib.loads(one.read_text()).items()}
        return cls(**tomllib.loads(NOTES.read_text()), kinds=kinds)

    def about(self, commits: set[str]) -> "Notes":
        """What of them is true of rows of these commits: reasons that were found at another may hold no longer."""
        return self if commits == {self.commit} else replace(self, run="", held_out="", missed={})

    def kind(self, case: Case) -> str:
        return self.kinds.get(case.name, "a kind that is not told")


@dataclass(frozen=True)
class Part:
    """One part of the benchmark, judged.

    Attributes:
        counts: over all seeds.
        seeds: of each seed, its own counts.
    """

    name: str
    counts: Counts
    seeds: dict[int, Counts]

    @property
    def title(self) -> str:
        return _TITLES[self.name]

    def shown(self) -> list[tuple[Case, int, int]]:
        """Each fault, with how many seeds show it and for how many it was judged."""
        result: dict[str, tuple[Case, int, int]] = {}
        for case, new in self.counts.pairs:
            _, shown, judged = result.get(case.name, (case, 0, 0))
            result[case.name] = (case, shown + bool(new), judged + 1)
        return list(result.values())

    def misnamed(self, called: Callable[[Case, str], str]) -> list[str]:
        """Faults that were called by another category first, as `called` puts the case and the code."""
        seeds = Counter(
            # By the case too: what is put alike of two cases are two lines.
            (case.name, f"{called(case, new[0][0])}{new[0][1]}, for {' or '.join(case.categories)}")
            for case, new in self.counts.pairs
            if new and new[0][1] not in case.categories
        )
        return [f"{one} ({_seeds(n, len(self.seeds))})" for (_, one), n in seeds.items()]


def part_of(name: str, cases: Sequence[Case], rows: dict[Key, Row], seeds: Sequence[int]) -> Part:
    """The counts of a part."""
    return Part(name, counted(cases, rows, seeds), {seed: counted(cases, rows, [seed]) for seed in seeds})


def report(parts: Sequence[Part], jobs: int, budget: float, notes: Notes) -> str:
    """The whole account; names of held-out and sealed cases are not in it."""
    commits = {row.commit for part in parts for row in part.counts.rows}
    notes = notes.about(commits)
    lines = [*_head(parts, jobs, budget, commits, notes), *_counts(parts), *_by_seeds(parts), *_by_stage(parts)]
    for part in parts:
        lines += _opened(part, notes) if part.name == "opened" else _by_kind(part, notes)
    return "\n".join(lines).rstrip() + "\n"


def _head(parts: Sequence[Part], jobs: int, budget: float, commits: set[str], notes: Notes) -> list[str]:
    seeds = ", ".join(str(seed) for seed in sorted({seed for part in parts for seed in part.seeds}))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "lightning"))
    measured = (
        f"Measured at commit {' and '.join(sorted(commits))}."
        if commits and all(commits)
        else "At which commit is not known."
    )
    return [
        "# Silent faults, and how ART diagnoses them",
        "",
        *_text(
            f"{_command(parts, jobs)}; seeds {seeds}; every case in both "
            f"forms, each diagnosis in a process of its own, {jobs} at a time, with a budget of {budget:g} s. Machine: "
            f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}. {measured} "
            f"{notes.run}"
        ),
        "",
        *_text(
            "Detected: the faulty form draws an error or a warning of a rule that its clean twin does not draw. Right first: "
            "the category of the first such finding is one that the case accepts. Confirmed: that finding was confirmed by "
            "an experiment. Not judged: rules that concern the set-up and could not tell, of all that concern it. A false "
            "alarm is an error or a warning on a clean twin or on a clean set-up, or a diagnosis of one that did not come to "
            "an end. A fault counts once for each seed; confirmed is a share of the detected; seconds are the median and the "
            "worst of every diagnosis, of both forms."
        ),
        "",
    ]


def _command(parts: Sequence[Part], jobs: int) -> str:
    if [part.name for part in parts] == ["sealed"]:
        return f"`python -m benchmarks.faults --part sealed --jobs {jobs}`"
    return f"`make bench-faults`, which is `python -m benchmarks.faults --jobs {jobs}`"


def _counts(parts: Sequence[Part]) -> list[str]:
    columns = list(figures().cells)
    rows = [(f"{part.title}, all seeds", figures(part.counts)) for part in parts]
    if len(parts) > 1:
        rows.append(("together", figures(*(part.counts for part in parts))))
    single = [(f"{part.title}, seed {seed}", figures(one)) for part in parts for seed, one in part.seeds.items()]
    asked = ["asked", *(ASKED[column][0] if column in ASKED else "" for column in columns)]
    return [
        "## Counts",
        "",
        *_table(["part", *columns], *([title, *one.cells.values()] for title, one in rows), asked),
        *(_line([title, *one.cells.values()]) for title, one in single),
        "",
        *_text(" ".join(reached(part.title, figures(part.counts)) for part in parts)),
        "",
    ]


def _by_seeds(parts: Sequence[Part]) -> list[str]:
    rows: list[list[Any]] = []
    for part in parts:
        shown = part.shown()
        every, none = sum(n == of for _, n, of in shown), sum(n == 0 for _, n, _ in shown)
        rows.append([part.title, len(shown), every, len(shown) - every - none, none])
    head = ["part", "faults", "with every seed", "with some", "with none"]
    return ["Faults by the number of seeds that show them:", "", *_table(head, *rows), ""]


def _by_stage(parts: Sequence[Part]) -> list[str]:
    rows: list[list[Any]] = []
    for part in parts:
        earliest = Counter(min((one[5] for one in new), key=STAGES.index) for _, new in part.counts.pairs if new)
        rows.append([part.title, *(earliest[stage] for stage in STAGES)])
    return ["Earliest stage that tells:", "", *_table(["part", *STAGES], *rows), ""]


def _opened(part: Part, notes: Notes) -> list[str]:
    """Misses, other names and alarms, each by name and with how many of the seeds it came under."""
    missed = [
        f"`{case.name}` ({_seeds(of - n, of)}): {case.title}. Accepted: {', '.join(case.categories)}. "
        f"{notes.missed.get(case.name, 'Why is not known.')}"
        for case, n, of in part.shown()
        if n < of
    ]
    alarms: dict[str, list[str]] = {}
    for row in part.counts.clean:
        # Two findings of one rule are one alarm; what they say differs by seed, so the first stands for all.
        for code, message in {one[0]: one[4] for one in reversed(row.serious)}.items():
            alarms.setdefault(f"`{row.case}`: {code}", []).append(message)
    for row in part.counts.broken:
        alarms.setdefault(f"`{row.case}`, {row.form}: did not come to an end", []).append(row.broken)
    return [
        "## The opened part, by name",
        "",
        *_listed("Missed", missed),
        *_listed("Called by another category first", part.misnamed(lambda case, code: f"`{case.name}`: {code}, ")),
        *_listed(
            "False alarms, and what did not come to an end",
            [f"{one} ({_seeds(len(said), len(part.seeds))}), {said[0]}" for one, said in alarms.items()],
        ),
    ]


def _by_kind(part: Part, notes: Notes) -> list[str]:
    """Kinds of faults alone: those who write rules do not know the cases."""
    missed = Counter((notes.kind(case), of - n, of) for case, n, of in part.shown() if n < of)
    alarms = Counter(f"{code} on a clean form" for row in part.counts.clean for code in {one[0] for one in row.serious})
    alarms += Counter("a diagnosis did not come to an end" for _ in part.counts.broken)
    return [
        f"## The {part.title.replace(' ', '-')} part, by kind",
        "",
        *_text(notes.sealed if part.name == "sealed" else f"{notes.history} {notes.held_out}"),
        "",
        *_listed(
            "Missed",
            [
                f"{kind} ({'' if faults == 1 else f'{faults} faults, '}{_seeds(n, of)})"
                for (kind, n, of), faults in sorted(missed.items())
            ],
        ),
        *_listed("Called by another category first", part.misnamed(lambda case, _: f"{notes.kind(case)}: ")),
        *_listed("False alarms, and what did not come to an end", [f"{one}: {n}" for one, n in sorted(alarms.items())]),
    ]


def _seeds(number: int, of: int) -> str:
    return f"{number} of {of} seeds"


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _table(head: Sequence[str], *rows: Sequence[Any]) -> list[str]:
    return [_line(head), "|---" * len(head) + "|", *(_line(row) for row in rows)]


def _listed(title: str, items: Iterable[str]) -> list[str]:
    lines = [line for item in items for line in _text(f"- {item}", indent="  ")]
    return [f"{title}:", "", *lines, ""] if lines else [f"{title}: none.", ""]


def _text(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()), _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
