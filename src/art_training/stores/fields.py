"""What may be asked of runs by the thousand: which of their values, on which conditions."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from operator import ge, gt, le, lt
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Literal, NamedTuple, Self, TypeAlias, get_args

from art_training.errors import UsageError
from art_training.records import Plain
from art_training.records.plain import show

FieldKind = Literal["run", "parameter", "score"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "missing", "present"]

# What stands in one cell of a table: plain data that is no list and no mapping.
Cell: TypeAlias = bool | int | float | str | None

OF_RUNS = ("id", "step", "kind", "state", "started", "seconds")
_LONGEST = 200
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)
_ORDERED: dict[str, Any] = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True, order=True)
class Field:
    """One value that runs have: a column of a table, an axis of a plot.

    Written `parameter:hparams.lr`, `score:validation/accuracy`, or by its name alone where it is one of every run:
    `id`, `step`, `kind`, `state`, `started` (a time as text) and `seconds` (that its result took,
    with the runs that it went on from).

    Attributes:
        kind: what it is of.
        name: of the parameter as the setup declares it, or a metric's address.
    """

    kind: FieldKind
    name: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(FieldKind):
            raise UsageError(f"{self.kind!r} is no kind of field; there are: {', '.join(get_args(FieldKind))}")
        if self.kind == "run" and self.name not in OF_RUNS:
            raise UsageError(
                f"{self.name!r} is no field of a run; there are: {', '.join(OF_RUNS)}, parameter:<name> and score:<metric>"
            )
        if not self.name:
            raise UsageError(f"a field of kind {self.kind!r} needs a name, as in {self.kind}:<name>")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote.

        Raises:
            UsageError: it is no field.
        """
        kind, colon, name = text.partition(":")
        if colon and kind in {"parameter", "score"}:
            return cls("parameter" if kind == "parameter" else "score", name)
        return cls("run", text)

    def __str__(self) -> str:
        return self.name if self.kind == "run" else f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Where:
    """A condition that a run's value meets.

    Numbers are compared with numbers and text with text; what is of another kind, or missing, is neither less nor greater,
    and is unequal. NaN equals NaN. `contains` looks in text as it is written, without regard to capital letters of ASCII.

    Attributes:
        field: of which value.
        operator: how it is compared.
        value: with what; not looked at by `missing` and `present`.
    """

    field: Field
    operator: Operator
    value: Cell = None

    def __post_init__(self) -> None:
        if self.operator not in get_args(Operator):
            raise UsageError(f"{self.operator!r} is no operator; there are: {' '.join(get_args(Operator))}")
        if self.operator in _ORDERED and not (is_number(self.value) or isinstance(self.value, str)):
            raise UsageError(f"{self.field} {self.operator} {self.value!r} has no order; give a number or text")
        if self.operator == "contains" and not isinstance(self.value, str):
            raise UsageError(f"{self.field} contains {self.value!r}, which is no text; give text")
        if self.operator == "contains" and (self.field.kind == "score" or self.field.name in {"seconds", "started"}):
            raise UsageError(f"{self.field} is no text that could contain something; compare it with < or >")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote, as in `parameter:hparams.lr <= 0.01`, `kind contains over` or `seconds missing`.

        What reads as a number, a truth value or `null` is one; text that reads so stands in quotation marks.

        Raises:
            UsageError: it is no condition.
        """
        presence = re.fullmatch(r"(.+) (missing|present)", text, re.DOTALL)
        if presence:
            return cls(Field.parse(presence[1]), "missing" if presence[2] == "missing" else "present")
        found = re.fullmatch(r"(.+?) (=|!=|<=|<|>=|>|contains) (.*)", text, re.DOTALL)
        if found is None:
            raise UsageError(f"{text!r} is no condition; write one as in 'parameter:hparams.lr <= 0.01'")
        operator: Any = found[2]
        return cls(Field.parse(found[1]), operator, _value(found[3]))

    def __str__(self) -> str:
        if self.operator in {"missing", "present"}:
            return f"{self.field} {self.operator}"
        is_plain = isinstance(self.value, str) and _value(self.value) == self.value
        return f"{self.field} {self.operator} {self.value if is_plain else json.dumps(self.value)}"

    def holds(self, present: bool, value: Cell) -> bool:
        """Whether a value meets it: how every store must answer.

        Args:
            present: whether the run has such a value.
            value: it.
        """
        if self.operator in {"missing", "present"}:
            return present == (self.operator == "present")
        if self.operator in {"=", "!="}:
            return (present and _same(value, self.value)) == (self.operator == "=")
        if self.operator == "contains":
            return present and small(str(self.value)) in small(written(value))
        if (
            not present
            or is_number(value) != is_number(self.value)
            or isinstance(value, str) != isinstance(self.value, str)
        ):
            return False
        return bool(_ORDERED[self.operator](value, self.value))


class FieldSummary(NamedTuple):
    """What some runs have of a field.

    Attributes:
        field: a parameter or a score.
        runs: how many have it.
        differs: whether two of the runs differ in it; one that lacks it differs from one that has it.
        lowest: the smallest number; None where no value is one.
        highest: the largest number.
    """

    field: Field
    runs: int
    differs: bool
    lowest: float | None
    highest: float | None


class RunGroup(NamedTuple):
    """The runs that agree in one value.

    Attributes:
        value: it; None for those that have none.
        missing: whether these are the runs that have no such value.
        runs: how many.
        passed: how many of them passed.
        newest: when the newest began, as text.
    """

    value: Cell
    missing: bool
    runs: int
    passed: int
    newest: str


def cell(value: Plain) -> Cell:
    """A parameter as it stands in a table: what is no number, truth value or None as text, and long text cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = (value if isinstance(value, str) else show(value)).replace("\0", "\\0")  # which databases end text at
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(
        text.encode("utf-8", "backslashreplace")
    ).hexdigest()  # so that different ones stay different
    return f"{text[:_LONGEST]}... ({len(text):,} characters, {digest[:8]})"


def written(value: Cell) -> str:
    """A cell as text: what stands in a table, and what is searched."""
    return value if isinstance(value, str) else json.dumps(value)


def small(text: str) -> str:
    """Text with the capital letters of ASCII small, as databases compare it."""
    return text.translate(_SMALL)


def is_number(value: Cell) -> bool:
    """Whether it is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(text: str) -> Cell:
    """A value as it is written in a condition."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if value is None or isinstance(value, bool | int | float | str) else text


def _same(a: Cell, b: Cell) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float) and is_number(a) and is_number(b):
        return float(a) == float(b) or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b
