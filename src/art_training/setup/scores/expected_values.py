"""What losses of values should be before training: an output of zero, and the best constant.

The constant that minimises a loss is the mean for squared and the median for absolute errors (Gneiting and Raftery,
Strictly proper scoring rules, JASA 102, 2007).
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from art_training.setup.scores.expectation import Expected, columns, listed, unknown
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

_HALVINGS = 60


def regression(targets: "Tensor", task: Task) -> Expected:
    """An output of zero, and the constant that minimises the loss: the mean, the median, or the zero of its slope."""
    outputs = columns(targets)
    if task.loss_options.get("weight") is not None:
        return unknown("the weights differ from example to example")
    loss, constant = REGRESSIONS[task.loss]
    best = constant(outputs, task.loss_options)
    zero = float(loss(outputs, task.loss_options).mean())
    return Expected(zero, float(loss(outputs - best, task.loss_options).mean()), "", listed(best))


def gaussian(targets: "Tensor", task: Task) -> Expected:
    """The variance that a fresh model predicts is its own affair; the best constants are mean and variance."""
    eps, full = float(task.loss_options.get("eps", 1e-6)), bool(task.loss_options.get("full"))
    outputs = columns(targets)
    variance = outputs.var(0, correction=0).clamp(min=eps)
    loss = 0.5 * (variance.log() + outputs.var(0, correction=0) / variance) + (0.5 * math.log(2 * math.pi) * full)
    reason = "the loss at first depends on the variance that the fresh model predicts"
    return Expected(None, float(loss.mean()), reason, listed(outputs.mean(0)))


def poisson(targets: "Tensor", task: Task) -> Expected:
    """Rate λ for counts y: λ - y ln λ, with Stirling's term for y > 1 where `full`; a zero output is λ = 1."""
    options = task.loss_options
    outputs = columns(targets)
    rate = outputs.mean(0)
    if bool((rate <= 0).any()):
        return unknown("an output whose counts are all zero has no rate")
    stirling = outputs * outputs.log() - outputs + 0.5 * (2 * math.pi * outputs).log()
    constant = float(stirling.where(outputs > 1, 0.0).mean()) if options.get("full") else 0.0
    prior = float((rate - rate * rate.log()).mean()) + constant
    if not options.get("log_input", True):
        return Expected(None, prior, "an output of zero is a rate of zero, which no count can have", listed(rate))
    return Expected(1.0 + constant, prior, "", listed(rate.log()))


def mirrored_share(predictions: "Tensor", targets: "Tensor", task: Task) -> float | None:
    """The loss of outputs mirrored about their mean, as a share of their loss; None where they lose nothing.

    Args:
        predictions: (examples, ...) what entered a loss of errors.
        targets: of the same shape.
        task: its loss and the loss's options.
    """
    loss, _ = REGRESSIONS[task.loss]
    given, wanted = columns(predictions), columns(targets)
    mirrored = 2 * given.mean(0) - given
    own = float(loss(given - wanted, task.loss_options).mean())
    return float(loss(mirrored - wanted, task.loss_options).mean()) / own if own > 0 else None


def _squared(errors: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    del options
    return errors**2


def _absolute(errors: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    del options
    return errors.abs()


def _smooth(errors: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    beta = float(options.get("beta", 1.0))
    size = errors.abs()
    return size if beta == 0 else (size**2 / (2 * beta)).where(size < beta, size - beta / 2)


def _huber(errors: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    delta = float(options.get("delta", 1.0))
    size = errors.abs()
    return (size**2 / 2).where(size <= delta, delta * (size - delta / 2))


def _mean(outputs: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    del options
    return outputs.mean(0)


def _median(outputs: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    del options
    return outputs.median(0).values


def _flat_point(outputs: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    """Where the slope of a Huber loss is zero, by bisection: errors count as they are up to the threshold."""
    threshold = float(options.get("beta", options.get("delta", 1.0)))
    if threshold == 0:
        return _median(outputs, options)
    low, high = outputs.min(0).values, outputs.max(0).values
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        up = (outputs - middle).clamp(-threshold, threshold).sum(0) > 0
        low, high = middle.where(up, low), high.where(up, middle)
    return (low + high) / 2


REGRESSIONS: Mapping[str, tuple[Callable[..., "Tensor"], Callable[..., "Tensor"]]] = {
    "mse_loss": (_squared, _mean),
    "l1_loss": (_absolute, _median),
    "smooth_l1_loss": (_smooth, _flat_point),
    "huber_loss": (_huber, _flat_point),
}
"""Each loss of errors: its values, and the constant that makes their mean smallest."""
