"""Softmaxes along the examples of what has its classes along another axis, told by who else reads the same numbers."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.passes import examples
from art_training.probes.specimen import Specimen

_SOFTMAXES: frozenset[Any] = frozenset(
    getattr(owner, name) for name in ("softmax", "log_softmax") for owner in (torch, functional, Tensor)
)
_COMPARING: frozenset[Any] = frozenset({functional.cross_entropy, functional.nll_loss})
_IMAGE = 4  # dimensions that what a convolution of images gives has, at least


@dataclass(frozen=True)
class AcrossExamples:
    """A softmax along the examples.

    Attributes:
        shape: of what it is taken of.
        classes: the axis that classes are along.
        why: how that is known, in words.
        places: of all such calls, in the order of softmaxes.
        sums: the smallest and largest sum over the classes of an example.
    """

    shape: tuple[int, ...]
    classes: int
    why: str
    places: tuple[int, ...]
    sums: tuple[float, float]


def across_examples(specimen: Specimen) -> AcrossExamples | None:
    """The softmaxes of a step that go along the examples, where classes are along another axis; None where there are none.

    Classes are along another axis where a cross entropy reads the same numbers so, or where a convolution of images
    made them. What has as many classes as examples may be a table of similarities, and is left out.
    """
    specimen = lighter(specimen)
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    if count is None:
        return None
    notes = _Reading()
    with specimen.kept(), notes:
        specimen.loss(batch)
    found: list[tuple[int, int, str, _Read]] = []
    for place, one in enumerate(notes.softmaxes):
        shape = one.whole.shape
        if one.axis != 0 or shape[0] != count or list(shape).count(count) > 1:
            continue
        reader = next((other for other in notes.comparisons if other.whole is one.whole and other.axis != 0), None)
        if reader is not None:
            found.append((place, reader.axis, "cross_entropy reads them so", one))
        elif len(shape) >= _IMAGE and shape[1] > 1 and _convolved(one.whole):
            found.append((place, 1, "a convolution made them", one))
    if not found:
        return None
    _, classes, why, first = found[0]
    sums = first.whole.detach().double().softmax(0).sum(classes)
    return AcrossExamples(
        tuple(first.whole.shape),
        classes,
        why,
        tuple(place for place, *_ in found),
        (float(sums.min()), float(sums.max())),
    )


def along_classes(specimen: Specimen) -> OneBatch | None:
    """The course of one batch where these softmaxes go along the classes; None where there are none."""
    found = across_examples(specimen)
    if found is None:
        return None
    return learned(specimen, around=lambda: _Moved(found.places, found.classes))


@dataclass(frozen=True)
class _Read:
    """What reads numbers along an axis.

    Attributes:
        whole: the numbers, as they were made.
        axis: of these.
    """

    whole: Tensor
    axis: int


class _Reading(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.softmaxes: list[_Read] = []
        self.comparisons: list[_Read] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note it."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        given = args[0] if args else keywords.get("input")
        if isinstance(given, Tensor) and given.requires_grad and given.ndim > 1:
            if func in _SOFTMAXES:
                self.softmaxes.append(_read(given, _axis(given, args, keywords)))
            elif func in _COMPARING:
                self.comparisons.append(_read(given, 1))
        elif func in _SOFTMAXES and isinstance(given, Tensor):
            self.softmaxes.append(_Read(given, -1))  # counted, and not judged
        return func(*args, **keywords)


class _Moved(TorchFunctionMode):
    """Lets some softmaxes go along another axis."""

    def __init__(self, places: tuple[int, ...], axis: int) -> None:
        super().__init__()
        self._places, self._axis, self._next = places, axis, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        given = args[0] if args else keywords.get("input")
        if func in _SOFTMAXES and isinstance(given, Tensor):
            self._next += 1
            if self._next - 1 in self._places:
                logarithm = func.__name__ == "log_softmax"
                return functional.log_softmax(given, self._axis) if logarithm else functional.softmax(given, self._axis)
        return func(*args, **keywords)


def _axis(given: Tensor, args: tuple[Any, ...], keywords: dict[str, Any]) -> int:
    axis = args[1] if len(args) > 1 else keywords.get("dim", keywords.get("axis"))
    if not isinstance(axis, int):  # as torch chooses where none is named
        return 0 if given.ndim == 3 else 1
    return axis % given.ndim


def _read(given: Tensor, axis: int) -> _Read:
    """The same axis of what a tensor is a view of, where that can be told; else of itself."""
    whole = given._base  # noqa: SLF001  There is no public name for it.
    if whole is None or whole.numel() != given.numel():
        return _Read(given, axis)
    with suppress(RuntimeError):  # sparse tensors have no strides
        same = [
            place
            for place in range(whole.ndim)
            if whole.stride(place) == given.stride(axis) and whole.shape[place] == given.shape[axis]
        ]
        if len(same) == 1:
            return _Read(whole, same[0])
    return _Read(given, axis)


def _convolved(tensor: Tensor) -> bool:
    return tensor.grad_fn is not None and tensor.grad_fn.name() == "ConvolutionBackward0"
