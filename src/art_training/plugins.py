"""Extensions by name: what ART ships and what other distributions offer, through the same entry points."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from art_training.errors import UsageError

GROUPS = ("engines", "stores", "trackers", "standards", "templates")


@cache
def offered(group: str) -> Mapping[str, EntryPoint]:
    """The extensions of one group by name, without importing any of them.

    Args:
        group: one of `GROUPS`; the entry point group is `art_training.<group>`.
    """
    return {point.name: point for point in entry_points(group=f"art_training.{group}")}


def load(group: str, name: str) -> Any:
    """Import the extension called `name`.

    Raises:
        UsageError: there is none of that name, or its import fails.
    """
    points = offered(group)
    if name not in points:
        raise UsageError(f"no {group[:-1]} is called {name!r}; installed are: {', '.join(sorted(points)) or 'none'}")
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:  # the module, or the name in it
        raise UsageError(
            f"the {group[:-1]} {name!r} ({points[name].value}) cannot be imported: {error}; "
            "reinstall the distribution that offers it, or remove it"
        ) from error
