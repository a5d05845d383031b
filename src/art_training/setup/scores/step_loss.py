"""The loss of one batch: which call it comes from, what it counts in a mean, and its values of single examples."""

import re
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from art_training.setup.data.batch import children, entries
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.alignment import same_values
from art_training.setup.scores.losses import LOSSES, Terms, terms
from art_training.setup.task import Task

_NAME = re.compile(r"(?:(?:train|training|val|valid|validation|test|eval|dev)[\W_]*)?loss(?:_step|_epoch)?")
_TARGET_NAMES = ("target", "targets", "label", "labels", "y")


@dataclass(frozen=True)
class StepLoss:
    """The loss of one batch.

    Attributes:
        value: as the step returned or logged it, else as the call gave it; None where there is neither. A sum over the
            batch is reported as an example's share of it.
        weight: what it counts in a mean over batches: examples, positions that are not masked, or weights.
        call: the call of the main loss, if one was seen.
        call_value: the part of the value that the call accounts for.
        parts: (examples,) the call example by example; None where it cannot be told apart.
        summed: whether the value is an example's share of a sum.
    """

    value: float | None
    weight: float
    call: LossCall | None = None
    call_value: float | None = None
    parts: Terms | None = None
    summed: bool = False


def step_loss(observation: BatchObservation, call: LossCall | None) -> StepLoss:
    """The loss of a batch whose main loss is `call`."""
    total = total_loss(observation)
    examples = observation.weight
    if call is None:
        return StepLoss(total, float(examples))
    parts = per_example(call, examples)
    value = _reduced(call, parts)
    if total is not None and call.value.numel() == 1 and total == float(call.value):
        value = total if call.options.get("reduction") != "sum" else value  # in the precision of the call itself
    reduction = call.options.get("reduction")
    summed = reduction == "sum" and (total is None or _is_a_sum(total, call, examples))
    if total is not None and summed and examples:
        total /= examples
    if parts is not None and total is not None and reduction == "none" and not close(total, value):
        # The step makes its own mean of the values, e.g. over a mask.
        parts = _masked(observation, call, total) or parts
        value = float(parts.total.sum() / parts.weight.sum())
    weight = float(examples) if parts is None else float(parts.weight.sum())
    return StepLoss(value if total is None else total, weight, call, value, parts, summed)


def tensors_of(batch: Any) -> dict[str, Tensor]:
    """The entries of a batch that are tensors, by path, in their order."""
    return {path: leaf for path, leaf in entries(batch).items() if isinstance(leaf, Tensor)}


def main_call(observation: BatchObservation, task: Task | None) -> LossCall | None:
    """The call of the loss that the task is learned by, among auxiliary ones; the first of those that fit equally.

    A call whose target is the task's target comes first, then one that is all of the step's loss, then one whose
    target is an entry that is called a target, then one with any entry but the first, which is the input.
    """
    calls = [call for call in observation.losses if LOSSES[call.name].paired] or list(observation.losses)
    if len(calls) < 2:
        return calls[0] if calls else None
    total = total_loss(observation)
    paths = list(tensors_of(observation.batch))

    def rank(call: LossCall) -> tuple[bool, bool, bool, bool, bool]:
        found = targets_of(observation, call)
        wanted = task is not None and task.target is not None and task.target in found
        named = task is not None and task.loss == call.name
        whole = total is not None and call.value.numel() == 1 and close(float(call.value), total)
        return wanted, named, whole, any(map(is_target_name, found)), any(path != paths[0] for path in found)

    return max(calls, key=rank)


def targets_of(observation: BatchObservation, call: LossCall) -> list[str]:
    """The paths of the batch entries that hold the target of a call, those that are called a target first."""
    found = [path for path, tensor in tensors_of(observation.batch).items() if same_values(call.target, tensor)]
    return sorted(found, key=lambda path: not is_target_name(path))


def is_target_name(path: str) -> bool:
    """Whether an entry is called what targets are called."""
    return path.rpartition(".")[2].lower() in _TARGET_NAMES


def total_loss(observation: BatchObservation) -> float | None:
    """The loss as the step returned it, else as it logged it; None where it did neither."""
    returned = observation.returned
    if isinstance(returned, Tensor):
        return _scalar(returned)
    named = children(returned) or {}
    if (loss := _scalar(named.get("loss"))) is not None:
        return loss
    if is_sequence(returned) and (losses := [loss for item in named.values() if (loss := _scalar(item)) is not None]):
        return losses[0]
    names = [name for name in observation.logged if _NAME.fullmatch(name)]
    return observation.logged[names[-1]] if names else None


def per_example(call: LossCall, examples: int) -> Terms | None:
    """The loss of a call example by example; None where its rows cannot be assigned to examples."""
    found = terms(call)
    if found is None:
        return None
    rows = len(found.total)
    if examples < 1 or rows % examples:
        return None
    if rows != examples:  # the step has flattened positions before its loss; those of one example follow each other
        found = Terms(found.total.reshape(examples, -1).sum(1), found.weight.reshape(examples, -1).sum(1))
    if call.options.get("reduction") == "sum":
        return Terms(found.total, torch.ones_like(found.total))
    return found


def _reduced(call: LossCall, parts: Terms | None) -> float:
    """The mean that a call stands for, an example's share of it where the call sums."""
    if parts is not None:
        return float(parts.total.sum() / parts.weight.sum())
    return float(call.value.double().mean())


def _is_a_sum(total: float, call: LossCall, examples: int) -> bool:
    """Whether a step's loss is still the sum that its call gave, perhaps with other sums added to it.

    A step may divide the sum itself, by examples, elements or what a mask leaves. Which it did is told by which of the
    two its loss is nearer to, by their ratio: the sum, or the mean over the rows that were summed. Of one row out of
    several examples they are the same, and only who divides leaves so few.
    """
    rows = len(call.target) if call.target.ndim else 1
    if rows == 1 and examples > 1:
        return False
    return abs(total) * rows**0.5 >= abs(float(call.value.sum()))


def _masked(observation: BatchObservation, call: LossCall, total: float) -> Terms | None:
    """The terms of a loss without reduction that the step averages over a mask of the batch."""
    values = call.value.double()
    for mask in tensors_of(observation.batch).values():
        if mask.numel() != values.numel() or not bool(((mask == 0) | (mask == 1)).all()):
            continue
        kept = mask.to(values).reshape(values.shape)
        if close(float((values * kept).sum() / kept.sum()), total):
            examples = observation.weight
            return Terms((values * kept).reshape(examples, -1).sum(1), kept.reshape(examples, -1).sum(1))
    return None


def is_sequence(value: Any) -> bool:
    """Whether a value is a tuple or list whose items have no names."""
    return isinstance(value, tuple | list) and not hasattr(cast("Any", value), "_fields")


def _scalar(value: Any) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1 and value.is_floating_point():
        return float(value.detach())
    return value if isinstance(value, float) else None


def close(a: float, b: float) -> bool:
    """Whether two losses in single precision are the same number."""
    return abs(a - b) <= 1e-5 + 1e-4 * abs(b)
