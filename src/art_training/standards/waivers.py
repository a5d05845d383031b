"""Waivers: somebody answers for what is not met, by name, with a reason, until a date."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

from art_training.errors import UsageError
from art_training.records.meant import did_you_mean

_TABLE = "waivers"


@dataclass(frozen=True)
class Waiver:
    """An exception to one requirement.

    It counts from the day on which it was granted to the last one, both included, by the date in UTC.

    Attributes:
        requirement: what is waived, as `art verify` names it: a requirement, one check of a step (`Overfit: train/loss < 0.05`)
            or one finding (`FinalTest: ART804`). What stands behind the colon is enough where nothing else is called so, and
            so is a requirement's class.
        by: who answers for it.
        reason: why.
        granted: the day on which it was given; a date, or text such as `2026-11-23`, and a date once it is declared.
        until: the last day on which it counts, likewise.
        source: where it was written: filled in by whoever reads it.

    Raises:
        UsageError: a field is empty, a date is none, or the end lies before the beginning.
    """

    requirement: str
    by: str
    reason: str
    granted: date | str
    until: date | str
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("requirement", "by", "reason"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise UsageError(
                    f"{name}={value!r} of a waiver is empty; a waiver says what is waived, by whom and why: "
                    "Waiver('FinalTest: ART804', by='Ada Lovelace', reason='...', granted='2026-11-23', until='2027-02-28')"
                )
            object.__setattr__(self, name, value.strip())
        for name in ("granted", "until"):
            object.__setattr__(self, name, _day(name, getattr(self, name), self.requirement))
        if self.last_day < self.first_day:
            raise UsageError(
                f"the waiver of {self.requirement!r} ends on {self.until}, before it was granted on {self.granted}; exchange them"
            )

    @property
    def first_day(self) -> date:
        """The day on which it was granted."""
        return cast("date", self.granted)

    @property
    def last_day(self) -> date:
        """The last day on which it counts."""
        return cast("date", self.until)

    def counts(self, day: date) -> bool:
        """Whether it counts on this day."""
        return self.first_day <= day <= self.last_day

    def told(self, day: date) -> str:
        """Who answers for it until when; where it does not count on this day, why."""
        who = f"by {self.by} until {self.until}: {self.reason}"
        if day > self.last_day:
            return f"expired on {self.until} ({who})"
        return f"not granted before {self.granted} ({who})" if day < self.first_day else who

    def names(self, key: str) -> bool:
        """Whether this is the very key that it waives."""
        return _spelled(self.requirement) == _spelled(key)

    def may_mean(self, key: str) -> bool:
        """Whether this key may be meant though it is written in short: without the step, or as a class alone."""
        return _spelled(self.requirement) in {_spelled(key.partition(": ")[2]), _spelled(key.partition("(")[0])}


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a TOML file: tables `[[waivers]]` with the fields of a `Waiver`.

    Raises:
        UsageError: it is not there, or does not hold such tables.
    """
    table = read_toml(path, "waivers")
    if set(table) - {_TABLE}:
        key = next(iter(set(table) - {_TABLE}))
        raise UsageError(
            f"{path} has {key!r}{did_you_mean(key, [_TABLE])}; a file of waivers has [[waivers]] tables alone"
        )
    found = table.get(_TABLE, [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in cast("list[Any]", found)):
        raise UsageError(f"{_TABLE} of {path} is no list of tables; write [[waivers]] above each")
    return tuple(_waiver(path, at, one) for at, one in enumerate(cast("list[Mapping[str, Any]]", found), start=1))


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """A TOML file.

    Raises:
        UsageError: it is not there, or is none.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the file of {what} {path} cannot be read: {error.strerror or error}; name another") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the file of {what} {path} is no TOML: {error}") from None


def _waiver(path: Path, at: int, values: Mapping[str, Any]) -> Waiver:
    known = [one.name for one in fields(Waiver) if one.name != "source"]
    wrong = [name for name in values if name not in known]
    if wrong:
        raise UsageError(
            f"waiver {at} of {path} has {wrong[0]!r}{did_you_mean(wrong[0], known)}; it may have: {', '.join(known)}"
        )
    lacking = [name for name in known if name not in values]
    if lacking:
        raise UsageError(f"waiver {at} of {path} has no {' and no '.join(lacking)}; it needs: {', '.join(known)}")
    try:
        return Waiver(**values, source=str(path))
    except UsageError as error:
        raise UsageError(f"waiver {at} of {path}: {error}") from None


def _day(name: str, value: object, of: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        raise UsageError(f"{name}={value!r} of the waiver of {of!r} is no date; write one such as 2026-11-23") from None


def _spelled(text: str) -> str:
    """As it counts: whatever the quotes and the blanks."""
    return " ".join(text.replace('"', "'").split())
