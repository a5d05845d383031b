"""Where the user's project is: a file, a module, or what stands in this folder or above."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from art_training.errors import ProjectError

FILE = "art_project.py"
_HOW = "name one, as in `art run path.py`, or try `art demo`"


@dataclass(frozen=True)
class Place:
    """Where a project is declared.

    Attributes:
        folder: the folder from which it is imported.
        file: the file; None for a module.
        module: the module's dotted name; empty for a file.
        name: the name that the project has there; empty where it is the only one.
    """

    folder: Path
    file: Path | None = None
    module: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = str(self.file) if self.file else self.module
        return f"{what}:{self.name}" if self.name else what


def locate(text: str | None, here: Path | None = None) -> Place:
    """The place that `text` names; without it, the nearest project from `here` upward.

    Args:
        text: `path.py`, `path.py:name`, a folder, `module` or `module:name`.
        here: where to begin; by default the working directory.

    Raises:
        ProjectError: there is none.
    """
    here = (here or Path.cwd()).resolve()
    if text is None:
        return _nearest(here)
    path, _, name = text.rpartition(":") if text.rpartition(":")[2].isidentifier() and ":" in text else (text, "", "")
    target = (here / Path(path).expanduser()).resolve()
    if target.is_dir():
        found = _in_folder(target)
        if found is None:
            raise ProjectError(f"the folder {path} has no {FILE} and no [tool.art] in pyproject.toml; {_HOW}")
        return found if not name else Place(found.folder, found.file, found.module, name)
    if path.endswith(".py") or "/" in path:
        if not target.is_file():
            raise ProjectError(f"there is no file {path}; give the path of the file that declares the project")
        return Place(target.parent, target, name=name)
    if not all(part.isidentifier() for part in path.split(".")):
        raise ProjectError(
            f"{text!r} is neither a file nor a module; write path.py, path.py:name or module:name{or_a_step(text)}"
        )
    return Place(here, module=path, name=name)


def or_a_step(text: str) -> str:
    """What to add to a sentence about `text`, which names no project: it may be meant as a step."""
    if not text[:1].isalpha() or any(sign in text for sign in "./:"):
        return ""
    named = text if text.isidentifier() else repr(text)
    return f"; if it is a step, write --force-step {named}, --only {named} or --until {named}"


def _nearest(here: Path) -> Place:
    for folder in (here, *here.parents):
        if (found := _in_folder(folder)) is not None:
            return found
    raise ProjectError(f"there is no {FILE} in {here} or above it, and no [tool.art] in a pyproject.toml; {_HOW}")


def _in_folder(folder: Path) -> Place | None:
    if (folder / FILE).is_file():
        return Place(folder, folder / FILE)
    settings = folder / "pyproject.toml"
    if not settings.is_file():
        return None
    try:
        table: Any = tomllib.loads(settings.read_text(encoding="utf-8")).get("tool", {}).get("art", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{settings} cannot be read: {error}") from None
    wanted = table.get("project") if isinstance(table, dict) else None
    if wanted is None:
        return None
    if not isinstance(wanted, str) or not wanted:
        raise ProjectError(f"project = {wanted!r} in [tool.art] of {settings} is no place; write 'module:name'")
    return locate(wanted, folder)


def only_one(found: Iterable[tuple[str, Any]], place: Place) -> Any:
    """The project that is meant among those that a module has.

    Args:
        found: names and projects of the module; several names may stand for one project.
        place: where they were found.

    Raises:
        ProjectError: there is none, or several, or none of the name.
    """
    projects = dict(_distinct(found))
    if place.name:
        raise ProjectError(
            f"{place.file or place.module} has no project {place.name!r}; it has: {', '.join(projects) or 'none'}"
        )
    if not projects:
        raise ProjectError(
            f"{place} declares no project; write there: project = art.ArtProject('name', setup, steps=[...])"
        )
    if len(projects) > 1:
        first = next(iter(projects))
        raise ProjectError(
            f"{place} declares {len(projects)} projects: {', '.join(projects)}; name one: {place}:{first}"
        )
    return next(iter(projects.values()))


def _distinct(found: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, project in found:
        if id(project) not in seen:
            seen.add(id(project))
            yield name, project
