"""Rules on tasks in which a row may have several labels."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import hypergeom

from art_training.probes.rows import Rows
from art_training.records import Severity, Split
from art_training.rules.labelled import reserved
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_CHANCE = 1e-6
_FEWEST = 10


@rule(
    "ART166",
    "a label that training never or always has",
    category="labels",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "A row may have several labels, and no training row has one that validation rows have, or every training row has one that "
        "validation rows lack, with a chance below 1e-6 if rows had been divided at random (hypergeometric, times the number of labels). "
        "A label that no row or every row of both splits has is a warning where every other label is had, and lacked, by ten rows or "
        "more; else it may be rare."
    ),
    why="The output learns a constant: a column that was lost, or filled, on the way leaves no other trace.",
    wrong="targets = torch.zeros(len(rows), 20); targets[:, known] = 1",
    right="targets = binarizer.transform(rows.labels)  # of one binarizer, fitted once",
    source="https://doi.org/10.1145/3377811.3380395 (Humbatova et al., Taxonomy of real faults: labels)",
    settles=("imbalance_expected", "reserved_classes"),
)
def constant_label(laboratory: Laboratory) -> Iterator[Found]:
    """A column of the targets that is a constant."""
    laboratory.settled("imbalance_expected")
    laboratory.task_of(TaskKind.MULTI_LABEL)
    splits = laboratory.get(Rows).splits
    train, validation = splits.get(Split.TRAIN), splits.get(Split.VALIDATION)
    if train is None or train.positives is None:
        raise NotApplicable("targets are not one column for each label")
    mine, n = train.positives, len(train)
    theirs, m = np.zeros_like(mine), 0
    if validation is not None and validation.positives is not None and len(validation.positives) == len(mine):
        theirs, m = validation.positives, len(validation)
    if not n or len(mine) < 2:
        raise NotApplicable("there is one label, or no row")
    columns = np.setdiff1d(np.flatnonzero((mine == 0) | (mine == n)), np.asarray(reserved(laboratory), np.int64))
    if len(columns) and not train.whole:
        raise NotMeasured(
            "there was no time to read all training rows, and the first ones lack a label, or all have one"
        )
    for column in columns.tolist():
        never = not mine[column]
        others = int(theirs[column]) if never else m - int(theirs[column])
        found = _unlike_validation(n, m, others, len(mine)) if others else None
        rest = np.delete(mine + theirs, columns)
        usual = len(rest) > len(columns) and int(np.minimum(rest, n + m - rest).min()) >= _FEWEST
        if found is None and (others or not usual):
            continue
        word = "no" if never else "every"
        yield Found(
            f"{word} one of {n} training rows has label {column}"
            + (f", and {int(theirs[column])} of {m} validation rows do" if m else ""),
            {"label": column, "train": int(mine[column]), "rows": n, "validation": int(theirs[column]), "of": m},
            "look at how the targets are made; where a label is kept free on purpose, declare reserved_classes=[...]",
            where=f"batch[{laboratory.task.target}], label {column}" if laboratory.task is not None else "",
            confirmed_by=found or "",
            severity=None if found else Severity.WARNING,
        )


def _unlike_validation(n: int, m: int, others: int, labels: int) -> str | None:
    """Why training and validation differ by more than chance; None where they need not."""
    if float(hypergeom.cdf(0, n + m, others, n)) * labels >= _CHANCE:
        return None
    return f"divided at random, training would have {others * n / (n + m):.0f} of these {others} rows, and it has none"
