"""What a model was meant to begin with, by its own code, and what it begins with."""

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from art_training.probes.places import place_of
from art_training.probes.specimen import Specimen

_METHODS = (
    "_init_weights",
    "init_weights",
    "_initialize_weights",
    "initialize_weights",
    "weights_init",
    "_weights_init",
)
_FEWEST = 64  # elements: their root mean square is then told to a tenth
_OFF = 0.2
_NEAR = 0.12


@dataclass(frozen=True)
class Intended:
    """An initialisation of the user's that left no trace.

    Attributes:
        name: of the function.
        where: file and line of it.
        applied: whether it was applied while the model was made.
        parameters: names of those that it would change, and that begin as torch begins them.
        of: how many it would change in all.
        size: the root mean square of the first.
        meant: the same after the function.
    """

    name: str
    where: str
    applied: bool
    parameters: tuple[str, ...]
    of: int
    size: float
    meant: float


def intended(specimen: Specimen) -> tuple[Intended, ...]:
    """The initialisations that the code names and the weights do not show."""
    root = specimen.module
    if any(isinstance(one, LazyModuleMixin) for one in root.modules()):
        return ()
    found: list[Intended] = []
    for module, call, name, applied in _candidates(specimen):
        one = _judged(specimen, module, call, name, applied)
        if one is not None and one.parameters:
            found.append(one)
    return tuple(found)


def _candidates(specimen: Specimen) -> Iterator[tuple[nn.Module, Callable[[nn.Module], Any], str, bool]]:
    """A module, what initialises a copy of it, its name, and whether it was applied."""
    seen: set[Any] = set()
    for module, function in specimen.applied:
        key = getattr(function, "__func__", function)
        if key not in seen:
            seen.add(key)
            yield module, _applying(function), getattr(function, "__name__", "a function"), True
    for module in specimen.module.modules():
        if type(module).__module__.split(".")[0] in {"torch", "lightning", "pytorch_lightning", "torchmetrics"}:
            continue
        for name in _METHODS:
            method = getattr(type(module), name, None)
            if not inspect.isfunction(method) or method in seen:
                continue
            seen.add(method)
            arguments = len(inspect.signature(method).parameters)
            if arguments == 1:
                yield module, method, name, False
            elif arguments == 2:
                yield module, _applying(getattr(module, name)), name, False


def _applying(function: Callable[[nn.Module], Any]) -> Callable[[nn.Module], Any]:
    def call(module: nn.Module) -> Any:
        return module.apply(function)

    call.__wrapped__ = function  # pyright: ignore[reportFunctionMemberAccess]
    return call


def _judged(
    specimen: Specimen, module: nn.Module, call: Callable[[nn.Module], Any], name: str, applied: bool
) -> Intended | None:
    prefix = next((path for path, one in specimen.module.named_modules() if one is module), None)
    if prefix is None:
        return None
    try:
        other = _copied(module)
        call(other)
    except Exception:  # noqa: BLE001  The user's code, in a situation that it was not written for.
        return None
    meant = dict(other.named_parameters())
    usual = _copied(module)
    for one in usual.modules():
        reset = getattr(one, "reset_parameters", None)
        if reset is not None and type(one).__module__.startswith("torch.nn"):
            reset()
    fresh = dict(usual.named_parameters())
    lost: list[tuple[str, float, float]] = []
    count = 0
    for path, parameter in module.named_parameters():
        if parameter.numel() < _FEWEST or parameter.ndim < 2 or path not in meant:
            continue
        sizes = [float(one.detach().double().square().mean().sqrt()) for one in (parameter, meant[path], fresh[path])]
        if abs(sizes[1] - sizes[2]) <= _OFF * sizes[2]:
            continue  # it leaves this one as it is, or begins it as torch does
        whole = f"{prefix}.{path}" if prefix else path
        if whole in specimen.loaded:
            continue
        count += 1
        if abs(sizes[0] - sizes[2]) <= _NEAR * sizes[2]:
            lost.append((whole, sizes[0], sizes[1]))
    if not lost:
        return None
    function = getattr(call, "__wrapped__", call)
    return Intended(name, place_of(function), applied, tuple(one[0] for one in lost), count, lost[0][1], lost[0][2])


def _copied(module: nn.Module) -> nn.Module:
    """A copy without a trainer, which cannot be copied."""
    memo: dict[int, Any] = {}
    for name in ("_trainer", "_fabric"):
        trainer = getattr(module, name, None)
        if trainer is not None:
            memo[id(trainer)] = None
    return copy.deepcopy(module, memo)
