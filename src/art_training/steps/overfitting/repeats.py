"""Whether a training that is done again gives the same weights, and where it first differs if it does not."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from art_training.engines import Engine, FitResult, Position
from art_training.errors import ProjectError
from art_training.records import Reading, Score

if TYPE_CHECKING:
    from torch import Tensor

DIFFERING = "differing_tensors"
LOSS = "train/loss"
READING = "repetitions"

_REMEDY = (
    "seed what is drawn outside of Python, NumPy and torch, keep no state outside of the model and the data, and set "
    "trainer={'deterministic': True}"
)


@dataclass
class LossTrace:
    """The training loss by step, as a training hands it over; give `see` as the `stop` of a fit."""

    losses: dict[int, float] = field(default_factory=dict[int, float])

    def see(self, position: Position) -> str | None:
        """Take in what is new."""
        self.losses |= {step: value for name, step, _, value in position.points if name == LOSS}
        return None


@dataclass(frozen=True)
class Repetition:
    """One training that was done again.

    Attributes:
        number: 2 for the first repetition.
        differing: parameters and buffers that are not bit-identical, in the order of the model.
        tensors: how many there are.
        largest: the largest difference of a number in the first that differs; None where shapes differ.
        step: the first optimiser step whose loss differs; None where none does, or losses are not known.
    """

    number: int
    differing: tuple[str, ...]
    tensors: int
    largest: float | None = None
    step: int | None = None

    @property
    def told(self) -> str:
        """In words."""
        if not self.differing:
            return f"training {self.number} ended with bit-identical weights ({self.tensors} tensors)"
        by = "" if self.largest is None else f", by up to {self.largest:.3g}"
        where = "" if self.step is None else f"; the loss differs from step {self.step} on"
        return (
            f"training {self.number} ended with other weights: {len(self.differing)} of {self.tensors} tensors differ, "
            f"first {self.differing[0]}{by}{where}"
        )


def require_repeats(repeats: int, step: str) -> None:
    """Raises ProjectError where it is not a number of trainings."""
    if not isinstance(repeats, int) or repeats < 1:
        raise ProjectError(
            f"repeats={repeats!r} of step {step!r} must be a whole number of trainings; 1 trains once, 2 compares two"
        )


def repeat(
    engine: Engine,
    first: FitResult,
    trace: LossTrace,
    times: int,
    train: Callable[[str, LossTrace], FitResult],
) -> tuple[Repetition, ...]:
    """Train again and compare.

    Args:
        engine: reads the weights.
        first: what the training gave that is repeated.
        trace: its losses.
        times: trainings altogether.
        train: trains once more under the label that it is given, showing its losses to the trace.
    """
    found: list[Repetition] = []
    for number in range(2, times + 1):
        again_trace = LossTrace()
        again = train(f"repetition {number}", again_trace)
        found.append(_compared(number, _weights(engine, first.last), _weights(engine, again.last), trace, again_trace))
    return tuple(found)


def scores_of(repetitions: tuple[Repetition, ...]) -> dict[str, Score]:
    """How many tensors differ at most; nothing where nothing was repeated."""
    if not repetitions:
        return {}
    worst = max(len(one.differing) for one in repetitions)
    note = f"parameters and buffers that {len(repetitions) + 1} trainings with one seed did not leave bit-identical"
    return {DIFFERING: Score(float(worst), direction="minimize", note=note)}


def readings_of(repetitions: tuple[Repetition, ...]) -> list[Reading]:
    """What came of each repetition, and what to do if one differs."""
    if not repetitions:
        return []
    readings = [Reading(READING, "; ".join(one.told for one in repetitions))]
    if any(one.differing for one in repetitions):
        readings.append(Reading(f"remedy for {DIFFERING}", f"{readings[0].value}; {_REMEDY}"))
    return readings


def _weights(engine: Engine, path: Path | None) -> "Mapping[str, Tensor]":
    return {} if path is None else engine.weights(path)


def _compared(
    number: int,
    ours: "Mapping[str, Tensor]",
    theirs: "Mapping[str, Tensor]",
    first: LossTrace,
    again: LossTrace,
) -> Repetition:
    names = list(dict.fromkeys((*ours, *theirs)))
    differing = tuple(
        name for name in names if name not in ours or name not in theirs or not _identical(ours[name], theirs[name])
    )
    largest = None
    if differing and differing[0] in ours and differing[0] in theirs:
        a, b = ours[differing[0]], theirs[differing[0]]
        largest = float((a.double() - b.double()).abs().max()) if a.shape == b.shape else None
    return Repetition(number, differing, len(names), largest, _first_difference(first.losses, again.losses))


def _identical(a: "Tensor", b: "Tensor") -> bool:
    """Bit by bit: NaN is itself, and 0 is not -0."""
    import torch

    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return torch.equal(a.contiguous().reshape(-1).view(torch.uint8), b.contiguous().reshape(-1).view(torch.uint8))


def _first_difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> int | None:
    for step in sorted(ours.keys() & theirs.keys()):
        a, b = ours[step], theirs[step]
        if a != b and not (math.isnan(a) and math.isnan(b)):
            return step
    return None
