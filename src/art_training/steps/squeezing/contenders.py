"""Models that a squeeze compares: of one training or of several, with what they predict and what they cost."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.records import Candidate, Finding, Score, Split
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.delivering.predictions import Collector, Predictions
from art_training.steps.forgetting import Forgotten
from art_training.steps.looking_back import watched_fit
from art_training.steps.squeezing.names import GAIN

if TYPE_CHECKING:
    from art_training.exported.model import ExportedModel, Part

_ROUNDS = 5
_BATCHES = 3


@dataclass(frozen=True)
class Trained:
    """One training and what it left.

    Attributes:
        name: its label.
        setup: what was trained.
        seed: of the training.
        weights: a file of the engine.
        predictions: of the validation split.
        seconds: of the training.
        epochs: that it took.
        steps: that it took.
        chosen: whether the weights were chosen by the user's monitor, rather than being those of the end.
        findings: what was seen to be wrong.
        candidate: of an earlier step, that was trained; empty where the setup is the step's own.
        forgotten: what the training forgot, where it was looked at.
    """

    name: str
    setup: Setup
    seed: int
    weights: Path
    predictions: Predictions
    seconds: float
    epochs: int = 0
    steps: int = 0
    chosen: bool = False
    findings: tuple[Finding, ...] = ()
    candidate: str = ""
    forgotten: Forgotten | None = None


@dataclass(frozen=True)
class Contender:
    """A model that may be the result.

    Attributes:
        name: `single`, `longer`, `ensemble` or `student`.
        parts: its trainings, each with what it counts.
        predictions: of the validation split.
        seconds: of every training that it needs.
        note: how it came about.
        parameters: further numbers of it (plain data).
    """

    name: str
    parts: tuple[tuple[Trained, float], ...]
    predictions: Predictions
    seconds: float
    note: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Cost:
    """What a model costs where it is used.

    Attributes:
        parameters: numbers that were learned, of all of its modules.
        bytes: of its parameters and buffers.
        seconds_a_batch: on the CPU of this machine, with as many threads as torch takes; None where it cannot be asked
            outside an evaluation.
    """

    parameters: int
    bytes: int
    seconds_a_batch: float | None = None


def train(bench: Bench, name: str, setup: Setup, seed: int, *, watch: bool = False, **shaping: Any) -> Trained | str:
    """Train under a label and pass the validation split; a sentence where the training came to nothing.

    The weights are those that the user's ModelCheckpoint calls best, where there is one, else those of the end; those of
    an average are always of the end.
    """
    averaged = shaping.get("averaging") is not None
    result, forgotten = watched_fit(bench, setup, label=name, watch=watch, seed=seed, **shaping)
    if result.stopped:
        return f"{name} came to nothing: {result.message or result.stopped}"
    chosen = result.best is not None and not averaged
    weights = result.best if chosen else result.last
    if weights is None:
        return f"{name} left no weights"
    return Trained(
        name=name,
        setup=setup,
        seed=seed,
        weights=weights,
        predictions=predicted(bench, name, setup, seed, weights),
        seconds=result.seconds,
        epochs=result.epochs,
        steps=result.steps,
        chosen=chosen,
        findings=result.findings,
        forgotten=forgotten,
    )


def predicted(bench: Bench, name: str, setup: Setup, seed: int, weights: Path) -> Predictions:
    """What weights predict for the validation split.

    Raises:
        SetupError: the predictions cannot be found or kept.
    """
    collector = Collector(bench.task, setup.outputs, name)
    bench.observe(Split.VALIDATION, see=collector.see, setup=setup, weights=weights, seed=seed)
    return collector.predictions()


def parts(bench: Bench, contender: Contender) -> "list[Part]":
    """The modules of a contender with their weights, for use outside the engine."""
    from art_training.exported.model import Part

    return [
        Part.of(one.name, one.setup, bench.engine.weights(one.weights), weight)
        for one, weight in contender.parts
        if weight > 0
    ]


def cost(bench: Bench, contender: Contender, model: "ExportedModel | None", batches: Sequence[Any]) -> Cost:
    """Count and time a model.

    Args:
        bench: for the engine, which knows what its files hold.
        contender: what is counted.
        model: it as it is used; None where it cannot be.
        batches: what is predicted; the fastest of a few rounds counts, which other work on the machine disturbs least.
    """
    counted = size = 0
    for one, weight in contender.parts:
        if weight > 0:
            size += sum(tensor.nbytes for tensor in bench.engine.weights(one.weights).values())
            shapes = [parameter.shape for parameter in bench.engine.parameters(one.setup)]
            counted += sum(_product(shape) for shape in shapes)
    if model is None or not batches:
        return Cost(counted, size)
    fastest = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for batch in batches[:_BATCHES]:
            model(batch)
        fastest = min(fastest, (time.perf_counter() - began) / len(batches[:_BATCHES]))
    return Cost(counted, size, fastest)


def candidate(
    contender: Contender, scores: Mapping[str, Score], spent: Cost, reference: Cost, gain: Score | None
) -> Candidate:
    """A contender as it is recorded."""
    told: dict[str, Any] = {
        "trainings": {one.name: weight for one, weight in contender.parts},
        "training_seconds": round(contender.seconds, 3),
        "parameters": spent.parameters,
        "bytes": spent.bytes,
        **contender.parameters,
    }
    if spent.seconds_a_batch is not None and reference.seconds_a_batch:
        told["seconds_a_batch"] = spent.seconds_a_batch
        told["relative_inference_time"] = round(spent.seconds_a_batch / reference.seconds_a_batch, 2)
    found = dict(scores) if gain is None else {**scores, GAIN: gain}
    return Candidate(contender.name, found, told, contender.note)


def _product(shape: Sequence[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
