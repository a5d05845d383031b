"""What a step learns that calls no loss of torch: a kind of task and no loss, told by what its own code compares predictions with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from art_training.setup.observation import BatchObservation, Comparison
from art_training.setup.task import TaskKind

if TYPE_CHECKING:
    from torch import Tensor

_NEGLIGIBLE = 1e-4  # a number so near to zero is that of too many things


@dataclass(frozen=True)
class Learned:
    """A comparison that says what is learned.

    Attributes:
        kind: classification or regression.
        target: path of the entry that predictions are compared with.
        classes: how many there are; None where they are numbers.
    """

    kind: TaskKind
    target: str
    classes: int | None


def learned(observation: BatchObservation) -> Learned | None:
    """What the comparisons of a step say; None where they say nothing, or not the same.

    Predictions that are counted where they equal whole numbers, one an example, are classes. Differences to an entry are
    those of a regression where a number that the step returned or logged is their mean, squared or not: the code in between
    may be whatever it likes, its result tells what it was.
    """
    count = observation.weight
    alike = [one for one in observation.compared if len(one.target) == count == one.target.numel()] if count else []
    found = {
        Learned(TaskKind.CLASSIFICATION, one.path, classes)
        for one in alike
        if one.equal and (classes := _classes(one, observation)) is not None
    }
    if not found:
        found = {
            Learned(TaskKind.REGRESSION, one.path, None) for one in observation.compared if _is_error(one, observation)
        }
    return found.pop() if len(found) == 1 else None


def _classes(one: Comparison, observation: BatchObservation) -> int | None:
    from art_training.setup.scores.alignment import same_values
    from art_training.setup.scores.step_loss import tensors_of

    target = one.target.double()
    if not same_values(target, tensors_of(observation.batch)[one.path].double()):
        return None  # other classes are made of them first
    if not bool((target == target.round()).all()) or float(target.min()) < 0:
        return None
    classes = one.classes or 2
    return classes if float(target.max()) < classes else None


def _is_error(one: Comparison, observation: BatchObservation) -> bool:
    from art_training.setup.scores.step_loss import close, total_loss

    if one.equal or not one.target.is_floating_point() or one.target.shape[:1] != (observation.weight,):
        return False
    total = total_loss(observation)
    known = [*observation.logged.values(), *([] if total is None else [total])]
    known = [each for each in known if abs(each) > _NEGLIGIBLE]
    return any(close(each, other) for each in known for other in _means(one.prediction.double() - one.target.double()))


def _means(differences: "Tensor") -> Iterator[float]:
    """The numbers that are made of differences to say how large they are."""
    rows = differences.reshape(len(differences), -1)
    for size in (rows.abs(), rows.square()):
        yield float(size.mean())
        yield float(size.mean().sqrt())
        yield float(size.sum(1).mean())
        yield float(size.sum())
