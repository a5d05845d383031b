"""Rules on the axes of what enters a loss: classes along the second, examples along the first."""

import torch

from art_training.probes.class_axes import across_examples, along_classes
from art_training.probes.losses import with_input
from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, steps
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.loss import confirmed_floor, of_log_softmax
from art_training.rules.rule import Found, Stage, rule

_EXACT = 1e-3  # that a sum of probabilities is off by, at most
_FEWEST = 4  # sums, which are not all one by chance


@rule(
    "ART414",
    "softmax along the batch",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "What enters nll_loss was normalised along the first dimension, that of the examples (a softmax in the graph says so, or sums of "
        "exponentials that are one), and the loss reads classes along the second. Confirmed where one batch is learned further with the right dimension. Square inputs, as of contrastive "
        "losses, are not judged."
    ),
    why="Examples compete with each other instead of classes: what is learned depends on who else is in the batch.",
    wrong="F.nll_loss(logits.log_softmax(dim=0), y)",
    right="F.nll_loss(logits.log_softmax(dim=1), y)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html",
    symptoms=("ART405", "ART311"),
)
def softmax_along_the_batch(laboratory: Laboratory) -> Found | None:
    """The wrong axis."""
    calls = [call for call in _calls(laboratory, "nll_loss") if call.prediction.ndim > 1]
    if not calls:
        raise NotApplicable("the step calls no nll_loss")
    if not all(_along_examples(call) for call in calls):
        return None
    if all(call.prediction.shape[0] == call.prediction.shape[1] for call in calls):
        return None
    confirmed, severity = confirmed_floor(
        laboratory, of_log_softmax, "normalised along dim=1 the loss of one batch fell to"
    )
    sums = calls[0].prediction.double().exp().sum(1)
    return Found(
        f"what enters nll_loss is normalised along dim 0, the examples: probabilities of an example sum to "
        f"{float(sums.min()):.2g}..{float(sums.max()):.2g}",
        {"smallest sum": float(sums.min()), "largest sum": float(sums.max())},
        "normalise along dim=1, the classes",
        where=calls[0].where,
        confirmed_by=confirmed,
        severity=severity,
    )


@rule(
    "ART415",
    "a view swaps classes with positions",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "On its way from the last layer to cross_entropy or nll_loss a tensor (N, a, b) is viewed as (N, b, a), or (N, C, ...) "
        "as (-1, C): numbers keep their order, so that scores of one position are read as those of others. Confirmed where one "
        "batch is learned further when the axes are really swapped."
    ),
    why="view and reshape never swap axes: each score is compared with the label of another position or example.",
    wrong="F.cross_entropy(logits.view(-1, classes), y.view(-1))  # logits of shape (N, classes, T)",
    right="F.cross_entropy(logits, y)  # classes are its second dimension anyway",
    source="https://discuss.pytorch.org/t/for-beginners-do-not-use-view-or-reshape-to-swap-dimensions-of-tensors/75524",
    symptoms=("ART405",),
)
def view_swaps_axes(laboratory: Laboratory) -> Found | None:
    """A view in place of a permutation."""
    calls = [call for name in ("cross_entropy", "nll_loss") for call in _calls(laboratory, name)]
    if not calls:
        raise NotApplicable("the step calls no cross_entropy and no nll_loss")
    swapped = [(call, shapes) for call in calls if (shapes := _swapped(call)) is not None]
    if not swapped or len(swapped) != len(calls):
        return None
    call, (before, after) = swapped[0]
    confirmed, _ = confirmed_floor(laboratory, _really_swapped, "with the axes swapped the loss of one batch fell to")
    return Found(
        f"a tensor of shape {before} is viewed as {after} in front of {call.name}: its axes keep their order, and scores are "
        "read as those of other positions",
        {"before": list(before), "after": list(after)},
        "move the axis (movedim, permute, transpose) in place of view or reshape",
        where=call.where,
        confirmed_by=confirmed,
    )


@rule(
    "ART416",
    "examples compete in place of classes",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A softmax goes along the examples of the batch, of numbers whose classes are along another axis: a cross_entropy of the same step reads "
        "them so, or a convolution of images made them. Confirmed where one batch is learned further with the softmax along the "
        "classes; where it is not, it is an information. As many classes as examples may be similarities, and are not judged."
    ),
    why="What is said of an example depends on who else is in the batch: probabilities of its classes do not sum to one.",
    wrong="probabilities = logits.softmax(dim=0)  # logits of shape (N, classes, height, width)",
    right="probabilities = logits.softmax(dim=1)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html (dim)",
    settles=("couples_examples",),
    symptoms=("ART405", "ART311"),
)
def examples_compete(laboratory: Laboratory) -> Found | None:
    """The wrong axis, beside a right one."""
    laboratory.settled("couples_examples")
    seen = laboratory.ask(across_examples)
    if seen is None:
        return None
    confirmed, _ = confirmed_floor(
        laboratory, along_classes, f"with the softmax along dim={seen.classes} the loss of one batch fell to"
    )
    return Found(
        f"a softmax goes along dim 0, the examples, of numbers of shape {seen.shape} whose classes are along dim {seen.classes} "
        f"({seen.why}): probabilities of the classes sum to {seen.sums[0]:.2g}..{seen.sums[1]:.2g}",
        {"shape": list(seen.shape), "classes": seen.classes, "sums": list(seen.sums), "calls": len(seen.places)},
        f"take the softmax along dim={seen.classes}",
        confirmed_by=confirmed,
        severity=None if confirmed else Severity.INFO,
    )


def _calls(laboratory: Laboratory, name: str) -> list[SeenLoss]:
    return [call for one in laboratory.ask(steps) for call in one.calls if call.name == name]


def _along_examples(call: SeenLoss) -> bool:
    """Whether probabilities sum to one along the first dimension, as made by a softmax or by other means, and not along the second."""
    if call.made_by is not None:
        return call.made_by.dim == 0 and call.made_by.shape == tuple(call.prediction.shape)
    sums = [call.prediction.double().exp().sum(axis) for axis in (0, 1)]
    return bool((sums[0] - 1).abs().max() < _EXACT < (sums[1] - 1).abs().max()) and len(sums[0].flatten()) >= _FEWEST


def _swapped(call: SeenLoss) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The shapes before and after a view that takes one axis for another."""
    for view in call.views:
        before, after = view.before, view.after
        if len(before) < 3 or before[1] == before[-1]:
            continue
        moved = len(after) == 3 == len(before) and after == (before[0], before[2], before[1])
        flat = len(after) == 2 and after[1] == before[1] and after == call.prediction.shape
        if moved or flat:
            return before, after
    return None


def _really_swapped(specimen: Specimen) -> OneBatch | None:
    call = next(call for call in steps(specimen)[0].calls if _swapped(call) is not None)
    before, _ = _swapped(call) or ((), ())

    def change(given: torch.Tensor) -> torch.Tensor:
        return given.reshape(before).movedim(1, -1).reshape(given.shape)

    return learned(specimen, around=lambda: with_input(call.name, change))
