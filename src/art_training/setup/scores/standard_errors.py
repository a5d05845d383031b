"""How far a mean difference of two ways to train may be off, and what that makes of it: an interval and a p-value."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from art_training.records import Interval
from art_training.setup.scores.intervals import LEVEL, Numbers

_BY_T = ", t with "


class StandardError(NamedTuple):
    """How far a mean difference may be off, by one of the ways to tell.

    Attributes:
        size: the standard error.
        degrees: of freedom.
        by_seeds: whether what seeds add is part of it; False: of the examples alone.
    """

    size: float
    degrees: float
    by_seeds: bool


def errors_of(pseudo: Numbers) -> tuple[StandardError, ...]:
    """Standard errors of the mean of a (seeds, blocks) table, each with its degrees of freedom.

    Of several seeds: that of the seeds alone, that of the examples alone, and that of both. The last one is right for
    many seeds. With two or three, its estimate of what seeds add may come out small by chance, and its degrees of freedom
    large with it; none of the other two can be missing in it, so whichever asks for most is believed.
    """
    seeds, blocks = pseudo.shape
    mean, by_seed, by_block = pseudo.mean(), pseudo.mean(1), pseudo.mean(0)
    of_blocks = float(by_block.var(ddof=1)) / blocks
    if seeds == 1:
        return (StandardError(math.sqrt(of_blocks), blocks - 1.0, by_seeds=False),)
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    residuals = pseudo - by_seed[:, None] - by_block[None, :] + mean
    of_rest = float((residuals**2).sum()) / ((seeds - 1) * (blocks - 1)) / (seeds * blocks)
    both = of_seeds + max(of_blocks - of_rest, 0.0)
    degrees = min(both**2 / (of_seeds**2 / (seeds - 1)), blocks - 1.0) if of_seeds else blocks - 1.0
    return (
        StandardError(math.sqrt(of_seeds), seeds - 1.0, by_seeds=True),
        StandardError(math.sqrt(of_blocks), blocks - 1.0, by_seeds=False),
        StandardError(math.sqrt(both), degrees, by_seeds=True),
    )


def certainty(
    value: float, errors: Sequence[StandardError], method: str, trained: int = 1, seen: int = 1
) -> tuple[Interval, float]:
    """The interval and the two-sided p-value by the error that asks for most, of one of `trained` and of `seen`."""
    from scipy.stats import t

    tests = [trained if error.by_seeds else seen for error in errors]
    halves = [
        float(t.isf((1 - LEVEL) / 2 / count, error.degrees)) * error.size
        for error, count in zip(errors, tests, strict=True)
    ]
    half, (_, degrees, _) = max(zip(halves, errors, strict=True))
    p_value = max(
        float(2 * t.sf(abs(value) / error.size, error.degrees)) * count
        for error, count in zip(errors, tests, strict=True)
        if error.size
    )
    method = f"{method.partition(_BY_T)[0]}{_BY_T}{degrees:.3g} degrees of freedom"
    if max(tests) > 1:
        more = f" under these seeds and of {seen} on these examples" if seen > trained else ""
        method += f", as one of {trained}{more}"
    return Interval(value - half, value + half, LEVEL, method), min(1.0, p_value)
