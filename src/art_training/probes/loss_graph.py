"""What a loss is computed of, told by the graph that it leaves: the activations in front of it and the views between."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Activation = Literal["softmax", "log_softmax", "sigmoid", "tanh", "relu"]

_ACTIVATIONS: dict[str, Activation] = {
    "SoftmaxBackward0": "softmax",
    "LogSoftmaxBackward0": "log_softmax",
    "SigmoidBackward0": "sigmoid",
    "TanhBackward0": "tanh",
    "ReluBackward0": "relu",
}
# What leaves every number as it is, up to its place and its precision.
_SHAPES = {
    "AliasBackward0", "AsStridedBackward0", "CloneBackward0", "ExpandBackward0", "IndexBackward0", "PermuteBackward0",
    "ReshapeAliasBackward0", "SelectBackward0", "SliceBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "SqueezeBackward2", "TBackward0", "ToCopyBackward0", "TransposeBackward0", "UnsafeViewBackward0",
    "UnsqueezeBackward0", "ViewBackward0",
}  # fmt: skip
# Where a layer with weights begins, and what a loss does with its input ends.
_LAYERS = {
    "AddmmBackward0", "MmBackward0", "BmmBackward0", "BaddbmmBackward0", "ConvolutionBackward0", "EmbeddingBackward0",
    "NativeBatchNormBackward0", "NativeLayerNormBackward0", "NativeGroupNormBackward0", "LinearBackward0",
}  # fmt: skip
# A normalisation of what must not be normalised yet; the second of a pair stands further from the loss.
_OUTER: dict[str, str] = {
    "LogSoftmaxBackward0": "log_softmax",
    "SoftmaxBackward0": "softmax",
    "SigmoidBackward0": "sigmoid",
    "LogSigmoidBackward0": "logsigmoid",
    "BinaryCrossEntropyWithLogitsBackward0": "binary_cross_entropy_with_logits",
}
_MOST_NODES = 20_000


@dataclass(frozen=True)
class Normalised:
    """A normalisation, by the dimension that it goes along.

    Attributes:
        kind: which.
        dim: along which dimension; None for what goes element by element.
        shape: of what it gave.
    """

    kind: Activation
    dim: int | None
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Viewed:
    """A view on the way from a layer to the loss, by its shapes."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def activation_before(tensor: Any) -> Normalised | None:
    """The activation that made a tensor, up to views; None where something else did."""
    node = _past_views(tensor.grad_fn)
    kind = None if node is None else _ACTIVATIONS.get(node.name())
    if node is None or kind is None:
        return None
    result = node._saved_result  # noqa: SLF001  There is no other way to ask a node of the graph.
    dim = int(node._saved_dim) if kind in {"softmax", "log_softmax"} else None  # noqa: SLF001
    if dim is not None and dim >= 1 << 32:  # a negative dimension, as an unsigned number
        dim -= 1 << 64
    return Normalised(kind, dim if dim is None or dim >= 0 else dim + result.ndim, tuple(result.shape))


def views_before(tensor: Any) -> tuple[Viewed, ...]:
    """The views that a tensor went through since something was computed, the last first."""
    found: list[Viewed] = []
    node, shape = tensor.grad_fn, tuple(tensor.shape)
    while node is not None and node.name() in _SHAPES:
        sizes = getattr(node, "_saved_self_sym_sizes", None)
        before = None if sizes is None else tuple(int(one) for one in sizes)
        if before is None:
            return tuple(found)  # the shape further up is not known
        if node.name() in {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"}:
            found.append(Viewed(before, shape))
        elif node.name() not in {"AliasBackward0", "CloneBackward0", "ToCopyBackward0"}:
            return tuple(found)
        node, shape = _first(node), before
    return tuple(found)


def normalised_twice(tensor: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of normalisations of which one is fed by the other, between a loss and the last layer in front of it.

    A sigmoid or softmax of a sigmoid or softmax squeezes what it is given into a range that it can hardly leave. A
    log_softmax of a log_softmax changes nothing, and is not among them.
    """
    found: list[tuple[str, str]] = []
    for node in _between(tensor.grad_fn):
        outer = _OUTER.get(node.name())
        inner = _past_views(_first(node)) if outer is not None else None
        kind = None if inner is None else _ACTIVATIONS.get(inner.name())
        if outer is not None and kind in {"softmax", "sigmoid"} and (outer, kind) not in found:
            found.append((outer, kind))
    return tuple(found)


def variance_as_deviation(tensor: Any) -> bool:
    """Whether one number's exponential is both what noise is multiplied with and a term of the loss of its own.

    The variance of a Gaussian enters its divergence as exp(h); noise is multiplied with its root, exp(h / 2). Where the
    noise is multiplied with exp(h) of the same h, the two are not of one Gaussian.
    """
    noisy: set[Any] = set()
    terms: set[Any] = set()
    for node in _all(tensor.grad_fn):
        name = node.name()
        for child, _ in node.next_functions:
            if child is None or child.name() != "ExpBackward0":
                continue
            source = _first(child)
            if source is None:
                continue
            if name == "MulBackward0" and _is_noise(node, child):
                noisy.add(source)
            elif name in {"SubBackward0", "AddBackward0", "RsubBackward1", "SumBackward0", "MeanBackward0"}:
                terms.add(source)
    return bool(noisy & terms)


def _is_noise(node: Any, child: Any) -> bool:
    """Whether the other factor is a tensor of many numbers without a graph."""
    others = [one for one, _ in node.next_functions if one is not child]
    if any(one is not None for one in others):
        return False
    kept = [getattr(node, name, None) for name in ("_saved_self", "_saved_other")]
    return any(one is not None and one.ndim > 0 and bool((one < 0).any()) for one in kept)


def _first(node: Any) -> Any:
    functions = node.next_functions
    return functions[0][0] if functions else None


def _past_views(node: Any) -> Any:
    while node is not None and node.name() in _SHAPES:
        node = _first(node)
    return node


def _between(node: Any) -> Iterator[Any]:
    """Nodes from a loss back to the first layers with weights."""
    return _walk(node, _LAYERS)


def _all(node: Any) -> Iterator[Any]:
    return _walk(node, set())


def _walk(node: Any, ends: set[str]) -> Iterator[Any]:
    seen: set[Any] = set()
    waiting = [node] if node is not None else []
    while waiting and len(seen) < _MOST_NODES:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        if one.name() not in ends:
            waiting += [child for child, _ in one.next_functions if child is not None]
