"""What is known of each loss of torch: its arguments, its denominator, its values per example, its probabilities.

Importing this module does not import torch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from art_training.setup.task import Activation

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.observation import LossCall

Denominator = Literal["elements", "classes", "weights", "rows"]


@dataclass(frozen=True)
class Loss:
    """One loss function of `torch.nn.functional`.

    Attributes:
        prediction: name of the argument that holds the prediction.
        target: name of the argument that it is compared with.
        activation: what turns the prediction into probabilities (into a rate, for counts).
        denominator: what `reduction="mean"` divides by: the number of elements, the sum of the class weights of the
            positions that are not ignored, the sum of the weights given, or the number of rows.
        paired: whether prediction and target are what a metric compares; a triplet's anchor and positive are not.
    """

    prediction: str = "input"
    target: str = "target"
    activation: Activation = "none"
    denominator: Denominator = "elements"
    paired: bool = True


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(activation="softmax", denominator="classes"),
    "nll_loss": Loss(activation="exp", denominator="classes"),
    "binary_cross_entropy": Loss(),
    "binary_cross_entropy_with_logits": Loss(activation="sigmoid"),
    "mse_loss": Loss(denominator="weights"),
    "l1_loss": Loss(denominator="weights"),
    "smooth_l1_loss": Loss(),
    "huber_loss": Loss(),
    "kl_div": Loss(activation="exp"),
    "gaussian_nll_loss": Loss(),
    "poisson_nll_loss": Loss(activation="exp"),
    "soft_margin_loss": Loss(activation="sigmoid"),
    "multilabel_soft_margin_loss": Loss(activation="sigmoid", denominator="rows"),
    "multilabel_margin_loss": Loss(denominator="rows"),
    "multi_margin_loss": Loss(denominator="rows"),
    "hinge_embedding_loss": Loss(paired=False),
    "ctc_loss": Loss("log_probs", "targets", denominator="rows", paired=False),
    "cosine_embedding_loss": Loss("input1", denominator="rows", paired=False),
    "margin_ranking_loss": Loss("input1", paired=False),
    # The logits of this one are never made, so that there are no predictions to see.
    "linear_cross_entropy": Loss(denominator="classes", paired=False),
    "triplet_margin_loss": Loss("anchor", "positive", denominator="rows", paired=False),
    "triplet_margin_with_distance_loss": Loss("anchor", "positive", denominator="rows", paired=False),
}

# Logarithms of densities, and of what counts without the part that the targets alone decide, may have any sign.
_OF_ANY_SIGN = frozenset({"gaussian_nll_loss", "poisson_nll_loss", "kl_div", "hinge_embedding_loss"})


CALL = " call"  # what follows the name of a loss in the source of a score


def floor_of_mean(name: str | None) -> float:
    """What the mean of a loss of torch cannot be below, whatever is predicted; minus infinity where that is not known."""
    return 0.0 if name in LOSSES and name not in _OF_ANY_SIGN else -math.inf


@dataclass(frozen=True)
class Terms:
    """A loss before its reduction.

    Attributes:
        total: (rows,) sum of the loss over everything that belongs to a row of the prediction.
        weight: (rows,) what the row adds to the denominator of the mean.
    """

    total: "Tensor"
    weight: "Tensor"


def activation_of(call: "LossCall") -> Activation:
    """What turns the prediction of this call into probabilities."""
    if call.name == "poisson_nll_loss" and not call.options.get("log_input", True):
        return "none"
    return LOSSES[call.name].activation


def activate(prediction: "Tensor", activation: Activation, *, classes: int = -1) -> "Tensor":
    """Probabilities of a prediction; half precision becomes single precision first.

    Args:
        prediction: any shape.
        activation: which.
        classes: the dimension of the classes, for the softmax.
    """
    import torch

    if activation == "none":
        return prediction
    if prediction.dtype in {torch.float16, torch.bfloat16}:
        prediction = prediction.float()
    if activation == "softmax":
        return prediction.softmax(classes)
    return prediction.sigmoid() if activation == "sigmoid" else prediction.exp()


def terms(call: "LossCall") -> Terms | None:
    """The loss of a call row by row, computed again without its reduction.

    Returns:
        None where it cannot be told apart by rows, or where the rows do not add up to what the call returned.
    """
    import torch

    try:
        with torch.no_grad():
            found = _terms(call)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return None  # an option or a shape that has no form without reduction; the loss itself stands
    return found if found is not None and _adds_up(found, call) else None


def _terms(call: "LossCall") -> Terms | None:
    import torch

    options = {**call.options, "reduction": "none"}
    loss = LOSSES[call.name]
    arguments = {loss.prediction: call.prediction, loss.target: call.target, **options}
    values: Tensor = getattr(torch.nn.functional, call.name)(**arguments)
    if values.ndim == 0:
        values = values.reshape(1)
    weight = _weights(call, values)
    return Terms(_by_row(values), _by_row(weight))


def _by_row(values: "Tensor") -> "Tensor":
    return values.double().reshape(values.shape[0], -1).sum(1)


def _weights(call: "LossCall", values: "Tensor") -> "Tensor":
    """What each value adds to the denominator; the shape of `values`."""
    import torch

    ones = torch.ones_like(values)
    denominator = LOSSES[call.name].denominator
    weight = call.options.get("weight")
    if denominator == "classes" and not call.target.is_floating_point():
        target = call.target.reshape(values.shape)
        kept = target != call.options.get("ignore_index", -100)
        if weight is None:
            return kept.to(values.dtype)
        return weight.to(values.dtype)[target.clamp(0, len(weight) - 1)] * kept
    if denominator == "weights" and weight is not None:
        return weight.to(values.dtype).expand_as(values)
    if call.name == "kl_div" and call.options.get("reduction") == "batchmean":
        return ones / ones[0].numel()
    if call.name == "ctc_loss" and call.options.get("reduction", "mean") == "mean":
        # The mean of ctc_loss divides each value by the length of its target, then averages over the batch.
        values /= torch.as_tensor(call.options["target_lengths"], device=values.device).clamp(min=1)
    return ones


def _adds_up(found: Terms, call: "LossCall") -> bool:
    import torch

    reduction = call.options.get("reduction", "mean")
    if reduction == "none":
        return True
    total = found.total.sum()
    expected = total if reduction == "sum" else total / found.weight.sum()
    value = call.value.double().reshape(())
    # Half precision loses digits in the call itself.
    tolerance = 2e-2 if call.value.dtype in {torch.float16, torch.bfloat16} else 1e-3
    return bool(torch.isclose(expected, value, rtol=tolerance, atol=1e-6, equal_nan=True))
