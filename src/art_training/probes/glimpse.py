"""What enters a network, which inputs its predictions depend on, and which learning rates await it: to be looked at."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.cost import cost
from art_training.probes.heard import layers
from art_training.probes.passes import examples, passed, smaller, ways
from art_training.probes.rates import Course, courses
from art_training.probes.specimen import Specimen

_SHOWN = 16  # examples, or half as many of an expensive model
_CHARTED = 8  # examples, and as many backward passes; likewise
_EXPENSIVE = 0.02  # seconds for a pass of so many
_POSITIONS = 24  # of a sequence; likewise


@dataclass(frozen=True)
class Glimpse:
    """A fresh model and its first batch, laid out for people.

    Attributes:
        layer: the first that is called with a tensor, by its name; empty where none is.
        entering: exactly what it is given of the first examples, on the CPU; None where that has not a row an example.
        examples: (n, n) norm of the gradient of what is predicted of one example (row) by what enters for another (column);
            None where predictions are not known by example.
        positions: (t, t) likewise of what is predicted at one position by what enters at another, over these examples;
            None where neither has positions.
        courses: the learning rate of every scheduler over the whole training.
    """

    layer: str
    entering: Tensor | None
    examples: Tensor | None
    positions: Tensor | None
    courses: tuple[Course, ...]


def glimpse(specimen: Specimen) -> Glimpse:
    """Lay a specimen out: one forward pass in evaluation mode, and a backward pass for each row of a chart."""
    with specimen.kept():
        rates = courses(specimen) or ()
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    share = 2 if cost(specimen).of(_CHARTED) > _EXPENSIVE else 1
    if count is not None and count > _SHOWN // share:
        batch, count = smaller(batch, count, _SHOWN // share), _SHOWN // share
    with specimen.in_mode("evaluate"):  # tried here, before anything is listened to
        pass
    first = _First()
    with first.listening(specimen.module):
        seen = passed(specimen, batch, gradients=True)
    given, leaf = first.given, first.leaf
    entering = given.detach().cpu() if given is not None and count and len(given) == count else None
    predictions = seen.predictions(count) if count else []
    if count is None or leaf is None or len(leaf) != count or not predictions or not predictions[0].requires_grad:
        return Glimpse(first.layer, entering, None, None, rates)
    predicted = predictions[0]
    return Glimpse(
        first.layer,
        entering,
        _by_example(predicted, leaf, min(count, _CHARTED // share)),
        _by_position(predicted, leaf, count),
        rates,
    )


class _First:
    """Hears the first layer that is called with a tensor, and makes what comes out of its beginning a leaf of the graph."""

    def __init__(self) -> None:
        self.layer = ""
        self.given: Tensor | None = None
        self.leaf: Tensor | None = None
        self._looked_up: nn.Module | None = None

    @contextmanager
    def listening(self, root: nn.Module) -> Generator[None]:
        """While a batch passes."""
        handles: list[Any] = []
        for name, one in layers(root):
            if name:
                handles.append(one.register_forward_pre_hook(self._entering(name)))
                handles.append(one.register_forward_hook(self._looked))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _entering(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
        def entering(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
            first = arguments[0] if arguments else None
            if self.layer or not isinstance(first, Tensor) or first.ndim == 0:
                return None
            self.layer, self.given = name, first.detach().clone()
            if not first.is_floating_point():
                self._looked_up = module
                return None
            self.leaf = first.detach().clone().requires_grad_()
            return (self.leaf, *arguments[1:])

        return entering

    def _looked(self, module: nn.Module, arguments: tuple[Any, ...], output: Any) -> Tensor | None:
        """Tokens have no gradient; what was looked up for them has."""
        del arguments
        if module is not self._looked_up or not isinstance(output, Tensor) or not output.is_floating_point():
            return None
        self._looked_up = None
        self.leaf = output.detach().clone().requires_grad_()
        return self.leaf


def _by_example(predicted: Tensor, leaf: Tensor, charted: int) -> Tensor | None:
    rows = ways(predicted, len(leaf))[0]
    return _norms([rows[index] for index in range(charted)], leaf, lambda one: one.reshape(len(leaf), -1)[:charted])


def _by_position(predicted: Tensor, leaf: Tensor, count: int) -> Tensor | None:
    """Of sequences that enter as (examples, positions, numbers) and are predicted position by position."""
    length = leaf.shape[1] if leaf.ndim == 3 else 0
    if length < 2 or predicted.numel() % (count * length) != 0:
        return None
    flat = predicted.ndim == 2 and len(predicted) == count * length
    apart = predicted.ndim == 3 and tuple(predicted.shape[:2]) == (count, length)
    classes = predicted.ndim == 3 and (predicted.shape[0], predicted.shape[2]) == (
        count,
        length,
    )  # as cross_entropy wants
    if not (flat or apart or classes):
        return None
    placed = predicted.movedim(1, 2) if classes and not apart else predicted.reshape(count, length, -1)
    charted = min(length, _POSITIONS)
    return _norms(
        [placed[:, index] for index in range(charted)],
        leaf,
        lambda one: one.transpose(0, 1).reshape(length, -1)[:charted],
    )


def _norms(predicted: list[Tensor], leaf: Tensor, rows: Callable[[Tensor], Tensor]) -> Tensor | None:
    """(n, n) norms. What is predicted is weighed at random, since the sum of probabilities has no gradient at all."""
    chart: list[Tensor] = []
    for one in predicted:
        weights = torch.randn(one.shape, generator=torch.Generator().manual_seed(0)).to(one)
        if one.dim() > 1:
            weights = weights[:1].expand_as(one)  # all examples alike
        (gradient,) = torch.autograd.grad((one * weights).sum(), leaf, retain_graph=True, allow_unused=True)
        if gradient is None:
            return None
        chart.append(rows(gradient).norm(dim=1).detach().cpu())
    return torch.stack(chart)
