"""The store and the project that a command which looks at history is about."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from art_training.cli.glancing import glance
from art_training.cli.locating import Place, locate
from art_training.errors import ProjectError

if TYPE_CHECKING:
    from art_training.stores import Store


class History(NamedTuple):
    """A store, and the project in it that is meant."""

    store: "Store"
    project: str


@contextmanager
def history(project: str | None, store: str | None, *, write: bool = False) -> Generator[History]:
    """Open the store for a command.

    Args:
        project: what the user gave as `--project`: a place, or a name in the store.
        store: what the user gave as `--store`.
        write: whether the command changes something.

    Raises:
        ProjectError: the project cannot be told.
        ProjectError: there is no store yet.
        StoreError: it cannot be opened.
    """
    opened, name = _opened(project, store, write=write)
    with closing(opened):
        yield History(opened, _known(opened, name))


def declared_steps(project: str | None, name: str) -> tuple[str, ...]:
    """The steps that the project declares, in order; none where its file is not there, does not import or is another's.

    Args:
        project: what the user gave as `--project`.
        name: of the project, as the store knows it.
    """
    from art_training.cli.loading import load_project
    from art_training.stores.where import looking

    try:
        place = locate(None if plain_name(project) else project)
        with redirect_stdout(sys.stderr), looking():
            declared = load_project(place)
    except ProjectError:  # the store alone answers
        return ()
    return tuple(step.name for step in declared.steps) if declared.name == name else ()


@contextmanager
def any_history(project: str | None, store: str | None) -> Generator["Store"]:
    """Open the store for a command that is about all of its projects."""
    with closing(_opened(project, store, write=False)[0]) as opened:
        yield opened


class Watched(NamedTuple):
    """A store that a command looks at again and again.

    Attributes:
        open: opens it for reading, or gives None while it is not there.
        place: where it is, as a person would give it.
        file: the database that it is; None where it is none.
        project: that is meant; empty where none was named.
    """

    open: "Callable[[], Store | None]"
    place: str
    file: Path | None
    project: str


def source_of(project: str | None, store: str | None) -> Watched:
    """How to open the store for a command that goes on while it changes, and that may come before the first run.

    Raises:
        ProjectError: the project cannot be told.
    """
    from art_training.stores.where import DEFAULT, database_file, looking, open_store

    wanted = plain_name(project)
    place = store or _place(None if wanted else project)
    folder, name = Path.cwd(), wanted
    path = None if isinstance(place, Place) else place
    if isinstance(place, Place):
        folder = place.folder
        name = wanted or (glance(place.file, place.name) if place.file else None) or ""
    where = str(path or os.environ.get("ART_STORE") or folder / DEFAULT)

    def opened() -> "Store | None":
        if "://" not in where and not Path(where).expanduser().exists():
            return None
        with looking():
            return open_store(path, project_folder=folder, read_only=True)

    return Watched(opened, where, database_file(folder, path), name)


def _opened(project: str | None, store: str | None, *, write: bool) -> tuple["Store", str]:
    """The store, and the project's name where it is known without asking the store."""
    from art_training.stores.where import DEFAULT, looking, open_store

    wanted = plain_name(project)
    place = store or _place(None if wanted else project)
    if isinstance(place, str):
        require_store(place)
        return open_store(place, project_folder=Path.cwd(), read_only=not write), wanted
    if isinstance(place, Path):  # a store without a project file, as a notebook leaves it
        return open_store(place, project_folder=place.parent, read_only=not write), wanted
    name = glance(place.file, place.name) if place.file else None
    if name is None:
        from art_training.cli.loading import load_project

        with redirect_stdout(sys.stderr), nullcontext() if write else looking():
            loaded = load_project(place)
            return loaded.store, wanted or loaded.name
    require_store(os.environ.get("ART_STORE") or str(place.folder / DEFAULT), name)
    return open_store(None, project_folder=place.folder, read_only=not write), wanted or name


def _place(project: str | None) -> Place | Path | str:
    """Where the project is; without a project file the environment's store, else the nearest."""
    from art_training.stores.where import DEFAULT

    try:
        return locate(project)
    except ProjectError:
        if project is None and (chosen := os.environ.get("ART_STORE")):
            return chosen
        here = Path.cwd()
        stores = [folder / DEFAULT for folder in (here, *here.parents) if (folder / DEFAULT).is_file()]
        if project is not None or not stores:
            raise
        return stores[0]


def plain_name(project: str | None) -> str:
    """What the user gave, if it can only be a name in the store."""
    if not project or ":" in project or "/" in project or project.endswith(".py") or Path(project).exists():
        return ""
    return project


def require_store(path: str, project: str = "") -> None:
    """Looking must not make a store.

    Raises:
        ProjectError: there is none.
    """
    if "://" not in path and path != "memory" and not Path(path).expanduser().exists():
        whose = f"project {project!r} has not been run yet" if project else "there are no records there"
        raise ProjectError(f"there is no store at {path}: {whose}; `art run` makes it")


def require_records(store: "Store", project: str) -> None:
    """Of what never ran there is nothing to tell.

    Raises:
        ProjectError: the store is not there, or holds only other projects.
    """
    require_store(store.location, project)
    _known(store, project)


def _known(store: "Store", name: str) -> str:
    """The project of this name, or the only one that the store holds."""
    from art_training.stores import RunQuery

    if name and store.runs(RunQuery(project=name, limit=1)):
        return name
    names = store.projects()
    if name:
        if names:
            raise ProjectError(f"project {name!r} has no runs in {store.location}; it holds: {', '.join(names)}")
        return name
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names) or "none"
    raise ProjectError(f"the store {store.location} holds {len(names)} projects: {listed}; name one with --project")
