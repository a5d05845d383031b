"""Labels as rules on them need them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules.laboratory import Laboratory
from art_training.setup.task import Task, TaskKind


def labelled(laboratory: Laboratory) -> dict[Split, SplitRows]:
    """Training and validation, of a task that has one class a row.

    Raises:
        NotMeasured: what the setup is for, or its rows, are not known.
        NotApplicable: it is for something else.
    """
    laboratory.task_of(TaskKind.CLASSIFICATION)
    return {split: one for split, one in with_labels(laboratory).items() if split is not Split.TEST}


def with_labels(laboratory: Laboratory) -> Mapping[Split, SplitRows]:
    """The splits, of a classification without the rows that nobody labelled, as most are in semi-supervised learning.

    Raises:
        NotMeasured: the rows are not known.
    """
    splits, task = laboratory.get(Rows).splits, laboratory.task
    if task is None or task.kind is not TaskKind.CLASSIFICATION:
        return splits
    known = [one.labels for one in splits.values() if one.labels is not None]
    marks = unlabelled(np.unique(np.concatenate(known)), task) if known else np.empty(0)
    return {split: _without(one, marks) for split, one in splits.items()} if len(marks) else splits


def unlabelled(labels: NDArray[Any], task: Task) -> NDArray[Any]:
    """Which of the different labels stand for no class.

    What the loss is told to leave out, where no class of the model has that number; and negative ones, where there are more
    different labels than classes, so that they are not classes under another number. Classes of validation alone are some.
    """
    if not task.classes or labels.dtype.kind not in "iuf":
        return labels[:0]
    ignored = (labels == task.loss_options.get("ignore_index", -100)) & ((labels < 0) | (labels >= task.classes))
    return labels[ignored | ((labels < 0) & (len(labels) > task.classes))]


def _without(rows: SplitRows, marks: NDArray[Any]) -> SplitRows:
    if rows.labels is None:
        return rows
    left = ~np.isin(rows.labels, marks)
    # Inputs as a table are of the first rows alone.
    return replace(
        rows,
        inputs=rows.inputs[left],
        targets=rows.targets[left],
        labels=rows.labels[left],
        values=None if rows.values is None else rows.values[left[: len(rows.values)]],
        loaders=rows.loaders[left] if len(rows.loaders) else rows.loaders,
        groups=None if rows.groups is None else rows.groups[left],
        times=None if rows.times is None else rows.times[left],
        missing=None if rows.missing is None else rows.missing[left],
        numbers=np.flatnonzero(left),
    )


def reserved(laboratory: Laboratory) -> list[Any]:
    """Classes that no row has, by declaration."""
    return list(laboratory.declarations.get("reserved_classes") or ())


def counts_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """How many rows each class has."""
    return np.asarray([int((labels == one).sum()) for one in classes], np.int64)
