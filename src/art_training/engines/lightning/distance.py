"""How far predictions are from those of a teacher, by the loss that they enter.

Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, 2015 (arXiv:1503.02531).
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

Kind = Literal["classes", "labels", "values"]

DISTANCES: Mapping[str, Kind] = {
    "cross_entropy": "classes",
    "nll_loss": "classes",
    "binary_cross_entropy_with_logits": "labels",
    "binary_cross_entropy": "labels",
    "mse_loss": "values",
    "l1_loss": "values",
    "smooth_l1_loss": "values",
    "huber_loss": "values",
}
"""What the teacher gives for each loss that it can have a part in: probabilities of classes or labels, or values."""


def distance(name: str, arguments: Mapping[str, Any], wanted: Tensor, temperature: float) -> Tensor:
    """A scalar, reduced as the call itself is; where the call does not reduce, the mean.

    Of classes it is `T² KL(teacher || student)` with both softened by the temperature T, of labels the same of each label,
    of values the loss itself with the teacher's values in place of the target.

    Args:
        name: of the loss.
        arguments: of its call, by name.
        wanted: what the teacher gives, of the shape of the predictions.
        temperature: T.
    """
    if DISTANCES[name] == "values":
        options = {key: value for key, value in arguments.items() if key not in {"input", "target"}}
        value: Tensor = getattr(functional, name)(arguments["input"], wanted.to(arguments["input"].dtype), **options)
        return value.mean()
    apart = _of_classes if DISTANCES[name] == "classes" else _of_labels
    values, counts = apart(name, arguments, wanted.float(), temperature)
    total = (values * counts).sum() * temperature**2
    return total if arguments.get("reduction") == "sum" else total / counts.sum().clamp(min=1)


def _of_classes(name: str, arguments: Mapping[str, Any], wanted: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Divergences position by position, and whether each counts."""
    del name  # logits and logarithms of probabilities differ by a constant, which a softmax takes out
    prediction, target = arguments["input"].float(), arguments["target"]
    classes = 1 if prediction.ndim > 1 else 0
    student = (prediction / temperature).log_softmax(classes)
    teacher = (_log(wanted) / temperature).log_softmax(classes)
    values = (teacher.exp() * (teacher - student)).sum(classes)
    if target.is_floating_point():
        return values, torch.ones_like(values)
    return values, (target != arguments.get("ignore_index", -100)).to(values.dtype)


def _of_labels(name: str, arguments: Mapping[str, Any], wanted: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Divergences label by label, times the weights of the call, which often are a mask; all count."""
    prediction = arguments["input"].float()
    logits = prediction if name.endswith("logits") else _log(prediction) - _log(1 - prediction)
    logits = logits / temperature
    teacher = (_log(wanted) - _log(1 - wanted)) / temperature
    on, off = functional.logsigmoid(teacher), functional.logsigmoid(-teacher)
    values = on.exp() * (on - functional.logsigmoid(logits)) + off.exp() * (off - functional.logsigmoid(-logits))
    weight = arguments.get("weight")
    return values if weight is None else values * weight, torch.ones_like(values)


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
