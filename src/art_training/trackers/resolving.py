"""From what a user gives as a tracker to one that can be told events."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from art_training.errors import ProjectError, UsageError
from art_training.plugins import load, offered
from art_training.records import Event
from art_training.records.meant import did_you_mean
from art_training.trackers.background import warn
from art_training.trackers.lightning_logger import LightningLoggerTracker, is_logger
from art_training.trackers.tracker import Tracker

Followed: TypeAlias = Tracker | Callable[[Event], None]
"""What is told events: a tracker, or any function of them."""


def resolved(given: Any) -> Followed | None:
    """The tracker that a name, an object, a Lightning logger or a function of events stands for.

    Returns:
        None for one that is installed and cannot be made, of which a warning tells: trackers never hurt a run.

    Raises:
        ProjectError: there is none of that name, or it is nothing that can be told events.
    """
    if isinstance(given, str):
        return _named(given)
    if isinstance(given, Tracker):
        return given
    if is_logger(given):
        return LightningLoggerTracker(given)
    if isinstance(given, type):
        raise ProjectError(f"the tracker {given.__name__} is a class; give an instance, {given.__name__}()")
    if callable(given):
        return cast("Callable[[Event], None]", given)
    raise ProjectError(
        f"{given!r} is no tracker; give a name ({_names()}), an object of art.trackers, a Lightning logger, or a function "
        "of an event"
    )


def _named(name: str) -> Tracker | None:
    points = offered("trackers")
    if name not in points:
        raise ProjectError(f"no tracker is called {name!r}{did_you_mean(name, points)}; installed are: {_names()}")
    try:
        made = load("trackers", name)()
    except UsageError as error:  # the module of another distribution cannot be imported
        warn(f"{error}; the project goes on without it")
        return None
    except Exception as error:  # noqa: BLE001  Whatever a tracker of others raises must not hurt the run.
        warn(
            f"the tracker {name!r} ({points[name].value}) cannot be made: {type(error).__name__}: {error}; the project goes on "
            "without it"
        )
        return None
    if not isinstance(made, Tracker):
        warn(
            f"the tracker {name!r} ({points[name].value}) is no art_training.trackers.Tracker but {made!r}; the project goes on "
            "without it"
        )
        return None
    return made


def _names() -> str:
    return ", ".join(sorted(offered("trackers"))) or "none"
