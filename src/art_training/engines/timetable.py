"""When a training is looked at: counted in batches, so that the same training is looked at in the same places each time.

A batch that only passes forward counts a third of a batch that trains: the way back costs about twice the way forth
(Kaplan et al., Scaling laws for neural language models, 2020, arXiv:2001.08361, section 2.1). What surrounds a look (its
loop, its hooks, weights that are copied, random states that are kept) counts as two batches that train: it takes five to ten
milliseconds, which is less than two batches of all but the smallest models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from art_training.engines.shaping import Look
from art_training.records import Plain

_FORWARD = 1 / 3
_SURROUNDING = 2.0
_ROUNDING = 1e-9  # a share of just so many batches allows them, whatever floats make of it


@dataclass(frozen=True)
class Length:
    """How long a training will be.

    Attributes:
        epochs: None where nobody knows.
        batches: of training in all epochs together; None likewise.
    """

    epochs: int | None
    batches: int | None


@dataclass(frozen=True)
class Timetable:
    """When a look is taken, and of how many batches.

    Attributes:
        look: what is asked for.
        batches: of each loader in each look; None: all.
        cost: batches of all loaders in each look; None where a loader cannot tell its length, and all are wanted.
        epochs: numbers of completed epochs at which it is taken, in order; None where the length of the training or the
            cost is not known: then after every doubling, as far as its share of the batches so far allows.
    """

    look: Look
    batches: int | None
    cost: int | None
    epochs: tuple[int, ...] | None

    def is_due(self, epoch: int, passed: int, *, ended: bool = False) -> bool:
        """Whether to look now.

        A training that ends before its time is looked at once more where a look was still to come.

        Args:
            epoch: completed epochs.
            passed: batches of training so far.
            ended: whether training is over.
        """
        if self.epochs is not None:
            return epoch in self.epochs or (ended and any(later > epoch for later in self.epochs))
        if epoch == 0 or self.cost is None:  # what a look costs is known once it has been taken
            return self.look.share > 0
        return epoch in _doubling(self.look.share * passed / epoch, _charged(self.cost), epoch, ended=ended)

    def told(self) -> dict[str, Plain]:
        """As plain data."""
        when: Plain = "before training and after every doubling" if self.epochs is None else list(self.epochs)
        return {"split": self.look.split.value, "batches": self.batches, "epochs": when, "share": self.look.share}


def timetable(look: Look, length: Length, loaders: Sequence[int | None]) -> Timetable:
    """The looks that a share of a training allows.

    Args:
        look: what is asked for.
        length: of the training.
        loaders: the length of each loader of the split in batches; None where it cannot tell.
    """
    if length.epochs is None or length.batches is None:
        batches = look.batches if look.least is None else look.least
        return Timetable(look, batches, _cost(batches, loaders), None)
    allowed = look.share * length.batches
    wanted = length.epochs + 1 if look.times is None else min(look.times, length.epochs + 1)
    batches = _batches(look, allowed / wanted, loaders)
    if batches is not None and None not in loaders:
        batches = min(batches, max(one for one in loaders if one is not None))
    cost = _cost(batches, loaders)
    if cost is None:
        return Timetable(look, batches, None, None)
    count = min(wanted, math.floor(allowed / _charged(cost) + _ROUNDING)) if cost else 0
    return Timetable(look, batches, cost, _spread(count, length.epochs))


def _charged(cost: int) -> float:
    """What a look of so many batches counts, in batches of training."""
    return cost * _FORWARD + _SURROUNDING


def _batches(look: Look, allowed: float, loaders: Sequence[int | None]) -> int | None:
    """How many batches of each loader there are in a look that may count `allowed` batches of training."""
    if look.least is None:
        return look.batches
    longest = max((math.inf if one is None else one for one in loaders), default=0)
    most = longest if look.batches is None else min(look.batches, longest)
    affordable = (allowed - _SURROUNDING) / _FORWARD / max(len(loaders), 1)
    return max(math.floor(min(affordable + _ROUNDING, most)), look.least)


def _cost(batches: int | None, loaders: Sequence[int | None]) -> int | None:
    if batches is None:
        return None if None in loaders else sum(one for one in loaders if one is not None)
    return sum(batches if one is None else min(batches, one) for one in loaders)


def _spread(count: int, epochs: int) -> tuple[int, ...]:
    """So many of the numbers from 0 to `epochs`, the first and the last among them, with gaps that grow evenly.

    They are those of squares. Early epochs matter more, because predictions move most in them. A single look, which has
    nothing to be compared with, is none.
    """
    if count < 2:
        return ()
    chosen = [0]
    for index in range(1, count):
        chosen.append(max(chosen[-1] + 1, round(epochs * (index / (count - 1)) ** 2)))
    return tuple(chosen)


def _doubling(allowed: float, cost: float, epoch: int, *, ended: bool) -> set[int]:
    """The epochs until `epoch` after which a training of unknown length has been looked at.

    The look before training is on credit: the next waits until the share of both has passed.

    Args:
        allowed: batches of training that looks may count for each epoch.
        cost: what one look counts.
        epoch: completed epochs.
        ended: whether training is over.
    """
    chosen = {0}
    while allowed > 0:
        at = max(2 * max(chosen), 1, math.ceil((len(chosen) + 1) * cost / allowed - _ROUNDING))
        if at > epoch:
            break
        chosen.add(at)
    if ended and (len(chosen) + 1) * cost <= allowed * epoch:
        chosen.add(epoch)
    return chosen
