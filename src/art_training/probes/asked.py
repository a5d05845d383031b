"""How much each position counts in a loss, and what is asked for there, told by gradients: however the loss is written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, size

_FORM = 1e-3  # how far single precision may leave a gradient from its form, as a share of it
_AGREE = 0.99  # of the signs
_SECONDS = 0.4  # that a step with its backward pass may take
_MOST = 48  # tensors that are kept, the last of a step: predictions stand at its end
_MOST_BATCHES = 40  # that are tried for two steps of an optimiser
_LARGEST = 1 << 22  # numbers of a prediction


@dataclass(frozen=True)
class AskedClasses:
    """Predictions whose loss is the cross entropy of a class each.

    Attributes:
        batch: number of the batch that they are of.
        weights: (examples, positions) what the cross entropy of each is multiplied with in the loss; one position where an example has
            one class; 0: it does not count.
        classes: likewise, the class that is asked for.
        likeliest: likewise, the class that is predicted.
        of: how many classes there are.
    """

    batch: int
    weights: Tensor
    classes: Tensor
    likeliest: Tensor
    of: int


@dataclass(frozen=True)
class AskedNumbers:
    """Predictions that are drawn to an entry of the batch of their shape, each number to its own.

    Attributes:
        batch: number of the batch that they are of.
        path: of the entry.
        counts: in the shape of the entry, whether a number has a gradient.
        rises: likewise, whether it is drawn upwards.
    """

    batch: int
    path: str
    counts: Tensor
    rises: Tensor


@dataclass(frozen=True)
class Asked:
    """What is asked in all batches that were looked at."""

    batches: tuple[Any, ...]
    classes: tuple[AskedClasses, ...]
    numbers: tuple[AskedNumbers, ...]


def asked(specimen: Specimen) -> Asked:
    """What losses ask of predictions, batch by batch, in training mode."""
    specimen = lighter(specimen, seconds=_SECONDS)
    classes: list[AskedClasses] = []
    numbers: list[AskedNumbers] = []
    for place, batch in enumerate(specimen.batches):
        watching = _Watching(place, batch)
        with specimen.kept(seed=0):
            for optimizer in specimen.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = 0.0  # a step that optimises by itself is looked at, and undone
            with watching:
                loss = specimen.loss(batch)
            if specimen.automatic and loss is not None and loss.requires_grad:
                watching.differentiated(loss)
        classes += watching.classes
        numbers += watching.numbers
    return Asked(specimen.batches, tuple(classes), tuple(numbers))


def batches_a_step(specimen: Specimen) -> int:
    """How many batches a step that optimises by itself takes for one step of its optimiser; 1 where it steps with each, or never."""
    if specimen.automatic or not specimen.optimizers:
        return 1
    stepped: list[int] = []
    specimen = lighter(specimen)
    with specimen.kept(), specimen.in_mode("train"), torch.enable_grad():
        for optimizer in specimen.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = 0.0
        number = 0

        def note(_optimizer: Any, _given: Any, _named: Any) -> None:
            stepped.append(number)

        handle = specimen.optimizers[0].register_step_post_hook(note)
        try:
            while number < _MOST_BATCHES and len(stepped) < 2:
                specimen.step(specimen.batches[number % len(specimen.batches)], number)
                number += 1
        finally:
            handle.remove()
    return max(1, stepped[1] - stepped[0]) if len(stepped) > 1 else 1


class _Watching(TorchFunctionMode):
    """Keeps what may be predictions, and looks at their gradients when something is differentiated."""

    def __init__(self, place: int, batch: Any) -> None:
        super().__init__()
        self.classes: list[AskedClasses] = []
        self.numbers: list[AskedNumbers] = []
        self._place, self._count = place, size(batch)
        self._leaves = {
            path: one
            for path, one in entries(batch).items()
            if isinstance(one, Tensor) and one.ndim and not one.is_complex()
        }
        self._kept: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and keep what it gave."""
        del types
        if func is Tensor.backward:
            self.differentiated(args[0])
        value = func(*args, **(kwargs or {}))
        if type(value) is Tensor and self._may_be(value):
            self._kept.append(value)
            del self._kept[:-_MOST]
        return value

    def differentiated(self, loss: Tensor) -> None:
        """Look at the gradients of what is differentiated, while its graph is whole."""
        told: set[tuple[int, ...]] = set()
        last_first = self._kept[::-1]
        gradients = torch.autograd.grad(loss, last_first, retain_graph=True, allow_unused=True) if last_first else ()
        for prediction, gradient in zip(last_first, gradients, strict=True):
            if gradient is None or not bool(gradient.any()) or not bool(gradient.isfinite().all()):
                continue
            for scores, slopes in _by_classes(prediction.detach(), gradient, self._count):
                one = _classes(self._place, scores, slopes)
                if one is not None and (shape := (one.of, int((one.weights > 0).sum()))) not in told:
                    told.add(shape)  # the same scores stand in several views
                    self.classes.append(one)
            for path, leaf in self._leaves.items():
                one = _numbers(self._place, path, leaf, prediction.detach(), gradient)
                if one is not None and all(path != known.path for known in self.numbers):
                    self.numbers.append(one)

    def _may_be(self, value: Tensor) -> bool:
        fits = value.requires_grad and value.is_floating_point() and 1 <= value.ndim <= 3 and value.numel() <= _LARGEST
        return fits and len(value) % self._count == 0 and all(value is not one for one in self._kept[-3:])


def _by_classes(prediction: Tensor, gradient: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores and their gradients as (examples, positions, classes), in every order that they may have."""
    if prediction.ndim == 2:
        yield tuple(one.reshape(count, -1, one.shape[1]) for one in (prediction, gradient))  # type: ignore[misc]
    elif prediction.ndim == 3 and len(prediction) == count:
        yield prediction, gradient
        yield prediction.transpose(1, 2), gradient.transpose(1, 2)


def _classes(place: int, scores: Tensor, slopes: Tensor) -> AskedClasses | None:
    """Of logits z, w (softmax(z) - onehot(class)) is the gradient of w times their cross entropy; None where it is none such."""
    if scores.shape[2] < 2 or bool((slopes.sum(2).abs() > _FORM * slopes.abs().sum(2)).any()):
        return None  # most tensors; the classes of a cross entropy draw from each other
    scores, slopes = scores.double(), slopes.double()
    shares = scores.softmax(2)
    classes = slopes.argmin(2, keepdim=True)
    weights = -slopes.gather(2, classes) / (1 - shares.gather(2, classes)).clamp_min(1e-12)
    form = weights * (shares - torch.zeros_like(shares).scatter_(2, classes, 1.0))
    if not bool((weights >= 0).all()) or bool(((form - slopes).abs() > _FORM * weights.clamp_min(1e-12)).any()):
        return None
    return AskedClasses(place, weights[..., 0], classes[..., 0], scores.argmax(2), scores.shape[2])


def _numbers(place: int, path: str, leaf: Tensor, prediction: Tensor, gradient: Tensor) -> AskedNumbers | None:
    """Whether every known number is drawn to its own in an entry: by the difference, or by whether it is 0 or 1."""
    if leaf.shape not in {prediction.shape, prediction.shape[:-1] if prediction.shape[-1] == 1 else prediction.shape}:
        return None
    slopes, given = gradient.reshape(leaf.shape), prediction.reshape(leaf.shape)
    wanted = leaf.to(given.dtype)
    counts = slopes != 0
    known = counts & wanted.isfinite() & (wanted >= 0) if _of_labels(wanted) else counts & wanted.isfinite()
    rises = slopes < 0
    expected = wanted > 0.5 if _of_labels(wanted) else wanted > given
    if int(known.sum()) < 8 or float((rises == expected)[known].double().mean()) < _AGREE:
        return None
    return AskedNumbers(place, path, counts, rises)


def _of_labels(wanted: Tensor) -> bool:
    """Whether numbers are 0 and 1, but for marks of what nobody knows."""
    known = wanted[wanted.isfinite() & (wanted >= 0)]
    return len(known) > 0 and bool(((known == 0) | (known == 1)).all())
