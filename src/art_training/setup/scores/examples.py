"""What the scores of one split were computed on, example by example."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.setup.scores.measures import Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Examples:
    """One pass over one split. An example's number is its place in the pass, which is that in the dataset.

    Two passes over the same split in the same order can be compared example by example.

    Attributes:
        count: examples.
        pool: predictions and targets; None where they were not found, or are too many to keep.
        losses: (examples,) the loss of each example, as the call of the loss gives it; None where it is not known.
        weights: (examples,) what each example adds to the loss's denominator: 0 where it does not count.
    """

    count: int
    pool: Pool | None = None
    losses: "NDArray[Any] | None" = None
    weights: "NDArray[Any] | None" = None
