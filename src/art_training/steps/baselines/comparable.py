"""Whether what the user's own code predicts can be compared with targets, and in which form."""

from typing import TYPE_CHECKING, Any

from art_training.errors import SetupError
from art_training.setup.data.batch import detached
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from torch import Tensor


def as_predictions(given: Any, target: "Tensor", task: Task, what: str) -> "Tensor":
    """What was predicted as a tensor on the CPU: classes, probabilities or values.

    Raises:
        SetupError: it is something else.
    """
    import numpy as np
    import torch

    from art_training.setup.scores.alignment import is_probability
    from art_training.setup.scores.losses import activate

    wanted = f"give one row an example: {_wanted(target, task)}"
    try:
        predicted = given if isinstance(given, torch.Tensor) else torch.from_numpy(np.asarray(given).copy())
    except (TypeError, ValueError, RuntimeError) as error:
        raise SetupError(f"{what} gave a {type(given).__name__}, which is no array of numbers; {wanted}") from error
    predicted = detached(predicted)
    if predicted.is_complex():
        raise SetupError(f"{what} gave complex numbers, which no metric compares; {wanted}")
    shape = tuple(predicted.shape)
    if not predicted.ndim or len(predicted) != len(target):
        raise SetupError(f"{what} gave predictions of shape {shape} for {len(target)} examples; {wanted}")
    if predicted.ndim > target.ndim + 1 or (predicted.ndim == 1 < target.ndim and target[0].numel() > 1):
        raise SetupError(
            f"{what} gave predictions of shape {shape} for targets of shape {tuple(target.shape)}; {wanted}"
        )
    if (
        predicted.ndim == target.ndim + 1
        and task.classes
        and task.classes not in {predicted.shape[1], predicted.shape[-1]}
        and not _yes_or_no(predicted, target, task)
    ):
        raise SetupError(
            f"{what} gave predictions of shape {shape} for targets of shape {tuple(target.shape)}, and the task has "
            f"{task.classes} classes; {wanted}"
        )
    if predicted.is_floating_point() and not bool(torch.isfinite(predicted).all()):
        raise SetupError(f"{what} gave numbers that are not finite; give a prediction of each example")
    _require_known_classes(predicted, target, task, what)
    if not predicted.is_floating_point():
        return predicted.long() if task.kind is not TaskKind.REGRESSION else predicted.float()
    predicted = predicted.float()
    if predicted.shape == target.shape and _many(task):
        return predicted.long()
    if is_probability(predicted, task.activation):
        return predicted
    return activate(predicted, task.activation)


def _many(task: Task) -> bool:
    """Whether an example has one of more than two classes, so that one number of it can only be the class."""
    return task.kind in {TaskKind.CLASSIFICATION, TaskKind.SEQUENCE} and (task.classes or 0) > 2


def _yes_or_no(predicted: "Tensor", target: "Tensor", task: Task) -> bool:
    """Whether there is one number an example, which says of two classes how likely the second is."""
    return task.classes == 2 and predicted.numel() == target.numel()


def _require_known_classes(predicted: "Tensor", target: "Tensor", task: Task, what: str) -> None:
    if predicted.shape != target.shape or not (_many(task) or (task.classes and not predicted.is_floating_point())):
        return
    if task.kind not in {TaskKind.CLASSIFICATION, TaskKind.SEQUENCE} or not predicted.numel():
        return
    last = (task.classes or 0) - 1
    if predicted.is_floating_point() and not bool((predicted == predicted.round()).all()):
        raise SetupError(f"{what} gave numbers that are no classes; give classes 0 to {last}, or a number for each")
    asked = predicted[target != task.loss_options.get("ignore_index", -100)]
    if not asked.numel():
        return
    low, high = int(asked.min()), int(asked.max())
    if not 0 <= low <= high <= last:
        raise SetupError(f"{what} gave classes from {low} to {high}, and those of this task are 0 to {last}")


def _wanted(target: "Tensor", task: Task) -> str:
    """The shapes that predictions of such targets may have."""
    shape = tuple(target.shape)
    if task.kind not in {TaskKind.CLASSIFICATION, TaskKind.SEQUENCE} or target.is_floating_point():
        return f"shape {shape}, as the targets"
    if not task.classes:
        return f"shape {shape} for a class, or {(*shape, 'classes')} for a number of each class".replace("'", "")
    return f"shape {shape} for a class, or {(*shape, task.classes)} for a number of each class"
