"""The padding of sequences as rules on them need it: what is declared, or what can be told beyond doubt."""

from dataclasses import dataclass
from typing import Any

from art_training.probes.filled import filled
from art_training.rules.laboratory import Laboratory


@dataclass(frozen=True)
class Padding:
    """What pads sequences.

    Attributes:
        token: the token or value.
        at_end: whether it stands behind what counts; what is declared is taken to.
        told_by: what says so where nobody declared it, for a sentence; empty: it is declared.
        by_entry: whether an entry of the batch says it.
        path: of the sequences in the batch; empty where it is declared.
        of_tokens: whether it is a token, and not a number in the place of numbers.
    """

    token: float
    at_end: bool = True
    told_by: str = ""
    by_entry: bool = False
    path: str = ""
    of_tokens: bool = True

    @property
    def inferred(self) -> str:
        """A clause for a message; empty where it is declared."""
        return f" (padding is {self.token:g}, as was inferred: {self.told_by})" if self.told_by else ""


def padding_of(laboratory: Laboratory) -> Padding | None:
    """The padding of a setup; None where it is neither declared nor told by the batches.

    Raises:
        NotMeasured: there are no batches.
    """
    declared: Any = laboratory.declarations.get("padding")
    if isinstance(declared, int | float) and not isinstance(declared, bool):
        return Padding(declared)
    # What labels leave out is no token: it stands beside it.
    found = [one for one in laboratory.ask(filled) if one.token >= 0 or not one.tokens]
    inputs = () if laboratory.task is None else laboratory.task.inputs
    read = [one for one in found if one.path in inputs] or found  # labels may have another padding than what is read
    if not read or len({one.token for one in read}) > 1:  # sequences of two kinds, each with its own
        return None
    one = read[0]
    return Padding(one.token, one.at_end, one.told_by, one.by_entry, one.path, one.tokens)
