"""The learning-rate range test: a short training whose rate grows from step to step, and what its loss says.

Smith, Cyclical learning rates for training neural networks, WACV 2017 (arXiv:1506.01186), section 3.3: with rates that are
too small the loss stays, with good ones it falls, with too large ones it rises again. The suggestion is a tenth of the
rate at which the smoothed loss was lowest, which leaves room for the noise of a short test.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from art_training.engines import Position
from art_training.errors import SetupError
from art_training.records import Artifact, Finding, Plain, Reading, Severity
from art_training.setup.forward import parameters_of
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.overfitting.repeats import LOSS
from art_training.steps.overfitting.tables import keep_table
from art_training.steps.pictures import can_draw, figure, keep_figure

LABEL = "learning rate test"
SUGGESTED = "suggested learning rate"
USED = "found learning rate"
NAMES = ("lr", "learning_rate")

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 100

_FEWEST = 10  # losses below which nothing can be said
_SAFETY = 10.0
_OF_NORMAL = 1.4826  # standard deviations of a normal distribution in its median distance from the mean
_NOTICEABLE = 0.02  # a fall by less than this share of the first loss is none


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: learning rates, ascending.
        losses: (as long) the loss after a step with each rate, on the batch that came next.
        first: the loss before any step.
        smoothed: (as long) the mean of each loss with its neighbours.
        best: the rate at which that was lowest; None where the loss did not fall.
        note: why there is no suggestion, or how far the test came.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    first: float
    smoothed: tuple[float, ...] = ()
    best: float | None = None
    note: str = ""

    @property
    def suggestion(self) -> float | None:
        """The rate to train with; two digits are all that a short test can tell."""
        return None if self.best is None else float(f"{self.best / _SAFETY:.2g}")


def rate_at(step: int) -> float:
    """The rate of an optimiser step (from 0): from the lowest to the highest by equal factors."""
    return LOWEST * (HIGHEST / LOWEST) ** (min(step, STEPS - 1) / (STEPS - 1))


def range_test(bench: Bench, setup: Setup) -> RangeTest:
    """Train a fresh model with growing rates; nothing of it enters any other training.

    Callbacks of the setup are left out, because some stop or choose; those that the module configures itself stay.
    """
    trace = _Trace(bench)
    quick = setup if callable(setup.trainer) else setup.but(trainer={"callbacks": []})
    bench.fit(quick, plain=True, max_steps=STEPS, label=LABEL, rate=rate_at, stop=trace.see)
    return judged(trace.losses)


def judged(losses: Mapping[int, float]) -> RangeTest:
    """What the losses of a range test say.

    Args:
        losses: by optimiser step from 1; that of a step was measured before its update.
    """
    steps = sorted(losses)
    if not steps or len(steps) < _FEWEST:
        return RangeTest((), (), math.nan, note=f"the test saw {len(steps)} losses, and {_FEWEST} are needed")
    first, later = losses[steps[0]], steps[1:]
    kept = _until_lost([losses[step] for step in later], first)
    rates = tuple(rate_at(step - 2) for step in later[:kept])
    values = tuple(losses[step] for step in later[:kept])
    if kept < _FEWEST or not math.isfinite(first):
        return RangeTest(rates, values, first, note="the loss is not finite, or explodes, from the smallest rates on")
    reach = max(1, kept // 25)
    smoothed = _smoothed(values, reach)
    # The outermost have fewer neighbours, and by chance are lowest more often.
    lowest = min(range(reach, kept - reach), key=smoothed.__getitem__)
    # How far a loss is from its neighbours tells how far two batches differ, whatever the rate does; the median does so
    # where the curve explodes at its end too, whose few losses lie farther apart than the valley is deep.
    noise = _OF_NORMAL * median(abs(a - b) for a, b in zip(values, smoothed, strict=True))
    start = (first + sum(values[: _FEWEST - 1])) / _FEWEST
    # The lowest of some dozen means of several losses lies below the others by chance, though never by so much.
    if not start - smoothed[lowest] > max(_NOTICEABLE * abs(start), 2 * noise):
        note = f"the loss fell at no rate from {rates[0]:.2g} to {rates[-1]:.2g}: it began at {start:.4g}"
        return RangeTest(rates, values, first, smoothed, None, note)
    reached = f"the test went from {rates[0]:.2g} to {rates[-1]:.2g}"
    return RangeTest(rates, values, first, smoothed, rates[lowest], reached)


def told(test: RangeTest, setup: Setup, *, used: bool) -> list[Reading]:
    """The suggestion, with what it rests on and what to do with it."""
    if test.suggestion is None or test.best is None:
        return [Reading(SUGGESTED, None, note=test.note)]
    lowest = test.smoothed[test.rates.index(test.best)]
    name = rate_name(setup)
    do = "it was used" if used else f"train with it: hparams={{{name or 'lr'!r}: {test.suggestion:g}}}"
    if name is None:
        do = f"the setup has no hyper-parameter called {' or '.join(NAMES)}; give the optimiser this rate where you make it"
    declared = None if name is None else setup.hparams.get(name, _of_optimizer(setup).get(name))
    beside = f", where {name} is {declared:g}" if isinstance(declared, int | float) and not used else ""
    note = f"a tenth of {test.best:.2g}, where the loss was lowest, {lowest:.4g}{beside}; {do}; {test.note}"
    return [Reading(SUGGESTED, test.suggestion, note=note)]


def unused(test: RangeTest | None, setup: Setup) -> list[Finding]:
    """What to say where a rate was to be used and none was found: the training went on with the one that is declared."""
    if test is None or test.suggestion is not None:
        return []
    name = rate_name(setup) or NAMES[0]
    declared = setup.hparams.get(name, _of_optimizer(setup).get(name))
    with_it = (
        f"{name}={declared:g}" if isinstance(declared, int | float) else f"the {name} that the model declares itself"
    )
    return [
        Finding(
            code="ART602",
            category="schedule",
            severity=Severity.WARNING,
            message=f"use_found=True found no learning rate, and the training went on with {with_it}: {test.note}",
            evidence={"start": test.first, "lowest": min(test.smoothed, default=None), "losses": len(test.losses)},
            remedy="look at learning-rate.png; give a rate by hand and leave use_found out, or larger batches, whose losses "
            "differ less",
        )
    ]


def artifacts_of(bench: Bench, test: RangeTest) -> list[Artifact]:
    """The losses by rate, as a table and as a picture."""
    if not test.rates:
        return []
    smoothed = test.smoothed or test.losses
    rows: list[dict[str, Plain]] = [
        {"rate": rate, "loss": loss, "smoothed": mean}
        for rate, loss, mean in zip(test.rates, test.losses, smoothed, strict=True)
    ]
    kept = [keep_table(bench, rows, "learning-rate.csv", "loss by learning rate")]
    if can_draw():
        drawn = figure(5.0, 3.2)
        axis: Any = drawn.add_axes((0.13, 0.15, 0.84, 0.8))
        axis.plot(test.rates, test.losses, color="0.75", linewidth=0.8)
        axis.plot(test.rates, smoothed)
        axis.set_xscale("log")
        axis.set_xlabel("learning rate")
        axis.set_ylabel("training loss")
        if test.suggestion is not None:
            axis.axvline(test.suggestion, color="tab:green", label=f"suggested: {test.suggestion:g}")
            axis.legend(fontsize=8)
        kept.append(keep_figure(bench, drawn, "learning-rate.png", "loss by learning rate"))
    return kept


def rate_name(setup: Setup) -> str | None:
    """The hyper-parameter that is the learning rate; None where there is none."""
    accepted = parameters_of(setup.model) if not _of_optimizer(setup) else None
    for name in NAMES:
        if name in setup.hparams or name in _of_optimizer(setup) or name in (accepted or ()):
            return name
    return None


def require_rate(setup: Setup, step: str) -> str:
    """The hyper-parameter that a found rate is laid over.

    Raises:
        SetupError: there is none.
    """
    name = rate_name(setup)
    if name is None:
        raise SetupError(
            f"use_found=True of step {step!r} lays the rate over the hyper-parameter lr, and the model takes none: "
            f"hparams has {', '.join(setup.hparams) or 'nothing'}; give the model an argument lr that its optimiser gets, "
            "or leave use_found out and set the suggested rate by hand"
        )
    return name


class _Trace:
    """The losses of the test as they come, remembered for whoever goes on after a kill."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        kept: Any = bench.recall(LABEL)
        self.losses: dict[int, float] = {int(step): _number(value) for step, value in kept} if kept else {}

    def see(self, position: Position) -> str | None:
        """Take in what is new; end the test once all is lost."""
        new = {step: value for name, step, _, value in position.points if name == LOSS}
        if not new:
            return None
        self.losses |= new
        self._bench.remember(LABEL, [[step, str(value)] for step, value in self.losses.items()])
        steps = sorted(self.losses)
        values = [self.losses[step] for step in steps[1:]]
        if len(values) >= _FEWEST and _until_lost(values, self.losses[steps[0]]) < len(values):
            return "the learning-rate test has seen the loss explode"
        return None


def _until_lost(losses: Sequence[float], first: float) -> int:
    """How many losses there are before they explode: twice the first, or as far above it as the best was below."""
    best = first
    for at, loss in enumerate(losses):
        recent = losses[max(0, at - 2) : at + 1]
        best = min(best, loss) if math.isfinite(loss) else best
        mean = sum(recent) / len(recent)
        if not mean <= first + max(abs(first), first - best):
            return max(0, at - 1)
    return len(losses)


def _smoothed(values: Sequence[float], reach: int) -> tuple[float, ...]:
    """Each with as many neighbours on both sides, which moves nothing along the axis, unlike a running mean."""
    found: list[float] = []
    for at in range(len(values)):
        near = min(reach, at, len(values) - 1 - at)
        part = values[at - near : at + near + 1]
        found.append(sum(part) / len(part))
    return tuple(found)


def _of_optimizer(setup: Setup) -> Mapping[str, Any]:
    """The optimiser's arguments that `art.from_torch` declares."""
    return getattr(setup.model, "optimizer_arguments", {})


def _number(value: Plain) -> float:
    return float(str(value))
