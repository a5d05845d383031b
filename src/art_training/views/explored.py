"""What ExploreData found in the data, topic by topic: numbers as tables, findings, and the files that show them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from art_training.records import Finding, Outcome, Reading, RunRecord
from art_training.stores import Store
from art_training.stores.fields import Cell, cell
from art_training.views.artifacts import ArtifactRow, artifacts_of
from art_training.views.rows import RunRow

MOST_ROWS = 200  # of a table; the files hold all

_PLACE = re.compile(r"(?P<place>(?:train|validation|test)(?::[^/]+)?)/(?P<name>[^/]+)")
_EVERYWHERE = "all splits"
_OTHER = "other"


@dataclass(frozen=True)
class Topic:
    """What belongs together; patterns are matched against whole names.

    Attributes:
        title: what it is about.
        scores: of the scores' names, without their place.
        readings: of the readings' names.
        artifacts: of the files' names.
        codes: of findings.
    """

    title: str
    scores: str = ""
    readings: str = ""
    artifacts: str = ""
    codes: str = ""


TOPICS = (
    Topic(
        "examples",
        scores=r"examples|nan_inputs|infinite_inputs|non_finite_(targets|examples)|blank_inputs|errors",
        readings=r"schema|examples|pictures|remedy for .*",
        artifacts=r"examples\.png|found\.csv",
        codes=r"ART10[37]",
    ),
    Topic(
        "classes",
        scores=r"classes|class_prior_distance|rarest_class|most_frequent_class_share|unseen_classes",
        readings=r"class counts|.* classes against train",
        artifacts=r"classes\.csv",
        codes=r"ART10[46]|ART112",
    ),
    Topic(
        "targets",
        scores=r"target_drift",
        readings=r"target (statistics|distribution)|.* targets against train",
        artifacts=r"targets\.csv",
        codes=r"ART11[134]|ART123",
    ),
    Topic(
        "duplicates and leaks",
        scores=r"duplicates|near_duplicates|nearly_in_.*|also_in_.*|conflicting_labels.*|leaked_share",
        readings=r"near duplicates",
        artifacts=r"near-duplicates\.csv",
        codes=r"ART10[1289]",
    ),
    Topic(
        "drift",
        scores=r"feature_drift",
        readings=r".* features against train",
        artifacts=r"drift\.csv|distributions\.png",
        codes=r"ART110",
    ),
    Topic(
        "features and outliers",
        scores=r"constant_features|axes_with_outliers|saturated_inputs",
        readings=r"feature statistics|ends of the axes",
        artifacts=r"axes\.csv",
        codes=r"ART105|ART11[56]|ART120",
    ),
    Topic(
        "label noise",
        scores=r"label_noise",
        readings=r".*label_noise|suspicious labels",
        artifacts=r"suspicious-labels\..*",
        codes=r"ART117",
    ),
    Topic(
        "sequences",
        scores=r"padding_share|truncated_share|empty_sequences|unseen_tokens_share",
        readings=r"sequence lengths",
        artifacts=r"sequences\.csv",
        codes=r"ART11[89]|ART12[12]",
    ),
)


@dataclass(frozen=True)
class NumbersTable:
    """A small table.

    Attributes:
        title: what it shows.
        columns: their names.
        rows: a cell for each column; None where there is nothing.
        note: what a reader must know.
        left_out: how many rows there are beyond `MOST_ROWS`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class ExploredSection:
    """One topic.

    Attributes:
        title: what it is about.
        tables: numbers; those of each split first.
        notes: sentences, among them what was looked for and not found, or could not be told, and why.
        findings: that are about it.
        artifacts: files that show it.
    """

    title: str
    tables: tuple[NumbersTable, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    artifacts: tuple[ArtifactRow, ...]


@dataclass(frozen=True)
class ExploredView:
    """What was found in the data.

    Attributes:
        run: that looked.
        summary: one line.
        places: the splits, and loaders of them, that were read.
        sections: topics that there is something to say about; what belongs to none stands in `other`, so that nothing
            is left out.
    """

    run: RunRow
    summary: str
    places: tuple[str, ...]
    sections: tuple[ExploredSection, ...]


def explored_of(store: Store, record: RunRecord) -> ExploredView:
    """What a run of ExploreData found; without sections while it has not ended."""
    outcome = store.outcome(record.id)
    run = RunRow.of(record, outcome)
    if outcome is None:
        return ExploredView(run, "", (), ())
    places = tuple(dict.fromkeys(found["place"] for name in outcome.scores if (found := _PLACE.fullmatch(name))))
    files = artifacts_of(store, record.id)
    sections = (_section(topic, outcome, places, files) for topic in (*TOPICS, Topic(_OTHER)))
    told = tuple(one for one in sections if one.tables or one.notes or one.findings or one.artifacts)
    return ExploredView(run, outcome.summary, places, told)


def _section(topic: Topic, outcome: Outcome, places: Sequence[str], files: Sequence[ArtifactRow]) -> ExploredSection:
    numbers = _numbers(topic, outcome, places)
    readings = [one for one in outcome.readings if _topic_of(one.name, "readings") == topic.title]
    return ExploredSection(
        title=topic.title,
        tables=(*([numbers] if numbers.rows else []), *(table for table in map(_table, readings) if table.rows)),
        notes=tuple(note for one in readings if (note := _note(one))),
        findings=tuple(one for one in outcome.findings if _topic_of(one.code, "codes") == topic.title),
        artifacts=tuple(one for one in files if _topic_of(one.name, "artifacts") == topic.title),
    )


def _topic_of(name: str, of: str) -> str:
    """The topic that something belongs to by its name."""
    return next((topic.title for topic in TOPICS if re.fullmatch(getattr(topic, of), name, re.DOTALL)), _OTHER)


def _numbers(topic: Topic, outcome: Outcome, places: Sequence[str]) -> NumbersTable:
    """Scores, a row each, beside each other by split."""
    found: dict[str, dict[str, Cell]] = {}
    notes: dict[str, list[str]] = {}
    for address, score in outcome.scores.items():
        of_place = _PLACE.fullmatch(address)
        name = of_place["name"] if of_place else address
        if _topic_of(name, "scores") == topic.title:
            found.setdefault(name, {})[of_place["place"] if of_place else _EVERYWHERE] = score.value
            notes.setdefault(score.note, []).append(address)
    columns = [place for place in (*places, _EVERYWHERE) if any(place in one for one in found.values())]
    rows = tuple((name, *(one.get(place) for place in columns)) for name, one in found.items())
    told = "; ".join(f"{', '.join(addresses)}: {note}" for note, addresses in notes.items() if note)
    return NumbersTable("by split", ("what", *columns), rows, told)


def _table(reading: Reading) -> NumbersTable:
    """A reading as a table, whatever its shape."""
    note = "; ".join(filter(None, (reading.unit, reading.note)))
    rows = list(_rows(reading.value))
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    cells = tuple(tuple(cell(row.get(name)) for name in columns) for row in rows[:MOST_ROWS])
    return NumbersTable(reading.name, columns, cells, note, max(0, len(rows) - MOST_ROWS))


def _note(reading: Reading) -> str:
    """A reading that is no table as a sentence; empty where it is one."""
    value = reading.value
    if isinstance(value, str):
        return "; ".join(filter(None, (value, reading.note)))
    if isinstance(value, int | float):
        return f"{reading.name}: " + "; ".join(filter(None, (f"{value} {reading.unit}".rstrip(), reading.note)))
    if value:
        return ""
    return f"{reading.name}: " + "; ".join(filter(None, ("" if value is None else "none", reading.note)))


def _rows(value: Any) -> Iterator[dict[str, Any]]:
    """Rows of a list of mappings, of a mapping of equally long lists, or of mappings by split and entry of a batch."""
    if isinstance(value, list):
        for one in cast("list[Any]", value):
            yield cast("dict[str, Any]", one) if isinstance(one, dict) else {"value": one}
        return
    if not isinstance(value, Mapping) or not value:
        return
    named = cast("Mapping[str, Any]", value)
    if len({len(one) if isinstance(one, list) else -1 for one in named.values()} - {-1}) == 1 and all(
        isinstance(one, list) for one in named.values()
    ):
        yield from (dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True))
    elif all(isinstance(one, Mapping) for one in named.values()):
        for name, one in named.items():
            inner = cast("Mapping[str, Any]", one)
            if inner and all(isinstance(each, Mapping) for each in inner.values()):
                yield from ({"split": name, "entry": entry, **_flat(each)} for entry, each in inner.items())
            else:
                yield {"split": name, **_flat(inner)}
    else:
        yield _flat(named)


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in one row; numbers of each feature by itself are for the files."""
    return {
        name: one for name, one in value.items() if not (isinstance(one, list) and one and isinstance(one[0], dict))
    }
