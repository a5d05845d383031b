"""Labels as rules on them need them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules.laboratory import Laboratory
from art_training.setup.task import TaskKind


def labelled(laboratory: Laboratory) -> dict[Split, SplitRows]:
    """Training and validation, of a task that has one class a row.

    Raises:
        NotMeasured: what the setup is for, or its rows, are not known.
        NotApplicable: it is for something else.
    """
    laboratory.task_of(TaskKind.CLASSIFICATION)
    return {split: one for split, one in laboratory.get(Rows).splits.items() if split is not Split.TEST}


def reserved(laboratory: Laboratory) -> list[Any]:
    """Classes that no row has, by declaration."""
    return list(laboratory.declarations.get("reserved_classes") or ())


def counts_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """How many rows each class has."""
    return np.asarray([int((labels == one).sum()) for one in classes], np.int64)
