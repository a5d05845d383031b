"""What padding at the end of sequences does to a recurrence: what its length is told by, and what more of it changes."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from art_training.probes.cost import lighter
from art_training.probes.filled import filled
from art_training.probes.passes import examples, passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped

_FEWEST = 4  # positions
_FEWEST_ROWS = 3
_ENDS = (
    0.8  # of sequences, whose last value before the padding must be another: a real one may be equal to it by chance
)


@dataclass(frozen=True)
class Padding:
    """Sequences that are padded at their end, and what a longer padding does to what is predicted of them.

    Attributes:
        entry: path of the sequences.
        told_by: path of the entry that holds their lengths, or a mask of them; empty where none does.
        inferred: what tells them then, for a sentence.
        used: whether predictions or the loss change when that entry is exchanged among the examples.
        layer: name of the recurrence.
        shares: of positions that are padding, on average.
        moved: how far predictions move when each sequence is padded further by as much as the shortest one already is, as a share
            of how much they differ.
        held: likewise where the recurrence stops at the end of each sequence; None where it cannot be stopped from outside.
        kept: how much predictions of sequences that are padded by half or more differ, as a share of what they differ by where the
            recurrence stops at the end of each; None where it cannot be stopped, or fewer than three are.
        noise: without a change.
        positions: that were added.
    """

    entry: str
    told_by: str
    inferred: str
    used: bool
    layer: str
    shares: float
    moved: float
    held: float | None
    kept: float | None
    noise: float
    positions: int


@dataclass(frozen=True)
class _Ends:
    """Where sequences end: their entry, what tells it, their lengths, and the one value behind them."""

    entry: str
    told_by: str
    lengths: Tensor
    value: Tensor
    inferred: str = ""


def padding(specimen: Specimen) -> Padding | None:
    """What padding does to a recurrence; None where none reads padded sequences of which one thing each is predicted."""
    if not any(isinstance(one, nn.RNNBase | nn.RNNCellBase) for one in specimen.module.modules()):
        return None
    specimen = lighter(specimen)
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    if count is None:
        return None
    for path, leaf in entries(batch).items():
        if not isinstance(leaf, Tensor) or leaf.ndim < 2 or len(leaf) != count or leaf.shape[1] < _FEWEST:
            continue
        ends = _ends(specimen, batch, path, leaf)
        if ends is not None:
            return _measured(specimen, batch, ends)
    return None


def _ends(specimen: Specimen, batch: Any, path: str, leaf: Tensor) -> _Ends | None:
    """Where the sequences of an entry end; None where nothing tells it."""
    for other, candidate in entries(batch).items():
        lengths = _lengths(candidate, leaf) if other != path else None
        if lengths is not None and (value := _behind(leaf, lengths)) is not None:
            return _Ends(path, other, lengths, value)
    for one in filled(specimen):
        if one.path == path and one.at_end:
            real = (leaf != one.token).reshape(*leaf.shape[:2], -1).any(2).long()
            lengths = (real * torch.arange(1, leaf.shape[1] + 1, device=leaf.device)).amax(1)
            if int(lengths.min()) > 0 and (value := _behind(leaf, lengths)) is not None:
                return _Ends(path, "", lengths, value, one.told_by)
    return None


def _lengths(candidate: Any, leaf: Tensor) -> Tensor | None:
    """The lengths that an entry holds, or that a mask of ones and then zeros has; None where it is neither."""
    if not isinstance(candidate, Tensor) or (candidate.is_floating_point() and candidate.ndim < 2):
        return None
    if candidate.ndim == 2 and candidate.shape == leaf.shape[:2]:
        whole = candidate.long()
        falls = bool(((whole == 0) | (whole == 1)).all() and (whole[:, 1:] <= whole[:, :-1]).all())
        return whole.sum(1) if falls else None
    flat = candidate.reshape(-1)
    return flat.long() if len(flat) == len(leaf) == len(candidate) and candidate.dtype != torch.bool else None


def _behind(leaf: Tensor, lengths: Tensor) -> Any:
    """The one value that stands behind the ends of sequences, (...); None where there is none such, or nothing is padded."""
    length = leaf.shape[1]
    if not bool(((lengths >= 1) & (lengths <= length)).all()) or len(lengths.unique()) < 2:
        return None
    place = torch.arange(length, device=leaf.device)
    after = place[None] >= lengths.to(leaf.device)[:, None]
    values = leaf[after].reshape(int(after.sum()), -1)
    if not len(values) or not bool((values == values[:1]).all()):
        return None
    last = leaf[torch.arange(len(leaf), device=leaf.device), lengths.to(leaf.device) - 1].reshape(len(leaf), -1)
    return leaf[after][0] if float((last != values[:1]).any(1).float().mean()) >= _ENDS else None


def _measured(specimen: Specimen, batch: Any, ends: _Ends) -> Padding | None:
    path, told_by, lengths = ends.entry, ends.told_by, ends.lengths
    sequences = cast("Tensor", entries(batch)[path])
    count, length = sequences.shape[:2]
    more = int(length - lengths.min())
    longer = _longer(batch, path, ends.value, more)
    if longer is None:
        return None
    names = {id(one): name for name, one in specimen.module.named_modules()}
    readers = _Readers(length)
    with readers.listening(specimen.module):
        before = passed(specimen, batch).predictions(count)
    if not readers.found or not before or before[0].numel() % count or before[0].numel() // count >= length:
        return None
    try:
        after = passed(specimen, longer).predictions(count)
    except Exception:  # noqa: BLE001  The user's code, which may take sequences of one length only.
        return None
    # By other random numbers: as many are drawn as there are positions.
    again = passed(specimen, batch, seed=1).predictions(count)
    moved, noise = _apart(before, after), _apart(before, again)
    if moved is None or noise is None:
        return None
    held = kept = None
    if all(isinstance(one, nn.RNNBase) for one in readers.found):
        with _stopping(specimen.module, lengths):
            stopped = passed(specimen, batch).predictions(count)
            held = _apart(stopped, passed(specimen, longer).predictions(count))
        kept = _kept(before, stopped, lengths * 2 <= length)
    return Padding(
        entry=path,
        told_by=told_by,
        inferred=ends.inferred,
        used=bool(told_by) and _used(specimen, batch, told_by, before, count),
        layer=names.get(id(readers.found[0]), ""),
        shares=float(1 - lengths.double().mean() / length),
        moved=moved,
        held=held,
        kept=kept,
        noise=noise,
        positions=more,
    )


def _longer(batch: Any, path: str, value: Tensor, more: int) -> Any:
    """The batch with more padding; None where another entry has as many positions and what pads it is not known."""
    sequences = cast("Tensor", entries(batch)[path])
    count, length = sequences.shape[:2]
    ends: dict[int, Tensor] = {id(sequences): value}
    for other in entries(batch).values():
        runs = isinstance(other, Tensor) and other.ndim >= 2 and tuple(other.shape[:2]) == (count, length)
        if runs and other is not sequences:
            if other.is_floating_point() and other.ndim > 2:
                return None
            ends[id(other)] = torch.zeros_like(other[0, 0])

    def extend(leaf: Any) -> Any:
        end = ends.get(id(leaf))
        if end is None:
            return leaf
        return torch.cat([leaf, end.expand(count, more, *leaf.shape[2:])], 1)

    return mapped(batch, extend)


def _used(specimen: Specimen, batch: Any, path: str, before: list[Tensor], count: int) -> bool:
    """Whether predictions change when the entry that tells lengths says another thing."""
    wanted = entries(batch)[path]
    turned = mapped(batch, lambda leaf: leaf.roll(1, 0) if leaf is wanted else leaf)
    return (_apart(before, passed(specimen, turned).predictions(count)) or 0.0) > 0


def _apart(one: list[Tensor], other: list[Tensor]) -> float | None:
    """The largest change of predictions, as a share of how much they differ among examples."""
    for first, second in zip(one, other, strict=False):
        if first.shape == second.shape:
            spread = float(first.detach().double().std(0).max())
            change = float((second.detach().double() - first.detach().double()).abs().max())
            return change / spread if spread > 0 else None
    return None


def _kept(read: list[Tensor], stopped: list[Tensor], rows: Tensor) -> float | None:
    """What is left of the differences between predictions of some rows, on average over what is predicted."""
    for one, other in zip(read, stopped, strict=False):
        if one.shape == other.shape and len(one) == len(rows) and int(rows.sum()) >= _FEWEST_ROWS:
            first, second = (float(x.detach().double()[rows.to(x.device)].std(0).mean()) for x in (one, other))
            return first / second if second > 0 else None
    return None


class _Readers:
    """Recurrences that read whole sequences, padding and all.

    Attributes:
        found: layers that were given all positions at once, and cells that were called once for each.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._calls: dict[nn.Module, int] = {}
        self.found: list[nn.Module] = []

    @contextmanager
    def listening(self, root: nn.Module) -> Generator[None]:
        """A block in which calls are counted."""

        def note(module: nn.Module, given: Any) -> None:
            if isinstance(module, nn.RNNCellBase):
                self._calls[module] = self._calls.get(module, 0) + 1
            elif isinstance(given[0], Tensor) and given[0].ndim == 3:
                self.found += [module] if given[0].shape[_time(module)] == self._length else []

        layers = [one for one in root.modules() if isinstance(one, nn.RNNBase | nn.RNNCellBase)]
        handles = [one.register_forward_pre_hook(note) for one in layers]
        try:
            yield
        finally:
            for one in handles:
                one.remove()
            self.found += [module for module, calls in self._calls.items() if calls >= self._length]


def _time(module: nn.Module) -> int:
    return 1 if getattr(module, "batch_first", False) else 0


@contextmanager
def _stopping(root: nn.Module, lengths: Tensor) -> Generator[None]:
    """A block in which recurrences stop at the end of each sequence, and give what they had there from there on."""
    waiting: list[int] = []

    def pack(module: nn.Module, given: Any) -> Any:
        first = bool(_time(module))
        if not isinstance(given[0], Tensor) or given[0].ndim != 3 or given[0].shape[0 if first else 1] != len(lengths):
            return None
        waiting.append(given[0].shape[_time(module)])
        packed = pack_padded_sequence(given[0], lengths.cpu(), batch_first=first, enforce_sorted=False)
        return (packed, *given[1:])

    def unpack(module: nn.Module, _given: Any, output: Any) -> Any:
        if not isinstance(output[0], PackedSequence):
            return None
        states, _ = pad_packed_sequence(output[0], batch_first=True, total_length=waiting.pop())
        place = torch.arange(states.shape[1], device=states.device)[None]
        held = torch.minimum(place, lengths.to(states.device)[:, None] - 1)
        states = states.gather(1, held[..., None].expand(-1, -1, states.shape[2]))
        return (states if _time(module) else states.transpose(0, 1), output[1])

    layers = [one for one in root.modules() if isinstance(one, nn.RNNBase)]
    handles: list[Any] = [one.register_forward_pre_hook(pack) for one in layers]
    handles += [one.register_forward_hook(unpack) for one in layers]
    try:
        yield
    finally:
        for one in handles:
            one.remove()
