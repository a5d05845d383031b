"""Import the user's project; whatever goes wrong there becomes a sentence with the user's own lines."""

import gc
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from art_training.cli.locating import Place, locate, only_one, or_a_step
from art_training.errors import ARTError, ProjectError
from art_training.setup.frames import is_users

if TYPE_CHECKING:
    from art_training.project import ArtProject

_LOADED = "__art_loaded_from__"


def load_project(place: Place, store: str | None = None) -> "ArtProject":
    """Import the module at a place and find its project.

    Args:
        place: as `locate` found it.
        store: stands in for the store that the project chooses, as `ART_STORE` does for the one that it does not.

    Raises:
        ProjectError: the module cannot be imported, runs the project when it is imported, or has no such project.
    """
    module = _imported(place)
    from art_training.project import ArtProject

    if place.name and isinstance(value := getattr(module, place.name, None), ArtProject):
        project = value
    else:
        named = getattr(module, place.name, None) if place.name else None
        if named is not None:
            raise ProjectError(f"{place} is of type {type(named).__name__}, not an ArtProject")
        project = only_one(((n, v) for n, v in vars(module).items() if isinstance(v, ArtProject)), place)
    if store is not None:
        project.use_store(store, folder=Path.cwd())
    return project


def load_object(text: str, kind: type | None = None) -> object:
    """What `path.py:Name` or `module:Name` names.

    Args:
        text: the place and the name.
        kind: what is looked for, to tell what there is where the name is none; by default anything that can be called.

    Raises:
        ProjectError: the module cannot be imported, or has nothing of that name.
    """
    place = locate(text)
    if not place.name:
        raise ProjectError(f"{text} names no object; write it behind a colon: {text}:Net")
    module = _imported(place)
    if not hasattr(module, place.name):
        meant = {
            name: callable(value) if kind is None else isinstance(value, kind) for name, value in vars(module).items()
        }
        there = [name for name, is_meant in meant.items() if is_meant and not name.startswith("_")]
        raise ProjectError(f"{text}: there is no {place.name!r}; there are: {', '.join(there) or 'none'}")
    return getattr(module, place.name)


def _imported(place: Place) -> ModuleType:
    from art_training.setup.importing import importing

    if str(place.folder) not in sys.path:
        sys.path.insert(0, str(place.folder))
    try:
        with importing():
            module = _from_file(place.file) if place.file else importlib.import_module(place.module)
    except ModuleNotFoundError as error:
        if place.module and error.name and (place.module == error.name or place.module.startswith(f"{error.name}.")):
            raise ProjectError(
                f"there is no module {place.module!r} in {place.folder} or on the path{or_a_step(place.module)}"
            ) from None
        raise _refused(place, error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  The user's file may raise anything.
        raise _refused(place, error) from None
    # What is imported stays: hundreds of thousands of objects that no later collection, at exit least of all, need visit.
    gc.freeze()
    return module


def _from_file(file: Path) -> ModuleType:
    """Import a file under its own name, so that worker processes can import it, too."""
    name = file.stem
    known = sys.modules.get(name)
    if known is not None and not hasattr(known, _LOADED) and getattr(known, "__file__", None) != str(file):
        raise ProjectError(f"{file.name} has the name of a module that is loaded already ({known!r}); rename the file")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ProjectError(f"{file} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _LOADED, str(file))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _refused(place: Place, error: BaseException) -> ProjectError:
    """One sentence with the place of the fault; the user's own frames are its notes."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(frame.filename)]
    where = f"{_near(frames[-1].filename)}:{frames[-1].lineno}" if frames else _near(str(place.file or place.module))
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{_near(error.filename)}:{error.lineno}"
    if isinstance(error, ARTError):
        refused = ProjectError(f"{where}: {error}")
    elif isinstance(error, SystemExit):
        refused = ProjectError(f"{where} leaves Python (SystemExit: {error.code}) when it is imported; a project file "
                               'only declares; put the rest under `if __name__ == "__main__":`')  # fmt: skip
    else:
        refused = ProjectError(f"{where} raises when it is imported: {_described(error)}")
    if frames and not isinstance(error, SyntaxError):
        refused.add_note("".join(traceback.format_list(frames)).rstrip())
    return refused


def _described(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _near(filename: str) -> str:
    """A path as one would type it here."""
    try:
        near = os.path.relpath(filename)
    except ValueError:  # another drive
        return filename
    return filename if near.startswith("..") else near
