"""Rules on losses that do not fit what is learned."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.ordering import ordering
from art_training.probes.rows import Rows
from art_training.probes.step_losses import SeenLoss, steps
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import Task, TaskKind

_OF_NUMBERS = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
_KNOWN = 0.6  # of what a guess leaves open
_ANY_ORDER = 1 / 3  # of the three orders that three classes have, one is the best
_MOST_CLASSES = 100
_FEWEST = 10  # rows of a class


@rule(
    "ART436",
    "numbers of classes are learned as quantities",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A squared or absolute error is taken of one number an example, whose target is a whole number (a warning where its type is that of other numbers), with 3 to 100 "
        "different values of ten rows each and none left out between them; 15 neighbours by the inputs know it (0.6 of what a guess leaves open) and "
        "know better by vote than by mean; and the order of the numbers means nothing to them: in more than a third of all orders of "
        "the classes neighbours that differ would lie nearer to each other. Of counts and grades, neighbours that differ are next to "
        "each other, and hardly any order is better. Two classes have one order, and are not judged."
    ),
    why=(
        "Between class 2 and class 7 the loss is least at 4 or 5, which is a third class. The model learns means of names, and no "
        "probabilities."
    ),
    wrong="F.mse_loss(self.net(x).squeeze(1), label.float())  # label: 0..9",
    right="F.cross_entropy(self.net(x), label)  # ten outputs",
    source="https://stackoverflow.com/questions/46443566",
    symptoms=("ART162", "ART216", "ART405"),
)
def names_as_numbers(laboratory: Laboratory) -> Found | None:
    """A regression of class ids."""
    task = _of_numbers(laboratory)
    train = laboratory.get(Rows).splits.get(Split.TRAIN)
    if task.loss not in _OF_NUMBERS or train is None or train.labels is None or not _are_whole(train.labels):
        raise NotApplicable("targets are not one whole number a row in a loss of numbers")
    classes, counts = np.unique(train.labels, return_counts=True)
    if not 3 <= len(classes) <= _MOST_CLASSES or classes[-1] - classes[0] != len(classes) - 1 or counts.min() < _FEWEST:
        raise NotApplicable("targets are not the numbers of 3 to 100 classes")
    found = ordering(train)
    if found is None:
        raise NotApplicable("inputs are no numbers of one shape, or too few neighbours have other targets")
    if found.voted - found.guess < _KNOWN * (1 - found.guess):
        return None
    if found.nearer <= _ANY_ORDER or found.voted <= found.averaged:
        return None
    return Found(
        f"{task.loss} is taken of the numbers of {len(classes)} classes, whose order means nothing: in {found.nearer:.0%} of all orders "
        "neighbours that differ would lie nearer to each other",
        {
            "classes": len(classes), "nearer": found.nearer, "voted": found.voted, "averaged": found.averaged, "pairs": found.pairs,
        },
        f"give the model {len(classes)} outputs and use cross_entropy",
        where=f"batch[{task.target}]",
        confirmed_by=(
            f"15 neighbours name the class of {found.voted:.0%} of the rows by vote, and by the mean of their numbers of "
            f"{found.averaged:.0%}"
        ),
        severity=None if train.labels.dtype.kind in "iu" else Severity.WARNING,
    )  # fmt: skip


def _are_whole(labels: NDArray[Any]) -> bool:
    kind = labels.dtype.kind
    return kind in "iu" or (kind == "f" and bool(np.isfinite(labels).all() and (labels == np.round(labels)).all()))


def _of_numbers(laboratory: Laboratory) -> Task:
    """The regression that the setup is for.

    What it is for is told by a step of evaluation, which may call no loss; then the training step says whether class numbers
    could be what it learns, and their rows are not known.
    """
    task = laboratory.task
    if task is None or task.kind is TaskKind.REGRESSION or task.loss:
        return laboratory.task_of(TaskKind.REGRESSION)
    calls = [call for step in laboratory.ask(steps) for call in step.calls if call.learns]
    if not calls:
        raise NotMeasured("neither validation nor training shows what is compared with the targets")
    whole = [one for one in calls if one.name in _OF_NUMBERS and _whole(one)]
    if not whole:
        raise NotApplicable("no loss of numbers in the training step is of one whole number a row")
    raise NotMeasured(
        f"{whole[0].name} of the training step is of one whole number a row, and validation calls no loss that says which entry of "
        "all rows it is; declare Setup(task={'kind': 'regression', 'target': ..., 'loss': ...})"
    )


def _whole(call: SeenLoss) -> bool:
    """Whether a loss is of one whole number a row, of 3 different ones or more."""
    target = call.target
    return (
        target.ndim > 0
        and len(target) == target.numel()
        and bool((target == target.round()).all())
        and len(target.unique()) > 2
    )
