"""What the weights are that a training begins with: loaded, shared, frozen, finite."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import affordable, lighter
from art_training.probes.loading import alike
from art_training.probes.monitor import Moment, Monitor
from art_training.probes.ownership import is_fresh
from art_training.probes.specimen import Specimen

_MULTIPLYING = {
    "linear", "embedding", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "einsum", "bilinear",
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
}  # fmt: skip
_FEW = 64  # elements, below which a correlation says little: that of n independent draws is about 1 / sqrt(n)
_STEPS = 30  # fewer where they take long
_SECONDS, _LEAST = 2.0, 8  # of such a training
_RATE = 3e-3


@dataclass(frozen=True)
class Replaced:
    """Weights that were loaded while the model was made.

    Attributes:
        loaded: names of the matrices and kernels.
        replaced: of these, those that training begins with other weights in, which do not resemble what was loaded.
        largest: correlation of a replaced one with what was loaded.
    """

    loaded: tuple[str, ...]
    replaced: tuple[str, ...]
    largest: float = 0.0


def replaced(specimen: Specimen) -> Replaced:
    """Compare what was loaded with what training begins with."""
    named = dict(specimen.module.named_parameters())
    loaded = [name for name, one in specimen.loaded.items() if one.ndim > 1 and one.numel() >= _FEW]
    correlations = {
        name: alike(named[name], specimen.loaded[name])
        for name in loaded
        if not torch.equal(named[name].detach(), specimen.loaded[name])
    }
    gone = {name: one for name, one in correlations.items() if abs(one) < 4 / named[name].numel() ** 0.5}
    return Replaced(tuple(loaded), tuple(gone), max(map(abs, gone.values()), default=0.0))


@dataclass(frozen=True)
class Ties:
    """Embeddings and output layers.

    Attributes:
        shared: whether any parameter is used under two names.
        copies: pairs of an embedding and a layer whose weights are equal in all rows that both have, and two tensors.
        asked: names of settings of the model that say that weights are tied.
        reused: matrices that one pass multiplies by more than once, by name: they are shared by use.
    """

    shared: bool
    copies: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]
    reused: tuple[str, ...] = ()


def ties(specimen: Specimen) -> Ties:
    """Look at every pair of an embedding and a linear layer of its width."""
    module = specimen.module
    unique, every = (len(list(module.named_parameters(remove_duplicate=one))) for one in (True, False))
    embeddings = [(name, one.weight) for name, one in module.named_modules() if isinstance(one, nn.Embedding)]
    layers = [(name, one.weight) for name, one in module.named_modules() if isinstance(one, nn.Linear)]
    copies = [(first, second) for first, one in embeddings for second, other in layers if _copied(one, other)]
    asked = sorted({
        f"{name}.{setting}".lstrip(".") for name, one in module.named_modules() for setting in _says_tied(one)
    })  # fmt: skip
    return Ties(every > unique, tuple(copies), tuple(asked), reused(specimen))


def reused(specimen: Specimen) -> tuple[str, ...]:
    """Matrices that enter several products of a pass, transposed or not; none where the step raises."""
    named = {one.data_ptr(): name for name, one in specimen.module.named_parameters() if one.ndim > 1}
    seen = _Products(set(named))
    batch = lighter(specimen).batches[0]
    with suppress(Exception), specimen.kept(), seen:
        specimen.loss(batch)
    return tuple(named[place] for place, count in seen.counts.items() if count > 1)


class _Products(TorchFunctionMode):
    """Counts the calls that each matrix enters and that are no mere view of it."""

    def __init__(self, places: set[int]) -> None:
        super().__init__()
        self.counts = Counter[int]()
        self._places = places

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and count it where a matrix of the model is multiplied."""
        del types
        if getattr(func, "__name__", "") in _MULTIPLYING:
            self.counts.update(
                {one.data_ptr() for one in args if isinstance(one, Tensor) and one.data_ptr() in self._places}
            )
        return func(*args, **(kwargs or {}))


def _copied(one: Tensor, other: Tensor) -> bool:
    if one is other or one.shape[1] != other.shape[1] or not (one.requires_grad and other.requires_grad):
        return False
    rows = min(len(one), len(other))
    first, second = one.detach()[:rows], other.detach()[:rows]
    return (
        first.numel() >= _FEW
        and first.data_ptr() != second.data_ptr()
        and float(first.std()) > 0
        and first.device == second.device
        and torch.equal(first, second)
    )


def _says_tied(module: nn.Module) -> list[str]:
    """Settings of a module, its `config` and its `hparams` whose names say that weights are tied, and that are True."""
    found: list[str] = []
    for place in ("", "config", "hparams"):
        holder: Any = vars(module) if not place else getattr(module, place, None)
        values = holder if isinstance(holder, Mapping) else getattr(holder, "__dict__", {})
        for name, value in cast("Mapping[Any, Any]", values).items():
            words = str(name).lower().split("_")
            if value is True and words[0] in {"tie", "tied"} and {"weight", "weights", "embeddings"} & set(words):
                found.append(f"{place}.{name}".lstrip("."))
    return found


@dataclass(frozen=True)
class Head:
    """The last layer with weights on the way to the loss, where it does not train.

    Attributes:
        name: of the layer.
        trains: parameters of the model that do.
        without: what the loss of one batch fell to as it is; None where it was not tried.
        with_it: with the layer training too.
    """

    name: str
    trains: int
    without: float | None
    with_it: float | None


def frozen_head(specimen: Specimen) -> Head | None:
    """The last layer with weights whose output carries a gradient; None where it trains, or holds weights from elsewhere."""
    order: list[tuple[str, nn.Module]] = []
    names = {one: name for name, one in specimen.module.named_modules()}

    def seen(module: nn.Module, given: Any, output: Any) -> None:
        del given
        if isinstance(output, Tensor) and output.requires_grad:
            order.append((names[module], module))

    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
    handles = [one.register_forward_hook(seen) for one in specimen.module.modules() if isinstance(one, layers)]
    try:
        specimen.loss(lighter(specimen).batches[0])
    finally:
        for handle in handles:
            handle.remove()
    if not order:
        return None
    name, layer = order[-1]
    weight = cast("Tensor", layer.weight)
    if weight.requires_grad or f"{name}.weight" in specimen.loaded or not is_fresh(weight):
        return None
    trains = [one for one in specimen.module.parameters() if one.requires_grad]
    if not trains or not specimen.automatic:
        return None
    own = list(layer.parameters())
    return Head(name, len(trains), _learned(specimen, trains, ()), _learned(specimen, [*trains, *own], own))


def _learned(specimen: Specimen, parameters: list[nn.Parameter], thawed: Any) -> float | None:
    specimen = lighter(specimen)
    with specimen.kept(seed=1):
        for one in thawed:
            one.requires_grad_(True)
        optimizer = torch.optim.Adam(parameters, lr=_RATE)
        lowest: float | None = None
        for _ in range(affordable(specimen, _STEPS, seconds=_SECONDS, least=_LEAST)):
            optimizer.zero_grad()
            loss = specimen.loss(specimen.batches[0])
            if loss is None or not loss.requires_grad:
                return None
            value = float(loss.detach())
            lowest = value if lowest is None else min(lowest, value)
            loss.backward()
            optimizer.step()
        return lowest


@dataclass(frozen=True)
class NotFinite:
    """Parameters with NaN or infinity before any training, by name, with how many of their elements."""

    names: Mapping[str, int] = field(default_factory=dict[str, int])


def not_finite(specimen: Specimen) -> NotFinite:
    """Look at every parameter that training begins with."""
    counts = {name: int((~torch.isfinite(one.detach())).sum()) for name, one in specimen.module.named_parameters()}
    return NotFinite({name: count for name, count in counts.items() if count})


class Standing(Monitor):
    """Compares parameters and buffers at the end with the beginning.

    Attributes:
        moved: names of the parameters that are others, with the largest change of an element; None before the end.
        buffers: likewise of floating buffers.
        known: names of all parameters.
    """

    def __init__(self) -> None:
        self.moved: dict[str, float] | None = None
        self.buffers: dict[str, float] = {}
        self.known: tuple[str, ...] = ()
        self._before: dict[str, Tensor] = {}

    def beginning(self, moment: Moment) -> None:
        """Keep a copy."""
        self._before = {name: one.detach().clone() for name, one in _held(moment.module).items()}
        self.known = tuple(name for name, _ in moment.module.named_parameters())

    def ended(self, moment: Moment) -> None:
        """Compare with it."""
        now = _held(moment.module)
        changes = {
            name: float((now[name].detach().double() - before.double()).abs().max())
            for name, before in self._before.items()
            if name in now and now[name].shape == before.shape and not torch.equal(now[name].detach(), before)
        }
        self.moved = {name: change for name, change in changes.items() if name in self.known}
        self.buffers = {name: change for name, change in changes.items() if name not in self.known}
        self._before.clear()


def _held(module: nn.Module) -> dict[str, Tensor]:
    buffers = {name: one for name, one in module.named_buffers() if one.is_floating_point()}
    return {**dict(module.named_parameters()), **buffers}
