"""Rules on what a dataset holds and what it gives of that."""

import numpy as np
from numpy.typing import NDArray

from art_training.probes.held import held
from art_training.probes.order import Epoch, Order
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_FEWEST = 16
_REPEATED = 2.0
_OFTEN, _FEW = 8.0, 0.1  # of windows of a series, of which an epoch need not have all


@rule(
    "ART140",
    "a dataset gives few of the rows that it holds, again and again",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "An epoch has as many rows as the dataset's own array has, and all of them are rows of that array, but at most half of its "
        "different rows, each on average twice or more; and the next epoch has exactly the same ones. Told by hashes of what "
        "entered training and of what the dataset holds, also of streams, whose rows no sampler picks. Of a series: an epoch takes "
        "at most one in ten of its windows, each eight times or more, and the next epoch the same. Draws at random take other "
        "rows in each epoch, and a part that is chosen on purpose and repeated is not as long as the whole."
    ),
    why="The loader looks as long as it should be, and the model learns a few rows by heart.",
    wrong="def __iter__(self): return (self.rows[i % self.buffer] for i in range(len(self.rows)))",
    right="def __iter__(self): return (self.rows[i] for i in self.shuffled(range(len(self.rows))))",
    source="https://blog.slavv.com/37-reasons-why-your-neural-network-is-not-working-4020854bd607 (1: the same batch again)",
    symptoms=("ART132", "ART135"),
    watches=(Order,),
    asks=(held,),
)
def few_of_many(laboratory: Laboratory) -> Found | None:
    """A dataset that goes round a few of its rows."""
    arrays = laboratory.ask(held)
    if not arrays:
        raise NotApplicable("the dataset of training holds no array of rows that could be compared with what it gives")
    epochs = laboratory.get(Order).epochs
    if len(epochs) < 2 or len(epochs[1]) < len(epochs[0]) / 2:
        raise NotMeasured("training did not come through half of a second epoch")
    first, second = epochs[0], epochs[1]
    for array in arrays:
        whole = array.rows - max(first.sizes) < len(first) <= array.rows
        if len(first) < _FEWEST or not (whole or array.windows):
            continue
        for path in first.parts:
            one, other = _different(first, path), _different(second, path)
            if one is None or other is None or len(first) < (_OFTEN if array.windows else _REPEATED) * len(one):
                continue
            known = next((each for each in array.hashes if np.isin(one, each).all()), None)
            if known is None or not _same(one, other, whole=len(second) >= len(first)):
                continue
            rows = len(np.unique(known))
            if len(one) > (_FEW if array.windows else 0.5) * rows:
                continue
            what = "windows" if array.windows else "rows"
            return Found(
                f"an epoch has {len(first)} {what}, but only {len(one)} of the {rows} different ones of {array.name} that the "
                "dataset holds, and the next epoch has the same",
                {"rows": len(first), "distinct": len(one), "held": rows, "array": array.name},
                f"let the dataset go through all of {array.name}: look at which index it reads",
                where="train_dataloader",
                confirmed_by=f"{len(one)} different {what} entered training, all of them of {array.name}, which has {rows}; "
                f"as many draws at random would take {_drawn(rows, len(first))}",
            )
    return None


def _different(epoch: Epoch, path: str) -> NDArray[np.uint64] | None:
    seen = epoch.of(path)
    return None if seen is None else np.unique(seen)


def _same(one: NDArray[np.uint64], other: NDArray[np.uint64], *, whole: bool) -> bool:
    """Whether two epochs have the same rows, the second of which may have been stopped."""
    return np.array_equal(one, other) if whole else bool(np.isin(other, one).all())


def _drawn(rows: int, draws: int) -> int:
    """How many of so many rows draws with replacement take, on average."""
    return round(rows * (1 - (1 - 1 / rows) ** draws))
