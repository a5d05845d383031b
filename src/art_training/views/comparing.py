"""What changed between two runs, and what it did to the scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from art_training.records import Change, Outcome, Plain, Provenance, RunRecord, plain
from art_training.records.metric import address_of
from art_training.stores import Store
from art_training.views.rows import CheckRow, RunRow, ScoreRow

_OTHER_DATA = ("data digest", "data version", "data modifier")


@dataclass(frozen=True)
class ScoreChange:
    """One score in two runs.

    Attributes:
        metric: its address.
        before: the first run's; None where it has none.
        after: the second run's.
        difference: after minus before, where both exist.
        better: whether the difference is in the good direction; None where it is nil or the direction is unknown.
        apart: whether the two intervals do not overlap; None where one is missing. Two runs on the same examples may
            differ for certain though their intervals overlap; the reverse does not happen.
        unlike: why the two numbers cannot be compared, e.g. `on other data`; empty where they can. Then neither is better.
    """

    metric: str
    before: ScoreRow | None
    after: ScoreRow | None
    difference: float | None
    better: bool | None
    apart: bool | None
    unlike: str = ""


@dataclass(frozen=True)
class CheckChange:
    """One check's answers to two runs; None where a run was not asked."""

    check: str
    before: CheckRow | None
    after: CheckRow | None


@dataclass(frozen=True)
class Side:
    """The code that a run was made with.

    Attributes:
        commit: the commit that was checked out; empty outside a repository.
        dirty: whether tracked files differed from it.
        files: those files.
    """

    commit: str
    dirty: bool
    files: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What tells two runs apart.

    Attributes:
        before: the first run.
        after: the second run.
        fingerprint: components on which the result depends: model, data, hparams, trainer, ...
        parameters: what the setup declared, as far as the fingerprint does not say it already.
        versions: installed distributions and the interpreter.
        machine: host, hardware and folder.
        code_before: the first run's code.
        code_after: the second run's code.
        files: files whose uncommitted changes differ between the two.
        scores: what it did to the scores.
        checks: what it did to the checks.
    """

    before: RunRow
    after: RunRow
    fingerprint: tuple[Change, ...]
    parameters: tuple[Change, ...]
    versions: tuple[Change, ...]
    machine: tuple[Change, ...]
    code_before: Side
    code_after: Side
    files: tuple[str, ...]
    scores: tuple[ScoreChange, ...]
    checks: tuple[CheckChange, ...]


def difference(store: Store, before: RunRecord, after: RunRecord) -> Difference:
    """What changed from one run to another."""
    first, second = store.outcome(before.id), store.outcome(after.id)
    old, new = before.provenance, after.provenance
    fingerprint = after.fingerprint.changes(before.fingerprint)
    told = {declared(change.component) for change in fingerprint}
    patches = patches_of(old.git_diff), patches_of(new.git_diff)
    return Difference(
        before=RunRow.of(before, first),
        after=RunRow.of(after, second),
        fingerprint=fingerprint,
        parameters=tuple(
            change for change in _changes(before.parameters, after.parameters) if declared(change.component) not in told
        ),
        versions=_changes({"python": old.python, **old.versions}, {"python": new.python, **new.versions}),
        machine=_changes(machine_of(old), machine_of(new)),
        code_before=Side(old.git_commit, old.git_dirty, tuple(patches[0])),
        code_after=Side(new.git_commit, new.git_dirty, tuple(patches[1])),
        files=tuple(sorted(n for n in {*patches[0], *patches[1]} if patches[0].get(n) != patches[1].get(n))),
        scores=_score_changes(first, second, fingerprint),
        checks=_check_changes(store, before, after),
    )


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    old, new = ({name: plain(value) for name, value in side.items()} for side in (before, after))
    return tuple(
        Change(name, old.get(name), new.get(name)) for name in sorted({*old, *new}) if old.get(name) != new.get(name)
    )


def machine_of(provenance: Provenance) -> dict[str, Plain]:
    """The machine that a run was made on, and the folder."""
    hardware = {str(name): plain(value) for name, value in provenance.hardware.items()}
    return {"host": provenance.host, "folder": provenance.folder, **hardware}


def declared(component: str) -> str:
    """A component as a setup declares it: what code it is of is no other place (`model: lr`, `model.lr`)."""
    return component.replace(": ", ".")


def _score_changes(
    before: Outcome | None, after: Outcome | None, fingerprint: tuple[Change, ...]
) -> tuple[ScoreChange, ...]:
    old, new = (before.scores if before else {}), (after.scores if after else {})
    changes: list[ScoreChange] = []
    for metric in dict.fromkeys([*old, *new]):
        a = ScoreRow.of(metric, old[metric]) if metric in old else None
        b = ScoreRow.of(metric, new[metric]) if metric in new else None
        changes.append(_score_change(metric, a, b, {declared(change.component) for change in fingerprint}))
    return tuple(changes)


def unlike(metric: str, a: ScoreRow, b: ScoreRow, changed: set[str]) -> str:
    """Why two numbers of one name cannot be compared."""
    address = address_of(metric)
    name = address.name if address else metric
    if any(component.startswith(_OTHER_DATA) for component in changed):
        return "on other data"
    if name == "loss" and (a.source != b.source or any(one.startswith("model.loss") for one in changed)):
        return "of another loss"
    return "of another metric" if f"metrics.{name.partition('.')[0]}" in changed else ""


def _score_change(metric: str, a: ScoreRow | None, b: ScoreRow | None, changed: set[str]) -> ScoreChange:
    if a is None or b is None:
        return ScoreChange(metric, a, b, None, None, None)
    moved = b.value - a.value
    if why := unlike(metric, a, b, changed):
        return ScoreChange(metric, a, b, moved, None, None, why)
    way = b.direction or a.direction
    better = None if way is None or not moved or moved != moved else (moved > 0) == (way == "maximize")  # noqa: PLR0124
    apart = None
    if a.low is not None and a.high is not None and b.low is not None and b.high is not None:
        apart = a.high < b.low or b.high < a.low
    return ScoreChange(metric, a, b, moved, better, apart)


def _check_changes(store: Store, before: RunRecord, after: RunRecord) -> tuple[CheckChange, ...]:
    sides: list[dict[str, CheckRow]] = []
    for record in (before, after):
        judgements = store.judgements(record.id)
        verdicts = judgements[-1].verdicts if judgements else ()
        sides.append({verdict.check: CheckRow.of(verdict) for verdict in verdicts})
    old, new = sides
    return tuple(CheckChange(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new]))


def patches_of(diff: str) -> dict[str, str]:
    """The parts of a unified diff of git by file."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            name = line.rpartition(" b/")[2]
        found.setdefault(name, []).append(line)
    found.pop("", None)
    return {name: "\n".join(lines) for name, lines in found.items()}
