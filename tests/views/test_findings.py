"""Findings over time."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from art_training.checks.healthy import HEALTH
from art_training.records import Finding, Outcome, Reading, RunStatus, Severity
from art_training.stores import Store
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views.findings import FindingRow, findings_of

DEAD = Finding("ART411", "model", Severity.WARNING, "12 units are dead", {"units": 12}, "a smaller rate", "net.py:12")
FIXED = Finding(
    "ART510", "optimizer", Severity.ERROR, "head gets no step", {"parameters": 2}, "pass it", "head", "a trial", "train"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def keep(store: Store, minute: int, *findings: Finding, **more: Any) -> str:
    return keep_run(store, "Diagnose", minute=minute, findings=findings, **more).id


def only(store: Store) -> FindingRow:
    (row,) = findings_of(store, "toy")
    return row


def test_a_finding_is_open_while_the_newest_run_has_it(store: Store) -> None:
    runs = [keep(store, minute, DEAD) for minute in range(3)]
    row = only(store)
    assert (row.state, row.settled, row.runs, row.step) == ("open", "", tuple(runs), "Diagnose")
    assert (row.first_seen.minute, row.last_seen.minute) == (0, 2)
    assert (row.message, row.remedy, row.evidence) == ("12 units are dead", "a smaller rate", {"units": 12})


def test_a_finding_is_gone_when_the_newest_run_has_it_no_more_and_open_when_it_comes_back(store: Store) -> None:
    first = keep(store, 0, DEAD)
    clean = keep(store, 1)
    row = only(store)
    assert (row.state, row.settled, row.settled_by, row.runs) == ("settled", "gone", clean, (first,))
    keep(store, 2)
    assert only(store).settled_by == clean  # whatever runs come later
    again = keep(store, 3, DEAD)
    assert (only(store).state, only(store).runs) == ("open", (first, again))


def test_a_run_that_did_not_come_to_its_end_settles_nothing(store: Store) -> None:
    keep(store, 0, DEAD)
    keep(store, 1, status=RunStatus.INTERRUPTED)
    keep(store, 2, status=RunStatus.RUNNING)
    keep_run(store, "Overfit", minute=3)
    assert only(store).state == "open"


def test_an_ignored_rule_is_settled_with_its_reason(store: Store) -> None:
    keep(store, 0, DEAD)
    keep(store, 1, parameters={"step.ignore": {"ART411": "on purpose"}})
    assert (only(store).settled, only(store).reason) == ("ignored", "on purpose")
    gone = [keep(store, minute) for minute in range(2, 30)]
    assert (only(store).settled, only(store).settled_by) == ("gone", gone[0])


def test_a_declaration_that_settles_the_rule_is_told(store: Store) -> None:
    """One that was there before, or that is about something else, settled nothing."""
    keep(store, 0, FIXED, parameters={"declarations.unused": ["other"]})
    keep(store, 1, parameters={"declarations.unused": ["other"], "declarations.padding": 0})
    assert only(store).settled == "gone"
    keep(store, 2, parameters={"declarations.unused": ["other"], "declarations.frozen": ["head"]})
    assert (only(store).settled, only(store).reason) == ("declared", "frozen=['head']")


def test_a_rule_that_could_not_judge_settles_nothing(store: Store) -> None:
    keep(store, 0, FIXED)
    record = keep_run(store, "Diagnose", minute=1, verdicts=None)
    told = {"setup": {"passed": [], "found": {}, "not judged": {"ART510": "no optimiser stepped"}, "broken": ""}}
    store.write(record, Outcome(readings=(Reading(HEALTH, told),)))
    row = only(store)
    assert (row.state, row.reason, row.settled_by) == ("not judged", "no optimiser stepped", "")


def test_places_tell_findings_apart_but_lines_do_not(store: Store) -> None:
    moved, elsewhere = (
        Finding("ART411", "model", Severity.WARNING, "dead", where=one) for one in ("net.py:99", "head")
    )
    keep(store, 0, DEAD)
    keep(store, 1, moved, elsewhere)
    rows = findings_of(store, "toy")
    assert sorted((len(row.runs), row.newest[0].where) for row in rows) == [(1, "head"), (2, "net.py:99")]


def test_the_open_and_the_worst_come_first(store: Store) -> None:
    keep_run(store, "Explore", minute=0, findings=[FIXED])
    keep_run(store, "Explore", minute=1)
    keep(store, 2, DEAD, FIXED)
    assert [(row.state, row.severity.value) for row in findings_of(store, "toy")] == [
        ("open", "error"),
        ("open", "warning"),
        ("settled", "error"),
    ]
    assert findings_of(store, "none") == ()
