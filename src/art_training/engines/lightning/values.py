"""Numbers out of what a training holds: logged values, losses, learning rates."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_VALIDATION_LOSS = re.compile(
    r"(?:(?:val|valid|validation|eval|dev)[_/.\- ]?loss|loss[_/.\- ](?:val|valid|validation))"
)
_TRAINING_LOSS = re.compile(r"(?:train(?:ing)?[_/.\- ])?loss(?:_step)?")


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The values that are one number, moved from their device in one transfer."""
    tensors = {name: value for name, value in metrics.items() if isinstance(value, Tensor) and value.numel() == 1}
    found = dict(zip(tensors, values_of(list(tensors.values())), strict=True))
    found |= {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
    return {name: found[name] for name in metrics if name in found}


def learning_rates(optimizers: Iterable[Any], *, of: Any = None) -> list[tuple[str, float]]:
    """The learning rate of each group of parameters, named by the group's own name, or counted.

    Args:
        optimizers: all there are.
        of: only the groups of this one; their names are the same.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    return [
        (str(group.get("name", index)), float(group["lr"]))
        for index, group in enumerate(groups)
        if "lr" in group and (of is None or any(group is one for one in of.param_groups))
    ]


def returned_loss(outputs: Any, accumulated: int) -> Tensor | None:
    """The loss among a batch's outputs, which Lightning has divided by the batches that are accumulated."""
    found = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return found.detach() * accumulated if isinstance(found, Tensor) else None


def values_of(tensors: list[Tensor]) -> list[float]:
    """The values of tensors of one element, moved from their device in one transfer."""
    if not tensors:
        return []
    try:
        return torch.stack([tensor.detach().reshape(()).double() for tensor in tensors]).tolist()
    except (RuntimeError, TypeError):  # several devices, or a device without doubles
        return [float(tensor.detach()) for tensor in tensors]


def weighted_mean(pairs: Sequence[tuple[Tensor, int]]) -> float | None:
    """The mean of values, each of which counts so many times; None where none counts."""
    values, weights = values_of([value for value, _ in pairs]), [weight for _, weight in pairs]
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total if total else None


def are_finite(parameters: Iterable[Tensor]) -> bool:
    """Whether no number among them is NaN or infinite."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in parameters if parameter.is_floating_point())


def validation_losses(logged: Mapping[str, float], loaders: Sequence[str | None]) -> dict[str, float]:
    """The validation losses among logged values, recognised by a common name, as names of curves.

    Args:
        logged: values by name; Lightning adds `/dataloader_idx_1` where there are several loaders.
        loaders: their names.
    """
    found: dict[str, float] = {}
    for name, value in logged.items():
        plain, _, index = name.partition("/dataloader_idx_")
        if _VALIDATION_LOSS.fullmatch(plain.removesuffix("_epoch").lower()):
            found[loss_curve(loaders[int(index)] if index else None)] = value
    return found


def loss_curve(loader: str | None) -> str:
    """The name of the curve of the validation loss."""
    return "validation/loss" if loader is None else f"validation:{loader}/loss"


def training_loss(logged: Mapping[str, float]) -> float | None:
    """The training loss among logged values, recognised by a common name; None where there is none."""
    names = [name for name in logged if _TRAINING_LOSS.fullmatch(name.lower())]
    return logged[max(names, key=len)] if names else None
