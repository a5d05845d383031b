"""What a check asked for as numbers, so that a value can be drawn beside its limit. The sentences stay the verdict's."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from art_training.records import Verdict, VerdictState

Numbers: TypeAlias = Mapping[str, Any]


class Limit(NamedTuple):
    """A number that a check looked at, and between which limits it passes; whether these pass themselves, its rule says.

    Attributes:
        value: the number; NaN and the infinities as they were.
        above: what it has to be above; None where nothing bounds it from below.
        below: what it has to be below; None where nothing bounds it from above.
    """

    value: float
    above: float | None = None
    below: float | None = None

    @classmethod
    def of(cls, verdict: Verdict) -> "Limit | None":
        """The limit of one verdict; None where its numbers do not say, as of a question with words for an answer.

        None, too, where more than these numbers decided, so that a picture of them would not show what the verdict says.
        """
        read = _READ.get(str(verdict.configuration.get("check")))
        try:
            found = None if read is None else read(verdict.numbers, verdict.configuration)
        except (KeyError, TypeError):  # a number that was not computed, or a verdict of another version's check
            return None
        return found if found is not None and found.agrees(verdict.state) else None

    def agrees(self, state: VerdictState) -> bool:
        """Whether the value lies where a check of this answer has it; a limit itself is on either side."""
        low = -math.inf if self.above is None else self.above
        high = math.inf if self.below is None else self.below
        if state is VerdictState.PASSED:
            return low <= self.value <= high
        return state is VerdictState.FAILED and not low < self.value < high


def _number(of: Numbers, name: str) -> float:
    """A number by its name.

    Raises:
        KeyError: there is none.
        TypeError: it is no number.
    """
    value = of[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}, which is no number")
    return float(value)


def _below(told: Numbers, asked: Numbers) -> Limit:
    return Limit(_number(told, "value"), below=_number(asked, "limit"))


def _above(told: Numbers, asked: Numbers) -> Limit:
    return Limit(_number(told, "value"), above=_number(asked, "limit"))


def _equals(told: Numbers, asked: Numbers) -> Limit:
    wanted = _number(asked, "value")
    return Limit(_number(told, "value"), wanted, wanted)


def _close_to(told: Numbers, asked: Numbers) -> Limit:
    wanted, allowed = _number(asked, "value"), _number(asked, "tolerance")
    allowed *= abs(wanted) if asked["relative"] else 1.0
    return Limit(_number(told, "value"), wanted - allowed, wanted + allowed)


def _between(told: Numbers, asked: Numbers) -> Limit:
    return Limit(_number(told, "value"), _number(asked, "low"), _number(asked, "high"))


def _beats(told: Numbers, asked: Numbers) -> Limit | None:
    """The way that is better is declared, or follows from the gain, which is positive in it."""
    value, theirs, margin = _number(told, "value"), _number(told, "baseline_value"), _number(asked, "margin")
    sign = (value - theirs) * _number(told, "gain")
    way = asked.get("direction") or ("maximize" if sign > 0 else "minimize" if sign < 0 else None)
    if way is None:
        return None
    return Limit(value, above=theirs + margin) if way == "maximize" else Limit(value, below=theirs - margin)


def _gap(told: Numbers, _: Numbers) -> Limit:
    return Limit(_number(told, "gap"), below=_number(told, "at_most"))


def _gain(told: Numbers, _: Numbers) -> Limit:
    return Limit(_number(told, "gain"), above=_number(told, "margin"))


def _decreases(told: Numbers, asked: Numbers) -> Limit:
    """The same share of the beginning's size, downwards: a loss may be negative."""
    first = _number(told, "first")
    return Limit(_number(told, "last"), below=first - (1 - _number(asked, "factor")) * abs(first))


def _expected(told: Numbers, asked: Numbers) -> Limit:
    wanted = _number(told, "expected")
    allowed = _number(asked, "tolerance") * (abs(wanted) or 1.0)  # no share of zero is any
    return Limit(_number(told, "value"), wanted - allowed, wanted + allowed)


def _agrees(told: Numbers, asked: Numbers) -> Limit:
    return Limit(_number(told, "difference"), below=_number(asked, "tolerance"))


# By the check's class, as verdicts name it.
_READ: Mapping[str, Callable[[Numbers, Numbers], Limit | None]] = {
    "Below": _below,
    "Above": _above,
    "Equals": _equals,
    "CloseTo": _close_to,
    "Between": _between,
    "BeatsBaseline": _beats,
    "GeneralizationGap": _gap,
    "Improves": _gain,
    "LossDecreases": _decreases,
    "LossIsTheoretical": _expected,
    "ExportAgrees": _agrees,
}
