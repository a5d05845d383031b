"""Whether training raises what a step logs as its score, and whether the loss with its sign turned would."""

import math
import re
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

import torch

from art_training.probes.cost import cost, lighter
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size
from art_training.setup.observer import observe_calls

_NAMES = re.compile(r"(^|[_/ .-])(rewards?|returns?|payoffs?|profits?|revenue|p?snr|ssim|si_?s[dn]r)($|[_/ .-])")
_STEPS = 60
_SECONDS = 6.0  # of all steps of both trainings
_DRAWS = 8  # times that the score is taken, since it may be drawn at random as the actions of a policy are
_DEVIATIONS = 4.0  # one run of luck in 30,000


@dataclass(frozen=True)
class Climb:
    """The score before and after so many steps, in the step's own batches and with the same random draws.

    Attributes:
        name: as it is logged.
        before: of the fresh model.
        after: as the setup trains it.
        turned: as it trains with the sign of its loss turned.
        error: the standard error of either difference, the larger one.
        steps: of the optimiser.
    """

    name: str
    before: float
    after: float
    turned: float
    error: float
    steps: int

    @property
    def descends(self) -> bool:
        """Whether training lowers the score beyond doubt, where the opposite loss raises it beyond doubt."""
        doubt = _DEVIATIONS * self.error
        return self.after < self.before - doubt and self.turned > self.before + doubt


def climbs(specimen: Specimen) -> tuple[Climb, ...] | None:
    """How each score that the training step logs moves; None where the step optimises by itself or takes too long.

    Scores are known by their names, of which only those count whose direction nobody doubts.
    """
    if not specimen.automatic or len(specimen.optimizers) != 1:
        return None
    specimen = lighter(specimen)
    named = _scores(replace(specimen, batches=specimen.batches[:1]), 0)
    names = [name for name in named if _NAMES.search(name.lower())]
    if not names:
        return ()
    seconds = cost(specimen).of(max(size(one) for one in specimen.batches))
    steps = min(_STEPS, int(_SECONDS / 2 / max(seconds, 1e-9)))
    if steps < 10:
        return None
    before = _drawn(specimen, names)
    after, turned = (_trained(specimen, sign, steps, names) for sign in (1.0, -1.0))
    found: list[Climb] = []
    for name in names:
        if not before[name] or len(before[name]) != len(after[name]) or len(before[name]) != len(turned[name]):
            continue
        errors = [_error(before[name], one[name]) for one in (after, turned)]
        low, end, other = (fmean(one[name]) for one in (before, after, turned))
        found.append(Climb(name, low, end, other, max(errors), steps))
    return tuple(found)


def _trained(specimen: Specimen, sign: float, steps: int, names: list[str]) -> dict[str, list[float]]:
    with specimen.kept(seed=1):
        optimizer = specimen.optimizers[0]
        for number in range(steps):
            batch = specimen.batches[number % len(specimen.batches)]

            def closure(batch: Any = batch) -> float:
                optimizer.zero_grad()
                loss = specimen.loss(batch)
                if loss is None:
                    return math.nan
                (sign * loss).backward()
                return float(loss.detach())

            optimizer.step(closure)
        return _drawn(specimen, names)


def _drawn(specimen: Specimen, names: list[str]) -> dict[str, list[float]]:
    drawn = [_scores(specimen, seed) for seed in range(_DRAWS)]
    return {name: [value for one in drawn for value in one.get(name, [])] for name in names}


def _scores(specimen: Specimen, seed: int) -> dict[str, list[float]]:
    """What is logged for each batch, by name."""
    found: dict[str, list[float]] = {}
    with specimen.kept(seed=seed), torch.no_grad():
        for batch in specimen.batches:
            with observe_calls(specimen.module) as calls:
                specimen.loss(batch, mode="evaluate")
            for name, value in calls.logged.items():
                found.setdefault(name, []).append(value)
    return found


def _error(before: list[float], after: list[float]) -> float:
    """Of the mean difference; what is drawn twice for one batch is not drawn from two."""
    differences = [b - a for a, b in zip(before, after, strict=True)]
    return stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("inf")
