"""Parts that nothing moves and that what trains is measured by, as a teacher or a network of features: their modes, and their weights."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.heard import heard
from art_training.probes.modes import DROPOUTS, BatchNorm
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import totals
from art_training.probes.steps import parameters_of
from art_training.setup.scores.losses import LOSSES

_RELATIVE = 1e-5  # single precision, summed in another order


@dataclass(frozen=True)
class Teacher:
    """A part that no optimiser moves, and that nothing but the loss sees.

    Attributes:
        name: of the part.
        parts: dropouts and batch norms in it that act otherwise in training.
        training: what a batch loses where it is in training mode.
        evaluating: likewise in evaluation mode.
    """

    name: str
    parts: tuple[str, ...]
    training: float
    evaluating: float


@dataclass(frozen=True)
class Pupil:
    """A part that was loaded, and that learns through the targets of losses alone.

    Attributes:
        name: of the part.
        parameters: how many numbers it has.
        gradient: the norm of its gradient.
    """

    name: str
    parameters: int
    gradient: float


def teachers(specimen: Specimen) -> tuple[Teacher, ...]:
    """Those whose mode changes the loss; none that has the shapes of a part that trains, as one that follows it has."""
    specimen = lighter(specimen)
    held = _held(specimen)
    modules = {name: one for name, one in specimen.module.named_modules() if name}
    moving = [one for one in modules.values() if _all(one, lambda parameter: id(parameter) in held)]
    shapes = {tuple(tuple(parameter.shape) for parameter in one.parameters()) for one in moving}
    found: list[Teacher] = []
    for name, one in modules.items():
        inside = any(name.startswith(f"{other.name}.") for other in found)
        if inside or not _all(one, lambda parameter: id(parameter) not in held):
            continue
        if tuple(tuple(parameter.shape) for parameter in one.parameters()) in shapes:
            continue
        parts = [f"{name}.{part}" if part else name for part, each in one.named_modules() if _acts(each)]
        if parts and _only_the_loss_sees(specimen, name, one):
            losses = [_loss(specimen, one, training=training) for training in (True, False)]
            if abs(losses[0] - losses[1]) > _RELATIVE * max(map(abs, losses)):
                found.append(Teacher(name, tuple(parts), *losses))
    return tuple(found)


def pupils(specimen: Specimen) -> tuple[Pupil, ...] | None:
    """What learns through targets alone; None where the step optimises by itself or returns no loss."""
    if not specimen.automatic:
        return None
    specimen = lighter(specimen)
    held = _held(specimen)
    mode = _DetachedTargets()
    gradients: list[dict[str, Tensor | None]] = []
    for around in (nullcontext(), mode):
        with specimen.kept(), around:
            gradients.append(specimen.gradients(specimen.batches[0]))
    if not mode.detached:
        return ()
    parameters = dict(specimen.module.named_parameters())
    only = {
        name
        for name, gradient in gradients[0].items()
        if gradient is not None
        and bool(gradient.any())
        and _is_nothing(gradients[1][name])
        and id(parameters[name]) in held
    }
    found: list[Pupil] = []
    for name, one in specimen.module.named_modules():
        own = [f"{name}.{part}" for part, _ in one.named_parameters()]
        inside = any(name.startswith(f"{other.name}.") for other in found)
        if not name or inside or not own or not set(own) <= only or not _was_loaded(specimen, name, one):
            continue
        norms = [each.norm() for part in own if (each := gradients[0][part]) is not None]
        count = sum(parameters[part].numel() for part in own)
        found.append(Pupil(name, count, float(torch.stack(norms).norm())))
    return tuple(found)


def _was_loaded(specimen: Specimen, name: str, module: nn.Module) -> bool:
    """Whether all of a part was loaded, or it begins as a copy of one that was."""
    mine = list(module.parameters())
    for other, one in specimen.module.named_modules():
        theirs = [] if other.startswith(f"{name}.") else list(one.named_parameters(other))
        if len(theirs) != len(mine) or not all(key in specimen.loaded for key, _ in theirs):
            continue
        if all(a.shape == b.shape and torch.equal(a, b) for a, (_, b) in zip(mine, theirs, strict=True)):
            return True
    return False


def _held(specimen: Specimen) -> set[int]:
    return {id(one) for optimizer in specimen.optimizers for one in parameters_of(optimizer) if one.requires_grad}


def _all(module: nn.Module, holds: Callable[[nn.Parameter], bool]) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and all(map(holds, parameters))


def _acts(module: nn.Module) -> bool:
    """Whether a module does something else in training."""
    return (isinstance(module, DROPOUTS) and module.p > 0) or (
        isinstance(module, BatchNorm) and module.running_mean is not None
    )


def _is_nothing(gradient: Tensor | None) -> bool:
    return gradient is None or not bool(gradient.any())


def _only_the_loss_sees(specimen: Specimen, name: str, module: nn.Module) -> bool:
    """Whether the loss follows what a module gives, and no layer outside of it does."""
    seen: list[tuple[float, list[float]]] = []
    for stretched in (False, True):
        given: list[float] = []

        def note(layer: str, output: Tensor, given: list[float] = given) -> None:
            if layer != name and not layer.startswith(f"{name}."):
                given.append(float(output.double().sum()))

        with heard(specimen.module, note), _stretched(module) if stretched else nullcontext():
            lost = sum(totals(specimen, specimen.batches[0]))
        seen.append((lost, given))
    (before, layers), (after, others) = seen
    return layers == others and abs(before - after) > _RELATIVE * abs(before)


@contextmanager
def _stretched(module: nn.Module) -> Generator[None]:
    """A block in which what a module gives is larger, with each call more, so that two of them are not alike still."""
    calls = 0

    def stretch(_module: nn.Module, _given: Any, output: Any) -> Any:
        nonlocal calls
        calls += 1
        return output * (1 + calls / 10) if isinstance(output, Tensor) and output.is_floating_point() else output

    handle = module.register_forward_hook(stretch)
    try:
        yield
    finally:
        handle.remove()


def _loss(specimen: Specimen, module: nn.Module, *, training: bool) -> float:
    """What a batch loses with a module in one mode, and all others in evaluation mode, at one draw."""
    before = {one: one.training for one in module.modules()}

    def set_mode(one: nn.Module, _given: Any) -> None:
        one.train(training)

    handle = module.register_forward_pre_hook(set_mode)
    try:
        with specimen.kept():
            return sum(totals(specimen, specimen.batches[0]))
    finally:
        handle.remove()
        for one, mode in before.items():
            one.training = mode


class _DetachedTargets(TorchFunctionMode):
    """Computes losses with their targets detached, where their predictions learn.

    Attributes:
        detached: whether it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.detached = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, on a target without a graph."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func in _comparing() and args and isinstance(args[0], Tensor) and args[0].requires_grad:
            target = args[1] if len(args) > 1 else keywords.get("target")
            if isinstance(target, Tensor) and target.requires_grad:
                self.detached = True
                if len(args) > 1:
                    args = (args[0], target.detach(), *args[2:])
                else:
                    keywords["target"] = target.detach()
        return func(*args, **keywords)


@cache
def _comparing() -> frozenset[Any]:
    return frozenset(
        getattr(functional, name) for name, one in LOSSES.items() if one.paired and hasattr(functional, name)
    )
