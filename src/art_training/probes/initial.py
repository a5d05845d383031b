"""What layers begin with: how large, how different from unit to unit, and what is learned when they begin as usual."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped

_STEPS = 5
_DENSE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_FAR = 5.0  # times: norms that are taught, from Xavier over He to a fixed 0.02, differ from torch's by at most 4


@dataclass(frozen=True)
class Layer:
    """One layer of weights as it begins.

    Attributes:
        name: of the parameter.
        units: rows of it.
        alike: whether all units begin with the same weights.
        stay: whether they are still the same after a few steps.
        size: the root of the mean square.
        usual: of a fresh layer of the same class; None where torch does not know how it begins.
        table: whether it is an embedding, whose size is free.
        dense: whether each unit sees all inputs and other layers follow.
    """

    name: str
    units: int
    alike: bool
    stay: bool
    size: float
    usual: float | None
    table: bool
    dense: bool

    @property
    def far(self) -> bool:
        """Whether its size is far from the usual; small tables and zeros are not meant."""
        if self.usual is None or self.alike or self.usual == 0:
            return False
        ratio = self.size / self.usual
        return ratio > _FAR or (ratio < 1 / _FAR and not self.table)


def layers(specimen: Specimen) -> tuple[Layer, ...]:
    """The layers of weights of a model, in the order of its parameters."""
    modules = dict(specimen.module.named_modules())
    weights = {
        name: one
        for name, one in specimen.module.named_parameters()
        if one.requires_grad and one.ndim >= 2 and one.is_floating_point() and len(one) > 1
    }
    alike = {name for name, one in weights.items() if _differ(one) <= 1e-6 * float(one.detach().abs().max())}
    stay = _stay(specimen, {name: weights[name] for name in alike})
    last = next(reversed(weights), "")
    found: list[Layer] = []
    for name, one in weights.items():
        path, _, own = name.rpartition(".")
        module = modules.get(path)
        found.append(
            Layer(
                name=name,
                units=len(one),
                alike=name in alike,
                stay=name in stay,
                size=_size(one),
                usual=None if module is None else _usual(module, own),
                table=isinstance(module, nn.Embedding | nn.EmbeddingBag),
                dense=isinstance(module, _DENSE) and getattr(module, "groups", 1) == 1 and name != last,
            )
        )
    return tuple(found)


def begun_as_usual(specimen: Specimen, names: Sequence[str]) -> OneBatch | None:
    """The course of one batch where the modules of these parameters begin as torch begins them."""
    again(specimen, names)
    return learned(specimen)


def again(specimen: Specimen, names: Sequence[str]) -> None:
    """Draw the modules of these parameters anew, as torch does."""
    modules = dict(specimen.module.named_modules())
    for path in dict.fromkeys(name.rpartition(".")[0] for name in names):
        reset: Callable[[], Any] | None = getattr(modules.get(path), "reset_parameters", None)
        if reset is not None:
            reset()


def mends(names: tuple[str, ...]) -> Callable[[Specimen], OneBatch | None]:
    """The probe that begins these as usual."""

    def probe(specimen: Specimen) -> OneBatch | None:
        return begun_as_usual(specimen, names)

    return probe


def _stay(specimen: Specimen, weights: dict[str, nn.Parameter]) -> set[str]:
    """Those whose units are still alike after a few steps, by how far they moved."""
    if not weights:
        return set()
    with specimen.kept():
        before = {name: one.detach().clone() for name, one in weights.items()}
        if specimen.automatic:
            learned(specimen, steps=_STEPS)
        else:
            for index in range(_STEPS):
                batch = specimen.batches[index % len(specimen.batches)]
                specimen.step(mapped(batch, lambda leaf: leaf), index)
        return {
            name
            for name, one in weights.items()
            if _differ(one) <= 1e-3 * float((one.detach() - before[name]).abs().max())
        }


def _differ(weight: Tensor) -> float:
    """The largest difference of an element from that of the first unit."""
    rows = weight.detach().flatten(1)
    return float((rows - rows[0]).abs().max())


def _size(tensor: Tensor) -> float:
    return float(tensor.detach().float().square().mean().sqrt())


def _usual(module: nn.Module, own: str) -> float | None:
    """The size of a fresh parameter of a module of torch."""
    if not hasattr(module, "reset_parameters") or not type(module).__module__.startswith("torch.nn"):
        return None
    try:
        fresh: Any = copy.deepcopy(module)
        fresh.reset_parameters()
    except Exception:  # noqa: BLE001  A module that holds a graph cannot be copied; its size is not judged.
        return None
    parameter = dict(fresh.named_parameters(recurse=False)).get(own)
    return None if parameter is None else _size(parameter)
