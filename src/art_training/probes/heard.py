"""What the layers of a model give while it computes: listened to, and left as it is."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from art_training.setup.data.batch import entries

Hear = Callable[[str, Tensor], None]
"""A layer's name, and the first tensor of floating point that it gave, without its graph."""


def computing(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a model by name, without parametrizations: these are modules too, and are called with a weight.

    Spectral norm and weight norm are parametrizations.
    """
    aside: set[int] = set()
    for one in root.modules():
        if is_parametrized(one):
            aside |= {id(inner) for inner in cast("nn.Module", one.parametrizations).modules()}
    return [(name, one) for name, one in root.named_modules() if id(one) not in aside]


def layers(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """What computes on a batch, by name: modules that hold no others which do."""
    found = computing(root)
    known = {id(one) for _, one in found}
    return [(name, one) for name, one in found if not any(id(child) in known for child in one.children())]


@contextmanager
def heard(root: nn.Module, hear: Hear) -> Generator[None]:
    """A block in which every call of a layer is told of, in order."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def told(module: nn.Module, given: Any, output: Any) -> None:
            del module, given
            tensors = [one for one in entries((output,)).values() if isinstance(one, Tensor)]
            if tensors and tensors[0].is_floating_point():
                hear(name, tensors[0].detach())

        return told

    handles = [one.register_forward_hook(hook(name)) for name, one in layers(root)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
