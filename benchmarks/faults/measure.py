"""Measures that the case files share; no user's code."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


def first(model: nn.Module, batch: Any) -> Tensor:
    """The model's output for the first entry of a batch."""
    return model(batch[0])


def second(batch: Any) -> Tensor:
    return batch[1]


def pooled(
    model: nn.Module,
    loader: Iterable[Any],
    predict: Callable[[Any, Any], Tensor] = first,
    target: Callable[[Any], Tensor] = second,
) -> tuple[Tensor, Tensor]:
    """Predictions in evaluation mode and targets, of all rows."""
    model.eval()
    with torch.no_grad():
        pairs = [(predict(model, batch), target(batch)) for batch in loader]
    return torch.cat([one for one, _ in pairs]), torch.cat([two for _, two in pairs])


def accuracy(scores: Tensor, targets: Tensor) -> tuple[float, float]:
    """Share of rows whose highest score is the target's, and that of always saying the commonest class."""
    common = targets.flatten().bincount().max().item() / targets.numel()
    return (scores.argmax(-1) == targets).float().mean().item(), common


def explained(predictions: Tensor, targets: Tensor) -> tuple[float, float]:
    """Share of the variance that is explained; the mean explains none."""
    predictions, targets = predictions.flatten().float(), targets.flatten().float()
    return 1 - ((predictions - targets) ** 2).mean().item() / targets.var(correction=0).item(), 0.0


def area(scores: Tensor, targets: Tensor) -> tuple[float, float]:
    """Area under the receiver operating curve, 0.5 for chance; 0.5 where scores are not finite."""
    from sklearn.metrics import roc_auc_score

    if not scores.isfinite().all():
        return 0.5, 0.5
    return float(roc_auc_score(targets.flatten().numpy(), scores.flatten().float().numpy())), 0.5


def validation(clean: Any) -> Iterable[Any]:
    """The clean project's validation loader."""
    data = clean.data()
    data.prepare_data()
    data.setup("fit")
    return data.val_dataloader()
