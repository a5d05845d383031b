"""Rules on inputs that hold what is to be predicted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.rows import Rows, SplitRows
from art_training.probes.telling import Relation, Telling, known_by_others, telling, used
from art_training.probes.windows import between
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_FEW = 0.1  # of the columns; more of them are a problem that every column solves
_FORMS: dict[Relation, str] = {
    "multiple": "the target, scaled and shifted",
    "order": "in exactly the order of the target",
    "code": "a code of the class, one value for each",
}


@rule(
    "ART137",
    "a column of the inputs is the target",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "In a table one column (or one for each class), and no more than one in ten, is the target in another form, in every row "
        "of training and of validation: scaled and shifted up to rounding; in exactly the same order with at least 30 different "
        "numbers; or one value for each class. Predictions follow the column. The other columns must know the target too, beyond "
        "chance and not wholly, as 15 neighbours by them show: a problem in which one column is all that counts is information."
    ),
    why=(
        "What follows from the target is not there when a prediction is needed. The score is perfect, and the model has learned to "
        "read its own answer."
    ),
    wrong="x = frame.drop(columns='price')  # and 'price_per_kg' and 'price_in_dollars' stay",
    right="x = frame[what_is_known_before]",
    source="https://doi.org/10.1016/j.patter.2023.100804 (Kapoor and Narayanan, illegitimate features)",
)
def target_among_inputs(laboratory: Laboratory) -> Found | None:
    """The target under another name."""
    task = laboratory.task_of(TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
    splits = laboratory.get(Rows).splits
    train = splits.get(Split.TRAIN)
    if (
        train is None or train.integral or len(train.shape) > 1
    ):  # a token may stand for the class, and pixels may be as bright as they are meant
        raise NotApplicable("inputs are no table of numbers")
    classes = task.kind is TaskKind.CLASSIFICATION
    found = _in_every_split(train, splits.get(Split.VALIDATION), classes=classes)
    if not found or _is_series(train):
        return None
    values, targets = _aligned(train)
    limit = max(1.0, _FEW * values.shape[1])
    columns = tuple(one.column for one in found)
    if len(columns) > limit and not (classes and len(columns) <= len(np.unique(targets))):
        return None
    paths = laboratory.ask(used(task.inputs, columns))
    if not paths:
        return None
    others = known_by_others(values, targets, columns, classes=classes)
    what = _FORMS[found[0].relation]
    names = ", ".join(map(str, columns[:5]))
    known = f"by all others neighbours know {others:.0%} of what chance leaves open" if others is not None else ""
    return Found(
        f"column{'s' * (len(columns) > 1)} {names} of the inputs {'are' if len(columns) > 1 else 'is'} {what}, in every one of "
        f"{len(values)} rows",
        {"columns": list(columns[:20]), "relation": found[0].relation, "rows": len(values), "known_by_others": others},
        "remove what follows from the target, or is known only after it, from the inputs",
        where=", ".join(f"batch[{one}]" for one in dict.fromkeys(paths)) + f", column {names}",
        confirmed_by=f"the column alone tells the target of every row, and {known}; predictions follow it"
        if known
        else "",
        severity=None if others is not None and others < 1 else Severity.INFO,
    )


@rule(
    "ART139",
    "the window holds what is to be predicted",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Inputs are overlapping windows of a series (more than half of them go on where another ends), and at one place of the window "
        "every row has its own target, scaled and shifted up to rounding, in training and in validation. Predictions follow that place."
    ),
    why="The window goes one step too far: the model copies what it should foresee, and in use that number is not there.",
    wrong="x, y = series[i : i + length], series[i + length - 1]",
    right="x, y = series[i : i + length], series[i + length]",
    source="https://arxiv.org/abs/2108.02497 (Lones, How to avoid machine learning pitfalls: look-ahead in time series)",
)
def target_in_window(laboratory: Laboratory) -> Found | None:
    """A window that is one step too long."""
    task = laboratory.task_of(TaskKind.REGRESSION)
    splits = laboratory.get(Rows).splits
    train = splits.get(Split.TRAIN)
    if train is None or train.integral or len(train.shape) not in {1, 2} or max(train.shape) < 4:
        raise NotApplicable("inputs are no windows of numbers")
    found = [
        one for one in _in_every_split(train, splits.get(Split.VALIDATION), classes=False) if one.relation == "multiple"
    ]
    if not found or not _is_series(train):
        return None
    column = found[0].column
    if not laboratory.ask(used(task.inputs, (column,))):
        return None
    values, targets = _aligned(train)
    place = [int(one) for one in np.unravel_index(column, train.shape)]
    beside = _beside(values, targets, place, train.shape)
    return Found(
        f"the target of every one of {len(values)} windows stands in its input, at {place} of {list(train.shape)}",
        {"place": place, "shape": list(train.shape), "rows": len(values), "beside": beside},
        "let the window end before its target: the target is the number after the last one that enters",
        where=f"batch[{task.inputs[0]}], place {', '.join(map(str, place))}",
        confirmed_by=(
            f"the correlation of the target with that place is 1 in every split, and with the place beside it {beside:.4f}"
            if beside is not None
            else ""
        ),
    )


def _in_every_split(train: SplitRows, validation: SplitRows | None, *, classes: bool) -> list[Telling]:
    """What holds in training, and in validation where that has enough rows to tell."""
    if train.values is None or train.labels is None:
        raise NotApplicable("inputs are no numbers of one shape, or targets not one number a row")
    if not (np.isfinite(train.values).all() and np.isfinite(train.labels).all()):
        return []
    found = list(telling(*_aligned(train), classes=classes))
    if not found or validation is None or validation.values is None or validation.labels is None:
        return found
    values, targets = _aligned(validation)
    if values.shape[1] != train.values.shape[1] or len(np.unique(targets)) < (2 if classes else 30):
        return found
    also = {one.column for one in telling(values, targets, classes=classes)}
    return [one for one in found if one.column in also or len(values) < 30]


def _aligned(rows: SplitRows) -> tuple[NDArray[np.float32], NDArray[Any]]:
    assert rows.values is not None
    assert rows.labels is not None
    count = min(len(rows.values), len(rows.labels))
    return rows.values[:count], rows.labels[:count]


def _is_series(rows: SplitRows) -> bool:
    """Whether the rows are windows of a series that go on in one another."""
    found = between(rows, rows)
    return found is not None and found.both > found.of / 2


def _beside(
    values: NDArray[np.float32], targets: NDArray[Any], place: list[int], shape: tuple[int, ...]
) -> float | None:
    """The correlation of the target with the place one step before, along the longest axis."""
    axis = int(np.argmax(shape))
    before = [one - (number == axis) for number, one in enumerate(place)]
    if before[axis] < 0:
        return None
    column = values[:, int(np.ravel_multi_index(before, shape))].astype(np.float64)
    return float(np.corrcoef(column, targets.astype(np.float64))[0, 1]) if column.std() > 0 else None
