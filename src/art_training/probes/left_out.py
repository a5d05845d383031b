"""Losses that a step computes and does not learn, though parameters wait for nothing else."""

import inspect
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.places import place_of_call
from art_training.probes.specimen import Specimen
from art_training.probes.steps import parameters_of
from art_training.setup.data.batch import mapped
from art_training.setup.scores.losses import LOSSES

_PASSES = 16  # a step that learns one of two losses by chance leaves the same one out in each of them once in 65,000
_NOISE = 0.05  # of weights: a last layer of zeros would keep every gradient to itself
_LATER = re.compile(r"current_epoch|global_step|\b(epoch|warm_?up|phase|stage|freeze|unfreeze)", re.IGNORECASE)


@dataclass(frozen=True)
class LeftOut:
    """A loss that is no part of what is differentiated, in none of the passes.

    Attributes:
        name: as torch calls it; of another, as it is logged.
        logged: name under which it is logged; empty where it is not.
        modules: with parameters that train, that it would reach, and that what is differentiated does not reach.
        parameters: how many numbers they hold.
        gradient: the norm that it would give them.
        value: of the loss.
        where: file and line of its call.
        later: whether the model's code speaks of epochs or steps: the loss may join in later.
    """

    name: str
    logged: str
    modules: tuple[str, ...]
    parameters: int
    gradient: float
    value: float
    where: str
    later: bool


@dataclass
class _Seen:
    """What a pass gave: calls of losses with what they gave, and what was logged, with their graphs."""

    calls: list[tuple[str, Tensor, str]] = field(default_factory=list[tuple[str, Tensor, str]])
    logged: dict[str, Tensor] = field(default_factory=dict[str, Tensor])


def left_out(specimen: Specimen) -> tuple[LeftOut, ...] | None:
    """What is left out; None where the step optimises by itself or returns no loss."""
    if not specimen.automatic:
        return None
    specimen = lighter(specimen)
    held = {id(one) for optimizer in specimen.optimizers for one in parameters_of(optimizer)}
    trains = {name: one for name, one in specimen.module.named_parameters() if one.requires_grad and id(one) in held}
    with torch.no_grad():
        for one in specimen.module.parameters():
            if one.is_floating_point():
                one.add_(torch.randn_like(one) * _NOISE)
    found: dict[tuple[str, str], LeftOut] = {}
    for number in range(_PASSES):
        passed = _passed(specimen, number)
        if passed is None:
            return None if not number else ()
        now = {(one.where, one.name): one for one in _left_out(specimen, trains, number, *passed)}
        found = {key: now[key] for key in (found if number else now) if key in now}
        if not found:
            return ()
    return tuple(found.values())


def _passed(specimen: Specimen, number: int, spoilt: int | None = None) -> tuple[_Seen, Tensor] | None:
    """What a pass gives, and its loss; None where there is none with a graph."""
    seen = _Seen()
    batch = specimen.batches[number % len(specimen.batches)]
    watched = _logging(specimen.module, seen), _Losses(seen, spoilt)
    with specimen.seeded(number), specimen.in_mode("train"), torch.enable_grad(), watched[0], watched[1]:
        returned = specimen.step(mapped(batch, lambda leaf: leaf), number)
    loss = cast("Mapping[str, Any]", returned).get("loss") if isinstance(returned, Mapping) else returned
    return (seen, loss) if isinstance(loss, Tensor) and loss.requires_grad else None


def _left_out(
    specimen: Specimen, trains: Mapping[str, nn.Parameter], number: int, seen: _Seen, loss: Tensor
) -> list[LeftOut]:
    reached = dict(zip(trains, _gradients(loss, list(trains.values())), strict=True))
    missing = [name for name, gradient in reached.items() if gradient is None or not bool(gradient.any())]
    found: list[LeftOut] = []
    values = [(name, value, where, index) for index, (name, value, where) in enumerate(seen.calls)]
    values += [(name, value, "", -1) for name, value in seen.logged.items()]
    taken: set[str] = set()
    for name, value, where, index in values if missing else []:
        waiting = [one for one in missing if one not in taken]
        if value is loss or not value.requires_grad or not waiting:
            continue
        given = dict(zip(waiting, _gradients(value.sum(), [trains[one] for one in waiting]), strict=True))
        alone = [one for one, gradient in given.items() if gradient is not None and bool(gradient.any())]
        apart = all(reached[one] is None for one in alone)
        if not alone or not (apart or (index >= 0 and _survives(specimen, number, index))):
            continue
        taken |= set(alone)
        norms = torch.stack([cast("Tensor", given[one]).norm() for one in alone])
        number_of = float(value.detach().double().mean())
        logged = next(
            (key for key, one in seen.logged.items() if one.numel() == 1 and float(one.detach()) == number_of), ""
        )
        found.append(
            LeftOut(
                name=name,
                logged=logged,
                modules=tuple(dict.fromkeys(one.rpartition(".")[0] or one for one in alone)),
                parameters=sum(trains[one].numel() for one in alone),
                gradient=float(norms.norm()),
                value=number_of,
                where=where,
                later=speaks_of_time(specimen.module),
            )
        )
    return found


def _survives(specimen: Specimen, number: int, index: int) -> bool:
    """Whether what is differentiated stays finite where the loss is NaN: with a weight of 0 it would not."""
    passed = _passed(specimen, number, spoilt=index)
    return passed is not None and bool(passed[1].isfinite().all())


def _gradients(value: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(value.sum(), parameters, retain_graph=True, allow_unused=True)


def speaks_of_time(module: nn.Module, *, every: bool = False) -> bool:
    """Whether code of the model that no library brought asks which epoch or step it is.

    Args:
        module: whose classes are read.
        every: also whether it does something every so many of anything, told by a `%`.
    """
    for one in type(module).__mro__:
        if one.__module__.startswith(("torch.", "lightning.", "pytorch_lightning.", "art_training.", "builtins")):
            continue
        try:
            source = inspect.getsource(one)
            if _LATER.search(re.sub(r"on_epoch|on_step|\w*_step\b|\w*_epoch_end", "", source)) or (
                every and "%" in source
            ):
                return True
        except (OSError, TypeError):
            return True  # what cannot be read may ask
    return False


@contextmanager
def _logging(module: nn.Module, seen: _Seen) -> Generator[None]:
    """A block in which what the module logs is kept with its graph."""
    attributes: dict[str, Any] = module.__dict__
    before = {name: attributes[name] for name in ("log", "log_dict") if name in attributes}

    def keep(name: str, value: Any) -> None:
        if isinstance(value, Tensor) and value.requires_grad:
            seen.logged[name] = value

    def watched(name: str) -> Callable[..., Any]:
        original = getattr(module, name)

        @wraps(original)
        def log(*args: Any, **keywords: Any) -> Any:
            # Any of them may be given by its name, as log_dict itself calls log.
            given = inspect.signature(original).bind_partial(*args, **keywords).arguments
            if name == "log_dict":
                for key, value in given.get("dictionary", {}).items():
                    keep(key, value)
            elif "name" in given:
                keep(given["name"], given.get("value"))
            return original(*args, **keywords)

        return log

    for name in ("log", "log_dict"):
        if callable(getattr(module, name, None)):
            attributes[name] = watched(name)
    try:
        yield
    finally:
        for name in ("log", "log_dict"):
            attributes.pop(name, None)
        attributes.update(before)


class _Losses(TorchFunctionMode):
    """Keeps what losses of torch give, and spoils one."""

    def __init__(self, seen: _Seen, spoilt: int | None) -> None:
        super().__init__()
        self._seen, self._spoilt = seen, spoilt

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and keep what it gives where it is a loss."""
        del types
        value = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in LOSSES and getattr(nn.functional, name, None) is func and isinstance(value, Tensor):
            if len(self._seen.calls) == self._spoilt:
                value = value * torch.nan
            self._seen.calls.append((name, value, place_of_call()))
        return value
