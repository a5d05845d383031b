"""Parameters that enter the loss and that the model does not own: kept in lists, or made anew in each step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from art_training.probes.arriving import arriving, entering
from art_training.probes.passes import smaller
from art_training.probes.specimen import Specimen
from art_training.probes.steps import parameters_of
from art_training.setup.data.batch import size

_ROWS = 8


@dataclass(frozen=True)
class Leaf:
    """A parameter that enters the loss and that no optimiser steps.

    Attributes:
        shape: of it.
        place: the attribute that holds it, such as `layers[2].weight`; empty where no attribute does.
        gradient: the norm of what the loss gives it.
        anew: whether each step makes another.
        registered: whether the model owns it by now, though no optimiser does.
        aside: whether its module is in evaluation mode, as of networks that only judge.
    """

    shape: tuple[int, ...]
    place: str
    gradient: float
    anew: bool
    registered: bool
    aside: bool


def leaves(specimen: Specimen) -> tuple[Leaf, ...]:
    """The parameters that enter the loss of a batch and that neither the model nor an optimiser had before it."""
    if specimen.automatic and not arriving(specimen, rows=_ROWS).foreign:
        return ()
    known = {id(one) for one in specimen.module.parameters()}
    held = {id(one) for optimizer in specimen.optimizers for one in parameters_of(optimizer)}
    first = [(one, norm) for one, norm in _entering(specimen) if id(one) not in held and id(one) not in known]
    second = {id(one) for one, _ in _entering(specimen)} if first else set[int]()
    found: list[Leaf] = []
    for parameter, gradient in first:
        place, module = next(_holders(specimen.module, parameter), ("", None))
        found.append(
            Leaf(
                shape=tuple(parameter.shape),
                place=place,
                gradient=gradient,
                anew=id(parameter) not in second,
                registered=any(one is parameter for one in specimen.module.parameters()),
                aside=module is not None and not module.training,
            )
        )
    return tuple(found)


def _entering(specimen: Specimen) -> list[tuple[nn.Parameter, float]]:
    """What a loss is differentiated with respect to, with the norms of the gradients; kept alive by the answer."""
    roots: list[Tensor] = []
    with specimen.kept(), _Differentiating(roots):
        batch = specimen.batches[0]
        loss = specimen.loss(smaller(batch, size(batch), _ROWS))
        if specimen.automatic and loss is not None:
            roots.append(loss)
        found: dict[int, nn.Parameter] = {}
        for root in roots:
            found.update({id(one): one for one in entering(root)})
        norms: list[float] = []
        if specimen.automatic and loss is not None and loss.requires_grad and found:
            gradients = torch.autograd.grad(loss, list(found.values()), allow_unused=True)
            norms = [0.0 if one is None else float(one.norm()) for one in gradients]
        else:
            norms = [0.0 if one.grad is None else float(one.grad.norm()) for one in found.values()]
    return list(zip(found.values(), norms, strict=True))


def _holders(root: nn.Module, parameter: nn.Parameter) -> Iterator[tuple[str, nn.Module | None]]:
    """Attributes of modules that hold a parameter outside what torch registers."""
    for name, module in root.named_modules():
        for attribute, value in vars(module).items():
            if attribute.startswith("_") and attribute in {"_parameters", "_buffers", "_modules"}:
                continue
            for path, one in _inside(value, attribute, 0):
                prefix = f"{name}." if name else ""
                if one is parameter:
                    yield f"{prefix}{path}", module
                elif isinstance(one, nn.Module):
                    for inner, own in one.named_parameters():
                        if own is parameter:
                            yield f"{prefix}{path}.{inner}", one


def _inside(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, nn.Module | nn.Parameter):
        yield path, value
    elif depth < 3 and isinstance(value, list | tuple | Mapping):
        pairs = (
            cast("Mapping[Any, Any]", value).items()
            if isinstance(value, Mapping)
            else enumerate(cast("Sequence[Any]", value))
        )
        for key, one in pairs:
            yield from _inside(one, f"{path}[{key!r}]", depth + 1)


class _Differentiating(TorchFunctionMode):
    """Notes what a step differentiates by itself."""

    def __init__(self, roots: list[Tensor]) -> None:
        super().__init__()
        self._roots = roots

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note it where it differentiates."""
        del types
        if func is Tensor.backward:
            self._roots.append(args[0])
        return func(*args, **(kwargs or {}))
