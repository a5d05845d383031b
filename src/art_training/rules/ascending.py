"""Rows that come in the order of their targets, where these are numbers."""

import numpy as np
from numpy.typing import NDArray

from art_training.probes.label_order import Labels, reshuffled, train_labels
from art_training.probes.rows import Rows, SplitRows
from art_training.probes.windows import between
from art_training.records import Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found

_FEWEST_STEPS = 31  # in random order all of them go one way with a chance of 2**-30
_DIFFERENT = 0.5  # of the targets; numbers that hardly differ, as counts of a rare event, often stand beside equal ones
_ONE_WAY = 0.99


def ascending(laboratory: Laboratory, target: str) -> Found | None:
    """The first batches of a regression, where their targets only rise, or only fall.

    A series that grows is no finding: rows that are windows of it, or whose time is declared.

    Raises:
        NotMeasured: the targets are not known.
        NotApplicable: the rows are those of a series.
    """
    laboratory.settled("time")
    rows = laboratory.get(Rows).splits.get(Split.TRAIN)
    batches = laboratory.ask(train_labels(target))
    if rows is None or batches is None:
        raise NotMeasured("the targets of the first batches are not one number a row")
    found = _one_way(batches)
    if found is None or found < _ONE_WAY:
        return None
    if _is_series(rows):
        raise NotApplicable("the rows are windows of a series")
    again = laboratory.ask(reshuffled(target))
    mixed = None if again is None else _one_way(again)
    mended = mixed is not None and mixed < _ONE_WAY
    count = sum(map(len, batches))
    return Found(
        f"the targets of the first {count} training rows go one way: of {count - 1} steps from row to row {found:.0%} do, where "
        "half do in random order",
        {"rows": count, "one_way": found, "reshuffled": mixed},
        "give the training loader shuffle=True; rows were sorted by their target",
        where="train_dataloader",
        confirmed_by=f"with shuffle=True {mixed:.0%} of the steps go one way, and {found:.0%} as it is"
        if mended
        else "",
    )


def _one_way(batches: Labels) -> float | None:
    """The share of steps from row to row that go the way which most do; None of few steps, or of few different targets."""
    targets: NDArray[np.float64] = np.concatenate(batches).astype(np.float64)
    if len(targets) <= _FEWEST_STEPS or len(np.unique(targets)) < _DIFFERENT * len(targets):
        return None
    steps = np.diff(targets)
    return float(max((steps >= 0).mean(), (steps <= 0).mean()))


def _is_series(rows: SplitRows) -> bool:
    found = between(rows, rows)
    return found is not None and found.both > found.of / 2
