"""Rules on losses of examples that have several labels at once."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from art_training.probes.step_losses import SeenStep, steps
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.data.batch import entries

_OF_ONE_CLASS = {"cross_entropy", "nll_loss"}
_SEVERAL = 0.05  # of the examples have two labels or more, or it is an exception
_FEWEST = 8


@rule(
    "ART445",
    "labels compete that may hold together",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "binary_cross_entropy is given what a softmax made, and at least one example in twenty has several positives along the "
        "dimension of that softmax: its outputs sum to one, so that k labels have 1/k each at best."
    ),
    why="Whatever is learned, no label of an example with several is ever likely; decisions at one half miss most of them.",
    wrong="F.binary_cross_entropy(self.net(x).softmax(1), y)",
    right="F.binary_cross_entropy_with_logits(self.net(x), y)",
    source="https://discuss.pytorch.org/t/is-there-an-example-for-multi-class-multilabel-classification-in-pytorch/53579",
    symptoms=("ART405", "ART316", "ART712"),
)
def competing(laboratory: Laboratory) -> Found | None:
    """A softmax over labels."""
    calls = [one for step in laboratory.ask(steps) for one in step.calls if one.name == "binary_cross_entropy"]
    if not calls:
        raise NotApplicable("no loss is a binary_cross_entropy of probabilities")
    for call in calls:
        made = call.made_by
        if made is None or made.kind != "softmax" or made.dim is None or call.target.ndim < 2:
            continue
        positives = (call.target > 0.5).sum(made.dim % call.target.ndim).reshape(-1)
        share = float((positives > 1).double().mean())
        if len(positives) < _FEWEST or share < _SEVERAL:
            continue
        floor = _floor(positives, call.target.shape[made.dim])
        return Found(
            f"a softmax makes probabilities that sum to one, and {share:.0%} of the examples have several labels, "
            f"{float(positives.double().mean()):.2g} on average",
            {"several": share, "mean": float(positives.double().mean()), "most": int(positives.max()), "floor": floor},
            "take the softmax out and use binary_cross_entropy_with_logits: a sigmoid for each label",
            where=call.where,
            confirmed_by=f"with a softmax the loss of these targets cannot fall below {floor:.3g}, and with a sigmoid it can reach 0",
        )
    return None


@rule(
    "ART446",
    "one of several labels is learned",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The targets of a cross_entropy or nll_loss are, in every batch, the place of the first largest number in each row of an entry of the "
        "batch, whose rows hold zeros and ones and at least one row in twenty several ones."
    ),
    why="All labels of an example but one count as wrong, and the model is taught not to name them.",
    wrong="F.cross_entropy(logits, y.argmax(1))  # y: several ones in a row",
    right="F.binary_cross_entropy_with_logits(logits, y.float())",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html (several labels an example)",
    symptoms=("ART405", "ART166"),
)
def first_label(laboratory: Laboratory) -> Iterable[Found]:
    """An argmax over labels."""
    seen = laboratory.ask(steps)
    if not any(one.name in _OF_ONE_CLASS and one.target.ndim == 1 for step in seen for one in step.calls):
        raise NotApplicable("no loss is of one class an example")
    places = [place for place, one in enumerate(seen[0].calls) if one.name in _OF_ONE_CLASS and one.target.ndim == 1]
    for place in places:
        for path in entries(seen[0].batch):
            pairs = [pair for step in seen if (pair := _pair(step, place, path)) is not None]
            if len(pairs) < len(seen) or not all(torch.equal(labels.argmax(1), target) for labels, target in pairs):
                continue
            counts = torch.cat([labels.sum(1) for labels, _ in pairs])
            share = float((counts > 1).double().mean())
            if len(counts) < _FEWEST or share < _SEVERAL:
                continue
            lost = float((counts - 1).clamp(min=0).sum() / counts.sum())
            yield Found(
                f"the loss is of the first label of each row of batch[{path}], and {share:.0%} of the rows have several",
                {"several": share, "lost": lost, "entry": path},
                "learn all labels: binary_cross_entropy_with_logits with the rows themselves as targets",
                where=seen[0].calls[place].where,
                confirmed_by=(
                    f"all {len(counts)} targets are the place of the first one in their row, and {lost:.0%} of the labels are no target"
                ),
            )


def _floor(positives: Tensor, labels: int) -> float:
    """The least mean of the binary cross entropy that probabilities which sum to one can have, about.

    With k positives that share what there is, each has 1/k, at a loss of log k, and all others 0.
    """
    return sum(int(one) * math.log(int(one)) for one in positives if int(one) > 1) / (len(positives) * labels)


def _pair(step: SeenStep, place: int, path: str) -> tuple[Tensor, Tensor] | None:
    """The rows of zeros and ones of an entry, and the targets of a loss."""
    if place >= len(step.calls):
        return None
    target, labels = step.calls[place].target, entries(step.batch).get(path)
    if not isinstance(labels, Tensor) or labels.ndim != 2 or len(labels) != len(target) or labels.shape[1] < 2:
        return None
    labels = labels.to(torch.int64) if bool(((labels == 0) | (labels == 1)).all()) else None
    return None if labels is None else (labels, target)
