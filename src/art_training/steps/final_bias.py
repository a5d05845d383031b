"""The bias of the final layer: found for certain, and set to what starts at the label prior."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from art_training.errors import SetupError
from art_training.records import Score, Split
from art_training.setup.called import Called
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.expected_loss import OF_CLASSES
from art_training.steps.bench import Bench

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.expectation import Expected

_MOST_TRIED = 4  # parameters that a batch is passed through the model for

Grouping = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class FinalBias:
    """A parameter that is added to the outputs, and the loss that a model begins with where it is set to the prior.

    Attributes:
        name: of the parameter, as the user knows it.
        values: that predict the prior, one an output.
        loss: measured over the training split.
    """

    name: str
    values: tuple[float, ...]
    loss: Score


@dataclass(frozen=True)
class _Layout:
    """How the numbers of a bias belong to the dimensions of what enters a loss: one a class, a channel, an output, ..."""

    length: int
    shape: tuple[int, ...]
    grouped: Grouping | None = None


def measure(bench: Bench, expected: "Callable[[Grouping | None], Expected]") -> FinalBias | None:
    """Set the final bias of the fresh model to the prior and measure; None where no such parameter is found for certain.

    A parameter is the final bias if it has a number for each output, and if adding numbers to it adds the same numbers to
    the outputs of a batch, as they enter the loss.

    Args:
        bench: the step's.
        expected: the theory's values for targets that are grouped as asked.
    """
    if not expected(None).bias:
        return None
    try:
        return _measure(bench, expected)
    except SetupError:
        return None  # a model that makes its layers late has, where they are counted, other weights than where it runs


def _measure(bench: Bench, expected: "Callable[[Grouping | None], Expected]") -> FinalBias | None:
    weights = bench.engine.fresh_weights(bench.setup, seed=bench.seed)
    fresh = bench.engine.write_weights(weights, bench.folder / "fresh.ckpt")
    before = _call(bench, fresh)
    if before is None:
        return None
    for layout in _layouts(before):
        found = _find(bench, weights, before, layout)
        values = expected(layout.grouped).bias if found else ()
        if found and len(values) == layout.length and all(map(math.isfinite, values)):
            path = _with(bench, weights, found, _like(weights[found], values))
            loss = bench.evaluate(Split.TRAIN, weights=path, keep=False).scores.get("train/loss")
            return None if loss is None else FinalBias(Called.of(bench.setup.model).shown(found), values, loss)
    return None


def _find(bench: Bench, weights: "Mapping[str, Tensor]", before: LossCall, layout: _Layout) -> str | None:
    """The name of the last parameter that shifts the outputs."""
    import torch

    names = [name for name in _parameters(bench, weights) if tuple(weights[name].shape) == (layout.length,)]
    for name in names[: -_MOST_TRIED - 1 : -1]:
        shift = torch.linspace(0.25, 0.75, layout.length)  # of another size for each, so that none stands for another
        after = _call(bench, _with(bench, weights, name, weights[name] + shift.to(weights[name])))
        if after is not None and _is_shifted(before, after, shift.reshape(layout.shape)):
            return name
    return None


def _parameters(bench: Bench, weights: "Mapping[str, Tensor]") -> list[str]:
    return [one.name for one in bench.engine.parameters(bench.setup) if one.name in weights]


def _with(bench: Bench, weights: "Mapping[str, Tensor]", name: str, values: "Tensor") -> Path:
    return bench.engine.write_weights({**weights, name: values}, bench.folder / "biased.ckpt")


def _call(bench: Bench, weights: Path) -> LossCall | None:
    """The call of the main loss on the first batch of training."""
    seen: list[LossCall] = []

    def see(observation: BatchObservation) -> None:
        seen.extend(call for call in observation.losses if call.name == bench.task.loss)

    bench.observe(Split.TRAIN, see=see, weights=weights, limit=1)
    return seen[0] if seen else None


def _layouts(call: LossCall) -> Iterator[_Layout]:
    """The ways in which a bias may lie in the outputs, the most numbers first."""
    shape = tuple(call.prediction.shape)
    if call.name == "linear_cross_entropy" or not shape:  # the former is given no scores that could be seen to move
        return
    if call.name in OF_CLASSES or call.name == "kl_div":
        if len(shape) > 1:
            yield _Layout(shape[1], (1, shape[1], *[1] * (len(shape) - 2)))
        return
    rest = shape[1:]
    yield _Layout(math.prod(rest), (1, *rest))
    if len(rest) > 1:
        yield _Layout(rest[0], (1, rest[0], *[1] * (len(rest) - 1)), lambda targets: _rows(targets.movedim(1, -1)))
        yield _Layout(rest[-1], (*[1] * len(rest), rest[-1]), _rows)
    if math.prod(rest) > 1:
        yield _Layout(1, (1,) * len(shape), lambda targets: targets.reshape(-1, 1))


def _rows(targets: "Tensor") -> "Tensor":
    return targets.reshape(-1, targets.shape[-1])


def _is_shifted(before: LossCall, after: LossCall, shift: "Tensor") -> bool:
    import torch

    old, new = before.prediction.cpu().double(), after.prediction.cpu().double()
    if old.shape != new.shape:
        return False
    wanted = _moved(before, old, shift.double())
    # In single precision; what half precision or a model of many layers loses is far below the shift.
    return bool(torch.isclose(new, wanted, rtol=1e-3, atol=1e-3).all())


def _moved(call: LossCall, old: "Tensor", shift: "Tensor") -> "Tensor":
    """Outputs whose scores are moved; a loss may be given log-probabilities or probabilities in place of scores."""
    if call.name in {"nll_loss", "kl_div"}:
        return (old + shift).log_softmax(1)
    if call.name == "binary_cross_entropy":
        return (old.logit() + shift).sigmoid()
    return old + shift


def _like(tensor: "Tensor", values: Sequence[float]) -> "Tensor":
    import torch

    return torch.tensor(values, dtype=tensor.dtype)
