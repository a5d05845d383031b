"""What a run was made with and what it left: parameters, origin, readings, files."""

import shlex
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from art_training.checks.healthy import HEALTH
from art_training.dashboard.artifacts import artifact_url
from art_training.dashboard.parts.html import facts, h, link, table
from art_training.records import Candidate, Reading, RunRecord, plain
from art_training.views import ScoreRow
from art_training.views.artifacts import ArtifactRow
from art_training.views.readable import readable
from art_training.views.wording import score_text, shortened, size

_ROWS = 50  # of a reading that is a table
_EAGER = 12  # pictures that are loaded though one has not scrolled to them
_LINE = 160  # characters of a reading that needs no more than a line
_LONG = 2000  # characters of a value


def draw_scores(scores: tuple[ScoreRow, ...]) -> None:
    """What was measured."""
    head = ("metric", "value and interval", "examples", "note")
    rows = [
        (
            row.metric,
            score_text(row),
            f"{row.rows:,}" if row.rows is not None else "",
            "; ".join(filter(None, (row.source, row.note))),
        )
        for row in scores
    ]
    table(head, rows, caption="Table of scores", numbers=[2])


def draw_candidates(candidates: tuple[Candidate, ...]) -> None:
    """What a step compared."""
    metrics = list(dict.fromkeys(name for one in candidates for name in one.scores))[:6]
    rows = [
        (
            one.name,
            *(score_text(ScoreRow.of(name, one.scores[name])) if name in one.scores else "" for name in metrics),
            readable(plain(one.parameters)),
            one.note,
        )
        for one in candidates
    ]
    table(("candidate", *metrics, "parameters", "note"), rows, caption="Table of candidates")


def draw_readings(readings: tuple[Reading, ...]) -> None:
    """Other measurements: those of a line first, then those that open."""
    told = [(reading, plain(reading.value)) for reading in readings if reading.name != HEALTH]
    lines = [(reading, readable(value)) for reading, value in told if not _as_rows(value)]
    short = [(reading, text) for reading, text in lines if len(text) <= _LINE and "\n" not in text]
    table(
        ("reading", "value", "what it is"),
        [(one.name, " ".join(filter(None, (_or_none(text), one.unit))), one.note) for one, text in short],
        caption="Readings of a line",
    )
    for reading, text in lines:
        if (reading, text) not in short:
            with _opening(reading, ""):
                h("p", shortened(text, _LONG), "value")
    for reading, value in told:
        if rows := _as_rows(value):
            with _opening(reading, f"{len(rows)} rows"):
                _table(reading.name, rows)


def _or_none(text: str) -> str:
    return "none" if text in {"", "None"} else text


@contextmanager
def _opening(reading: Reading, beside: str) -> Generator[None]:
    with h("details", "", "reading"):
        h("summary", ", ".join(filter(None, (reading.name, beside))))
        if reading.note:
            h("p", reading.note, "soft small")
        yield


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    head = list(dict.fromkeys(title for row in rows for title in row))
    table(head, [[readable(row.get(title, "")) for title in head] for row in rows[:_ROWS]], caption=name)
    if len(rows) > _ROWS:
        h("p", f"{_ROWS} of {len(rows)}", "soft small")


def draw_setup(parameters: Mapping[str, Any]) -> None:
    """The resolved setup."""
    rows = [(name, _cell(value)) for name, value in parameters.items()]
    table(("parameter", "value"), [row for row in rows if row[1]], caption="Table of parameters")


def draw_origin(record: RunRecord) -> None:
    """Where and with what it was made."""
    origin = record.provenance
    commit = (
        f"{origin.git_commit}{' with uncommitted changes' if origin.git_dirty else ''}" if origin.git_commit else ""
    )
    facts(
        [
            ("command", shlex.join(origin.command)),
            ("folder", origin.folder),
            ("machine", origin.host),
            ("Python", origin.python),
            ("commit", commit),
            ("data", f"{origin.data_digest} {origin.data_note}".strip()),
            ("seed", str(record.seed)),
            ("fingerprint", record.fingerprint.digest),
            ("not known", "; ".join(record.fingerprint.unknown)),
        ]
    )
    for step, run in record.consumes.items():
        with h("p", "", "small"):
            h("span", f"uses {step}: ")
            link(run, "/run", query={"id": run})
    for title, pairs in (
        ("Hardware", origin.hardware),
        ("Versions", origin.versions),
        ("Seeds", {name: str(seed) for name, seed in origin.seeds.items()}),
        ("What the result depends on", record.fingerprint.components),
    ):
        if pairs:
            with h("details"):
                h("summary", f"{title} ({len(pairs)})")
                rows = [(name, _cell(plain(value))) for name, value in pairs.items()]
                table(("name", "value"), rows, caption=title)
    if origin.git_diff:
        with h("details"):
            h("summary", "Uncommitted changes")
            h("pre", origin.git_diff, "log", tabindex="0", role="region", aria_label="Diff of uncommitted changes")


def draw_pictures(left: tuple[str, tuple[ArtifactRow, ...]]) -> None:
    """The pictures among the files of a run."""
    run, rows = left
    with h("div", "", "pictures"):
        for at, row in enumerate(rows):
            with h("figure", "", "card picture"):
                with h("a", href=artifact_url(run, row), target="_blank", rel="noopener"):
                    h(
                        "img",
                        src=artifact_url(run, row),
                        alt=f"{row.name}: {row.note}" if row.note else row.name,
                        loading="eager" if at < _EAGER else "lazy",
                    )
                with h("figcaption"):
                    h("strong", row.name)
                    h("span", row.note, "soft small")


def draw_files(left: tuple[str, tuple[ArtifactRow, ...]]) -> None:
    """All files of a run, to be opened and saved."""
    run, rows = left
    with h("div", "", "scroll", tabindex="0", role="region", aria_label="Table of files"), h("table", "", "rows"):
        with h("thead"), h("tr"):
            for title in ("file", "kind", "size", "what it is", "digest"):
                h("th", title, scope="col")
        with h("tbody"):
            for row in rows:
                with h("tr"):
                    with h("td"):
                        _file(run, row)
                    h("td", row.kind)
                    h("td", size(row.bytes), "number")
                    h("td", row.note)
                    h("td", row.digest[:12], "mono", title=row.digest)


def _file(run: str, row: ArtifactRow) -> None:
    if not row.kept:
        h("span", f"{row.name} (not kept any more)", "soft")
        return
    if row.shown != "download":
        h("a", row.name, href=artifact_url(run, row), target="_blank", rel="noopener")
        h("span", " ")
        h("a", "save", "small", href=artifact_url(run, row, save=True), aria_label=f"save {row.name}")
    else:
        h("a", row.name, href=artifact_url(run, row), aria_label=f"save {row.name}")


def _as_rows(value: object) -> Sequence[Mapping[str, Any]]:
    """The rows of a table; none where it is not one."""
    if not isinstance(value, list) or not value:
        return ()
    items = cast("list[object]", value)
    return cast("list[Mapping[str, Any]]", items) if all(isinstance(item, dict) for item in items) else ()


def _cell(value: object) -> str:
    """A value as one line of a table, as it was declared."""
    return shortened(readable(value, exact=True).replace("\n", "; "), _LONG)
