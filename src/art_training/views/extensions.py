"""What is offered by name, where it comes from, and whether it is what it says: the only view that imports what trains."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from art_training.errors import UsageError
from art_training.plugins import GROUPS, Extension, extensions, load, offered
from art_training.records.counted import counted


@dataclass(frozen=True)
class ExtensionRow:
    """One extension.

    Attributes:
        group: `steps`, `checks`, `rules`, `standards`, `templates`, `trackers`, `stores` or `engines`.
        name: by which it is called.
        distribution: that offers it.
        version: of that.
        value: where it is: `package.module:name`.
        folder: where the distribution is installed.
        about: what it is, in a few words.
        problem: why it is left out; empty where it works.
    """

    group: str
    name: str
    distribution: str
    version: str
    value: str
    folder: str
    about: str = ""
    problem: str = ""


def extension_rows(*, others: bool = False) -> tuple[ExtensionRow, ...]:
    """Every extension, by group, ART's own first; each is imported and looked at.

    Args:
        others: leave out what ART ships.
    """
    return tuple(_looked_at(one) for group in GROUPS for one in extensions(group) if not (others and one.is_own))


def _looked_at(one: Extension) -> ExtensionRow:
    about, problem = "", ""
    if one.taken_by:
        problem = f"{one.taken_by} has a {one.group[:-1]} of this name already; whoever makes {one.distribution} should choose another"
    else:
        try:
            about = _LOOKS[one.group](one.name)
        except UsageError as error:
            problem = str(error)
    return ExtensionRow(one.group, one.name, one.distribution, one.version, one.value, one.folder, about, problem)


def _step(name: str) -> str:
    from art_training.steps import Step

    found = _class("steps", name, Step)
    return found.purpose or _summary(found)


def _check(name: str) -> str:
    from art_training.checks import Check

    return _summary(_class("checks", name, Check))


def _rules(name: str) -> str:
    from art_training.rules.registry import rules_of

    found = rules_of(name, load("rules", name))
    if len(found) == 1:
        return f"{found[0].code}: {found[0].name}"
    return f"{counted(len(found), 'rule')}: {found[0].code} to {found[-1].code}"


def _standard(name: str) -> str:
    from art_training.standards.sources import installed_standard

    return installed_standard(name).about


def _template(name: str) -> str:
    from art_training.templates.finding import find_template

    return find_template(name).about


def _tracker(name: str) -> str:
    from art_training.trackers import Tracker

    found = load("trackers", name)
    if isinstance(found, type):
        return _summary(_class("trackers", name, Tracker))
    if not callable(found):
        raise UsageError(
            f"the tracker {name!r} is {found!r}; whoever offers it is to give a class of Tracker, or a function that returns one"
        )
    return _summary(found)


def _store(name: str) -> str:
    from art_training.stores import Store

    return _made_by("stores", name, Store)


def _engine(name: str) -> str:
    from art_training.engines import Engine

    return _made_by("engines", name, Engine)


def _made_by(group: str, name: str, kind: type[Any]) -> str:
    """A class, or a function that makes one, of which more is not known before it is called."""
    found = load(group, name)
    if inspect.isfunction(found):
        return _summary(found)
    return _summary(_class(group, name, kind))


def _class(group: str, name: str, kind: type[Any]) -> Any:
    """What is offered, where it is a class of its kind that can be made.

    Raises:
        UsageError: it is none, or a method of its contract is missing; a step or a check is called otherwise than its class.
    """
    found: Any = load(group, name)
    of = f"the {group[:-1]} {name!r} ({offered(group)[name].value})"
    if not isinstance(found, type) or not issubclass(found, kind):
        raise UsageError(f"{of} is no class of {kind.__name__} but {found!r}")
    missing = sorted(cast("frozenset[str]", getattr(found, "__abstractmethods__", frozenset())))
    if missing:
        raise UsageError(f"{of} has no {', '.join(missing)}, which every {kind.__name__} has")
    if group in {"steps", "checks"} and found.__name__ != name:
        raise UsageError(
            f"{of} is a class called {found.__name__}, and records call it so; let the entry point have that name"
        )
    return found


def _summary(thing: Any) -> str:
    """The first sentence of its docstring, on one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.partition("\n\n")[0].split())


_LOOKS: Mapping[str, Callable[[str], str]] = {
    "steps": _step,
    "checks": _check,
    "rules": _rules,
    "standards": _standard,
    "templates": _template,
    "trackers": _tracker,
    "stores": _store,
    "engines": _engine,
}
