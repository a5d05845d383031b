"""How much of what a loss asks for lies where sequences are padded."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from art_training.probes.asked import AskedClasses, AskedNumbers, asked
from art_training.probes.filled import Filled, filled
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries


@dataclass(frozen=True)
class CountedPadding:
    """Positions that count in a loss.

    Attributes:
        padding: of them, how many are padding.
        positions: of all kinds.
        token: what pads the sequences.
        told_by: what says so, for a sentence.
    """

    padding: int
    positions: int
    token: float
    told_by: str

    @property
    def share(self) -> float:
        """Of the positions that count."""
        return self.padding / self.positions


def counted_padding(specimen: Specimen) -> CountedPadding | None:
    """How many of the positions that count are padding; None where no padding could be told, or nothing is asked at positions.

    Where several entries have as many positions as a prediction, those are padding that are so in all of them.
    """
    known = filled(specimen)
    if not known:
        return None
    padding = positions = 0
    seen = asked(specimen)
    for one in (*seen.classes, *seen.numbers):
        counts = _positions(one)
        fits = [blank for each in known if (blank := _blank(seen.batches[one.batch], each, counts)) is not None]
        if not fits:
            continue
        blank = fits[0]
        for other in fits[1:]:
            blank = blank & other
        padding += int((counts & blank).sum())
        positions += int(counts.sum())
    return CountedPadding(padding, positions, known[0].token, known[0].told_by) if positions else None


def _positions(one: AskedClasses | AskedNumbers) -> Tensor:
    """(examples, positions) whether a prediction counts."""
    if isinstance(one, AskedClasses):
        return one.weights > 0
    return one.counts.flatten(2).any(2) if one.counts.ndim > 2 else one.counts


def _blank(batch: Any, known: Filled, counts: Tensor) -> Tensor | None:
    """(examples, positions) where predictions are of padding; None where an entry has not as many positions, or one more.

    What is predicted at the last padding before a sequence is its first token.
    """
    leaf = entries(batch).get(known.path)
    if not isinstance(leaf, Tensor) or len(leaf) != len(counts) or leaf.shape[1] - counts.shape[1] not in {0, 1}:
        return None
    same = (leaf == known.token).reshape(*leaf.shape[:2], -1).all(2)
    run = (same.flip(1) if known.at_end else same).long().cumprod(1).bool()
    blank = run.flip(1) if known.at_end else run
    if not known.at_end:
        blank[:, :-1] &= blank[:, 1:].clone()
    return blank[:, : counts.shape[1]].to(counts.device)
