"""How the loss of a batch responds: to targets that are exchanged, to inputs that are made equal, to half the examples."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.heard import heard
from art_training.probes.passes import smaller
from art_training.probes.ragged import ragged
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import totals
from art_training.setup.data.batch import entries, mapped, rows, size

_MOST_ENTRIES = 8
_RELATIVE = 1e-5  # single precision, summed in another order
_ROWS = 16  # of the batch: as many as it takes to tell a pair from another
_NOISE = 0.05  # of weights: enough that a last layer of zeros tells examples apart


@dataclass(frozen=True)
class Response:
    """What an entry of the batch does to the loss, where nothing but the loss sees it.

    Attributes:
        path: of the entry.
        exchanged: by how much the loss changes when rows of the entry are exchanged among the examples.
        replaced: by how much it changes when every row of the entry is made the first one.
        sign: whether the loss is proportional to the entry, and turns its sign with it, as with that of a reward.
    """

    path: str
    exchanged: float
    replaced: float
    sign: bool


@dataclass(frozen=True)
class Responses:
    """How the loss of the first batch responds.

    Attributes:
        loss: as it is; the sum where a step differentiates several.
        noise: what two computations of the same differ by, with what single precision leaves.
        entries: that nothing but the loss sees.
        inputs: by how much the loss changes when all examples have the inputs of the first.
    """

    loss: float
    noise: float
    entries: tuple[Response, ...]
    inputs: float

    def unpaired(self, one: Response) -> bool:
        """Whether the loss needs the entry, and does not care which example it belongs to."""
        return one.replaced > 100 * self.noise and self.inputs > 100 * self.noise and one.exchanged <= self.noise


@dataclass(frozen=True)
class Scaling:
    """The loss of a batch and of its two halves."""

    whole: float
    first: float
    second: float
    examples: int

    @property
    def sums(self) -> bool:
        """Whether the whole is the sum of the halves, and not their mean."""
        total = self.first + self.second
        return abs(self.whole - total) <= 1e-3 * abs(self.whole) and abs(total) > 1e-6


def responses(specimen: Specimen) -> Responses | None:
    """What targets and inputs do to the loss; None where no loss or no layer was seen.

    Where it seems that a target does nothing, weights are moved a little first: a last layer of zeros predicts the same of
    everybody.
    """
    specimen = lighter(specimen)
    found = _responses(specimen)
    if found is None or not any(found.unpaired(one) or one.replaced <= found.noise for one in found.entries):
        return found
    with torch.no_grad():
        for parameter in specimen.module.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter) * _NOISE)
    return _responses(specimen) or found


def scaling(specimen: Specimen) -> Scaling | None:
    """Whether the loss is a sum over examples; None where halves of a batch cannot be made or tell nothing."""
    batch, count = _few(lighter(specimen).batches[0])
    half = count // 2
    if half < 2 or ragged(batch, count):
        return None
    batch = _taken(batch, slice(0, 2 * half), count)
    parts = [batch, _taken(batch, slice(0, half), 2 * half), _taken(batch, slice(half, None), 2 * half)]
    values = [totals(specimen, part) for part in parts]
    if any(len(one) != 1 for one in values):
        return None
    whole, first, second = (one[0] for one in values)
    return Scaling(whole, first, second, 2 * half)


def seen_inputs(specimen: Specimen) -> frozenset[str]:
    """The entries of the first batch that a layer sees: it gives something else when their rows are exchanged.

    A loss that is a module, or a metric, sees targets too; what holds no parameters is no layer here.
    """
    batch, count = _few(specimen.batches[0])
    found = [path for path, leaf in entries(batch).items() if isinstance(leaf, Tensor) and rows(leaf) == count]
    holding = {name for name, one in specimen.module.named_modules() if any(True for _ in one.parameters())}
    _, seen = _passed(specimen, batch, of=holding)
    changed = [
        path
        for path in found[:_MOST_ENTRIES]
        if not _same(seen, _passed(specimen, exchanged(batch, path), of=holding)[1])
    ]
    return frozenset(changed)


def replaced(batch: Any, path: str) -> Any:
    """The batch with every row of an entry made the first one."""
    return _with(batch, path, _first_row)


def exchanged(batch: Any, path: str) -> Any:
    """The batch with the rows of an entry moved to other examples."""
    return _with(batch, path, lambda leaf: leaf.roll(max(1, len(leaf) // 3), 0))


def _responses(specimen: Specimen) -> Responses | None:
    batch, count = _few(specimen.batches[0])
    if ragged(batch, count):  # rows of what tells whose items are whose cannot be exchanged
        return None
    found = {path: leaf for path, leaf in entries(batch).items() if isinstance(leaf, Tensor) and rows(leaf) == count}
    with specimen.in_mode("evaluate"):  # tried here, before anything is listened to
        pass
    before, seen = _passed(specimen, batch)
    if len(found) > _MOST_ENTRIES or count < 4 or not before or not seen:
        return None
    loss, noise = sum(before), _noise(specimen, batch, before)
    unseen: list[Response] = []
    inputs = batch
    for path, leaf in found.items():
        after, now = _passed(specimen, exchanged(batch, path))
        same = _same(seen, now)
        if not same:
            inputs = _with(inputs, path, _first_row)
            continue
        if bool((leaf == leaf[:1]).all()):
            continue
        alike = totals(specimen, replaced(batch, path))
        turned = leaf.is_floating_point() and _turns(specimen, _with(batch, path, lambda one: one * -2), loss)
        unseen.append(Response(path, abs(sum(after) - loss), abs(sum(alike) - loss), turned))
    alike = 0.0 if inputs is batch else abs(sum(totals(specimen, inputs)) - loss)
    return Responses(loss, noise, tuple(unseen), alike)


def _turns(specimen: Specimen, batch: Any, loss: float) -> bool:
    """Whether a batch has the loss times -2; one that the step cannot take, such as a class below 0, has none.

    A similarity turns its sign with that of a target, and does not grow with it; what is earned does both.
    """
    try:
        other = sum(totals(specimen, batch))
    except Exception:  # noqa: BLE001  The user's code, given what it was not written for.
        return False
    return abs(other + 2 * loss) <= 2e-3 * abs(loss)


def _noise(specimen: Specimen, batch: Any, before: tuple[float, ...]) -> float:
    again = totals(specimen, batch)
    return 10 * abs(sum(again) - sum(before)) + _RELATIVE * sum(abs(one) for one in before)


def _passed(
    specimen: Specimen, batch: Any, *, of: Collection[str] | None = None
) -> tuple[tuple[float, ...], list[float]]:
    """What is differentiated, and a number for what each layer gave, or each one `of` these."""
    seen: list[float] = []

    def note(layer: str, given: Tensor) -> None:
        if of is None or layer in of:
            seen.append(float(given.reshape(-1).double() @ _weights(specimen, given)))

    with heard(specimen.module, note):
        found = totals(specimen, batch)
    return found, seen


def _weights(specimen: Specimen, given: Tensor) -> Tensor:
    """What so many outputs are weighed with by their place, so that no exchange leaves their sum."""
    key = ("weights by place", given.numel(), given.device)
    if key not in specimen.notes:
        places = torch.arange(1, given.numel() + 1, dtype=torch.float64, device=given.device)
        specimen.notes[key] = places.sin()
    return specimen.notes[key]


def _same(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and all(
        a == b or abs(a - b) <= 1e-7 * max(abs(a), abs(b)) for a, b in zip(one, other, strict=True)
    )


def _with(batch: Any, path: str, change: Callable[[Tensor], Tensor]) -> Any:
    wanted = entries(batch)[path]
    return mapped(batch, lambda leaf: change(leaf) if leaf is wanted else leaf)


def _first_row(leaf: Tensor) -> Tensor:
    return leaf[:1].expand_as(leaf).clone()


def _few(batch: Any) -> tuple[Any, int]:
    """The first rows of a batch, and how many they are."""
    count = size(batch)
    return (batch, count) if count <= _ROWS else (smaller(batch, count, _ROWS), _ROWS)


def _taken(batch: Any, part: slice, count: int) -> Any:
    return mapped(batch, lambda leaf: leaf[part] if rows(leaf) == count else leaf)
