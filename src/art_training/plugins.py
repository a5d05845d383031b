"""Extensions by name: what ART ships and what other distributions offer, through the same entry points."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from art_training.errors import UsageError

GROUPS = ("steps", "checks", "rules", "standards", "templates", "trackers", "stores", "engines")
OWN = "art-training"
_TOLD: set[str] = set()


class PluginWarning(UserWarning):
    """An extension of another distribution is left out."""


def tell(about: str, text: str) -> None:
    """Warn of an extension that is left out, once a process.

    Args:
        about: what it is, the same each time.
        text: why, one sentence.
    """
    if about not in _TOLD:
        _TOLD.add(about)
        warnings.warn(f"{text}; `art plugins` says more", PluginWarning, stacklevel=3)


@dataclass(frozen=True)
class Extension:
    """What a distribution offers, as its metadata tells; nothing of it is imported.

    Attributes:
        group: one of `GROUPS`.
        name: by which people call it.
        value: where it is: `package.module:name`.
        distribution: that offers it.
        version: of that.
        folder: where that is installed.
        taken_by: the distribution that has the name already, where one has; this one is left out then.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    folder: str
    taken_by: str = ""

    @property
    def origin(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def is_own(self) -> bool:
        """Whether ART ships it."""
        return self.distribution == OWN


def _points(group: str) -> tuple[EntryPoint, ...]:
    """Those of a group, ART's own first, then by distribution, so that a name means the same each time."""
    found = entry_points(group=f"art_training.{group}")
    return tuple(sorted(found, key=lambda point: (_distribution(point) != OWN, _distribution(point), point.name)))


@cache
def offered(group: str) -> Mapping[str, EntryPoint]:
    """The extensions of one group by name, without importing any of them.

    Of two that share a name the first counts; a warning tells of the other.

    Args:
        group: one of `GROUPS`; the entry point group is `art_training.<group>`.
    """
    found: dict[str, EntryPoint] = {}
    for point in _points(group):
        first = found.setdefault(point.name, point)
        if first is not point:
            tell(
                f"{group}/{point.name}/{_distribution(point)}",
                f"the {group[:-1]} {point.name!r} of {_distribution(point)} is left out, because {_distribution(first)} offers one of "
                "this name",
            )
    return found


def extensions(group: str) -> tuple[Extension, ...]:
    """Everything that is offered in a group, also what is left out because its name is taken."""
    first = {name: _distribution(point) for name, point in offered(group).items()}
    return tuple(
        Extension(
            group,
            point.name,
            point.value,
            _distribution(point),
            point.dist.version if point.dist else "",
            str(point.dist.locate_file("")) if point.dist else "",
            "" if first.get(point.name) == _distribution(point) else first.get(point.name, ""),
        )
        for point in _points(group)
    )


def of_others(group: str) -> tuple[Extension, ...]:
    """The extensions of a group that ART does not ship and whose names are free."""
    return tuple(one for one in extensions(group) if not one.is_own and not one.taken_by)


def load(group: str, name: str) -> Any:
    """Import the extension called `name`.

    Raises:
        UsageError: there is none of that name, or its import fails, whatever is raised there.
    """
    points = offered(group)
    if name not in points:
        raise UsageError(f"no {group[:-1]} is called {name!r}; installed are: {', '.join(sorted(points)) or 'none'}")
    try:
        return points[name].load()
    except (Exception, SystemExit) as error:  # a module of others, which may raise anything
        known = isinstance(error, ImportError | AttributeError)  # the module, or the name in it
        why = str(error) if known else f"{type(error).__name__}: {error}"
        of = f", of {_distribution(points[name])}" if points[name].dist else ""
        raise UsageError(
            f"the {group[:-1]} {name!r} ({points[name].value}{of}) cannot be imported: {why}; "
            "reinstall the distribution that offers it, or remove it"
        ) from error


def source_files(module: str) -> tuple[Path, ...]:
    """The Python files of a module, or of the modules of a package, which are found and not imported.

    Args:
        module: its name, with dots.
    """
    top, *rest = module.split(".")
    spec, name = find_spec(top), top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return ()
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    if spec is None:
        return ()
    folders = spec.submodule_search_locations
    if folders is not None:
        return tuple(sorted(file for folder in folders for file in Path(folder).glob("*.py")))
    return (Path(spec.origin),) if spec.origin and spec.origin.endswith(".py") else ()


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""
