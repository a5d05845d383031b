"""The loss of a task told from predictions alone: the user's loss, with the user's options, row by row.

Importing this module does not import torch.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from art_training.setup.observation import LossCall
from art_training.setup.scores.losses import Terms, terms
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

LOGARITHMIC = frozenset({"cross_entropy", "nll_loss"})
_OF_LOGITS = frozenset({"binary_cross_entropy_with_logits", "multilabel_soft_margin_loss"})
_OF_VALUES = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
_WEIGHTS = frozenset({"weight", "pos_weight"})  # tensors to torch, whatever they were stored as
_EPSILON = 1e-7  # probabilities of yes are kept away from 0 and 1, whose logarithms are infinite
TINY = 1e-30  # a probability of a class is no smaller


@dataclass(frozen=True)
class ToldLoss:
    """What a task's loss is of some predictions.

    Attributes:
        value: its mean; NaN where it is not known.
        terms: the same row by row; None where it does not come apart by rows.
        why_none: why there is no value, or are no terms; empty where there are both.
    """

    value: float
    terms: Terms | None
    why_none: str = ""


def told_loss(predictions: "Tensor", targets: "Tensor", task: Task, *, smallest: float = TINY) -> ToldLoss:
    """The task's loss of probabilities or values, as a mean whatever the step makes of it.

    Args:
        predictions: (rows, ...).
        targets: (rows, ...).
        task: says which loss, and with which options.
        smallest: what a probability of a class is no smaller than.
    """
    import torch

    why = _why_none(predictions, task)
    if why:
        return ToldLoss(math.nan, None, why)
    native = _native(predictions.double(), task, smallest)
    target = targets if task.loss in LOGARITHMIC and not targets.is_floating_point() else targets.to(native.dtype)
    options = options_of(task)
    try:
        value = getattr(torch.nn.functional, task.loss)(native, target, **options)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:  # what fits the user's own batches alone
        first = str(error).strip().partition("\n")[0]
        return ToldLoss(math.nan, None, f"{task.loss} with the task's options cannot be computed of it: {first}")
    found = terms(LossCall(task.loss, native, target, options, value))
    return ToldLoss(float(value), found, "" if found else f"the mean of {task.loss} does not come apart by examples")


def of_likelihood(task: Task, *, binary: bool) -> Task:
    """The same task with the negative log-likelihood of its probabilities for a loss, without weights or smoothing.

    Args:
        task: a classification.
        binary: whether a prediction is one probability of yes.
    """
    if binary:
        return replace(task, loss="binary_cross_entropy", loss_options={})
    ignored = {name: value for name, value in task.loss_options.items() if name == "ignore_index"}
    return replace(task, loss="cross_entropy", loss_options=ignored)


def options_of(task: Task) -> dict[str, Any]:
    """The loss's options as torch takes them: weights are tensors again, one number is a tensor without dimensions."""
    import torch

    found = {
        name: torch.tensor(value, dtype=torch.double) if name in _WEIGHTS else value
        for name, value in task.loss_options.items()
    }
    return {**found, "reduction": "mean"}


def _why_none(predictions: "Tensor", task: Task) -> str:
    if not task.loss:
        return "the task's loss is not a function of torch that was seen"
    if task.loss not in LOGARITHMIC | _OF_LOGITS | _OF_VALUES | {"binary_cross_entropy"}:
        return f"{task.loss} does not follow from what is predicted alone"
    if not predictions.is_floating_point():
        return f"it predicts decisions ({str(predictions.dtype).removeprefix('torch.')}), and {task.loss} takes none"
    for name in sorted(_WEIGHTS & set(task.loss_options)):
        if isinstance(task.loss_options[name], str):  # weights that are only named, as they may change by batch
            return f"the option {name} of {task.loss} is {task.loss_options[name]}, which is not kept with the task"
    return ""


def _native(wide: "Tensor", task: Task, smallest: float) -> "Tensor":
    """Predictions as the task's loss takes them."""
    if task.loss in LOGARITHMIC:
        return wide.clamp_min(smallest).log()
    if task.loss in _OF_VALUES:
        return wide
    inside = wide.clamp(_EPSILON, 1 - _EPSILON)
    return inside.logit() if task.loss in _OF_LOGITS else inside
