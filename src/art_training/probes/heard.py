"""What the layers of a model give while it computes: listened to, and left as it is."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from art_training.setup.data.batch import entries

Hear = Callable[[str, Tensor], None]
"""A layer's name, and the first tensor of floating point that it gave, without its graph."""


@contextmanager
def heard(root: nn.Module, hear: Hear) -> Generator[None]:
    """A block in which every call of a layer is told of, in order; layers are modules that hold no others."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def told(module: nn.Module, given: Any, output: Any) -> None:
            del module, given
            tensors = [one for one in entries((output,)).values() if isinstance(one, Tensor)]
            if tensors and tensors[0].is_floating_point():
                hear(name, tensors[0].detach())

        return told

    layers = [(name, one) for name, one in root.named_modules() if not any(True for _ in one.children())]
    handles = [one.register_forward_hook(hook(name)) for name, one in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
