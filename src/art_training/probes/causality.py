"""Whether a sequence model sees the very token that it must predict, told by exchanging what comes later."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.asked import asked
from art_training.probes.cost import lighter
from art_training.probes.passes import Passed, examples, passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped, size

_FEWEST = 4  # positions of a sequence; fewer match by chance


@dataclass(frozen=True)
class Causality:
    """What predictions of a next token depend on.

    Attributes:
        entry: path of the sequence whose later tokens are predicted.
        shift: how many positions after its input a prediction's target stands.
        future: how far predictions move when only tokens from their target on are exchanged, as a share of how much
            predictions differ.
        past: likewise when only tokens before them are.
        noise: without any exchange.
        encoded: whether the whole sequence is read by itself too, as by an encoder.
        masked: `future` with a causal mask laid over the attention; None where there is no attention to lay it over.
    """

    entry: str
    shift: int
    future: float
    past: float
    noise: float
    encoded: bool
    masked: float | None

    @property
    def read(self) -> bool:
        """Whether predictions depend on the entry at all; labels may be a copy of it that nothing but the loss sees."""
        return max(self.past, self.future) > 10 * self.noise


def causality(specimen: Specimen) -> Causality | None:
    """What a model of the next token or value sees; None where the task is no such."""
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    if count is None:
        return None
    specimen = lighter(specimen)
    batch, count = specimen.batches[0], size(specimen.batches[0])
    seen = passed(specimen, batch)
    found: list[Causality] = []
    for place, (_, prediction, target) in enumerate(seen.compared):
        for path, leaf in entries(batch).items():
            if not isinstance(leaf, Tensor) or leaf.ndim < 2 or len(leaf) != count or leaf.shape[1] < _FEWEST + 1:
                continue
            shift = _shift(target, leaf)
            if shift and _positions(prediction, target, count) is not None:

                def read(seen: Passed, place: int = place) -> Tensor | None:
                    _, prediction, target = seen.compared[place]
                    return _positions(prediction, target, count)

                found += _known(_measured(specimen, path, shift, read))
    if not found and not seen.compared:
        found = _of_hand_written(specimen, count)
    # What is translated may hold the same tokens; a model that keeps one of its sequences from itself is no copyist.
    return min(found, key=lambda one: one.future, default=None)


def _known(one: Causality | None) -> list[Causality]:
    return [one] if one is not None and one.read else []


def _of_hand_written(specimen: Specimen, count: int) -> list[Causality]:
    """Of a cross entropy that no function of torch computes, told by its gradients: what modules gave last is what is read."""
    seen = asked(specimen)
    found: list[Causality] = []
    for path, leaf in entries(seen.batches[0]).items():
        if not isinstance(leaf, Tensor) or leaf.ndim != 2 or leaf.is_floating_point() or leaf.shape[1] < _FEWEST + 1:
            continue
        for one in seen.classes:
            positions = one.weights.shape[1]
            targets = torch.where(one.weights > 0, one.classes, -100)
            if one.batch or len(leaf) != len(targets) or not (shift := _shift(targets, leaf)):
                continue

            def read(passing: Passed, lengths: tuple[int, int] = (positions, leaf.shape[1])) -> Tensor | None:
                given = [call.output for call in passing.calls if call.output is not None and call.output.ndim == 3]
                fits = [output for output in given if len(output) == count and output.shape[1] in lengths]
                return fits[-1].detach() if fits else None

            found += _known(_measured(specimen, path, shift, read))
    return found


def _measured(specimen: Specimen, path: str, shift: int, read: Callable[[Passed], Tensor | None]) -> Causality | None:
    batch = specimen.batches[0]
    length = next(leaf for name, leaf in entries(batch).items() if name == path).shape[1]
    middle = length // 2

    def moved(change: slice, look: Callable[[Tensor], Tensor], *around: Any) -> float:
        whole = read(passed(specimen, batch, around=around))
        other = read(passed(specimen, _rolled(batch, path, change), around=around))
        if whole is None or other is None or whole.shape != other.shape:
            return math.nan
        first, second = look(whole).double(), look(other).double()
        spread = float(whole.double().std(0).max())
        return float((second - first).abs().max()) / spread if spread > 0 and first.numel() else math.nan

    # A prediction at i has its target at i + shift: up to here, targets lie before or at the first exchanged token.
    before = max(1, middle - shift + 1)
    future = moved(slice(middle, None), lambda one: one[:, :before])
    noise = moved(slice(length, None), lambda one: one[:, :before])
    past = moved(slice(0, middle), lambda one: one[:, middle:])
    mask = _Causal()
    masked = moved(slice(middle, None), lambda one: one[:, :before], mask)
    if math.isnan(future):
        return None
    encoded = _is_encoded(specimen, entries(batch)[path])
    return Causality(path, shift, future, past, noise, encoded, masked if mask.used else None)


def _shift(target: Tensor, sequence: Tensor) -> int:
    """How many positions later a target stands in the sequence; 0 where it does not, or stands at its own place."""
    rest = tuple(sequence.shape[2:])
    count, length = sequence.shape[:2]
    size = math.prod(rest) if target.is_floating_point() and sequence.is_floating_point() else 1
    if (rest and size == 1) or target.numel() % (count * size):
        return 0
    if target.is_floating_point() != sequence.is_floating_point():
        return 0
    steps = target.numel() // (count * size)
    if not _FEWEST < steps <= length:
        return 0
    targets = target.detach().reshape(count, steps, size)
    values = sequence.detach().reshape(count, length, size)
    for shift in (0, 1, 2):
        shared = min(steps, length - shift)
        mine, other = targets[:, :shared], values[:, shift : shift + shared]
        # Positions that a loss ignores stand for any token.
        kept = torch.ones_like(mine, dtype=torch.bool) if target.is_floating_point() else mine >= 0
        if int(kept.sum()) >= _FEWEST * 2 and bool(((mine == other) | ~kept).all()):
            return shift
    return 0


def _positions(prediction: Tensor, target: Tensor, count: int) -> Tensor | None:
    """(count, positions, ...) of a prediction whose target has one value or vector a position."""
    prediction = prediction.detach()
    if prediction.ndim == target.ndim + 1 and target.ndim == 2 and len(prediction) == count:
        return prediction.movedim(1, 2) if prediction.shape[2] == target.shape[1] else prediction
    if prediction.shape == target.shape and target.ndim >= 2 and len(prediction) == count:
        return prediction.reshape(count, prediction.shape[1], -1)
    if prediction.ndim == 2 and target.ndim == 1 and len(prediction) % count == 0:
        return prediction.reshape(count, -1, prediction.shape[1])
    return None


def _rolled(batch: Any, path: str, change: slice) -> Any:
    """Some positions of the sequence taken from the next example."""
    sequence = entries(batch)[path]

    def exchange(leaf: Any) -> Any:
        if leaf is not sequence:
            return leaf
        changed = leaf.clone()
        changed[:, change] = leaf.roll(1, 0)[:, change]
        return changed

    return mapped(batch, exchange)


def _is_encoded(specimen: Specimen, sequence: Tensor) -> bool:
    """Whether layers read the sequence more than once: one layer twice, or several at different lengths."""
    lengths: list[int] = []
    readers: list[int] = []

    def note(module: nn.Module, given: Any) -> None:
        if next(module.children(), None) is None:
            for one in given:
                if isinstance(one, Tensor) and _is_part(one, sequence):
                    lengths.append(one.shape[1])
                    readers.append(id(module))

    handles = [one.register_forward_pre_hook(note) for one in specimen.module.modules()]
    try:
        passed(specimen, specimen.batches[0])
    finally:
        for one in handles:
            one.remove()
    return len(set(lengths)) > 1 or len(set(readers)) < len(readers)


def _is_part(given: Tensor, sequence: Tensor) -> bool:
    """Whether it is the sequence, or its beginning or its end."""
    if given.ndim != sequence.ndim or len(given) != len(sequence) or given.shape[2:] != sequence.shape[2:]:
        return False
    length = given.shape[1]
    if length > sequence.shape[1] or given.dtype != sequence.dtype:
        return False
    return torch.equal(given, sequence[:, :length]) or torch.equal(given, sequence[:, sequence.shape[1] - length :])


class _Causal(TorchFunctionMode):
    """Lays a causal mask over whatever attention is computed.

    Attributes:
        used: whether there was any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.used = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, under a causal mask where it is an attention of positions to each other."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func is functional.scaled_dot_product_attention and args[0].shape[-2] == args[1].shape[-2]:
            self.used = True
            return func(*args[:3], is_causal=True, scale=keywords.get("scale"))
        if func is functional.multi_head_attention_forward and args[0].shape[0] == args[1].shape[0]:
            self.used = True
            length = args[0].shape[0]
            mask = torch.ones(length, length, dtype=torch.bool, device=args[0].device).triu(1)
            return func(*args, **{**keywords, "attn_mask": mask, "is_causal": False, "need_weights": True})
        if func in {functional.softmax, torch.softmax, Tensor.softmax} and _square(args[0]):
            self.used = True
            scores = args[0]
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            # What another mask has forbidden is allowed: it may be the wrong one.
            known = torch.where(torch.isfinite(scores), scores, torch.zeros_like(scores))
            return func(known.masked_fill(mask, -torch.inf), *args[1:], **keywords)
        return func(*args, **keywords)


def _square(scores: Tensor) -> bool:
    return scores.ndim >= 3 and scores.shape[-1] == scores.shape[-2] > 1
