"""Predictions and targets in one form, whatever shapes a model and its loss use: one row a decision, classes last."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from art_training.setup.scores.losses import activate
from art_training.setup.task import Activation

if TYPE_CHECKING:
    from torch import Tensor

_BEGINNING = 1_000


@dataclass(frozen=True)
class Raw:
    """A prediction and its target as they were found.

    Attributes:
        prediction: any shape.
        target: any shape.
        activation: what turns the prediction into probabilities; None where that is not known yet.
        classes_last: whether the class dimension is the last where shapes allow both; losses of torch put it second.
        ignore_index: class of positions that do not count.
    """

    prediction: "Tensor"
    target: "Tensor"
    activation: Activation | None = None
    classes_last: bool = True
    ignore_index: int | None = None


@dataclass(frozen=True)
class Aligned:
    """Rows to compare.

    Attributes:
        predictions: (rows, classes) probabilities, (rows,) labels, probabilities or values, or (rows, ...) values.
        targets: (rows,) classes or values, or the shape of the predictions.
        example: (rows,) number in the batch of the example that a row belongs to; None where a row is an example.
    """

    predictions: "Tensor"
    targets: "Tensor"
    example: "Tensor | None" = None


def aligned(raw: Raw, examples: int) -> Aligned:
    """One form of a prediction and its target.

    Args:
        raw: as found.
        examples: how many examples the batch holds.

    Raises:
        ValueError: the shapes do not belong together; the message says which they are.
    """
    prediction, target = raw.prediction, raw.target
    if _has_classes(prediction, target):
        return _classes(raw, examples)
    prediction = activate(prediction, raw.activation or "none")
    if prediction.shape != target.shape:
        prediction, target = _without_ones(prediction), _without_ones(target)
    elif prediction.ndim == 2 and prediction.shape[1] == 1:
        prediction, target = prediction.squeeze(1), target.squeeze(1)
    if prediction.shape != target.shape:
        raise ValueError(
            f"predictions of shape {tuple(raw.prediction.shape)} and targets of shape {tuple(raw.target.shape)} "
            "do not belong together"
        )
    if raw.activation == "sigmoid" and prediction.ndim > 2:  # one yes or no a position, e.g. a mask of an image
        return _flat(prediction, target, None, examples)
    if not prediction.is_floating_point() and not target.is_floating_point() and prediction.ndim > 1:
        return _flat(prediction, target, raw.ignore_index, examples)
    return Aligned(prediction, target, _owners(prediction.shape[0], examples, prediction))


def same_values(a: "Tensor", b: "Tensor") -> bool:
    """Whether two tensors hold the same numbers in the same order, whatever their shapes and types.

    A sequence `b` without its first position counts as the whole sequence, since models of the next token are
    compared with their shifted input.
    """
    import torch

    if a.numel() != b.numel() and b.ndim >= 2 and b.shape[1] > 1:
        b = b[:, 1:]
    if a.numel() != b.numel() or a.numel() == 0:
        return False
    a, b = a.detach().reshape(-1), b.detach().reshape(-1)
    if a.data_ptr() == b.data_ptr() and a.dtype == b.dtype and a.device == b.device:
        return True

    def close(one: "Tensor", two: "Tensor") -> bool:
        kind = torch.promote_types(one.dtype, two.dtype)
        one, two = one.to(two.device, kind), two.to(kind)
        if not kind.is_floating_point:
            return torch.equal(one, two)
        return bool(torch.allclose(one, two, rtol=1e-5, atol=1e-8, equal_nan=True))

    # The beginning tells most tensors apart, and large ones stay where they are.
    return close(a[:_BEGINNING], b[:_BEGINNING]) and (a.numel() <= _BEGINNING or close(a, b))


def is_probability(prediction: "Tensor", activation: Activation) -> bool:
    """Whether a tensor can be what `activation` gives: numbers in 0..1, for the softmax adding up to one."""
    if not bool(((prediction >= 0) & (prediction <= 1)).all()):
        return False
    if activation != "softmax" or prediction.ndim < 2:
        return True
    return any(bool(((prediction.sum(axis) - 1).abs() < 1e-3).all()) for axis in {1, prediction.ndim - 1})


def _has_classes(prediction: "Tensor", target: "Tensor") -> bool:
    """Whether the prediction has one more dimension than the target, which holds class numbers."""
    if target.is_floating_point() or not prediction.is_floating_point() or prediction.ndim < 2:
        return False
    if target.ndim == prediction.ndim and 1 in target.shape[1:] and prediction.shape != target.shape:
        return target.numel() * prediction.shape[-1] == prediction.numel() and prediction.shape[-1] > 1
    return target.ndim == prediction.ndim - 1 and not (prediction.ndim == 2 and prediction.shape[1] == 1)


def _classes(raw: Raw, examples: int) -> Aligned:
    prediction, target = raw.prediction, raw.target
    if target.ndim == prediction.ndim:
        target = target.reshape(prediction.shape[:-1])
    last = prediction.shape[:-1] == target.shape
    second = prediction.ndim > 2 and (prediction.shape[0], *prediction.shape[2:]) == tuple(target.shape)
    if not last and not second:
        raise ValueError(
            f"predictions of shape {tuple(prediction.shape)} and targets of shape {tuple(target.shape)} "
            "do not belong together"
        )
    if second and not (last and raw.classes_last):
        prediction = prediction.movedim(1, -1)
    prediction = activate(prediction, raw.activation or "none")
    return _flat(prediction.reshape(-1, prediction.shape[-1]), target, raw.ignore_index, examples)


def _flat(prediction: "Tensor", target: "Tensor", ignore_index: int | None, examples: int) -> Aligned:
    """Positions as rows, without the ignored ones. `prediction` is (positions, classes) or has the target's shape."""
    if prediction.shape == target.shape:
        prediction = prediction.reshape(-1)
    target = target.reshape(-1)
    example = _owners(len(target), examples, target)
    if ignore_index is not None and bool((kept := target != ignore_index).logical_not().any()):
        if example is None:
            example = _numbers(len(target), target)
        prediction, target, example = prediction[kept], target[kept], example[kept]
    return Aligned(prediction, target, example)


def _owners(rows: int, examples: int, like: "Tensor") -> "Tensor | None":
    """Which example each row belongs to: rows of one example follow each other, as `reshape(-1)` leaves them."""
    if rows == examples or examples < 1 or rows % examples:
        return None
    return _numbers(examples, like).repeat_interleave(rows // examples)


def _numbers(count: int, like: "Tensor") -> "Tensor":
    import torch

    return torch.arange(count, device=like.device)


def _without_ones(tensor: "Tensor") -> "Tensor":
    """The tensor without dimensions of size one, except the first."""
    return tensor.reshape(tensor.shape[0], *(size for size in tensor.shape[1:] if size != 1)) if tensor.ndim else tensor
