"""Where standards come from that are not at hand: installed by name, and written as TOML by those who write no code."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from art_training import checks
from art_training.checks import Check
from art_training.errors import UsageError
from art_training.plugins import load, of_others
from art_training.records.meant import did_you_mean
from art_training.standards.findings import FindingsSettled
from art_training.standards.origin import CodeCommitted, NothingUnknown, TestUsedAtMost, YoungerThan
from art_training.standards.requirement import Requirement
from art_training.standards.scored import Scored
from art_training.standards.scores import BetterThanBaseline, Finite, SlicesScored
from art_training.standards.seeds import Repeatable, Seeds
from art_training.standards.standard import Standard
from art_training.standards.steps import CheckAsked, CheckPasses, EveryStepPassed, StepPassed
from art_training.standards.waivers import read_toml

_TYPE = "type"
_KINDS: Mapping[str, type[Requirement]] = {
    one.__name__: one
    for one in (
        BetterThanBaseline,
        CheckAsked,
        CheckPasses,
        CodeCommitted,
        EveryStepPassed,
        FindingsSettled,
        Finite,
        NothingUnknown,
        Repeatable,
        Scored,
        Seeds,
        SlicesScored,
        StepPassed,
        TestUsedAtMost,
        YoungerThan,
    )
}
_OWN = ("name", "version", "about", "at_least", "requires")


def read_standard(path: Path | str) -> Standard:
    """The standard of a TOML file: `name`, `version`, `about`, `at_least`, and a table `[[requires]]` for each requirement.

    Each table has a `type`, the class of the requirement, and its fields. `CheckPasses` has `check`, the class of a check of
    ART or of another distribution that offers it by that name, and the fields of that beside its own; `Scored` has a table `by`.

    Raises:
        UsageError: the file cannot be read, or something in it is not what it should be.
    """
    path = Path(path)
    table = read_toml(path, "a standard")
    _require_known(f"{path}", table, _OWN)
    found = table.pop("requires", [])
    if not isinstance(found, list):
        raise UsageError(f"requires of {path} is no list of tables; write [[requires]] above each")
    tables = cast("list[Any]", found)
    requires = [_requirement(f"requirement {at} of {path}", one) for at, one in enumerate(tables, start=1)]
    if "name" not in table:
        raise UsageError(f'{path} has no name; write name = "lab-2026" at its top')
    try:
        return Standard(**table, requires=tuple(requires))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def installed_standard(name: str) -> Standard:
    """The standard that ART or another distribution offers by this name.

    Raises:
        UsageError: there is none, or what is offered is none.
    """
    found = load("standards", name)
    if not isinstance(found, Standard):
        raise UsageError(
            f"the standard {name!r} is of type {type(found).__name__}; whoever offers it is to give a Standard"
        )
    return found


def _requirement(where: str, table: Any) -> Requirement:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} is {table!r}, no table; write [[requires]] above its type")
    values = dict(cast("Mapping[str, Any]", table))
    kind = _class(where, values.pop(_TYPE, None), _KINDS)
    if kind is CheckPasses:
        step, check = values.pop("step", ""), _check(where, values.pop("check", None))
        return _made(where, CheckPasses, {"step": step, "check": _made(where, check, values)})
    if kind is Scored and "by" in values:
        values["by"] = _requirement(f"by of {where}", values["by"])
    return _made(where, kind, values)


def _class(where: str, name: object, known: Mapping[str, Any], what: str = _TYPE) -> Any:
    if not isinstance(name, str) or name not in known:
        said = f"has no {what}" if name is None else f"has {what} = {name!r}, which is none"
        near = did_you_mean(str(name), known) if name is not None else ""
        raise UsageError(f"{where} {said}{near}; there are: {', '.join(sorted(known))}")
    return known[name]


def _made(where: str, kind: type[Any], values: Mapping[str, Any]) -> Any:
    _require_known(where, values, [one.name for one in fields(kind)])
    try:
        return kind(**values)
    except (UsageError, TypeError) as error:
        told = str(error).replace(f"{kind.__name__}.__init__()", kind.__name__)
        raise UsageError(f"{where}: {told}") from None


def _require_known(where: str, values: Mapping[str, Any], known: Any) -> None:
    wrong = next((name for name in values if name not in known), None)
    if wrong is not None:
        listed = ", ".join(known) or "nothing else"
        raise UsageError(f"{where} has {wrong!r}{did_you_mean(wrong, known)}; it may have: {listed}")


def _check(where: str, name: object) -> type[Check]:
    """A check of ART that can be written as plain data, or one that another distribution offers by this name."""
    own = _checks()
    others = [one.name for one in of_others("checks")]
    if not isinstance(name, str) or name not in others:
        return _class(where, name, {**own, **dict.fromkeys(others)}, "check")
    found = load("checks", name)
    if not isinstance(found, type) or not issubclass(found, Check):
        raise UsageError(f"{where}: the check {name!r} is {found!r}; whoever offers it is to give a class of Check")
    return found


def _checks() -> dict[str, type[Check]]:
    """The checks of ART that can be written as plain data."""
    found = {name: getattr(checks, name) for name in checks.__all__}
    left_out = {"Check", "ScoreCheck", "FunctionCheck"}
    return {
        name: one
        for name, one in found.items()
        if isinstance(one, type) and issubclass(one, Check) and name not in left_out
    }
