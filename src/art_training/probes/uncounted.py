"""Positions whose predictions do nothing to the loss, by the one of two classes that they are of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.specimen import Specimen

_SECONDS = 0.75  # that a step may take; a class may be rare
_FAR = 10.0  # the deviation of logits that are put in the place of others
_ROUNDING = 1e-6
_TWO_CLASSES = {"cross_entropy", "nll_loss"}
_ONE_NUMBER = {"binary_cross_entropy", "binary_cross_entropy_with_logits"}
_FUNCTIONS: dict[Any, str] = {getattr(functional, name): name for name in sorted(_TWO_CLASSES | _ONE_NUMBER)}


@dataclass(frozen=True)
class Uncounted:
    """A class of two whose predictions a loss does not depend on.

    Attributes:
        loss: as torch calls it.
        silent: the class, 0 or 1.
        positions: of that class, over the batches that were looked at.
        others: of the other class.
        moved: the change of the whole loss when all predictions of that class become random numbers, as a share of it.
        moved_by_others: the same for the other class.
    """

    loss: str
    silent: int
    positions: int
    others: int
    moved: float
    moved_by_others: float


@dataclass
class _Call:
    name: str
    prediction: Tensor
    target: Tensor

    @property
    def whole(self) -> Tensor:
        """What the prediction is a view of, whose gradient is that of everything that reads it."""
        base = self.prediction._base  # noqa: SLF001  There is no public name for it.
        return base if base is not None and base.requires_grad and base.is_contiguous() else self.prediction


def uncounted(specimen: Specimen) -> tuple[Uncounted, ...] | None:
    """Losses of two classes of which only one counts; None where the step compares no two classes, or optimises by itself.

    A class counts where any of its predictions has a gradient of what is differentiated in the end, through whatever
    reads them. Where none has, as where the easiest positions are left out, they are exchanged for random ones: that
    must move the loss.
    """
    if not specimen.automatic or not _watched(specimen, lighter(specimen).batches[0], _Watching())[0]:
        return None  # most losses compare no two classes; a few rows say so
    specimen = lighter(specimen, seconds=_SECONDS)
    counts: dict[int, list[int]] = {}
    learns: dict[int, list[bool]] = {}
    names: dict[int, str] = {}
    for batch in specimen.batches:
        calls, loss = _watched(specimen, batch, _Watching())
        if loss is None or not loss.requires_grad:
            return None
        for place, call in enumerate(calls):
            names[place] = call.name
            sizes = _sizes(loss, call)
            for number in (0, 1):
                mine = call.target == number
                counts.setdefault(place, [0, 0])[number] += int(mine.sum())
                learns.setdefault(place, [False, False])[number] |= bool((sizes[mine] > 0).any())
    if not counts:
        return None
    found: list[Uncounted] = []
    for place, count in counts.items():
        if min(count) == 0 or learns[place] not in ([True, False], [False, True]):
            continue
        silent = learns[place].index(False)
        moved = [_moved(specimen, place, number) for number in (silent, 1 - silent)]
        if moved[0] <= _ROUNDING < moved[1] and not _has_other_readers(specimen, place):
            found.append(Uncounted(names[place], silent, count[silent], count[1 - silent], moved[0], moved[1]))
    return tuple(found)


def _sizes(loss: Tensor, call: _Call) -> Tensor:
    """The size of the gradient at each position, in the shape of the targets."""
    whole = call.whole
    (gradient,) = torch.autograd.grad(loss, whole, retain_graph=True, allow_unused=True)
    if gradient is None:
        return torch.zeros_like(call.target, dtype=torch.float32)
    if whole is not call.prediction:
        view = call.prediction
        gradient = gradient.contiguous().as_strided(view.shape, view.stride(), view.storage_offset())
    return gradient.abs().amax(1) if call.name in _TWO_CLASSES else gradient.abs()


def _moved(specimen: Specimen, place: int, number: int) -> float:
    """The largest change of the loss of a batch, of two draws, when all predictions of a class are random numbers."""
    largest = 0.0
    for batch in specimen.batches:
        _, before = _watched(specimen, batch, _Watching())
        for seed in (0, 1):
            _, after = _watched(specimen, batch, _Watching(place, lambda call, s=seed: _drawn(call, number, s)))
            if before is not None and after is not None:
                size = max(abs(float(before.detach())), 1e-12)
                largest = max(largest, abs(float(after.detach()) - float(before.detach())) / size)
    return largest


def _has_other_readers(specimen: Specimen, place: int) -> bool:
    """Whether something learns though this loss is cut off: a term that may read what this loss reads."""
    batch = specimen.batches[0]
    calls, _ = _watched(specimen, batch, _Watching())
    if place < len(calls) and calls[place].whole is calls[place].prediction and _made_by_copy(calls[place].prediction):
        _, loss = _watched(specimen, batch, _Watching(place, lambda call: call.prediction.detach()))
        return loss is not None and loss.requires_grad
    return False


def _made_by_copy(prediction: Tensor) -> bool:
    """Whether it may be a rearranged copy, beside which the original is read."""
    node: Any = prediction.grad_fn
    return node is not None and any(word in node.name() for word in ("View", "Clone", "Index", "Permute", "ToCopy"))


def _drawn(call: _Call, number: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    random = (_FAR * torch.randn(call.prediction.shape, generator=generator)).to(call.prediction)
    if call.name == "binary_cross_entropy":
        random = random.sigmoid()
    elif call.name == "nll_loss":
        random = random.log_softmax(1)
    mine = call.target == number
    return torch.where(mine.unsqueeze(1) if call.name in _TWO_CLASSES else mine, random, call.prediction)


def _watched(specimen: Specimen, batch: Any, watching: "_Watching") -> tuple[list[_Call], Tensor | None]:
    with specimen.seeded(0), watching:
        return watching.calls, specimen.loss(batch)


class _Watching(TorchFunctionMode):
    """Notes losses of two classes; one of them may be computed of something else."""

    def __init__(self, place: int = -1, change: Callable[[_Call], Tensor] | None = None) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self._place, self._change = place, change

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        call = _call(_FUNCTIONS.get(func), args, keywords)
        if call is None:
            return func(*args, **keywords)
        self.calls.append(call)
        if self._change is not None and len(self.calls) - 1 == self._place:
            changed = self._change(call)
            if args:
                args = (changed, *args[1:])
            else:
                keywords["input"] = changed
        return func(*args, **keywords)


def _call(name: str | None, args: tuple[Any, ...], keywords: dict[str, Any]) -> _Call | None:
    if name is None:
        return None
    prediction = args[0] if args else keywords.get("input")
    target = args[1] if len(args) > 1 else keywords.get("target")
    if not isinstance(prediction, Tensor) or not isinstance(target, Tensor) or not prediction.requires_grad:
        return None
    if name in _TWO_CLASSES:
        fits = prediction.ndim > 1 and prediction.shape[1] == 2 and not target.is_floating_point()
        return _Call(name, prediction, target) if fits and target.ndim == prediction.ndim - 1 else None
    binary = prediction.shape == target.shape and bool(((target == 0) | (target == 1)).all())
    return _Call(name, prediction, target) if binary else None
