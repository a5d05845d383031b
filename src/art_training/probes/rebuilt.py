"""The same training begun again: from the same seed, and with saved weights in a model that was made from another."""

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from art_training.probes.passes import passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped, size
from art_training.setup.identity.sparse import strided_parts

_STEPS = 1  # so that what is learned outside of the weights is another than in a fresh model
_ROUNDING = 1e-5  # of the largest weight; single precision has 6e-8, and a solution of a system some hundred times that
_ROWS = 8  # of the first batch; whether two models are the same is seen on few


@dataclass(frozen=True)
class Begun:
    """How a training begins, and what it would save.

    Attributes:
        module: that begins.
        weights: a digest of each parameter and buffer, by name.
        batches: digests of the entries of each batch.
        loss: of the first batch in training mode, from a seed of its own; None where the step returns none.
        batch: some rows of the first.
        checkpoint: what is saved after some steps.
        predictions: of the first batch with these weights, in evaluation mode.
        noise: the largest difference of another such pass.
    """

    module: nn.Module
    weights: Mapping[str, str]
    batches: tuple[Mapping[str, str], ...]
    loss: float | None
    batch: Any
    checkpoint: Mapping[str, Any]
    predictions: tuple[Tensor, ...]
    noise: float


@dataclass(frozen=True)
class Repeated:
    """Two beginnings from one seed.

    Attributes:
        weights: names of parameters and buffers that differ.
        batches: numbers of the batches that differ.
        entries: names of their entries that do.
        losses: of the first batch, where both are known.
    """

    weights: tuple[str, ...]
    batches: tuple[int, ...]
    entries: tuple[str, ...]
    losses: tuple[float, float] | None


@dataclass(frozen=True)
class Rebuilt:
    """A model that was made anew from another seed and has loaded saved weights.

    Attributes:
        difference: the largest of a prediction; None where what is predicted is not known.
        spread: how much predictions differ among themselves.
        noise: what two passes of one model differ by.
        attributes: tensors and layers that are no part of the state dictionary and differ, by path.
        copied: the difference with these copied too; None where there are none.
        refused: why the weights could not be loaded; empty where they were.
    """

    difference: float | None
    spread: float = 0.0
    noise: float = 0.0
    attributes: tuple[str, ...] = ()
    copied: float | None = None
    refused: str = ""

    @property
    def differs(self) -> bool:
        """Whether the difference is beyond rounding and noise."""
        return self.difference is not None and self.difference > max(10 * self.noise, 1e-3 * self.spread)

    @property
    def mended(self) -> bool:
        """Whether it is gone once the attributes are copied."""
        return self.copied is not None and self.copied <= max(10 * self.noise, 1e-3 * self.spread)


def begun(specimen: Specimen) -> Begun:
    """Note how a training begins; some steps are made, and what would then be saved is kept."""
    module = specimen.module
    weights, batches, small, value = _start(specimen)
    with specimen.kept(seed=4):
        if specimen.automatic and specimen.optimizers:
            for _ in range(_STEPS):
                specimen.optimizers[0].step(lambda: _differentiated(specimen, small))
        checkpoint: dict[str, Any] = {"state_dict": copy.deepcopy(dict(module.state_dict()))}
        save: Any = getattr(module, "on_save_checkpoint", None)
        if callable(save):
            save(checkpoint)
        predictions, again = _predictions(specimen, small), _predictions(specimen, small)
    noise = _difference(predictions, again)
    return Begun(module, weights, batches, value, small, checkpoint, predictions, noise or 0.0)


def repeated(first: Begun, specimen: Specimen) -> Repeated:
    """Compare with another beginning from the same seed."""
    others, batches, _, loss = _start(specimen)
    mine, theirs = first.module.state_dict(), specimen.module.state_dict()
    weights = [
        name
        for name, digest in first.weights.items()
        if others.get(name, digest) != digest and not _by_rounding(mine[name], theirs[name])
    ]
    pairs = list(enumerate(zip(first.batches, batches, strict=False)))
    named = {name for _, (one, two) in pairs for name in one if one[name] != two.get(name)}
    losses = None if first.loss is None or loss is None else (first.loss, loss)
    return Repeated(
        tuple(weights), tuple(number for number, (one, two) in pairs if one != two), tuple(sorted(named)), losses
    )


def _by_rounding(one: Tensor, other: Tensor) -> bool:
    """Whether values differ as sums in another order do: weights may be solved for, and not drawn."""
    if one.shape != other.shape or not one.is_floating_point() or not one.numel():
        return False
    largest = float((one.double() - other.double()).abs().max())
    return largest <= _ROUNDING * float(one.double().abs().max())


def _start(specimen: Specimen) -> tuple[dict[str, str], tuple[dict[str, str], ...], Any, float | None]:
    """Digests of weights and batches, some rows of the first batch, and their loss where the step returns one."""
    weights = {name: _digest(one) for name, one in specimen.module.state_dict().items() if isinstance(one, Tensor)}
    batches = tuple(
        {name: _digest(one) for name, one in entries(batch).items() if isinstance(one, Tensor)}
        for batch in specimen.batches
    )
    last: Exception | None = None
    for rows in (_ROWS, None):  # a model may want batches of one size only
        small = _some(specimen.batches[0], rows)
        try:
            with specimen.kept(seed=3), torch.enable_grad():
                loss = specimen.loss(small)
        except Exception as error:  # noqa: BLE001  The user's code; where it raises for a whole batch too, it is told.
            last = error
            continue
        known = loss is not None and specimen.automatic
        return weights, batches, small, float(loss.detach().float().sum()) if known and loss is not None else None
    assert last is not None
    raise last


def _some(batch: Any, most: int | None) -> Any:
    """A copy of the first rows of every entry that has one a row of the batch."""
    count = size(batch)

    def cut(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return (leaf[:most] if leaf.ndim and len(leaf) == count else leaf).clone()

    return mapped(batch, cut)


def rebuilt(first: Begun, specimen: Specimen) -> Rebuilt:
    """Load what was saved into this model, and compare what both predict."""
    if not first.predictions:
        return Rebuilt(None)
    module = specimen.module
    load: Any = getattr(module, "on_load_checkpoint", None)
    try:
        if callable(load):
            load(copy.deepcopy(dict(first.checkpoint)))
        module.load_state_dict(first.checkpoint["state_dict"])
    except RuntimeError as error:
        return Rebuilt(None, refused=str(error).partition("\n")[0] + " " + str(error).partition("\n")[2].strip())
    difference = _difference(first.predictions, _predictions(specimen, first.batch))
    spread = max(float(one.double().std()) if one.numel() > 1 else float(one.abs().max()) for one in first.predictions)
    found = Rebuilt(difference, spread, first.noise)
    if not found.differs:
        return found
    outside = _outside(first.module, module)
    for path, value in outside.items():
        owner = module.get_submodule(path.rpartition(".")[0])
        setattr(owner, path.rpartition(".")[2], value)
    copied = _difference(first.predictions, _predictions(specimen, first.batch)) if outside else None
    return Rebuilt(difference, spread, first.noise, tuple(outside), copied)


def _differentiated(specimen: Specimen, batch: Any) -> float:
    """What an optimiser that looks for its step by itself asks for; the others ask once."""
    specimen.module.zero_grad()
    with torch.enable_grad():
        loss = specimen.loss(batch)
        if loss is None or not loss.requires_grad:
            return 0.0
        loss.backward()
    return float(loss.detach())


def _predictions(specimen: Specimen, batch: Any) -> tuple[Tensor, ...]:
    """What enters losses of torch; of a loss that is written by hand, what modules give of each example."""
    with specimen.kept(seed=5):  # a step that optimises by itself does so here too
        seen = specimen.observe(batch)
    found = [one.prediction for one in seen.losses if one.prediction.is_floating_point()]
    found = found or passed(specimen, batch, seed=5).predictions(size(batch))
    return tuple(one.detach().clone() for one in found)


def _difference(first: Sequence[Tensor], other: Sequence[Tensor]) -> float | None:
    if not first or len(first) != len(other) or any(a.shape != b.shape for a, b in zip(first, other, strict=True)):
        return None
    values = [float((a.double() - b.double()).abs().max()) for a, b in zip(first, other, strict=True) if a.numel()]
    return max(values) if values and not any(map(math.isnan, values)) else None


def _outside(first: nn.Module, other: nn.Module) -> dict[str, Any]:
    """Tensors and layers that a model has and its state dictionary has not, and that differ between two models."""
    kept = set(first.state_dict())
    theirs = dict(other.named_modules())
    found: dict[str, Any] = {}
    for name, module in first.named_modules():
        twin = theirs.get(name)
        if twin is None:
            continue
        attributes = {**vars(module), **dict(module.named_buffers(recurse=False))}
        for attribute, value in attributes.items():
            path = f"{name}.{attribute}".lstrip(".")
            if (attribute.startswith("_") and attribute in vars(nn.Module())) or path in kept:
                continue
            if _matters(value) and not _same(value, getattr(twin, attribute, None)):
                found[path] = value
    return found


def _matters(value: Any) -> bool:
    if isinstance(value, Tensor | nn.Module):
        return True
    if isinstance(value, Mapping):
        value = list(cast("Mapping[Any, Any]", value).values())
    return isinstance(value, list | tuple) and any(
        isinstance(one, Tensor | nn.Module) for one in cast("list[Any]", value)
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, nn.Module):
        return isinstance(other, nn.Module) and _same(dict(one.state_dict()), dict(other.state_dict()))
    if isinstance(one, Mapping):
        mine, theirs = cast("Mapping[Any, Any]", one), cast("Mapping[Any, Any]", other)
        return isinstance(other, Mapping) and all(_same(mine[name], theirs.get(name)) for name in mine)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        mine, theirs = cast("list[Any]", one), cast("list[Any]", other)
        return len(mine) == len(theirs) and all(_same(a, b) for a, b in zip(mine, theirs, strict=True))
    return True


def _digest(tensor: Tensor) -> str:
    found = hashlib.blake2b(digest_size=8)
    for part in strided_parts(tensor.detach().cpu()):
        plain = part.contiguous()
        data = plain.view(torch.uint8) if plain.ndim else plain.reshape(1).view(torch.uint8)
        found.update(data.numpy().tobytes() + str(tuple(plain.shape)).encode())
    return found.hexdigest()
