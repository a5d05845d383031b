"""Rows of the fault benchmark, whoever judged: written as they come, read back, counted against the clean twins."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.faults import Case, load

_SERIOUS = {"error", "warning"}
Key = tuple[str, str, int]
Job = TypeVar("Job")


@dataclass(frozen=True)
class Row:
    """One judgement of one form of a case.

    Attributes:
        seconds: of the clock.
        found: `(code, category, severity, confirmed, message)` of each finding, in the order of the account; of a diagnosis
            also its stage.
        unjudged: rules that could not judge.
        broken: what broke the judgement.
        processor: seconds of the processor, which what else the machine does hardly changes.
        judging: rules that concern the setup.
        judged: `(code, name, state, reason)` of each rule.
        commit: of the code that judged.
    """

    part: str
    case: str
    form: str
    seed: int
    seconds: float
    found: list[list[Any]]
    unjudged: list[str]
    broken: str = ""
    processor: float = 0.0
    judging: int = 0
    judged: list[list[str]] = field(default_factory=list[Any])
    commit: str = ""

    @property
    def key(self) -> Key:
        return self.case, self.form, self.seed

    @property
    def serious(self) -> list[list[Any]]:
        """Errors and warnings."""
        return [one for one in self.found if one[2] in _SERIOUS]


def wanted(parts: Iterable[str], names: Iterable[str], seeds: Iterable[int]) -> Iterator[tuple[str, Case, str, int]]:
    """Every judgement that is asked for; names are beginnings."""
    chosen = tuple(names)
    for part in parts:
        for case in load(part):
            if chosen and not case.name.startswith(chosen):
                continue
            for seed in seeds:
                if case.faulty is not None:
                    yield part, case, "faulty", seed
                yield part, case, "clean", seed


def known(results: Path) -> dict[Key, Row]:
    """Rows that were computed before."""
    if not results.exists():
        return {}
    rows = [Row(**json.loads(line)) for line in results.read_text().splitlines()]
    return {row.key: row for row in rows}


def computed(todo: Iterable[Job], judge: Callable[[Job], Sequence[Row]], results: Path, jobs: int) -> dict[Key, Row]:
    """Rows of every job, appended to the file as they come; a job may answer for several cases."""
    rows: dict[Key, Row] = {}
    with ThreadPoolExecutor(jobs) as pool, results.open("a") as file:
        for answer in pool.map(judge, todo):
            for row in answer:
                rows[row.key] = row
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()
                print(*_told(row), flush=True)
    return rows


def _told(row: Row) -> list[Any]:
    """What stands in the terminal; of a sealed case nothing that tells which it is."""
    if row.part == "sealed":
        return [row.part, row.form, row.seed, row.seconds]
    return [row.case, row.form, row.seed, row.seconds, [one[0] for one in row.serious], row.broken]


def new_findings(faulty: Row, clean: Row) -> list[list[Any]]:
    """Errors and warnings that the clean twin does not draw."""
    twin = {one[0] for one in clean.serious}
    return [one for one in faulty.serious if one[0] not in twin]


@dataclass
class Counts:
    """What came of cases.

    Attributes:
        pairs: every fault that was judged in both forms, with the findings that its clean twin does not draw.
        clean: every clean form that was judged.
        broken: judgements that did not come to an end.
        rows: all judgements.
    """

    pairs: list[tuple[Case, list[list[Any]]]] = field(default_factory=list[Any])
    clean: list[Row] = field(default_factory=list[Row])
    broken: list[Row] = field(default_factory=list[Row])
    rows: list[Row] = field(default_factory=list[Row])

    @property
    def seconds(self) -> list[float]:
        """Of each judgement."""
        return [row.seconds for row in self.rows]


def counted(cases: Iterable[Case], rows: dict[Key, Row], seeds: Iterable[int]) -> Counts:
    """Of the cases whose clean form was judged."""
    counts = Counts()
    seeds = tuple(seeds)
    for case in cases:
        for seed in seeds:
            clean, faulty = rows.get((case.name, "clean", seed)), rows.get((case.name, "faulty", seed))
            if clean is None:
                continue
            counts.clean.append(clean)
            counts.rows.append(clean)
            counts.broken += [row for row in (clean, faulty) if row is not None and row.broken]
            if faulty is not None:
                counts.rows.append(faulty)
                counts.pairs.append((case, new_findings(faulty, clean)))
    return counts
