"""What losses with a margin and losses of distances should be before training, as far as anything follows.

A margin between scores is known for equal scores. A loss of distances between embeddings depends on how far apart fresh
embeddings lie, which is the model's own affair; where all inputs get the same embedding or score, what is left is known
for ranking and triplets: the margin. Definitions are those of `torch.nn.functional`.
"""

from typing import TYPE_CHECKING

from art_training.setup.scores.expectation import Expected, columns, unknown, vector
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

_NO_PRIOR = "the best constant of a margin has no closed form"


def multi_margin(targets: "Tensor", task: Task) -> Expected:
    """Equal scores: each of the C - 1 other classes costs margin^p, over C."""
    classes, options = task.classes, task.loss_options
    if classes is None:
        return unknown("the number of classes is not known; declare it: Setup(task={'classes': ...})")
    weights = vector(options.get("weight"), classes)
    if weights is None:
        return unknown("the class weights are not known")
    chosen = targets.reshape(-1).long()
    if int(chosen.min()) < 0 or int(chosen.max()) >= classes:
        return unknown(f"the targets are not classes of 0 to {classes - 1}")
    cost = float(options.get("margin", 1.0)) ** int(options.get("p", 1)) * (classes - 1) / classes
    return Expected(cost * float(weights[chosen].mean()), None, _NO_PRIOR)


def multilabel_margin(targets: "Tensor", task: Task) -> Expected:
    """Equal scores: k labels that hold cost 1 against each of the C - k that do not, over C.

    Targets (N, C) are the numbers of the labels that hold, up to the first -1.
    """
    del task
    rows = columns(targets)
    labels = (rows >= 0).cumprod(1).sum(1).double()
    classes = rows.shape[1]
    return Expected(float((labels * (classes - labels) / classes).mean()), None, _NO_PRIOR)


def of_equal_scores(targets: "Tensor", task: Task) -> Expected:
    """A ranking of equal scores, or a triplet of equal embeddings, loses the margin."""
    del targets
    usual = 0.0 if task.loss == "margin_ranking_loss" else 1.0
    reason = "how far apart the scores or embeddings of a fresh model lie is its own affair"
    return Expected(None, float(task.loss_options.get("margin", usual)), reason)


def of_distances(targets: "Tensor", task: Task) -> Expected:
    """A fresh model may give any distance or angle, and the same embedding for every input need not be the best."""
    del targets
    what = "angles" if task.loss == "cosine_embedding_loss" else "distances"
    return unknown(f"{task.loss} depends on the {what} between the outputs of a fresh model, which are its own affair")
