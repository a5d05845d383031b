"""The floor of a loss: what is left though every input gets its best prediction.

A model that learns a batch by heart predicts for each input whatever suits its targets best. What such predictions
still lose follows from the loss function and the targets: the entropy of smoothed and soft labels, and what equal inputs
with different targets cost, because a model can only predict one thing for them. The best common prediction is the
mean of the targets for cross-entropies, squared errors and counts, and the median for absolute errors (Gneiting and
Raftery, Strictly proper scoring rules, JASA 102, 2007).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from art_training.setup.data.batch import as_array, entries, rows
from art_training.setup.observation import LossCall
from art_training.setup.scores.expected_loss import OF_ERRORS, expected_at_init
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from torch import Tensor

_CLASSES = frozenset({"cross_entropy", "nll_loss", "linear_cross_entropy"})
_BINARY = frozenset({
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss", "multilabel_soft_margin_loss",
})  # fmt: skip
# Losses that come down to nothing for any single target; what several of them leave together has no closed form.
_MARGINS = frozenset({"multi_margin_loss", "multilabel_margin_loss"})


@dataclass(frozen=True)
class Floor:
    """The lowest sum of a call of a loss over one batch, example by example.

    Attributes:
        examples: (examples,) the sum over each example; None where it could not be derived.
        conflicts: numbers of examples with equal inputs and different targets, one tuple a group.
        note: why it could not be derived, or empty.
    """

    examples: "Tensor | None"
    conflicts: tuple[tuple[int, ...], ...] = ()
    note: str = ""


def floor_of(call: LossCall, inputs: "Tensor", task: Task) -> Floor:
    """The floor of one call of a loss.

    The rows of one example follow each other in the call, as flattening leaves them. A model that sees less than the
    whole input, as a causal one does, may have a higher floor.

    Args:
        call: the call; its prediction does not matter.
        inputs: (examples,) a number for each example; equal ones stand for equal inputs.
        task: how many classes there are.
    """
    examples = len(inputs)
    targets = call.target.detach().cpu()
    if examples == 0 or targets.numel() == 0:
        return Floor(None, note="the batch holds no targets")
    layout = _layout(call, targets, examples)
    if layout is None:
        return Floor(None, note=f"the {len(targets)} rows of {call.name} do not belong to the {examples} examples")
    conflicts = _conflicts(inputs, layout)
    derive = _derivation(call.name, task.classes)
    if derive is None:
        return Floor(None, conflicts, f"no floor follows from {call.name}")
    # Equal inputs share a decision at each position.
    width = layout.shape[1]
    _, group = inputs.unique(return_inverse=True)
    import torch

    shared = (group[:, None] * width + torch.arange(width)).reshape(-1)
    found = derive(layout.reshape(examples * width, *layout.shape[2:]), shared, call)
    if isinstance(found, str):
        return Floor(None, conflicts, found)
    return Floor(found.reshape(examples, width).sum(1), conflicts)


def input_numbers(batch: Any, task: Task, examples: int) -> "Tensor":
    """A number for each example of a batch, equal where all inputs of two examples are equal byte by byte."""
    import torch

    found = entries(batch)
    named = [found[path] for path in task.inputs if path in found]
    leaves = named or [leaf for path, leaf in found.items() if path != task.target]
    arrays = [as_array(leaf) for leaf in leaves if rows(leaf) == examples]
    if not arrays:
        return torch.arange(examples)  # nothing says that two examples are the same
    seen: dict[Any, int] = {}
    keys = (tuple(_bytes(array[at]) for array in arrays) for at in range(examples))
    return torch.tensor([seen.setdefault(key, len(seen)) for key in keys])


def _bytes(row: Any) -> bytes:
    kept = row.tobytes() if getattr(row, "dtype", None) is not None and row.dtype.kind != "O" else repr(row).encode()
    return hashlib.blake2b(kept, digest_size=16).digest()  # of a batch of images, what is kept stays small


def _layout(call: LossCall, targets: "Tensor", examples: int) -> "Tensor | None":
    """Targets as (examples, decisions) or, where a target is a row of probabilities, (examples, decisions, classes)."""
    if _is_soft(call, targets):
        by_class = targets.movedim(1, -1) if targets.ndim > 1 else targets[None]
        decisions = by_class.shape[:-1].numel()
        return by_class.reshape(examples, -1, by_class.shape[-1]) if decisions % examples == 0 else None
    return targets.reshape(examples, -1) if targets.numel() % examples == 0 else None


def _is_soft(call: LossCall, targets: "Tensor") -> bool:
    return call.name == "kl_div" or (call.name in _CLASSES and targets.is_floating_point())


def _conflicts(inputs: "Tensor", layout: "Tensor") -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, _at_odds(layout.reshape(len(layout), -1), inputs)))


def _at_odds(targets: "Tensor", shared: "Tensor") -> list[list[int]]:
    """The places that share a number and have different targets, group by group."""
    _, number, counts = shared.unique(return_inverse=True, return_counts=True)
    places: dict[int, list[int]] = {}
    for place in (counts[number] > 1).nonzero().reshape(-1).tolist():
        places.setdefault(int(number[place]), []).append(place)
    return [members for members in places.values() if bool((targets[members] != targets[members[0]]).any())]


_Derive = Callable[["Tensor", "Tensor", LossCall], "Tensor | str"]
"""(decisions, ...) targets, (decisions,) numbers of those that share a prediction, and the call -> (decisions,) what
each loses at the best prediction, or a sentence why that is not known."""


def _derivation(name: str, classes: int | None) -> _Derive | None:
    if name in _CLASSES:
        return partial(_of_classes, classes=classes)
    if name in _BINARY:
        return _of_labels
    if name in OF_ERRORS:
        return _of_errors
    if name in _MARGINS:
        return _of_margins
    return {"poisson_nll_loss": _of_counts, "kl_div": _of_divergence}.get(name)


def _of_classes(targets: "Tensor", shared: "Tensor", call: LossCall, *, classes: int | None) -> "Tensor | str":
    """Σ_c -a_c ln q_c with q = Σ a / ΣΣ a over what shares a prediction; a are the factors that a target gives.

    With smoothing e and class weights w, class y gives a_c = w_c ((1 - e) [c = y] + e / C).
    """
    import torch

    smoothing = float(call.options.get("label_smoothing", 0.0))
    soft = targets.ndim == 2
    classes = targets.shape[1] if soft else classes
    weight = call.options.get("weight")
    if classes is None:
        if smoothing or weight is not None or len(shared.unique()) < len(shared):
            return "the number of classes is not known; declare it: Setup(task={'classes': ...})"
        return torch.zeros(len(targets), dtype=torch.float64)
    weights = torch.ones(classes, dtype=torch.float64) if weight is None else weight.detach().cpu().double()
    if soft:
        factors = weights * ((1 - smoothing) * targets.double() + smoothing / classes)
        return _best_shared(factors, shared)
    kept = targets != call.options.get("ignore_index", -100)
    if bool(((targets[kept] < 0) | (targets[kept] >= classes)).any()):
        return f"the targets are not classes of 0 to {classes - 1}"
    chosen = targets.where(kept, 0).long()
    lowest = _of_one_class(weights, smoothing)[chosen] * kept
    # Only where targets differ does sharing cost anything, so that the table of factors stays small.
    counted = kept.nonzero().reshape(-1)
    for places in _at_odds(chosen[counted], shared[counted]):
        members = counted[places]
        hot = torch.nn.functional.one_hot(chosen[members], classes).double()
        factors = weights * ((1 - smoothing) * hot + smoothing / classes)
        lowest[members] = _best_shared(factors, torch.zeros(len(members), dtype=torch.long))
    return lowest


def _of_one_class(weights: "Tensor", smoothing: float) -> "Tensor":
    """(classes,) what a target of each class loses alone: S ln S - Σ_c a_c ln a_c, S the sum of its factors."""
    import torch

    if smoothing == 0:
        return torch.zeros_like(weights)
    rest = smoothing / len(weights) * weights
    own = rest + (1 - smoothing) * weights
    total = rest.sum() - rest + own
    return torch.xlogy(total, total) - (torch.xlogy(rest, rest).sum() - torch.xlogy(rest, rest) + torch.xlogy(own, own))


def _best_shared(factors: "Tensor", shared: "Tensor") -> "Tensor":
    """(decisions,) of (decisions, classes) factors of -ln q, with the q that suits all that share a prediction."""
    import torch

    together = _summed(factors, shared)
    best = together / together.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    return -torch.xlogy(factors, best[_number(shared)]).sum(1)


def _of_labels(targets: "Tensor", shared: "Tensor", call: LossCall) -> "Tensor | str":
    """-(u ln q + d ln(1 - q)) with u = p y, d = 1 - y, and q = Σ u / Σ (u + d); weighted where there are weights."""
    import torch

    yes = targets.double()
    if call.name == "soft_margin_loss":
        yes = (yes + 1) / 2  # written as -1 and 1
    if bool(((yes < 0) | (yes > 1)).any()):
        return "the targets are no labels of 0 to 1"
    up, down = yes, 1 - yes
    for name, both in (("pos_weight", False), ("weight", True)):
        option = call.options.get(name)
        if option is None:
            continue
        weight = option.detach().cpu().double().expand(call.target.shape).reshape(-1)
        up, down = up * weight, down * weight if both else down
    above, below = _summed(up[:, None], shared), _summed(down[:, None], shared)
    q = (above / (above + below).clamp(min=torch.finfo(torch.float64).tiny))[_number(shared), 0]
    lowest = -(torch.xlogy(up, q) + torch.xlogy(down, 1 - q))
    # This one takes the mean over the labels of a row before it adds up.
    return lowest / call.target.shape[-1] if call.name == "multilabel_soft_margin_loss" else lowest


def _of_errors(targets: "Tensor", shared: "Tensor", call: LossCall) -> "Tensor | str":
    """What the best constant leaves of those that share a prediction, in equal parts."""
    import torch

    lowest = torch.zeros(len(targets), dtype=torch.float64)
    options: Mapping[str, Any] = {name: call.options[name] for name in ("beta", "delta") if name in call.options}
    alone = Task(TaskKind.REGRESSION, loss=call.name, loss_options=options)
    for members in _at_odds(targets, shared):
        if call.options.get("weight") is not None:
            return "equal inputs have different targets, and the weights differ from example to example"
        lowest[members] = expected_at_init(alone, targets[members]).prior or 0.0
    return lowest


def _of_counts(targets: "Tensor", shared: "Tensor", call: LossCall) -> "Tensor | str":
    """λ - y ln λ with λ the mean count, with Stirling's term for y > 1 where `full`."""
    import torch

    counts = targets.double()
    ones = torch.ones_like(counts)[:, None]
    rate = (_summed(counts[:, None], shared) / _summed(ones, shared))[_number(shared), 0]
    lowest = rate - torch.xlogy(counts, rate)
    if call.options.get("full"):
        stirling = torch.xlogy(counts, counts) - counts + 0.5 * (2 * torch.pi * counts).log()
        lowest += stirling.where(counts > 1, 0.0)
    return lowest


def _of_divergence(targets: "Tensor", shared: "Tensor", call: LossCall) -> "Tensor | str":
    """Σ t (ln t - ln q) with q the mean of the rows t of probabilities."""
    import torch

    rows_ = targets.double().exp() if call.options.get("log_target") else targets.double()
    return _best_shared(rows_, shared) + torch.xlogy(rows_, rows_).sum(1)


def _of_margins(targets: "Tensor", shared: "Tensor", call: LossCall) -> "Tensor | str":
    import torch

    if _at_odds(targets, shared):
        return f"equal inputs have different targets, and what {call.name} leaves of them has no closed form"
    return torch.zeros(len(targets), dtype=torch.float64)


def _summed(values: "Tensor", shared: "Tensor") -> "Tensor":
    number = _number(shared)
    return values.new_zeros(int(number.max()) + 1, values.shape[1]).index_add_(0, number, values)


def _number(shared: "Tensor") -> "Tensor":
    """The same groups numbered from 0 without gaps."""
    return shared.unique(return_inverse=True)[1]
