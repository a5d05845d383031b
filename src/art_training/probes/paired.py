"""Whether a prediction is compared with the target of the example that it is made of, told by exchanging inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.passes import examples, passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped, size

_PAIRS = 8
_LEAST = 16  # rows of an expensive model, so that pairs with different targets are among them
_MOVED = 1e-4  # of how much predictions differ: single precision leaves 1e-6

Compared = Sequence[tuple[str, Tensor, Tensor]]


@dataclass(frozen=True)
class Paired:
    """A loss whose targets are the numbers of an entry of the batch, in some order.

    Attributes:
        path: of the entry.
        loss: as torch calls it.
        tested: pairs of examples with different targets whose inputs were exchanged, where two predictions moved by it.
        matched: of these, how many have the two predictions compared with the two targets.
        in_order: whether the targets stand in the order of the batch.
    """

    path: str
    loss: str
    tested: int
    matched: int
    in_order: bool


def paired(specimen: Specimen) -> tuple[Paired, ...]:
    """Every loss with one target an example that an entry of the batch has, in whatever order; none where none can be followed.

    A prediction that is compared twice, as with both labels of a mixture, is judged by the better of the two.
    """
    specimen = lighter(specimen, least=_LEAST)
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    if count is None or count != size(batch):
        return ()
    before = passed(specimen, batch).compared
    columns = dict(_columns(before, batch, count))
    if not columns or not _same(before, passed(specimen, batch).compared):
        return ()
    tested = dict.fromkeys(columns, 0)
    matched = dict.fromkeys(columns, 0)
    for one, other in _pairs(entries(batch)[next(iter(columns.values()))].reshape(-1)):
        kept = set(columns.values())
        after = passed(specimen, _exchanged(batch, count, one, other, kept)).compared
        if len(after) != len(before):
            return ()
        for index, path in columns.items():
            rows = _moved(before[index][1], after[index][1], count)
            wanted = entries(batch)[path].reshape(-1)[[one, other]].sort().values
            if len(rows) == 2 and bool(wanted[0] != wanted[1]):
                tested[index] += 1
                matched[index] += torch.equal(before[index][2].reshape(-1)[rows].to(wanted).sort().values, wanted)
    found = {
        index: Paired(
            path=path,
            loss=before[index][0],
            tested=tested[index],
            matched=matched[index],
            in_order=bool((before[index][2].reshape(-1) == entries(batch)[path].reshape(-1)).all()),
        )
        for index, path in columns.items()
    }
    return tuple(one for index, one in found.items() if one.matched == _best(before, index, found))


def _columns(compared: Compared, batch: Any, count: int) -> Iterator[tuple[int, str]]:
    """Losses by number, with the path of the entry whose numbers are their targets."""
    for index, (_, prediction, target) in enumerate(compared):
        if target.numel() != count or len(prediction) != count or target.requires_grad or target.is_complex():
            continue
        values = target.detach().double().reshape(-1)
        for path, leaf in entries(batch).items():
            fits = isinstance(leaf, Tensor) and leaf.numel() == count and not leaf.is_complex()
            if (
                fits
                and len(values.unique()) > 1
                and torch.equal(leaf.double().reshape(-1).sort().values, values.sort().values)
            ):
                yield index, path
                break


def _pairs(targets: Tensor) -> Iterator[tuple[int, int]]:
    """Pairs of examples that have different targets, none of them in two."""
    left = list(range(len(targets)))
    for _ in range(_PAIRS):
        one = left.pop(0) if left else None
        other = next((place for place in left if one is not None and bool(targets[place] != targets[one])), None)
        if one is None or other is None:
            return
        left.remove(other)
        yield one, other


def _exchanged(batch: Any, count: int, one: int, other: int, kept: set[str]) -> Any:
    """The batch with two examples exchanged, but for these entries."""
    found = entries(batch)
    still = {id(found[path]) for path in kept}

    def exchange(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.ndim or len(leaf) != count or id(leaf) in still:
            return leaf
        order = torch.arange(count, device=leaf.device)
        order[[one, other]] = order[[other, one]]
        return leaf[order]

    return mapped(batch, exchange)


def _moved(before: Tensor, after: Tensor, count: int) -> list[int]:
    """Which predictions are others; none where they have another shape."""
    if before.shape != after.shape:
        return []
    first, second = (one.detach().double().reshape(count, -1) for one in (before, after))
    change = (first - second).abs().amax(1)
    return torch.nonzero(change > _MOVED * first.std(0).max()).reshape(-1).tolist()


def _same(before: Compared, after: Compared) -> bool:
    return len(before) == len(after) and all(
        torch.equal(a, b) and torch.equal(c, d) for (_, a, c), (_, b, d) in zip(before, after, strict=True)
    )


def _best(compared: Compared, index: int, found: dict[int, Paired]) -> int:
    """How many pairs match at best among the losses of the same prediction."""
    mine = compared[index][1]
    return max(
        one.matched for number, one in found.items() if number == index or torch.equal(compared[number][1], mine)
    )
