"""From numbers to places on an axis, and the few round numbers that are written beside it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TICKS = 5
_FARTHER = 20  # times
_LARGEST, _SMALLEST = 1e300, 1e-290  # what lies beyond is drawn at the edge: sums of larger numbers are infinite
_DECADES = 1.5  # from so many on, positive numbers are drawn on a logarithmic axis


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        low: the number at its beginning.
        high: the number at its end; above `low`.
        begin: where it begins, in units of the picture.
        end: where it ends.
        logarithmic: whether equal distances are equal ratios; `low` is then above 0.
    """

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a finite number lies; what lies beyond an end is drawn at that end."""
        low, high = self._of(self.low), self._of(self.high)
        share = (self._of(min(max(value, self.low), self.high)) - low) / (high - low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self, most: int = _TICKS) -> tuple[float, ...]:
        """Round numbers between both ends, at most about so many."""
        if self.logarithmic:
            return _decades(self.low, self.high, most)
        step = _step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return tuple(round((first + place) * step, 12) for place in range(count))

    def _of(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def scale_of(values: Iterable[float], begin: float, end: float, *, logarithmic: bool | None = False) -> Scale:
    """The axis on which all of these lie that are finite, with some air at both ends.

    Args:
        values: what is drawn.
        begin: where the axis begins.
        end: where it ends.
        logarithmic: None lets the numbers decide: where all are positive and span decades.
    """
    numbers = [min(max(value, -_LARGEST), _LARGEST) for value in values if math.isfinite(value)]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    logs = (low > _SMALLEST and math.log10(high) - math.log10(low) > _DECADES) if logarithmic is None else logarithmic
    if logs and low > _SMALLEST:
        air = 10 ** (0.04 * (math.log10(high) - math.log10(low)))
        return Scale(max(low / air, _SMALLEST), min(high * air, _LARGEST * 10), begin, end, logarithmic=True)
    size = max(abs(low), abs(high))
    air = (high - low) * 0.05
    if air <= size * 1e-9 or air < _SMALLEST:  # one number, or as good as that
        air = size * 0.05 if size > _SMALLEST else 0.5
    return Scale(low - air, high + air, begin, end)


def bulk_of(extents: Sequence[tuple[float, float]], around: float) -> list[float]:
    """The ends that an axis is drawn for: of all, or without the few that would leave the others no room.

    Extents are left out from where the next one reaches so many times farther than all before it; never half of them.

    Args:
        extents: low and high ends.
        around: from where their reach counts.
    """
    finite = [one for one in extents if math.isfinite(one[0]) and math.isfinite(one[1])]
    ranked = sorted(finite, key=lambda one: _reach(one, around))
    for place in range(len(ranked) // 2 + 1, len(ranked)):
        before = _reach(ranked[place - 1], around)
        if before > 0 and _reach(ranked[place], around) / _FARTHER > before:
            ranked = ranked[:place]
            break
    return [end for one in ranked for end in one]


def _reach(extent: tuple[float, float], around: float) -> float:
    return max(abs(end - around) for end in extent)


def tick_text(value: float) -> str:
    """A number beside an axis."""
    if value == 0:
        return "0"
    if 1e4 <= abs(value) < 1e6 and value == int(value):
        return f"{int(value):,}"
    return f"{value:.4g}"


def _step(rough: float) -> float:
    """The round number nearest above: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * times for times in (1, 2, 2.5, 5, 10) if rough <= power * times * (1 + 1e-9))


def _decades(low: float, high: float, most: int) -> tuple[float, ...]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = list(range(first, last + 1))
    if len(powers) > most:
        powers = powers[:: math.ceil(len(powers) / most)]
    found = tuple(10.0**power for power in powers)
    if len(found) >= 3:
        return found
    between = (times * 10.0**power for power in range(first - 1, last + 1) for times in (1, 2, 5))
    return tuple(value for value in between if low <= value <= high)
