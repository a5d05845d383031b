"""Bring a database to the schema that this ART works with, or say why that cannot be."""

import uuid
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, insert

from art_training.errors import StoreError, StoreTooNew
from art_training.stores import schema
from art_training.stores.lock import Holder, file_lock
from art_training.stores.sqlite import Database, corrupt

MIGRATIONS = Path(__file__).parent / "migrations"


def revision(connection: Connection) -> str | None:
    """The schema's revision; None in a database without any table.

    Raises:
        LookupError: there are tables, but none of a store.
    """
    tables = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if not {"alembic_version", "about"} <= tables:
        raise LookupError(f"its tables are {', '.join(sorted(tables))}")
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def bring_up_to_date(database: Database, locks: Path) -> None:
    """Create the tables, or migrate them, in one transaction; nothing happens where the schema is this ART's.

    Args:
        database: opened.
        locks: a folder for the lock that lets one process do it.

    Raises:
        StoreTooNew: it was written by a newer ART.
        StoreCorrupt: it is a database of something else.
        StoreError: it is older, and opened for reading.
    """
    before = _known(database)
    if before == schema.REVISION:
        return
    if database.read_only:
        raise StoreError(
            f"the store {database.path} has schema {before or 'none'}, this ART reads {schema.REVISION}; "
            "open it once for writing (`art run`), which brings it up to date"
        )
    with file_lock(locks / "schema.lock", partial(_busy, database.path), wait_seconds=database.busy_seconds):
        before = _known(database)
        if before is None:
            database.choose_journal()
        if before != schema.REVISION:
            with database.write("FULL") as connection:
                _upgrade(connection)
                _sign(connection)


def _busy(path: Path, holder: Holder | None) -> StoreError:
    who = "another process" if holder is None else f"process {holder.pid} on host {holder.host}"
    return StoreError(f"the store {path} is being brought up to date by {who}; wait for it to end and run again")


def _known(database: Database) -> str | None:
    with database.read() as connection:
        try:
            found = revision(connection)
        except LookupError as error:
            raise corrupt(database.path, f"it is a database of something else ({error})") from None
        if found is None or found in schema.REVISIONS:
            return found
        wrote = connection.exec_driver_sql("SELECT value FROM about WHERE name = 'art'").scalar_one_or_none()
    raise StoreTooNew(
        f"the store {database.path} was written by ART {wrote or 'of a later version'} (schema {found}), this is ART "
        f"{_art_version()} (schema {schema.REVISION}); upgrade with `pip install --upgrade art-training`, "
        "or name another store with ART_STORE"
    )


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _sign(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")
    rows = [{"name": "art", "value": _art_version()}]
    if connection.exec_driver_sql("SELECT 1 FROM about WHERE name = 'store'").first() is None:
        rows.append({"name": "store", "value": uuid.uuid4().hex})
    connection.execute(insert(schema.about).prefix_with("OR REPLACE"), rows)


def _art_version() -> str:
    from art_training import __version__

    return __version__
