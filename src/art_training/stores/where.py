"""Which store is meant: the one given, the one of the environment, or the one beside the project."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from art_training.errors import ARTError, UsageError
from art_training.stores.store import Store

DEFAULT = Path(".art") / "art.db"

_looking: ContextVar[bool] = ContextVar("art_looking", default=False)


@contextmanager
def looking() -> Generator[None]:
    """While somebody only looks: stores are opened for reading, and an empty one stands for one that is not there yet."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def open_store(where: str | Path | Store | None, *, project_folder: Path, read_only: bool = False) -> Store:
    """Open the store that is meant.

    Args:
        where: a store, which is given back as it is; a path; `sqlite:///path`; `memory`; the name of an installed store
            and what it opens, `name://...`; None for the environment's `ART_STORE`, or else `.art/art.db` in the
            project's folder. `ART_ARTIFACTS` may name another place for the artifacts of a database.
        project_folder: where relative paths begin; those of the environment begin in the working directory.
        read_only: for views: nothing is written, and nothing is made where there is no store yet.

    Raises:
        StoreError: it cannot be opened.
        UsageError: no installed store opens such a URL.
    """
    if isinstance(where, Store):
        return where
    text, file = _meant(where, project_folder)
    if file is not None:
        return _sqlite(file, read_only=read_only)
    scheme = text.partition("://")[0]
    if scheme == "memory":
        from art_training.stores.memory import MemoryStore

        return MemoryStore()
    return _installed(scheme, text)


def database_file(project_folder: Path, where: str | Path | None = None) -> Path | None:
    """The SQLite file that `open_store` opens for the same, there or not; None where it opens another kind of store."""
    return _meant(where, project_folder)[1]


def _meant(where: str | Path | None, project_folder: Path) -> tuple[str, Path | None]:
    """What is asked for as text, and the file, if it is one of SQLite."""
    if not where and (where := os.environ.get("ART_STORE")):
        project_folder = Path.cwd()
    text = str(where or DEFAULT)
    scheme, separator, rest = text.partition("://")
    if text in {"memory", "memory:"}:  # the second is what whoever has seen URLs of SQLite types
        return "memory://", None
    if separator and not (scheme == "sqlite" and rest.startswith("/")):
        return text, None
    return text, project_folder / Path(rest[1:] if separator else text).expanduser()


def _sqlite(file: Path, *, read_only: bool) -> Store:
    if _looking.get() and not file.exists():
        return _nothing_yet(file)
    from art_training.stores.sql import SqlStore

    return SqlStore(
        file,
        artifacts=os.environ.get("ART_ARTIFACTS") or None,
        read_only=read_only or _looking.get(),
    )


def _nothing_yet(file: Path) -> Store:
    from art_training.stores.memory import MemoryStore

    empty = MemoryStore()
    empty.location = str(file.absolute())
    return empty


def _installed(scheme: str, text: str) -> Store:
    from art_training.plugins import load, offered

    if scheme == "sqlite" or scheme not in offered("stores"):
        raise UsageError(
            f"the store {text!r} cannot be opened: none is installed for such a URL; give a path, sqlite:///path or memory"
        )
    made = load("stores", scheme)
    try:
        found = made(text)
    except ARTError:
        raise
    except Exception as error:  # the store of another distribution, which may raise anything
        raise UsageError(f"the store {text!r} cannot be opened: {type(error).__name__}: {error}") from error
    if not isinstance(found, Store):
        raise UsageError(
            f"the store {text!r} cannot be opened: what is offered as {scheme!r} made {found!r}, which is no Store"
        )
    return found
