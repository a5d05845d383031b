"""What a loss does to the spread of noise that a model scales by itself, apart from what the noise does to predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import affordable, lighter
from art_training.probes.module_calls import outputs_with_graph
from art_training.probes.places import place_of_call
from art_training.probes.responses import responses
from art_training.probes.returning import returning
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped

_DRAWS = {"randn", "randn_like", "normal", "normal_"}
_SHIFTS = (
    -2.0,
    -8.0,
)  # of what the spread is made of: narrow, and so narrow that what forgives some of it no longer does
_NOTHING = 1e-5  # of what the noise alone does: single precision, one subtracted from the other
_FEWEST = 16  # numbers
_STEPS, _SECONDS, _LEAST = 200, 2.0, 60
_RATE = 3e-3  # of Adam


@dataclass(frozen=True)
class Spread:
    """Noise that is multiplied with a number that the model computes of its input.

    Attributes:
        where: file and line of the product.
        others: the norm of the loss's gradient by the spread that does not come through the noise, as a share of that which
            does; the largest of several widths.
        weight: the number that this gradient is of that of a divergence from N(0, 1); as the loss counts one of the numbers.
        fit: the share of its variance that is so explained.
        passes: whether all that the noise does to the loss goes through what one part of the model gives.
        alone: whether no entry of the batch but inputs of the model counts in the loss.
        before: the mean spread on fresh weights.
        after: after some steps of Adam on the loss of the step; None where it was not trained.
        steps: how many.
    """

    where: str
    others: float
    weight: float
    fit: float
    passes: bool
    alone: bool
    before: float
    after: float | None = None
    steps: int = 0


@dataclass(frozen=True)
class Product:
    """One product with noise: the spread as it is multiplied, the tensor that it is made of element by element, and its place."""

    spread: Tensor
    factor: Tensor
    root: Tensor
    ordinal: int
    where: str


def spread(specimen: Specimen) -> Spread | None:
    """The first such noise; None where there is none, or the step does not return one loss."""
    learning = returning(specimen)
    if learning is None:
        return None
    learning = lighter(learning)
    first = noisy_pass(learning, None)
    if first is None:
        return None
    product, loss, outputs = first
    mask = where_spread(product)
    passes = carrier(loss, product, outputs) is not None
    measured = [beside_noise(learning, product.ordinal, mask * shift) for shift in _SHIFTS]
    if any(one is None for one in measured):
        return None
    known = [one for one in measured if one is not None]
    found = specimen.once(responses)
    alone = found is not None and all(one.replaced <= found.noise for one in found.entries)
    before = float(product.spread.detach().abs().mean())
    others = max(one[0] for one in known)
    after, steps = (None, 0)
    if others <= _NOTHING and passes and alone:
        after, steps = _trained(learning)
    return Spread(product.where, others, known[0][1], known[0][2], passes, alone, before, after, steps)


def noisy_pass(specimen: Specimen, shift: tuple[int, Tensor] | None) -> tuple[Product, Tensor, list[Tensor]] | None:
    """The first product of the first batch, with the loss and what parts of the model gave; None where there is none."""
    with specimen.kept(), _Products(shift) as seen, outputs_with_graph(specimen.module) as outputs:
        loss = specimen.loss(specimen.batches[0])
    if loss is None or not loss.requires_grad or seen.product is None or seen.product.spread.numel() < _FEWEST:
        return None
    return seen.product, loss, outputs


def where_spread(product: Product) -> Tensor:
    """Where in the tensor that it is made of the spread stands: 1, and elsewhere 0."""
    (given,) = torch.autograd.grad(product.spread.sum(), product.root, retain_graph=True)
    return (given != 0).to(given.dtype)


def carrier(loss: Tensor, product: Product, outputs: Sequence[Tensor]) -> Tensor | None:
    """What one part gives, and through which all that the noise does reaches the loss; None where there is no such part."""
    (whole,) = torch.autograd.grad(loss, product.factor, retain_graph=True, allow_unused=True)
    if whole is None or not bool(whole.any()):
        return None
    for output in reversed(outputs):
        (slope,) = torch.autograd.grad(loss, output, retain_graph=True, allow_unused=True)
        if slope is None or output is product.spread:
            continue
        (through,) = torch.autograd.grad(output, product.factor, slope, retain_graph=True, allow_unused=True)
        if through is not None and bool((through - whole).norm() <= 1e-4 * whole.norm()):
            return output
    return None


def beside_noise(specimen: Specimen, ordinal: int, shift: Tensor) -> tuple[float, float, float] | None:
    """At a spread of another width: what does not come through the noise, its weight as a divergence, and how well that fits."""
    passed = noisy_pass(specimen, (ordinal, shift))
    if passed is None or passed[0].ordinal != ordinal:
        return None
    product, loss, _ = passed
    root, deviation = product.root, product.spread.detach()
    (total,) = torch.autograd.grad(loss, root, retain_graph=True)
    (noise,) = torch.autograd.grad(loss, product.factor, retain_graph=True, allow_unused=True)
    if noise is None:
        return None
    (by_noise,) = torch.autograd.grad(product.spread, root, noise, retain_graph=True)
    (divergence,) = torch.autograd.grad(product.spread, root, deviation - 1 / deviation)
    there = shift != 0
    left, wanted = (total - by_noise)[there].double(), divergence[there].double()
    if not bool(torch.isfinite(left).all() and torch.isfinite(wanted).all()):
        return None
    share = float(left.norm() / (by_noise[there].double().norm() + total[there].double().norm()).clamp_min(1e-30))
    weight = float(left @ wanted / (wanted @ wanted).clamp_min(1e-30))
    fit = 1 - float((left - weight * wanted).square().sum() / left.square().sum().clamp_min(1e-30))
    return share, weight, fit


def _trained(specimen: Specimen) -> tuple[float | None, int]:
    """The mean spread after some steps on the loss."""
    count = affordable(specimen, _STEPS, seconds=_SECONDS, least=_LEAST)
    with specimen.kept(seed=1):
        optimizer = torch.optim.Adam([one for one in specimen.module.parameters() if one.requires_grad], lr=_RATE)
        for step in range(count):
            optimizer.zero_grad()
            loss = specimen.loss(specimen.batches[step % len(specimen.batches)])
            if loss is None or not loss.requires_grad:
                return None, step
            loss.backward()
            optimizer.step()
        with _Products(None) as seen:
            specimen.loss(mapped(specimen.batches[0], lambda leaf: leaf))
        after = None if seen.product is None else float(seen.product.spread.detach().abs().mean())
    return after, count


class _Products(TorchFunctionMode):
    """Finds the first product of noise with what a model computes.

    Args:
        shift: what is added to what a call of a function of torch gives, by the number of the call.

    Attributes:
        product: that was found.
    """

    def __init__(self, shift: tuple[int, Tensor] | None) -> None:
        super().__init__()
        self.product: Product | None = None
        self._shift = shift
        self._noise: dict[int, Tensor] = {}
        self._sources: dict[
            int, tuple[Tensor, Tensor]
        ] = {}  # by the result: itself, and the one tensor that it is made of
        self._numbers: dict[int, int] = {}
        self._calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and see whether it multiplies noise."""
        del types
        name = getattr(func, "__name__", "")
        tensors = [one for one in (*args, *(kwargs or {}).values()) if isinstance(one, Tensor)]
        if name == "broadcast_tensors":  # the only one that gives several of several, each as it was
            tensors = [one for one in args if isinstance(one, Tensor)]
            given = func(*args, **(kwargs or {}))
            for one, other in zip(given, tensors, strict=False):
                self._came(one, [other])
            return given
        if self.product is None and "mul" in name.split("_"):
            args = self._multiplied(args, tensors)
        value = func(*args, **(kwargs or {}))
        number, self._calls = self._calls, self._calls + 1
        if isinstance(value, Tensor):
            if self._shift is not None and number == self._shift[0]:
                value = value + self._shift[1]
            self._numbers[id(value)] = number
            if not value.requires_grad and (
                name in _DRAWS or (tensors and all(id(one) in self._noise for one in tensors))
            ):
                self._noise[id(value)] = value
            self._came(value, tensors)
        elif isinstance(value, tuple | list):
            for one in value:
                if isinstance(one, Tensor):
                    self._came(one, tensors)
        return value

    def _came(self, value: Tensor, tensors: Sequence[Tensor]) -> None:
        learned = [one for one in tensors if one.requires_grad]
        if len(learned) == 1 and value.requires_grad and value is not learned[0]:
            self._sources[id(value)] = value, learned[0]

    def _multiplied(self, args: tuple[Any, ...], tensors: Sequence[Tensor]) -> tuple[Any, ...]:
        noise = [one for one in tensors if id(one) in self._noise]
        learned = [one for one in tensors if one.requires_grad]
        if len(noise) != 1 or len(learned) != 1 or learned[0].shape != noise[0].shape:
            return args
        root = self._root(learned[0])
        if isinstance(root, torch.nn.Parameter) or id(root) not in self._numbers:
            return args  # a spread that is the same for every input
        factor = learned[0].view_as(learned[0])
        self.product = Product(
            learned[0], factor, root, self._numbers[id(root)], place_of_call(("torch.distributions",))
        )
        return tuple(factor if one is learned[0] else one for one in args)

    def _root(self, tensor: Tensor) -> Tensor:
        while id(tensor) in self._sources:
            tensor = self._sources[id(tensor)][1]
        return tensor
