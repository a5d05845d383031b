"""Rules on whether targets belong to the inputs beside them, told by comparing two splits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom

from art_training.probes.agreement import Agreement, Told, agreement, slip
from art_training.probes.rows import Rows
from art_training.records import Severity, Split
from art_training.rules.labelled import with_labels
from art_training.rules.laboratory import Laboratory, NotApplicable, lacking
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_MINGLED = 0.7  # of what rows that were divided at random do; a class fewer in one split leaves 0.8 and more
_WORSE = 1.5  # times the error, which for classes is that of 2.25 times as many wrong ones
_MENDED = 0.3  # of rows, that another numbering must put right
_AS_GOOD = 0.8  # of what neighbours know within training
_CHANCE = 1e-6
_FEWEST = 10


@rule(
    "ART164",
    "targets of one split do not belong to their inputs",
    category="labels",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "In one split 15 neighbours by the inputs know the target (more than half of what chance leaves open, by eight standard "
        "deviations), and in the other no more than by chance (less than a tenth, within four): neither neighbours of the same split "
        "nor those of the split where they know. Their error is 1.5 times that of "
        "the other split's, and inputs of both splits are mingled: neighbours from both are training rows at least 0.7 times as often as "
        "after a division at random, which other groups of rows than training has are not. What is hard to predict in both splits is no finding."
    ),
    why="Inputs and targets were put in different orders: a model can only learn such a split by heart, or is judged by chance.",
    wrong="x = x[torch.randperm(len(x))]; y = y[torch.randperm(len(y))]",
    right="order = torch.randperm(len(x)); x, y = x[order], y[order]",
    source="https://www.rc.fas.harvard.edu/blog/a-cautionary-tale/ (files that were paired by the order of a listing)",
    settles=("label_noise",),
    symptoms=("ART160",),
)
def not_paired_with_inputs(laboratory: Laboratory) -> Found | None:
    """Targets in another order than inputs."""
    laboratory.settled("label_noise")
    found = _agreement(laboratory)
    mixed, sound = _mixed(found)
    if mixed is None or sound is None:
        return None
    rows = laboratory.get(Rows).splits[mixed]
    classes = bool(len(found.classes))
    across = found.train_by_validation if mixed is Split.TRAIN else found.validation_by_train
    within = found.validation if mixed is Split.TRAIN else found.train
    moved, gain = slip(rows, classes=classes)
    mended = moved and gain > 0.5 * within.gain
    place = f"by {abs(moved)} row{'s' * (abs(moved) > 1)}"
    return Found(
        f"neighbours say nothing of the targets of {mixed.value}, and of those of {sound.value} {_said(within, classes)}",
        {
            "split": mixed.value, "gain": across.gain, "deviations": across.deviations, "other_gain": within.gain,
            "other_deviations": within.deviations, "slip": moved if mended else 0,
        },
        f"targets of {mixed.value} slipped {place} against their inputs: look for a header, a dropped row or a shift"
        if mended
        else f"give inputs and targets of {mixed.value} one order: one permutation, one sorted list of files, a join by key",
        where=mixed.value,
        confirmed_by=(
            f"with the targets of {mixed.value} moved {place} neighbours know {gain:.0%} of what chance leaves open, and as they are "
            f"{across.gain:.0%}"
            if mended
            else f"the same neighbours of {sound.value} know {within.gain:.0%} of what chance leaves open in {sound.value}, and "
            f"{across.gain:.0%} in {mixed.value}"
        ),
    )  # fmt: skip


@rule(
    "ART165",
    "validation numbers its classes otherwise",
    category="labels",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "Neighbours in training name a class for each validation row. Another numbering of the classes (the best assignment of "
        "classes to classes) puts 30 in a hundred more rows right, and comes to four fifths of what neighbours know within "
        "training; for a class that it changes, most of at least ten rows agree, by chance in less than one of a million cases. Inputs of both splits "
        "are mingled as in ART164."
    ),
    why="The score is that of another question: a model that is right about every row is counted as wrong.",
    wrong="y_train, y_valid = LabelEncoder().fit_transform(train), LabelEncoder().fit_transform(valid)",
    right="encoder = LabelEncoder().fit(train); y_train, y_valid = encoder.transform(train), encoder.transform(valid)",
    source="https://github.com/JulianoLagana/deep-machine-learning/issues/9 (numbers of labels made for each split)",
    symptoms=("ART136", "ART138", "ART154", "ART164"),
)
def numbered_otherwise(laboratory: Laboratory) -> Found | None:
    """One number, two classes."""
    found = _agreement(laboratory)
    if not len(found.classes):
        raise NotApplicable("targets are numbers, and not classes")
    best = _best_numbering(found)
    if best is None:
        return None
    pairs = ", ".join(f"{a:g} as {b:g}" for a, b in best.pairs[:6])
    return Found(
        f"what training calls class {pairs} in validation: neighbours in training name the class of {best.before:.0%} of "
        f"{len(found.validation_by_train.said)} validation rows, and with other numbers of {best.after:.0%}",
        {"right": best.before, "renumbered": best.after, "pairs": [list(one) for one in best.pairs[:50]]},
        "number the classes once, from the training split or a fixed list, and use these numbers in every split",
        where="validation",
        confirmed_by=(
            f"renumbered, {best.after:.0%} of the validation rows have the class of their neighbours in training instead of "
            f"{best.before:.0%}; within training {found.train.share:.0%} do"
        ),
    )


@dataclass(frozen=True)
class _Numbering:
    before: float
    after: float
    pairs: tuple[tuple[float, float], ...]


def _agreement(laboratory: Laboratory) -> Agreement:
    return laboratory.once(agreement, lambda: _measured(laboratory))


def _measured(laboratory: Laboratory) -> Agreement:
    task = laboratory.task_of(TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
    rows = laboratory.get(Rows)
    splits = with_labels(laboratory)
    train, validation = splits.get(Split.TRAIN), splits.get(Split.VALIDATION)
    if train is None or validation is None:
        raise lacking(rows, "there are not both a training and a validation split")
    found = agreement(train, validation, classes=task.kind is TaskKind.CLASSIFICATION)
    if found is None:
        raise NotApplicable("inputs are no numbers of one shape, or there are too few rows for neighbours to tell")
    return found


def _mixed(found: Agreement) -> tuple[Split, Split] | tuple[None, None]:
    """The split whose targets say nothing, and the one whose do."""
    for mixed, sound, own, across, within in (
        (Split.TRAIN, Split.VALIDATION, found.train, found.train_by_validation, found.validation),
        (Split.VALIDATION, Split.TRAIN, found.validation, found.validation_by_train, found.train),
    ):
        if not (within.knows and own.nothing and across.nothing):
            continue
        # A split of one class, or of a stretch in which numbers hardly move, is known as well as the other.
        if found.mingled >= _MINGLED and across.error > _WORSE * within.error:
            return mixed, sound
    return None, None


def _best_numbering(found: Agreement) -> _Numbering | None:
    told, classes = found.validation_by_train, len(found.classes)
    counts: NDArray[np.float64] = np.zeros((classes, classes))
    np.add.at(counts, (told.said.astype(np.int64), told.targets.astype(np.int64)), 1)
    called, labels = linear_sum_assignment(-counts)
    after = float(counts[called, labels].sum() / len(told.said))
    if found.mingled < _MINGLED:  # other groups of rows than training has, whose neighbours there may be of any class
        return None
    if after - told.share < _MENDED or after < _AS_GOOD * found.train.share or not found.train.knows:
        return None
    pairs: list[tuple[float, float]] = []
    for a, b in zip(called.tolist(), labels.tolist(), strict=True):
        agreed, rows = int(counts[a, b]), int(counts[:, b].sum())
        chance = float(counts[a].sum()) / len(told.said)
        if a != b and rows >= _FEWEST and agreed > rows / 2 and binom.sf(agreed - 1, rows, chance) < _CHANCE:
            pairs.append((float(found.classes[a]), float(found.classes[b])))
    return _Numbering(told.share, after, tuple(pairs)) if pairs else None


def _said(told: Told, classes: bool) -> str:
    return f"{told.share:.0%} are what they say" if classes else f"they give {told.gain:.2f} by correlation"
