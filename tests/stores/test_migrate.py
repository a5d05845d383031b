"""The schema moves on, whole or not at all."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from art_training.errors import StoreError, StoreTooNew
from art_training.records import Score, Use
from art_training.records.use import TESTED_MODEL, TESTED_ROWS
from art_training.stores import Field, RunQuery, Where, migrate, schema
from art_training.stores.sql import SqlStore
from art_training.testing.records import BEGINNING, a_run, an_outcome

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table("extra", sa.Column("x", sa.Text()))
    op.execute("INSERT INTO extra SELECT id FROM runs")
    {last}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "art.db"
    with closing(SqlStore(path)) as store:
        store.write(a_run(), an_outcome(accuracy=0.5))
    return path


def move_on(monkeypatch: pytest.MonkeyPatch, folder: Path, last: str = "") -> None:
    """As if this ART had one revision more."""
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "v0006_extra.py").write_text(NEXT.format(last=last))
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    monkeypatch.setattr(schema, "REVISIONS", ("0001", "0002", "0003", "0004", "0005", "0006"))
    monkeypatch.setattr(schema, "REVISION", "0006")


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as raw:
        return {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_migrations_make_the_tables_that_the_code_knows(path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with closing(SqlStore(path)) as store, store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
        ddl = dict(iter(connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")))
    for table in schema.metadata.tables.values():
        rowless = table.dialect_options["sqlite"]["with_rowid"] is False
        assert ("WITHOUT ROWID" in ddl[table.name]) == rowless, table.name


def test_every_revision_has_its_migration() -> None:
    files = sorted(file.name.split("_")[0] for file in (migrate.MIGRATIONS / "versions").glob("v*.py"))
    assert files == [f"v{revision}" for revision in schema.REVISIONS]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "art.db").touch()
    with closing(SqlStore(tmp_path / "art.db")) as store:
        assert store.runs() == []


def test_an_older_store_moves_on_and_keeps_its_records(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_on(monkeypatch, tmp_path / "migrations")
    with pytest.raises(StoreError, match="has schema 0005, this ART reads 0006; open it once for writing"):
        SqlStore(path, read_only=True)
    with closing(SqlStore(path)) as store:
        assert store.run("run-00000") == a_run()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT * FROM extra").fetchall() == [("run-00000",)]
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [("0006",)]
        assert raw.execute("SELECT count(*) FROM about WHERE name = 'store'").fetchone() == (1,)


def test_uses_of_the_test_split_from_before_they_had_a_table_are_noted(path: Path) -> None:
    tested = replace(an_outcome(), scores={"test/loss": Score(0.5)}, parameters={TESTED_MODEL: "abc", TESTED_ROWS: "d"})
    with closing(SqlStore(path)) as store:
        store.write(a_run(1), tested)
        store.write(a_run(2), replace(tested, parameters={}))
        store.write(a_run(3), tested)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DROP TABLE uses")
        raw.execute("DROP TABLE parameters")
        raw.execute("DROP TABLE findings")
        raw.execute("ALTER TABLE runs DROP COLUMN seconds_before")
        raw.execute("UPDATE alembic_version SET version_num = '0001'")
        raw.execute("UPDATE outcomes SET body = '{\"scores\": 3' WHERE run = 'run-00003'")
    with closing(SqlStore(path)) as store:
        assert list(store.uses("digits")) == [
            Use("run-00001", "abc", "d"),
            Use("run-00002", "run-00002"),
            Use("run-00003", "run-00003"),
        ]


def test_a_migration_that_fails_changes_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        move_on(later, tmp_path / "migrations", last="op.execute('INSERT INTO missing VALUES (1)')")
        with pytest.raises(StoreError):
            SqlStore(path)
    assert "extra" not in tables(path)
    with closing(SqlStore(path)) as store:
        assert store.run("run-00000") == a_run()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_a_newer_art_is_refused(path: Path, *, read_only: bool) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '0042'")
        raw.execute("UPDATE about SET value = '7.1.0' WHERE name = 'art'")
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match=r"written by ART 7\.1\.0 .* this is ART .*; upgrade with `pip install"):
        SqlStore(path, read_only=read_only)
    assert path.read_bytes() == before


def test_opening_a_store_that_is_up_to_date_is_cheap(path: Path) -> None:
    code = (
        "import sys, time\n"
        "from art_training.stores.sql import SqlStore\n"
        "began = time.process_time()\n"
        "store = SqlStore('art.db'); store.runs(); store.run('run-00000'); store.judgements('run-00000')\n"
        "print(time.process_time() - began)\n"
        "for name in ('alembic', 'fsspec', 'pydantic', 'torch', 'numpy', 'lightning'): assert name not in sys.modules, name\n"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.06


def test_parameters_and_findings_from_before_they_had_tables_are_kept_there(path: Path) -> None:
    """Runs are sorted and filtered by parameters; a run whose record is damaged has none, and blocks nobody."""
    rate = Field("parameter", "hparams.lr")
    with closing(SqlStore(path)) as store:
        store.write(a_run(1, parameters={"hparams.lr": 0.1, "model": {"__repr__": "net.Net", "__type__": "type"}}))
        store.write(a_run(2, parameters={"hparams.lr": "broken"}))
        columns = store.columns()
        findings = store.findings("digits")
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DROP TABLE parameters")
        raw.execute("DROP TABLE findings")
        raw.execute("ALTER TABLE runs DROP COLUMN seconds_before")
        raw.execute("UPDATE alembic_version SET version_num = '0002'")
        raw.execute("UPDATE parts SET body = '{\"hparams' WHERE body LIKE '%broken%'")
    with closing(SqlStore(path)) as store:
        assert list(store.ids(RunQuery(order_by=rate))) == ["run-00001", "run-00000", "run-00002"]
        assert list(store.ids(RunQuery(where=(Where(rate, "<", 0.01),)))) == ["run-00000"]
        left = {one.field: one.runs for one in store.columns()}
        assert left == {one.field: one.runs - (one.field == rate) for one in columns}
        assert store.findings("digits") == findings != {}
        assert store.values(["run-00001"], [Field("parameter", "model")]) == {"run-00001": ["net.Net"]}


def test_runs_from_before_their_table_told_of_those_that_they_went_on_from_are_as_long_as_they_were(path: Path) -> None:
    times = {"started": BEGINNING, "ended": BEGINNING + timedelta(seconds=2), "resumed": "run-before"}
    with closing(SqlStore(path)) as store:
        for number, before in ((1, 0.05), (2, 65.0), (3, 7.0)):
            store.write(a_run(number, **times, seconds_before=before))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("ALTER TABLE runs DROP COLUMN seconds_before")
        raw.execute("UPDATE alembic_version SET version_num = '0004'")
        raw.execute("UPDATE records SET body = '{\"resumed\": \"x\"' WHERE run = 'run-00003'")
    with closing(SqlStore(path)) as store:
        assert {run.id: run.seconds for run in store.runs() if run.ended} == {
            "run-00001": 2.05,
            "run-00002": 67.0,
            "run-00003": 2.0,
        }
