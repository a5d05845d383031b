"""What is particular to a store in a database."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from art_training.errors import StoreError
from art_training.records import Artifact, Fingerprint, Provenance, RunStatus
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore
from art_training.testing.records import a_judgement, a_run, an_outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "art.db"
    with closing(SqlStore(path)) as store:
        for number in range(3):
            run = a_run(number, status=RunStatus.COMPLETED)
            store.write(run, an_outcome(accuracy=number / 10))
            store.judge(run.id, a_judgement())
    return path


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        assert raw.execute(statement, values).rowcount == 1


@pytest.mark.parametrize(("table", "what"), [("outcomes", "outcome"), ("judgements", "judgements"), ("records", "run")])
def test_a_damaged_record_does_not_block_the_others(path: Path, table: str, what: str) -> None:
    change(path, f"UPDATE {table} SET body = '{{\"scores\": 3' WHERE run = 'run-00001'")
    with closing(SqlStore(path)) as store:
        with pytest.raises(StoreError, match=r"of run 'run-00001' cannot be read: not JSON.*`art rm run-00001`"):
            getattr(store, what)("run-00001")
        assert getattr(store, what)("run-00002")
        assert len(store.runs(RunQuery(order_by="validation/accuracy"))) == 3
        assert len(store.used()["run-00001"]) == 1  # What it names is not freed.
        store.delete("run-00001")
        assert store.count() == 2


def test_a_damaged_row_is_left_out_of_listings_and_told(path: Path) -> None:
    change(path, "UPDATE runs SET status = 'sleeping' WHERE id = 'run-00001'")
    with closing(SqlStore(path)) as store:
        for _ in range(2):
            assert [run.id for run in store.runs()] == ["run-00002", "run-00000"]
        assert store.latest("digits")["Overfit"].id == "run-00002"
        (note,) = store.notes
        assert "run 'run-00001' cannot be read" in note
        with pytest.raises(StoreError, match="'sleeping' is not a valid RunStatus"):
            store.run("run-00001")


def test_a_part_that_is_missing_is_told(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DELETE FROM parts")
    with (
        closing(SqlStore(path)) as store,
        pytest.raises(StoreError, match="'run-00001' cannot be read: its fingerprint"),
    ):
        store.run("run-00001")


def test_what_repeats_from_run_to_run_is_kept_once(tmp_path: Path) -> None:
    versions = {f"distribution-{number}": "1.2.3" for number in range(150)}
    with closing(SqlStore(tmp_path / "art.db")) as store:
        for number in range(200):
            provenance = Provenance(versions=versions, git_diff="x" * 10_000, seeds={"step": number})
            store.write(a_run(number, provenance=provenance))
        record = store.run("run-00199")
    assert record is not None
    assert record.provenance.versions == versions
    assert record.provenance.seeds == {"step": 199}
    assert (tmp_path / "art.db").stat().st_size < 500_000


def test_parts_that_no_run_has_any_more_go_with_the_last(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        store.write(a_run(9, fingerprint=Fingerprint({"only": "here"})))
        with store._database.read() as connection:
            before = connection.exec_driver_sql("SELECT count(*) FROM parts").scalar_one()
        store.delete("run-00009")
        with store._database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM parts").scalar_one() == before - 1
        for number in range(3):
            store.delete(f"run-{number:05d}")
    with closing(sqlite3.connect(path)) as raw:
        left = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        left -= {"about", "alembic_version"}
        assert {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in left} == dict.fromkeys(
            left, 0
        )


def test_an_outcome_that_is_refused_takes_its_record_with_it(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        with pytest.raises(StoreError, match="was judged"):
            store.write(a_run(0, status=RunStatus.ERRORED), an_outcome(accuracy=0.9))
        record = store.run("run-00000")
        assert record is not None
        assert record.status is RunStatus.COMPLETED


def test_a_name_that_is_not_quite_text_can_be_kept(path: Path) -> None:
    outcome = replace(an_outcome(), artifacts=(Artifact("\udcff.ckpt", "checkpoint", "ab" * 32, 1, "\udcff"),))
    with closing(SqlStore(path)) as store:
        store.write(a_run(5, process="\udcff"), outcome)
        assert store.outcome("run-00005") == outcome or repr(store.outcome("run-00005")) == repr(outcome)
        assert store.used()["run-00005"][0].name == "\\udcff.ckpt"


def test_very_many_small_values_are_forgotten_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("art_training.stores.sql._MEMOS", 10)
    with closing(SqlStore(tmp_path / "art.db")) as store:
        for number in range(11):
            store.remember(str(number), number)
        assert [number for number in range(11) if store.memo(str(number)) is not None] == [6, 7, 8, 9, 10]


def test_a_damaged_small_value_is_as_good_as_none(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        store.remember("key", 1)
        change(path, "UPDATE memos SET value = '{' WHERE name = 'key'")
        assert store.memo("key") is None


def test_two_stores_in_one_folder_share_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with closing(SqlStore(tmp_path / "art.db")) as one, closing(SqlStore(tmp_path / "other.db")) as two:
        digest = one.artifacts.put(tmp_path / "x", name="x").digest
        assert not two.artifacts.has(digest)
        with one.lock("digits"), two.lock("digits"):
            pass
