"""The numbers of checks: how they are declared, and how they are written in a sentence."""

import dataclasses
import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from art_training.errors import CheckError
from art_training.records import Direction, Score

_ROUNDING = 1e-6  # of a score; that of a sum in single precision is about a tenth of it


def settle(check: Any, **values: Any) -> None:
    """Set validated fields of a frozen dataclass while it is constructed."""
    known = {field.name for field in dataclasses.fields(check)}
    for name, value in values.items():
        assert name in known
        object.__setattr__(check, name, value)


def finite(name: str, value: Any) -> float:
    """`value` as declared for the field `name`, if a comparison with it can be true and can be false.

    Raises:
        CheckError: it is not a number, NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise CheckError(f"{name}={value!r} is not a number; give a number such as {name}=0.1")
    if not math.isfinite(value):
        raise CheckError(f"{name}={value!r} is not finite, so that no comparison means anything; give a finite number")
    return float(value)


def not_negative(name: str, value: Any) -> float:
    """Like `finite`, for distances.

    Raises:
        CheckError: it is not a finite number, or below zero.
    """
    number_ = finite(name, value)
    if number_ < 0:
        raise CheckError(f"{name}={value!r} is negative, but a distance is not; give {name}={number(-number_)}")
    return number_


def direction(value: Any) -> Direction | None:
    """A declared direction.

    Raises:
        CheckError: it is neither a direction nor None.
    """
    match value:
        case None | "maximize" | "minimize":
            return value
        case _:
            pass
    raise CheckError(f"direction={value!r} is none; give direction='maximize' or direction='minimize'")


def direction_of(declared: Direction | None, scores: Iterable[Score], *, metric: object, check: str) -> Direction:
    """Which way is better: as declared with the check, else as the scores say.

    Raises:
        CheckError: nobody says.
    """
    ways: list[Direction | None] = [declared, *(score.direction for score in scores)]
    for way in ways:
        if way is not None:
            return way
    raise CheckError(
        f"nothing says whether a larger or a smaller {metric} is better; "
        f"declare it: {check}('{metric}', ..., direction='maximize') or direction='minimize'"
    )


def number(value: float, *, apart_from: float | None = None) -> str:
    """`value` in four significant digits, or as many as tell it from `apart_from`."""
    text = _short(value)
    if apart_from is None or value == apart_from or text != _short(apart_from):
        return text
    return next(
        (more for digits in range(5, 17) if (more := f"{value:.{digits}g}") != f"{apart_from:.{digits}g}"), repr(value)
    )


def alike(one: float, other: float) -> bool:
    """Whether two scores are equal but for how they were added up: in single precision, in another order."""
    return math.isclose(one, other, rel_tol=_ROUNDING)


def with_interval(score: Score, *, apart_from: float | None = None) -> str:
    """A score as `0.9722 [0.9496, 0.9847]`, or its value alone where it has no interval."""
    text = number(score.value, apart_from=apart_from)
    if score.interval is None:
        return text
    return f"{text} [{number(score.interval.low)}, {number(score.interval.high)}]"


def numbers_of(score: Score, prefix: str = "") -> dict[str, float | int]:
    """A score's numbers by name, as verdicts keep them."""
    numbers: dict[str, float | int] = {f"{prefix}value": score.value}
    if score.interval is not None:
        numbers |= {f"{prefix}low": score.interval.low, f"{prefix}high": score.interval.high}
    if score.rows is not None:
        numbers[f"{prefix}rows"] = score.rows
    return numbers


def _short(value: float) -> str:
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
