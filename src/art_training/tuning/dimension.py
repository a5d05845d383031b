"""What one thing may be chosen from: a range of numbers, or options that may be anything."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Self, TypeAlias

from art_training.errors import ProjectError
from art_training.records.plain import is_marked, plain, show
from art_training.setup.variant import Variant

Value: TypeAlias = float | str


@dataclass(frozen=True)
class Condition:
    """A dimension counts only where another one has one of some values.

    Attributes:
        name: of the other dimension.
        values: the values, as they were given.
    """

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Dimension(ABC):
    """One thing that is searched.

    Attributes:
        conditions: under which it counts; all must hold.
    """

    conditions: tuple[Condition, ...] = field(default=(), kw_only=True)

    def when(self, name: str, *values: Any) -> Self:
        """The same dimension, which counts only where the one called `name` has one of `values`.

        Raises:
            ProjectError: no value is given.
        """
        if not values:
            raise ProjectError(f"when({name!r}) names no value; say which: .when({name!r}, 'sgd')")
        return replace(self, conditions=(*self.conditions, Condition(name, values)))

    @abstractmethod
    def values(self) -> Iterator[Value] | None:
        """All values in order; None where they cannot be counted."""

    @property
    @abstractmethod
    def lowest(self) -> Value:
        """The first value."""

    def given(self, value: Value) -> Any:
        """What a setup is given for a value of a point."""
        return value

    def of(self, given: Any) -> Value | None:
        """The value of a point that stands for what a condition names; None where the dimension cannot have it."""
        found = self.values()
        return None if found is None else next((one for one in found if one == given), None)


@dataclass(frozen=True)
class Uniform(Dimension):
    """A real number between two bounds; `log` draws its logarithm evenly."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        name = "log_uniform" if self.log else "uniform"
        said = f"{name}({self.low!r}, {self.high!r})"
        if not (_is_number(self.low) and _is_number(self.high)):
            raise ProjectError(f"{said} has a bound that is no finite number; give two numbers")
        _require_ordered(said, self.low, self.high)
        if self.log and self.low <= 0:
            raise ProjectError(f"{said} begins at {self.low!r}, which has no logarithm; its low must be above 0")
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def values(self) -> None:
        return None

    @property
    def lowest(self) -> float:
        return self.low


@dataclass(frozen=True)
class Integer(Dimension):
    """A whole number between two bounds, both included."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        said = f"integer({self.low!r}, {self.high!r})"
        if not (_is_whole(self.low) and _is_whole(self.high)):
            raise ProjectError(f"{said} has a bound that is no whole number; give two, or uniform(...)")
        _require_ordered(said, self.low, self.high)
        if not _is_whole(self.step) or self.step < 1:
            raise ProjectError(f"step={self.step!r} of {said} must be a whole number of at least 1")
        if self.log and self.low < 1:
            raise ProjectError(f"{said} with log=True begins at {self.low}; its low must be at least 1")
        if self.log and self.step != 1:
            raise ProjectError(f"{said} has log=True and step={self.step}; steps are even or the scale is, not both")
        if (self.high - self.low) % self.step:
            reached = self.high - (self.high - self.low) % self.step
            raise ProjectError(
                f"{said} with step={self.step} never reaches {self.high}; write integer({self.low}, {reached})"
            )
        for name in ("low", "high", "step"):  # those of NumPy would not be what records and fingerprints hold
            object.__setattr__(self, name, int(getattr(self, name)))

    def values(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1, self.step))

    @property
    def lowest(self) -> int:
        return self.low


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several options, which may be anything.

    Attributes:
        options: by label.
    """

    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def values(self) -> Iterator[str]:
        return iter(self.options)

    @property
    def lowest(self) -> str:
        return next(iter(self.options))

    def given(self, value: Value) -> Any:
        return self.options[str(value)]

    def of(self, given: Any) -> str | None:
        for label, option in self.options.items():
            if option is given or (type(option) is type(given) and option == given):
                return label
        return given if isinstance(given, str) and given in self.options else None


def uniform(low: float, high: float) -> Uniform:
    """A real number, every one between the bounds as likely as another."""
    return Uniform(low, high)


def log_uniform(low: float, high: float) -> Uniform:
    """A real number whose logarithm is drawn evenly: for what varies over orders of magnitude, such as a learning rate."""
    return Uniform(low, high, log=True)


def integer(low: int, high: int, *, log: bool = False, step: int = 1) -> Integer:
    """A whole number from `low` to `high`, both included, in steps; or drawn evenly on a logarithmic scale."""
    return Integer(low, high, log, step)


def choice(*options: Any, **named: Any) -> Choice:
    """One of several options, given one by one or as one list. Those given by keyword are called so; others by what they are.

    `choice("adam", "sgd")`, `choice(["adam", "sgd"])`. An option that is itself a list stands beside others, or in a list.

    Raises:
        ProjectError: there is nothing to choose between, or two options have one name.
    """
    if len(options) == 1 and not named and _is_list(options[0]):
        options = tuple(options[0])
    labelled = [(_label(option), option) for option in options] + list(named.items())
    if len(labelled) < 2:
        said = f"choice({labelled[0][0]})" if labelled else "choice()"
        raise ProjectError(
            f"{said} leaves nothing to choose; give two options or more, one by one as in choice(1, 2), or as one list, "
            "choice([1, 2])"
        )
    labels = [label for label, _ in labelled]
    for label in labels:
        if labels.count(label) > 1:
            raise ProjectError(f"two options of a choice read {label!r}; name them: choice(first=..., second=...)")
    return Choice(dict(labelled))


def _label(option: Any) -> str:
    """What an option is called in tables and records; the same in every process."""
    if isinstance(option, str):
        return option
    if isinstance(option, Variant):
        return option.note or ", ".join(option.varies) or "as it is"
    if isinstance(option, type) or hasattr(option, "__qualname__"):
        return str(option.__qualname__).rpartition(".")[2]
    read = plain(option)
    return show(read) if not is_marked(read) else type(option).__name__


def _require_ordered(said: str, low: float, high: float) -> None:
    if not low < high:
        raise ProjectError(f"{said} holds nothing to search: its low must be below its high")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)
