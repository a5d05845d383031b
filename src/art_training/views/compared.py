"""Two to ten runs side by side: what tells them apart, and what it did. What all of them share is left out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from art_training.errors import ProjectError
from art_training.records import Outcome, Plain, RunRecord, plain
from art_training.records.counted import counted
from art_training.records.plain import show
from art_training.stores import Store
from art_training.views.comparing import declared, machine_of, patches_of, unlike
from art_training.views.points import PointsRow, points_of
from art_training.views.rows import CheckRow, RunRow, ScoreRow

FEWEST, MOST = 2, 10
_SHORT = 12  # digits of a digest: enough to tell two apart

_SECTIONS = (
    "hyper-parameters", "trainer", "data", "code", "step", "built on", "seed", "other", "versions", "environment",
)  # fmt: skip
_OF_PART = {
    "hparams": "hyper-parameters",
    "trainer": "trainer",
    "data": "data",
    "model": "code",
    "metrics": "code",
    "outputs": "code",
    "callbacks": "code",
    "step": "step",
    "consumes": "built on",
    "seed": "seed",
}


@dataclass(frozen=True)
class ComparedRow:
    """One thing in which the runs differ.

    Attributes:
        name: what it is.
        values: one a run, as text; None where the run has no such thing.
        digest: whether the values are digests, of which one sees only that they differ.
    """

    name: str
    values: tuple[str | None, ...]
    digest: bool = False


@dataclass(frozen=True)
class ComparedSection:
    """Things of one kind.

    Attributes:
        title: of what kind.
        rows: in which the runs differ, by name.
        shared: how many things of this kind all of them share.
    """

    title: str
    rows: tuple[ComparedRow, ...]
    shared: int


@dataclass(frozen=True)
class ComparedScore:
    """One score in all runs.

    Attributes:
        metric: its address.
        scores: one a run; None where a run has none.
        unlike: one a run: why its number cannot be compared with that of the first run that has one; empty where it can.
        best: which run's is the best of those that can be compared so; None where the direction is unknown,
            several are equally good, or there is nothing to compare.
        apart: whether the best one's interval overlaps with none of those that it is compared with; None where an
            interval is missing.
    """

    metric: str
    scores: tuple[ScoreRow | None, ...]
    unlike: tuple[str, ...]
    best: int | None
    apart: bool | None


@dataclass(frozen=True)
class ComparedCheck:
    """One check whose answers differ; None where a run was not asked."""

    check: str
    answers: tuple[CheckRow | None, ...]


@dataclass(frozen=True)
class ComparedCurve:
    """One curve in all runs that have it.

    Attributes:
        name: of the curve.
        panel: what belongs in one picture with it.
        runs: one a run; None where a run has no such curve.
    """

    name: str
    panel: str
    runs: tuple[PointsRow | None, ...]


@dataclass(frozen=True)
class ComparedFile:
    """A file whose uncommitted changes differ: the part of each run's `git diff`; empty where the file was as committed."""

    name: str
    patches: tuple[str, ...]


@dataclass(frozen=True)
class ComparedView:
    """Several runs side by side, in the order in which they were given.

    Attributes:
        runs: the runs.
        sections: in what they differ; those without a difference are left out, and counted in `shared`.
        shared: how many things all of them share.
        commits: the commit of each; empty outside a repository.
        files: whose uncommitted changes differ.
        scores: in the order of the first run that has them.
        checks: whose answers differ.
        curves: by name.
    """

    runs: tuple[RunRow, ...]
    sections: tuple[ComparedSection, ...]
    shared: int
    commits: tuple[str, ...]
    files: tuple[ComparedFile, ...]
    scores: tuple[ComparedScore, ...]
    checks: tuple[ComparedCheck, ...]
    curves: tuple[ComparedCurve, ...] = field(default=())


def compared_of(
    store: Store, records: Sequence[RunRecord], names: Sequence[str] | None = None, limit: int = 1000
) -> ComparedView:
    """Several runs side by side.

    Args:
        store: where they are.
        records: two to ten different runs; the first is the one that the others are compared with.
        names: of the curves; None means all.
        limit: of points of each curve.

    Raises:
        ProjectError: they are too few, too many, or one is given twice.
    """
    ids = [record.id for record in records]
    if not FEWEST <= len(ids) <= MOST:
        raise ProjectError(f"{counted(len(ids), 'run')} cannot be compared; give {FEWEST} to {MOST}")
    if len({*ids}) < len(ids):
        raise ProjectError(f"run {next(run for run in ids if ids.count(run) > 1)} is given twice; give different runs")
    outcomes = [store.outcome(run) for run in ids]
    sections = _sections(records)
    return ComparedView(
        runs=tuple(RunRow.of(record, outcome) for record, outcome in zip(records, outcomes, strict=True)),
        sections=tuple(section for section in sections if section.rows),
        shared=sum(section.shared for section in sections),
        commits=tuple(record.provenance.git_commit for record in records),
        files=_files(records),
        scores=_scores(records, outcomes),
        checks=_checks(store, ids),
        curves=_curves(store, ids, names, limit),
    )


def _sections(records: Sequence[RunRecord]) -> tuple[ComparedSection, ...]:
    sides: dict[str, list[dict[str, Plain]]] = {title: [{} for _ in records] for title in _SECTIONS}
    for place, record in enumerate(records):
        for name, value in _made_of(record).items():
            title = _OF_PART.get(name.split(":")[0].split(".")[0].split(" ")[0], "other")
            sides[title][place][name] = value
        made = record.provenance
        sides["code"][place] |= {"git commit": made.git_commit, "uncommitted changes": made.git_dirty}
        sides["versions"][place] = {"python": made.python, **made.versions}
        sides["environment"][place] = machine_of(made)
    return tuple(_section(title, values) for title, values in sides.items())


def _made_of(record: RunRecord) -> dict[str, Plain]:
    """The components of a fingerprint, and of the parameters what no component says."""
    components = dict(record.fingerprint.components)
    told = {declared(name) for name in components}
    return components | {name: plain(value) for name, value in record.parameters.items() if declared(name) not in told}


def _section(title: str, sides: Sequence[Mapping[str, Plain]]) -> ComparedSection:
    names = sorted({name for side in sides for name in side})
    rows: list[ComparedRow] = []
    for name in names:
        if len({repr(side[name]) if name in side else None for side in sides}) > 1:
            values = tuple(_text(side[name]) if name in side else None for side in sides)
            rows.append(ComparedRow(name, values, any(_is_digest(side.get(name)) for side in sides)))
    return ComparedSection(title, tuple(rows), len(names) - len(rows))


def _text(value: Plain) -> str:
    if isinstance(value, dict) and _is_digest(value):
        return str(value["digest"])[:_SHORT]
    return value if isinstance(value, str) else show(value)


def _is_digest(value: Plain) -> bool:
    return isinstance(value, dict) and set(value) == {"digest"}


def _files(records: Sequence[RunRecord]) -> tuple[ComparedFile, ...]:
    patches = [patches_of(record.provenance.git_diff) for record in records]
    names = sorted({name for one in patches for name in one})
    found = (ComparedFile(name, tuple(one.get(name, "") for one in patches)) for name in names)
    return tuple(one for one in found if len({*one.patches}) > 1)


def _scores(records: Sequence[RunRecord], outcomes: Sequence[Outcome | None]) -> tuple[ComparedScore, ...]:
    scores = [outcome.scores if outcome else {} for outcome in outcomes]
    changed: dict[int, list[set[str]]] = {}
    found: list[ComparedScore] = []
    for metric in dict.fromkeys(name for one in scores for name in one):
        rows = tuple(ScoreRow.of(metric, one[metric]) if metric in one else None for one in scores)
        base, first = next((place, row) for place, row in enumerate(rows) if row is not None)
        if base not in changed:
            changed[base] = _changed(records, base)
        why = tuple(
            "" if row is None else unlike(metric, first, row, of) for row, of in zip(rows, changed[base], strict=True)
        )
        best, apart = _best(rows, why)
        found.append(ComparedScore(metric, rows, why, best, apart))
    return tuple(found)


def _changed(records: Sequence[RunRecord], base: int) -> list[set[str]]:
    """In what each run was made otherwise than one of them."""
    made = records[base].fingerprint
    return [{declared(change.component) for change in record.fingerprint.changes(made)} for record in records]


def _best(rows: Sequence[ScoreRow | None], why: Sequence[str]) -> tuple[int | None, bool | None]:
    alike = {
        place: row for place, row in enumerate(rows) if row is not None and not why[place] and not math.isnan(row.value)
    }
    ways = {row.direction for row in alike.values() if row.direction is not None}
    if len(alike) < FEWEST or len(ways) != 1:
        return None, None
    choose: Callable[..., float] = max if ways == {"maximize"} else min
    value = choose(row.value for row in alike.values())
    best = [place for place, row in alike.items() if row.value == value]
    if len(best) > 1:
        return None, None
    others = [row for place, row in alike.items() if place != best[0]]
    return best[0], _is_apart(alike[best[0]], others)


def _is_apart(best: ScoreRow, others: Sequence[ScoreRow]) -> bool | None:
    apart = True
    for other in others:
        if best.low is None or best.high is None or other.low is None or other.high is None:
            return None
        apart = apart and (best.high < other.low or other.high < best.low)
    return apart


def _checks(store: Store, runs: Sequence[str]) -> tuple[ComparedCheck, ...]:
    answers: list[dict[str, CheckRow]] = []
    for run in runs:
        judgements = store.judgements(run)
        verdicts = judgements[-1].verdicts if judgements else ()
        answers.append({verdict.check: CheckRow.of(verdict) for verdict in verdicts})
    names = dict.fromkeys(name for one in answers for name in one)
    found = (ComparedCheck(name, tuple(one.get(name) for one in answers)) for name in names)
    return tuple(one for one in found if len({answer and answer.state for answer in one.answers}) > 1)


def _curves(store: Store, runs: Sequence[str], names: Sequence[str] | None, limit: int) -> tuple[ComparedCurve, ...]:
    found = [{row.name: row for row in points_of(store, run, names, limit)} for run in runs]
    panels = {name: row.panel for one in found for name, row in one.items()}
    return tuple(ComparedCurve(name, panel, tuple(one.get(name) for one in found)) for name, panel in panels.items())
