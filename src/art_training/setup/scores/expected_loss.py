"""What a loss should be before any training: of uniform predictions, and of the best that ignores its input.

Cross-entropy over C classes gives ln C for uniform predictions (Karpathy, A Recipe for Training Neural Networks, 2019,
"verify loss @ init"); the constant that minimises it is the label prior (Gneiting and Raftery, Strictly proper scoring
rules, JASA 102, 2007). Definitions of the losses, with smoothing, weights and reductions, are those of
`torch.nn.functional`.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from art_training.setup.scores.expectation import Expected, columns, listed, unknown, vector
from art_training.setup.scores.expected_ctc import ctc
from art_training.setup.scores.expected_margins import multi_margin, multilabel_margin, of_distances, of_equal_scores
from art_training.setup.scores.expected_values import REGRESSIONS, gaussian, poisson, regression
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OF_CLASSES", "OF_ERRORS", "OF_VALUES", "Expected", "expected_at_init"]


def expected_at_init(task: Task, targets: "Tensor", examples: int | None = None) -> Expected:
    """The loss that a model of this task should have before training.

    A call with `reduction="none"` is taken to be averaged over everything that it returns.

    Args:
        task: its loss and the loss's options.
        targets: what entered the loss, pooled over the data in the shape of its calls; for `ctc_loss` the lengths
            (`expected_ctc.lengths_of`).
        examples: how many examples the targets belong to, for losses that are sums; by default their first dimension.
    """
    theory = _THEORIES.get(task.loss)
    if theory is None:
        return unknown(
            f"no value follows from {task.loss or 'a loss that is not a function of torch'} and the labels alone"
        )
    if targets.numel() == 0:
        return unknown("there are no targets")
    found = theory(targets, task)
    if task.loss_options.get("reduction") != "sum":
        return found
    # A sum is reported as an example's share of it; theories give means over what they count.
    return found.times(_count(targets, task) / (examples or len(targets)))


def _count(targets: "Tensor", task: Task) -> int:
    """Over how many terms the theory of a loss that sums takes its mean."""
    if task.loss in OF_CLASSES:
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
        return unknown("the number of classes is not known; declare it: Setup(task={'classes': ...})")
    kept = targets.reshape(-1)
    kept = kept[kept != options.get("ignore_index", -100)].long()
    if len(kept) == 0 or int(kept.min()) < 0 or int(kept.max()) >= classes:
        return unknown(f"the targets are not classes of 0 to {classes - 1}")
    counts = torch.bincount(kept, minlength=classes).double()
    weights = vector(options.get("weight"), classes)
    if weights is None:
        return unknown("the class weights are not known")
    smoothing = float(options.get("label_smoothing", 0.0))
    factors = (1 - smoothing) * counts * weights + smoothing / classes * weights * counts.sum()
    below = {"sum": float(counts.sum()), "none": float(targets.numel())}
    return _of_factors(factors, below.get(options.get("reduction", "mean"), float((counts * weights).sum())))


def _soft_cross_entropy(targets: "Tensor", options: Mapping[str, Any]) -> Expected:
    """Targets that are probabilities: rows (N, C, ...), each of weight one."""
    rows = targets.double().movedim(1, -1).reshape(-1, targets.shape[1])
    classes = rows.shape[1]
    weights = vector(options.get("weight"), classes)
    if weights is None:
        return unknown("the class weights are not known")
    smoothing = float(options.get("label_smoothing", 0.0))
    smooth = (1 - smoothing) * rows + smoothing / classes
    return _of_factors(smooth.sum(0) * weights, float(len(rows)))


def _of_factors(factors: "Tensor", below: float) -> Expected:
    classes = len(factors)
    total = float(factors.sum())
    if below <= 0 or total <= 0:
        return unknown("every target is ignored or has the weight zero")
    share = factors / total
    entropy = -float((share[share > 0] * share[share > 0].log()).sum())
    # A class that was never seen would need a bias of minus infinity; half an example of it keeps it finite.
    bias = factors.where(factors > 0, 0.5).log()
    bias -= bias.mean()
    return Expected(math.log(classes) * total / below, entropy * total / below, "", listed(bias))


def _binary(targets: "Tensor", task: Task) -> Expected:
    """Yes or no for each label.

    With rate r of positives and weight p of them, logits of zero give ln 2 (p r + 1 - r). The best constant is
    q = p r / (p r + 1 - r), and its loss is -(p r ln q + (1 - r) ln(1 - q)); a mean over labels.
    """
    import torch

    if task.loss == "soft_margin_loss":
        targets = (targets + 1) / 2  # written as -1 and 1
    labels = columns(targets)
    rate = labels.mean(0)
    positive = vector(task.loss_options.get("pos_weight"), len(rate))
    weight = vector(task.loss_options.get("weight"), len(rate))
    if positive is None or weight is None:
        return unknown("the weights differ from example to example")
    up, down = positive * rate, 1 - rate
    q = up / (up + down)
    at_best = -(torch.special.xlogy(up, q) + torch.special.xlogy(down, 1 - q))
    half = 0.5 / len(labels)
    one_sided = (up <= 0) | (down <= 0)  # half an example of each keeps the bias finite, as for classes
    bias = ((up + half * one_sided) / (down + half * one_sided)).log()
    return Expected(
        float((weight * math.log(2) * (up + down)).mean()), float((weight * at_best).mean()), "", listed(bias)
    )


def _divergence(targets: "Tensor", task: Task) -> Expected:
    """Targets (N, C) that are probabilities t: Σ t (ln t - ln q), for q = 1/C and for q = the mean of the targets."""
    import torch

    options = task.loss_options
    if targets.ndim < 2:
        return unknown("the targets are not rows of probabilities")
    rows = targets.double().exp() if options.get("log_target") else targets.double()
    rows = rows.reshape(len(rows), -1)
    if not bool(((rows.sum(1) - 1).abs() < 1e-3).all()):
        return unknown("the targets are not rows of probabilities")
    entropy = -torch.special.xlogy(rows, rows).sum(1).mean()
    mean = rows.mean(0)
    uniform = float(math.log(rows.shape[1]) - entropy)
    prior = float(-torch.special.xlogy(mean, mean).sum() - entropy)
    bias = mean.where(mean > 0, 0.5 / len(rows)).log()
    bias -= bias.mean()
    # `mean` divides by all elements, `batchmean` by the rows, and so does the share of a sum.
    scale = 1.0 if options.get("reduction") in {"batchmean", "sum"} else 1 / rows.shape[1]
    return Expected(uniform, prior, "", listed(bias)).times(scale)


_THEORIES: Mapping[str, Callable[["Tensor", Task], Expected]] = {
    "cross_entropy": _cross_entropy,
    "nll_loss": _cross_entropy,
    "linear_cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary,
    "soft_margin_loss": _binary,
    "multilabel_soft_margin_loss": _binary,
    "kl_div": _divergence,
    "gaussian_nll_loss": gaussian,
    "poisson_nll_loss": poisson,
    **dict.fromkeys(REGRESSIONS, regression),
    "multi_margin_loss": multi_margin,
    "multilabel_margin_loss": multilabel_margin,
    "margin_ranking_loss": of_equal_scores,
    "triplet_margin_loss": of_equal_scores,
    "triplet_margin_with_distance_loss": of_equal_scores,
    "cosine_embedding_loss": of_distances,
    "hinge_embedding_loss": of_distances,
    "ctc_loss": ctc,
}
# Cross-entropies over classes that exclude each other.
OF_CLASSES = frozenset({"cross_entropy", "nll_loss", "linear_cross_entropy"})
# Losses of an error, nothing where there is none: what a constant leaves is their scale, whatever the targets' units are.
OF_ERRORS = frozenset(REGRESSIONS)
# Losses whose outputs are values, not probabilities.
OF_VALUES = OF_ERRORS | {"gaussian_nll_loss", "poisson_nll_loss"}
# Losses that have one term a row, whatever the row holds.
_BY_ROW = frozenset({
    "multilabel_soft_margin_loss", "multi_margin_loss", "multilabel_margin_loss", "kl_div", "ctc_loss",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
})  # fmt: skip
