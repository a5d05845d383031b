"""Losses that are written by hand, told by their value: a number that torch's loss of the same prediction and target gives too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.setup.data.batch import entries

_EXACT = 1e-5  # relative: single precision, summed in another order
_TINY = 1e-6  # a number so near to 0 is that of too many things
_MOST = 40  # predictions and numbers that are kept, the last of a step; losses stand at its end
_LARGEST = 1 << 22  # numbers of a prediction
_FEWEST = 4  # of a target; fewer agree by chance


class WrittenLosses(TorchFunctionMode):
    """Notes the numbers of a step, and what they could be the loss of.

    Args:
        batch: whose entries are targets.
    """

    def __init__(self, batch: Any) -> None:
        super().__init__()
        self._targets = [
            one for one in entries(batch).values() if isinstance(one, Tensor) and one.ndim and one.numel() >= _FEWEST
        ]
        self._predictions: list[Tensor] = []
        self._numbers: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note what it gave."""
        del types
        value = func(*args, **(kwargs or {}))
        if type(value) is Tensor and value.is_floating_point() and func is not Tensor.detach:
            if value.ndim == 0:
                _keep(self._numbers, value)
            elif value.numel() <= _LARGEST and any(_fits(value, one) for one in self._targets):
                _keep(self._predictions, value)
        return value

    def found(self) -> tuple[str, Tensor, Tensor, Tensor, str] | None:
        """Name, prediction, target, number and reduction of the first loss that a number is; None where none is.

        The prediction is the earliest that gives the number: logits, where what a log-softmax made of them gives it too.
        """
        numbers = [(one, float(one.detach())) for one in self._numbers]
        for prediction in self._predictions:
            for target in self._targets:
                for name, reduction, value in _losses(prediction, target) if _fits(prediction, target) else ():
                    for one, number in numbers:
                        if abs(value) > _TINY and abs(number - value) <= _EXACT * abs(value):
                            return name, prediction, target, one, reduction
        return None


def _keep(kept: list[Tensor], one: Tensor) -> None:
    if not any(one is other for other in kept[-3:]):
        kept.append(one)
    if len(kept) > _MOST:
        del kept[0]


def _fits(prediction: Tensor, target: Tensor) -> bool:
    """Whether a prediction has a score a class for each class number, or a number for each number."""
    if prediction.numel() == target.numel():
        return prediction.shape == target.shape or prediction.squeeze().shape == target.squeeze().shape
    if target.is_floating_point() or target.dtype == torch.bool:
        return False
    return prediction.ndim == target.ndim + 1 and (
        prediction.shape[:-1] == target.shape or (len(prediction), *prediction.shape[2:]) == tuple(target.shape)
    )


def _losses(prediction: Tensor, target: Tensor) -> Iterator[tuple[str, str, float]]:
    """Every loss of torch that could be meant, by both reductions."""
    values = prediction.detach().double()
    if values.numel() == target.numel():
        wanted = target.detach().double().reshape(values.shape)
        pairs: Mapping[str, Callable[..., Tensor]] = {
            "mse_loss": functional.mse_loss, "l1_loss": functional.l1_loss, "huber_loss": functional.huber_loss,
        }  # fmt: skip
        if bool(((wanted >= 0) & (wanted <= 1)).all()):
            pairs = {**pairs, "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits}
        for name, function in pairs.items():
            each = function(values, wanted, reduction="none")
            yield name, "mean", float(each.mean())
            yield name, "sum", float(each.sum())
        return
    scores = values if prediction.shape[:-1] != target.shape else values.movedim(-1, 1) if values.ndim > 2 else values
    numbers = target.detach().long()
    if int(numbers.min()) < 0 or int(numbers.max()) >= scores.shape[1]:
        return
    # Not nll_loss: minus the mean probability of the class, by hand, is the expected accuracy, which one may mean.
    each = functional.cross_entropy(scores, numbers, reduction="none")
    yield "cross_entropy", "mean", float(each.mean())
    yield "cross_entropy", "sum", float(each.sum())
