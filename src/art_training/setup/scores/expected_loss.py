"""What a loss should be before any training: of uniform predictions, and of the best that ignores its input.

Cross-entropy over C classes gives ln C for uniform predictions (Karpathy, A Recipe for Training Neural Networks, 2019,
"verify loss @ init"); the constant that minimises a loss is the label prior for cross-entropies, the mean for squared
and the median for absolute errors (Gneiting and Raftery, Strictly proper scoring rules, JASA 102, 2007). Definitions of
the losses, with smoothing, weights and reductions, are those of `torch.nn.functional`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

_HALVINGS = 60


@dataclass(frozen=True)
class Expected:
    """The loss that theory gives, in the units in which ART reports losses.

    Attributes:
        uniform: of uniform predictions, or of an output of zero where the outputs are values (`OF_VALUES`); None where
            that is not known.
        prior: of the best prediction that is the same for every input; None where that is not known.
        reason_if_none: why something is not known.
        bias: the bias of the final layer that predicts the prior, for each output; empty where there is none.
    """

    uniform: float | None
    prior: float | None
    reason_if_none: str = ""
    bias: tuple[float, ...] = ()


def expected_at_init(task: Task, targets: "Tensor", examples: int | None = None) -> Expected:
    """The loss that a model of this task should have before training.

    Args:
        task: its loss and the loss's options.
        targets: what entered the loss, pooled over the data in the shape of its calls.
        examples: how many examples the targets belong to, for losses that are sums; by default their first dimension.
    """
    theory = _THEORIES.get(task.loss)
    if theory is None:
        name = task.loss or "a loss that is not a function of torch"
        return Expected(None, None, f"no value follows from {name} and the labels alone")
    if targets.numel() == 0:
        return Expected(None, None, "there are no targets")
    found = theory(targets, task)
    if task.loss_options.get("reduction") != "sum":
        return found
    # A sum is reported as an example's share of it; theories give means over what they count.
    return _times(found, _count(targets, task) / (examples or len(targets)))


def _count(targets: "Tensor", task: Task) -> int:
    """Over how many terms the theory of a loss that sums takes its mean."""
    if task.loss in {"cross_entropy", "linear_cross_entropy", "nll_loss"}:
        if targets.is_floating_point():
            return targets.numel() // targets.shape[1]
        return int((targets != task.loss_options.get("ignore_index", -100)).sum())
    return len(targets) if task.loss in _BY_ROW else targets.numel()


def _cross_entropy(targets: "Tensor", task: Task) -> Expected:
    """Cross-entropy of class numbers, and of the same as log-probabilities.

    With counts n_c, weights w_c and smoothing e, a constant prediction q has the loss
    Σ_c n_c [(1 - e) w_c (-ln q_c) + e/C Σ_k w_k (-ln q_k)] / Σ_c n_c w_c,
    which is lowest at q_c proportional to the factor of -ln q_c.
    """
    import torch

    options = task.loss_options
    if targets.is_floating_point():
        return _soft_cross_entropy(targets, options)
    classes = task.classes
    if classes is None:
        return Expected(None, None, "the number of classes is not known; declare it: Setup(task={'classes': ...})")
    kept = targets.reshape(-1)
    kept = kept[kept != options.get("ignore_index", -100)].long()
    if len(kept) == 0 or int(kept.min()) < 0 or int(kept.max()) >= classes:
        return Expected(None, None, f"the targets are not classes of 0 to {classes - 1}")
    counts = torch.bincount(kept, minlength=classes).double()
    weights = _vector(options.get("weight"), classes)
    if weights is None:
        return Expected(None, None, "the class weights are not known")
    smoothing = float(options.get("label_smoothing", 0.0))
    factors = (1 - smoothing) * counts * weights + smoothing / classes * weights * counts.sum()
    below = (counts * weights).sum() if options.get("reduction", "mean") != "sum" else counts.sum()
    return _of_factors(factors, float(below), (1 - smoothing) * counts * weights)


def _soft_cross_entropy(targets: "Tensor", options: Mapping[str, Any]) -> Expected:
    """Targets that are probabilities: rows (N, C, ...), each of weight one."""
    rows = targets.double().movedim(1, -1).reshape(-1, targets.shape[1])
    classes = rows.shape[1]
    weights = _vector(options.get("weight"), classes)
    if weights is None:
        return Expected(None, None, "the class weights are not known")
    smoothing = float(options.get("label_smoothing", 0.0))
    smooth = (1 - smoothing) * rows + smoothing / classes
    factors = smooth.sum(0) * weights
    return _of_factors(factors, float(len(rows)), factors)


def _of_factors(factors: "Tensor", below: float, counts: "Tensor") -> Expected:
    classes = len(factors)
    total = float(factors.sum())
    if below <= 0 or total <= 0:
        return Expected(None, None, "every target is ignored or has the weight zero")
    share = factors / total
    entropy = -float((share[share > 0] * share[share > 0].log()).sum())
    # Half an example more of each class keeps the bias of a class that was never seen finite.
    bias = ((counts + 0.5) / (counts.sum() + 0.5 * classes)).log()
    bias -= bias.mean()
    return Expected(math.log(classes) * total / below, entropy * total / below, "", _listed(bias))


def _binary(targets: "Tensor", task: Task) -> Expected:
    """Yes or no for each label.

    With rate r of positives and weight p of them, logits of zero give ln 2 (p r + 1 - r). The best constant is
    q = p r / (p r + 1 - r), and its loss is -(p r ln q + (1 - r) ln(1 - q)); a mean over labels.
    """
    import torch

    if task.loss == "soft_margin_loss":
        targets = (targets + 1) / 2  # written as -1 and 1
    columns = _columns(targets)
    rate = columns.mean(0)
    positive = _vector(task.loss_options.get("pos_weight"), len(rate))
    weight = _vector(task.loss_options.get("weight"), len(rate))
    if positive is None or weight is None:
        return Expected(None, None, "the weights differ from example to example")
    up, down = positive * rate, 1 - rate
    q = up / (up + down)
    at_best = -(torch.special.xlogy(up, q) + torch.special.xlogy(down, 1 - q))
    seen = (columns.sum(0) * positive + 0.5) / (columns.sum(0) * positive + (1 - columns).sum(0) + 1)
    return Expected(
        float((weight * math.log(2) * (up + down)).mean()), float((weight * at_best).mean()), "", _listed(seen.logit())
    )


def _regression(targets: "Tensor", task: Task) -> Expected:
    """An output of zero, and the constant that minimises the loss: the mean, the median, or the zero of its slope."""
    columns = _columns(targets)
    if task.loss_options.get("weight") is not None:
        return Expected(None, None, "the weights differ from example to example")
    loss, constant = _REGRESSIONS[task.loss]
    best = constant(columns, task.loss_options)
    zero = float(loss(columns, task.loss_options).mean())
    return Expected(zero, float(loss(columns - best, task.loss_options).mean()), "", _listed(best))


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


def _mean(columns: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    del options
    return columns.mean(0)


def _median(columns: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    del options
    return columns.median(0).values


def _flat_point(columns: "Tensor", options: Mapping[str, Any]) -> "Tensor":
    """Where the slope of a Huber loss is zero, by bisection: errors count as they are up to the threshold."""
    threshold = float(options.get("beta", options.get("delta", 1.0)))
    if threshold == 0:
        return _median(columns, options)
    low, high = columns.min(0).values, columns.max(0).values
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        up = (columns - middle).clamp(-threshold, threshold).sum(0) > 0
        low, high = middle.where(up, low), high.where(up, middle)
    return (low + high) / 2


def _gaussian(targets: "Tensor", task: Task) -> Expected:
    """The variance that a fresh model predicts is its own affair; the best constants are mean and variance."""
    eps, full = float(task.loss_options.get("eps", 1e-6)), bool(task.loss_options.get("full"))
    columns = _columns(targets)
    variance = columns.var(0, correction=0).clamp(min=eps)
    loss = 0.5 * (variance.log() + columns.var(0, correction=0) / variance) + (0.5 * math.log(2 * math.pi) * full)
    reason = "the loss at first depends on the variance that the fresh model predicts"
    return Expected(None, float(loss.mean()), reason, _listed(columns.mean(0)))


def _poisson(targets: "Tensor", task: Task) -> Expected:
    """Rate λ for counts y: λ - y ln λ, with Stirling's term for y > 1 where `full`; a zero output is λ = 1."""
    options = task.loss_options
    columns = _columns(targets)
    rate = columns.mean(0)
    if bool((rate <= 0).any()):
        return Expected(None, None, "an output whose counts are all zero has no rate")
    stirling = columns * columns.log() - columns + 0.5 * (2 * math.pi * columns).log()
    constant = float(stirling.where(columns > 1, 0.0).mean()) if options.get("full") else 0.0
    prior = float((rate - rate * rate.log()).mean()) + constant
    if not options.get("log_input", True):
        return Expected(None, prior, "an output of zero is a rate of zero, which no count can have", _listed(rate))
    return Expected(1.0 + constant, prior, "", _listed(rate.log()))


def _multi_margin(targets: "Tensor", task: Task) -> Expected:
    """Equal scores: each of the C - 1 other classes costs margin^p, over C; the best constant has no closed form."""
    classes, options = task.classes, task.loss_options
    if classes is None:
        return Expected(None, None, "the number of classes is not known; declare it: Setup(task={'classes': ...})")
    weights = _vector(options.get("weight"), classes)
    if weights is None:
        return Expected(None, None, "the class weights are not known")
    cost = float(options.get("margin", 1.0)) ** int(options.get("p", 1)) * (classes - 1) / classes
    return Expected(cost * float(weights[targets.reshape(-1).long()].mean()), None, "no prior follows from a margin")


def _divergence(targets: "Tensor", task: Task) -> Expected:
    """Targets (N, C) that are probabilities t: Σ t (ln t - ln q), for q = 1/C and for q = the mean of the targets."""
    import torch

    options = task.loss_options
    if targets.ndim < 2:
        return Expected(None, None, "the targets are not rows of probabilities")
    rows = targets.double().exp() if options.get("log_target") else targets.double()
    rows = rows.reshape(len(rows), -1)
    if not bool(((rows.sum(1) - 1).abs() < 1e-3).all()):
        return Expected(None, None, "the targets are not rows of probabilities")
    entropy = -torch.special.xlogy(rows, rows).sum(1).mean()
    mean = rows.mean(0)
    uniform = float(math.log(rows.shape[1]) - entropy)
    prior = float(-torch.special.xlogy(mean, mean).sum() - entropy)
    # `mean` divides by all elements, `batchmean` by the rows, and so does the share of a sum.
    scale = 1.0 if options.get("reduction") in {"batchmean", "sum"} else 1 / rows.shape[1]
    return _times(Expected(uniform, prior), scale)


def _columns(targets: "Tensor") -> "Tensor":
    """(examples, outputs) in double precision."""
    return targets.double().reshape(len(targets), -1)


def _vector(option: Any, count: int) -> "Tensor | None":
    """A weight for each class or output; None where the option is something else."""
    import torch

    if option is None:
        return torch.ones(count, dtype=torch.float64)
    if not isinstance(option, list | int | float):
        return None
    weights = torch.tensor(cast("Any", option), dtype=torch.float64).reshape(-1)
    return weights.expand(count) if len(weights) in {1, count} else None


def _listed(values: "Tensor") -> tuple[float, ...]:
    return tuple(cast("list[float]", values.reshape(-1).tolist()))


def _times(found: Expected, factor: float) -> Expected:
    return replace(
        found,
        uniform=None if found.uniform is None else found.uniform * factor,
        prior=None if found.prior is None else found.prior * factor,
    )


_REGRESSIONS: Mapping[str, tuple[Callable[..., "Tensor"], Callable[..., "Tensor"]]] = {
    "mse_loss": (_squared, _mean),
    "l1_loss": (_absolute, _median),
    "smooth_l1_loss": (_smooth, _flat_point),
    "huber_loss": (_huber, _flat_point),
}
_THEORIES: Mapping[str, Callable[["Tensor", Task], Expected]] = {
    "cross_entropy": _cross_entropy,
    "nll_loss": _cross_entropy,
    "linear_cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary,
    "soft_margin_loss": _binary,
    "multilabel_soft_margin_loss": _binary,
    "multi_margin_loss": _multi_margin,
    "kl_div": _divergence,
    "gaussian_nll_loss": _gaussian,
    "poisson_nll_loss": _poisson,
    **dict.fromkeys(_REGRESSIONS, _regression),
}
# Losses of an error, nothing where there is none: what a constant leaves is their scale, whatever the targets' units are.
OF_ERRORS = frozenset(_REGRESSIONS)
# Losses whose outputs are values, not probabilities.
OF_VALUES = OF_ERRORS | {"gaussian_nll_loss", "poisson_nll_loss"}
# Losses that have one term a row, whatever the row holds.
_BY_ROW = {"multilabel_soft_margin_loss", "multi_margin_loss", "kl_div"}
