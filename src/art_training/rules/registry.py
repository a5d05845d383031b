"""All rules: those in the files of this room, and those that other distributions offer."""

import hashlib
import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from art_training.errors import UsageError
from art_training.plugins import Extension, load, of_others, source_files, tell
from art_training.probes import Monitor
from art_training.records import Severity
from art_training.records.codes import OWN_PREFIX, spelled
from art_training.rules.rule import CATEGORIES, Rule, Stage
from art_training.setup.declarations import KNOWN

GROUP = "rules"
_PREFIX = re.compile(r"[A-Z]{2,12}")
_SAID = ("name", "finds", "why", "wrong", "right", "source")


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, by code, ART's own first. What another distribution offers and cannot be used is left out, with a warning.

    To add one, write it in the file of its category.
    """
    found = _collected(import_module("art_training.rules"))
    found.sort(key=lambda one: one.code)
    codes = [one.code for one in found]
    assert len(set(codes)) == len(codes), "two rules have one code"
    for one in _others():
        found += one[1]
    return tuple(found)


@cache
def _others() -> tuple[tuple[Extension, tuple[Rule, ...]], ...]:
    found: list[tuple[Extension, tuple[Rule, ...]]] = []
    for one in of_others(GROUP):
        try:
            found.append((one, rules_of(one.name, load(GROUP, one.name))))
        except UsageError as error:
            tell(f"{GROUP}/{one.name}", f"rules are left out: {error}")
    return tuple(found)


def rules_of(prefix: str, loaded: Any) -> tuple[Rule, ...]:
    """The rules of an entry point, by code.

    Args:
        prefix: the name of the entry point, with which the codes of its rules begin, so that nobody else has them.
        loaded: the module, or the package of modules, that it names.

    Raises:
        UsageError: it is none, has no rule, or a rule is not what a rule must be.
    """
    of = f"the rules {prefix!r}"
    if prefix != OWN_PREFIX and (_PREFIX.fullmatch(prefix) is None or prefix.startswith(OWN_PREFIX)):
        raise UsageError(
            f"{of} must be called by two to twelve capital letters, which their codes begin with, and not {OWN_PREFIX}"
        )
    if not isinstance(loaded, ModuleType):
        raise UsageError(f"{of} are of type {type(loaded).__name__}; name the module or the package that they stand in")
    try:
        found = _collected(loaded)
    except (Exception, SystemExit) as error:  # a module of others, which may raise anything
        raise UsageError(f"{of} cannot be imported: {type(error).__name__}: {error}") from error
    if not found:
        raise UsageError(f"{of} are none: no function of {loaded.__name__} is decorated with @rule(...)")
    known: set[str] = set()
    for one in found:
        if wrong := what_is_wrong(one, prefix, known):
            raise UsageError(f"the rule {one.code!r} ({one.name}) of {prefix!r} {wrong}")
        known.add(one.code)
    return tuple(sorted(found, key=lambda one: one.code))


def what_is_wrong(one: Rule, prefix: str, known: Collection[str] = ()) -> str:
    """What of a rule is not what it must be: the end of a sentence, or empty.

    Args:
        one: the rule.
        prefix: that its code must begin with.
        known: codes that others have already.
    """
    given: Any = one  # annotations keep nobody from anything
    unknown = [name for name in one.settles if name not in KNOWN]
    if not isinstance(given.code, str) or re.fullmatch(rf"{re.escape(prefix)}\d{{3}}", one.code) is None:
        return f"must have a code of {prefix} and three digits, such as {prefix}101"
    if one.code in known:
        return "is there twice; give each a code of its own"
    if empty := [name for name in _SAID if not isinstance(getattr(given, name), str) or not getattr(given, name)]:
        return f"does not say {', '.join(empty)}; each is one text that people read"
    if one.category not in CATEGORIES:
        return f"has the category {one.category!r}; there are: {', '.join(CATEGORIES)}"
    if not isinstance(given.severity, Severity) or not isinstance(given.stage, Stage):
        return "has another severity or stage than Severity.ERROR, ... and Stage.INSPECT, ... name"
    if not all(isinstance(kind, type) and issubclass(kind, Monitor) for kind in given.watches):
        return f"watches {given.watches!r}; give classes of monitors"
    if unknown:
        return f"is settled by {unknown[0]!r}, which nobody can declare; there are: {', '.join(sorted(KNOWN))}"
    return ""


def _collected(module: ModuleType) -> list[Rule]:
    """The rules that stand in a module, or in the modules of a package, each once."""
    found: list[Rule] = []
    for one in _modules(module):
        for value in vars(one).values():
            if isinstance(value, Rule) and all(value is not known for known in found):
                found.append(value)
    return found


def _modules(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    for one in iter_modules(getattr(module, "__path__", ())):
        yield import_module(f"{module.__name__}.{one.name}")


def rule_called(code: Any) -> Rule | None:
    """The rule of a code as one may write it: `ART402`, `art402`, `402`; None where there is none."""
    wanted = spelled(code)
    return next((one for one in rules() if one.code == wanted), None)


def origin_of(code: str) -> Extension | None:
    """Which distribution a rule comes from; None of ART's own."""
    return next((one for one, found in _others() if any(rule.code == code for rule in found)), None)


def raised_itself(rule: Rule, error: Exception) -> str:
    """Why a rule that raised could not judge, and who should know."""
    origin = origin_of(rule.code)
    whom = f" to those who make {origin.distribution}" if origin else ""
    return f"the rule itself raised {type(error).__name__}: {error}; please report it{whom}"


@cache
def version() -> str:
    """What ART's rules are: a digest of the code of all of them and of what measures for them."""
    digest = hashlib.sha256()
    room = Path(__file__).parent
    for folder in (room, room.parent / "probes", room.parent / "diagnosis"):
        _add(digest, sorted(folder.glob("*.py")))
    return digest.hexdigest()[:12]


def versions_of_others() -> dict[str, str]:
    """What the rules of other distributions are, by the prefix of their codes: a digest of the package that they lie in."""
    return {one.name: _digest(one) for one, _ in _others()}


def _digest(one: Extension) -> str:
    """Of all that its package holds, since what measures may stand in another module than the rules."""
    module = one.value.partition(":")[0]
    files = set(source_files(module))
    for file in source_files(module.partition(".")[0]):
        files.update(file.parent.rglob("*.py") if file.name == "__init__.py" else [file])
    digest = hashlib.sha256(one.version.encode())
    _add(digest, sorted(files))
    return digest.hexdigest()[:12]


def _add(digest: Any, files: list[Path]) -> None:
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
