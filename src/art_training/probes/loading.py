"""Notes the weights that are loaded while a model is made, so that it can be told whether they are still there."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Loaded = dict[int, tuple[nn.Parameter, Tensor]]


@contextmanager
def noted_loads() -> Generator[Loaded]:
    """A block in which each parameter that `load_state_dict` fills is noted with what it was given, by its identity.

    A later load replaces an earlier one.
    """
    noted: Loaded = {}
    original = nn.Module.load_state_dict

    def load_state_dict(module: nn.Module, state_dict: Mapping[str, Any], *others: Any, **options: Any) -> Any:
        answer = original(module, state_dict, *others, **options)
        for name, parameter in module.named_parameters():
            given = state_dict.get(name)
            if isinstance(given, Tensor) and given.shape == parameter.shape:
                noted[id(parameter)] = parameter, parameter.detach().clone()
        return answer

    nn.Module.load_state_dict = load_state_dict  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield noted
    finally:
        nn.Module.load_state_dict = original


def by_name(module: nn.Module, noted: Loaded) -> dict[str, Tensor]:
    """What was loaded into the parameters that a model has, by their names."""
    found: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        known = noted.get(id(parameter))
        if known is not None and known[0] is parameter:
            found[name] = known[1]
    return found


def alike(one: Tensor, other: Tensor) -> float:
    """The correlation of two tensors of one shape, each about its own mean; 1 where both are constant."""
    first, second = (tensor.detach().double().flatten() for tensor in (one, other))
    first, second = first - first.mean(), second - second.mean()
    size = float(first.norm() * second.norm())
    return float(torch.dot(first, second)) / size if size > 0 else 1.0
