"""Whether a network is affine, told by its value halfway between two examples; and how many layers it needs for that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.passes import Passed, examples, passed, smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped

_LAYERS = {"AddmmBackward0", "MmBackward0", "ConvolutionBackward0", "BmmBackward0", "BaddbmmBackward0"}
_MOST_NODES = 5_000
_ROWS = 8  # pairs of examples; each is a proof
_FEW_ROWS = 4  # of an expensive model
_TINY = 1e-4  # single precision leaves about 1e-6 of a deep affine network; the least nonlinearity far more


@dataclass(frozen=True)
class Affinity:
    """How far from affine a network is.

    Attributes:
        bent: how far predictions halfway between two examples are from the mean of the two, as a share of how much
            predictions differ; the largest.
        straightened: the same with averages in place of maxima and with statistics in place of layer norms.
        with_relu: the same with a ReLU after every layer of weights but the last.
        bends: functions between layers of weights that are not affine everywhere, though they may be here.
        depth: layers of weights one after the other.
        widths: numbers an example after each layer of weights, what enters the first in front.
        where: names of the modules of these layers.
    """

    bent: float
    straightened: float
    with_relu: float
    bends: tuple[str, ...]
    depth: int
    widths: tuple[int, ...]
    where: tuple[str, ...]

    @property
    def redundant(self) -> bool:
        """Whether a layer in the middle could be left out without loss: it is no narrower than its neighbours."""
        return any(
            here >= min(before, after)
            for before, here, after in zip(self.widths, self.widths[1:], self.widths[2:], strict=False)
        )

    @property
    def affine(self) -> bool:
        """Whether it is, up to single precision."""
        return self.bent < _TINY

    @property
    def affine_but_for_norms(self) -> bool:
        """Whether maxima and norms alone keep it from being affine."""
        return self.straightened < _TINY


def affinity(specimen: Specimen) -> Affinity | None:
    """How far from affine a network is; None where halfway between two examples means nothing."""
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    if count is None:
        return None
    few = min(count, _ROWS if lighter(specimen) is specimen else _FEW_ROWS)
    batch, count = smaller(batch, count, few), few
    bent = _bent(specimen, batch, count)
    if bent is None:
        return None
    straightened = bent if bent < _TINY else _bent(specimen, batch, count, _Straight) or 0.0
    if straightened >= _TINY:
        return Affinity(bent, straightened, bent, (), 0, (), ())
    layers = _Layers(specimen.module, count)
    seen = passed(specimen, batch, gradients=True, around=(layers,))
    depth = max((_depth(one.grad_fn) for one in seen.predictions(count)), default=0)
    with_relu = _bent(specimen, batch, count, lambda: _Relu(len(layers.widths) - 1)) or 0.0
    return Affinity(
        bent, straightened, with_relu, tuple(layers.bends), depth, tuple(layers.widths), tuple(layers.names)
    )


def _bent(specimen: Specimen, batch: Any, count: int, around: Callable[[], Any] | None = None) -> float | None:
    """The largest distance from the middle, over what is predicted of the examples."""

    def read(version: Any, *hooks: Any) -> Passed:
        return passed(specimen, version, around=(*hooks, *(() if around is None else (around(),))))

    if any(map(_is_smooth, _leaves(batch))):
        versions = [read(_between(batch, count, share)) for share in (0.0, 1.0, 0.5)]
    else:
        versions = [read(batch, _embedded(specimen.module, count, share)) for share in (0.0, 1.0, 0.5)]
    found: list[float] = []
    for first, second, middle in zip(*(one.predictions(count) for one in versions), strict=False):
        ends = first.detach().double(), second.detach().double()
        if ends[0].shape != ends[1].shape or middle.shape != first.shape:
            return None
        spread = float((ends[1] - ends[0]).abs().max())
        scale = float(ends[0].abs().max())
        if spread <= 1e-5 * scale or not spread > 0:
            return None
        found.append(float((middle.double() - (ends[0] + ends[1]) / 2).abs().max()) / spread)
    return max(found) if found else None


def _leaves(batch: Any) -> list[Any]:
    found: list[Any] = []
    mapped(batch, found.append)
    return found


def _is_smooth(leaf: Any) -> bool:
    """Whether it is an input that can be halved: numbers of floating point, or bytes of pictures."""
    if not isinstance(leaf, Tensor) or leaf.ndim < 2:
        return False
    return leaf.is_floating_point() or (leaf.dtype == torch.uint8 and leaf.ndim > 2)


def _between(batch: Any, count: int, share: float) -> Any:
    """Each example on its way to the next one."""

    def move(leaf: Any) -> Any:
        if not _is_smooth(leaf) or len(leaf) != count:
            return leaf
        if leaf.is_floating_point():
            return leaf + share * (leaf.roll(1, 0) - leaf)
        even = leaf.int() // 2 * 2  # so that halves are whole numbers
        return (even + (share * (even.roll(1, 0) - even)).int()).to(leaf.dtype)

    return mapped(batch, move)


class _embedded:  # noqa: N801  A context, used like a function.
    """Moves what embeddings give, where inputs are tokens."""

    def __init__(self, root: nn.Module, count: int, share: float) -> None:
        self._modules = [one for one in root.modules() if isinstance(one, nn.Embedding | nn.EmbeddingBag)]
        self._count, self._share = count, share
        self._handles: list[Any] = []

    def __enter__(self) -> None:
        def move(_module: nn.Module, _given: Any, output: Tensor) -> Tensor | None:
            if len(output) != self._count:
                return None
            return output + self._share * (output.roll(1, 0) - output)

        self._handles = [one.register_forward_hook(move) for one in self._modules]

    def __exit__(self, *_: object) -> None:
        for one in self._handles:
            one.remove()


def _depth(node: Any) -> int:
    """The largest number of layers of weights on a way through the graph."""
    known: dict[Any, int] = {}
    waiting: list[tuple[Any, bool]] = [(node, False)]
    while waiting and len(known) < _MOST_NODES:
        one, done = waiting.pop()
        if one is None or one in known:
            continue
        children = [child for child, _ in one.next_functions if child is not None]
        if done:
            known[one] = max((known.get(child, 0) for child in children), default=0) + (one.name() in _LAYERS)
            continue
        waiting.append((one, True))
        waiting += [(child, False) for child in children if child not in known]
    return known.get(node, 0)


_WEIGHTED = (functional.linear, functional.conv1d, functional.conv2d, functional.conv3d)
_BENDING = {
    "relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardswish", "hardtanh",
    "tanh", "sigmoid", "hardsigmoid", "softmax", "sin", "cos", "exp", "square", "abs", "prelu", "glu", "clamp", "clamp_min",
    "scaled_dot_product_attention", "multi_head_attention_forward", "gru", "lstm", "rnn_tanh", "rnn_relu", "threshold",
}  # fmt: skip
_MAXIMA = {
    torch.max_pool1d: functional.avg_pool1d,
    torch.max_pool2d: functional.avg_pool2d,
    torch.max_pool3d: functional.avg_pool3d,
    functional.max_pool1d: functional.avg_pool1d,
    functional.max_pool2d: functional.avg_pool2d,
    functional.max_pool3d: functional.avg_pool3d,
}


class _Layers(TorchFunctionMode):
    """Notes how wide each layer of weights is."""

    def __init__(self, root: nn.Module, count: int) -> None:
        super().__init__()
        self._count = count
        self._known = {id(one): name.rpartition(".")[0] for name, one in root.named_parameters()}
        self.widths: list[int] = []
        self.names: list[str] = []
        self.bends: list[str] = []
        self._waiting: list[str] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note it where it is a layer of weights."""
        del types
        value = func(*args, **(kwargs or {}))
        if func.__name__ in _BENDING:
            self._waiting += [func.__name__] if self.widths else []
        if func in _WEIGHTED and isinstance(args[0], Tensor):
            self.bends += self._waiting  # what stands behind the last layer is no part of the network
            self._waiting = []
            if not self.widths:
                self.widths.append(prod(args[0].shape) // self._count)
            self.widths.append(prod(value.shape) // self._count)
            self.names.append(self._known.get(id(args[1]), "") if len(args) > 1 else "")
        return value


class _Straight(TorchFunctionMode):
    """Averages in place of maxima, and nothing in place of norms over an example."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, or one that is affine in its place."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func in {functional.layer_norm, functional.group_norm, functional.instance_norm}:
            return args[0] * 1.0
        if func in _MAXIMA:
            settings = {name: keywords[name] for name in ("stride", "padding", "ceil_mode") if name in keywords}
            return _MAXIMA[func](*args[:4], **settings)
        if func.__name__ in {"adaptive_max_pool1d", "adaptive_max_pool2d"}:
            return getattr(functional, func.__name__.replace("max", "avg"))(*args[:2])
        if func is Tensor.amax:
            return torch.mean(*args, **keywords)
        return func(*args, **keywords)


class _Relu(TorchFunctionMode):
    """A ReLU after each of the first layers of weights."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self._left = layers - 1

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and cut what is below 0."""
        del types
        value = func(*args, **(kwargs or {}))
        if func in _WEIGHTED and self._left > 0:
            self._left -= 1
            return functional.relu(value)
        return value
