"""A sweep of capacity: models of growing size, each trained the same way, and what each loses on the training split."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from art_training.checks.capacity import PARAMETERS, START
from art_training.engines import FitResult
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Plain, Score, Split, plain
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench


@dataclass(frozen=True)
class Capacity:
    """One size of a model.

    Attributes:
        name: `width=64, depth=2`.
        hparams: what is laid over the setup's.
        setup: the result.
        parameters: numbers that it trains.
    """

    name: str
    hparams: Mapping[str, Any]
    setup: Setup
    parameters: int


def require_capacity(capacity: Sequence[Any], step: str) -> tuple[dict[str, Any], ...]:
    """The declared sizes, copied.

    Raises:
        ProjectError: there is one alone, one is no mapping or empty, or two are the same.
    """
    found: list[dict[str, Any]] = []
    for at, one in enumerate(capacity):
        if not isinstance(one, Mapping) or not one:
            raise ProjectError(
                f"capacity[{at}]={one!r} of step {step!r} must be hyper-parameters; give for example "
                "capacity=[{'width': 16}, {'width': 64}]"
            )
        found.append(dict(one))
        if found[at] in found[:at]:
            raise ProjectError(f"capacity[{at}]={one!r} of step {step!r} is there twice; leave one of them out")
    if len(found) == 1:
        raise ProjectError(
            f"capacity={[*capacity]!r} of step {step!r} is one size alone, and growth needs two; add a larger one"
        )
    return tuple(found)


def sizes(bench: Bench, base: Setup, capacity: Sequence[Mapping[str, Any]]) -> tuple[Capacity, ...]:
    """The sizes of `base` with their numbers of parameters, looked at before anything is trained.

    Raises:
        SetupError: one has no more parameters than the one before.
    """
    found: list[Capacity] = []
    for hparams in capacity:
        setup = base.but(hparams=hparams)
        count = sum(math.prod(one.shape) for one in bench.engine.parameters(setup) if one.trains)
        found.append(Capacity(size_name(hparams), hparams, setup, count))
        if len(found) > 1 and count <= found[-2].parameters:
            before = found[-2]
            raise SetupError(
                f"capacity of step {bench.step!r} does not grow: {size_name(hparams)} has {count:,} parameters and "
                f"{before.name} before it {before.parameters:,}; order them by size, and name hyper-parameters that "
                "change the model's size"
            )
    return tuple(found)


def sweep(bench: Bench, capacities: Sequence[Capacity], base: Setup, own: FitResult) -> tuple[Candidate, ...]:
    """Train and score each.

    Args:
        bench: of the step.
        capacities: the smallest first.
        base: what the step itself trained.
        own: what that gave; it is not repeated for the size that it has.
    """
    varied = sorted({name for one in capacities for name in one.hparams})
    note = f"varies {len(varied)} things: {', '.join(varied)}" if len(varied) > 1 else ""
    return tuple(_candidate(bench, one, own if not one.setup - base else None, note) for one in capacities)


def _candidate(bench: Bench, one: Capacity, trained: FitResult | None, note: str) -> Candidate:
    result = trained or bench.fit(one.setup, plain=True, label=one.name)
    if result.stopped == "loss is not finite" or result.last is None:
        scores = {"train/loss": Score(math.nan, direction="minimize", note=result.message)}
        note = "; ".join(part for part in (note, result.message) if part)
    else:
        scored = bench.evaluate(Split.TRAIN, setup=one.setup, weights=result.last, plain=True, keep=False)
        scores = dict(scored.scores)
    fresh = bench.evaluate(Split.TRAIN, setup=one.setup, plain=True, one_batch=True, keep=False)
    start = fresh.scores.get("train/loss")
    parameters: dict[str, Plain] = {"hparams": plain(dict(one.hparams)), PARAMETERS: one.parameters}
    if start is not None:
        parameters[START] = start.value
    parameters |= {"epochs": result.epochs, "steps": result.steps}
    return Candidate(one.name, scores, parameters, note)


def size_name(hparams: Mapping[str, Any]) -> str:
    """What a size is called."""
    return ", ".join(f"{name}={value}" for name, value in hparams.items())
