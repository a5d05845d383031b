"""Notes what is applied to modules while a model is made, so that it can be told whether it left a trace."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

from torch import nn

Applied = list[tuple[nn.Module, Callable[[nn.Module], Any]]]


@contextmanager
def noted_applies() -> Generator[Applied]:
    """A block in which each `module.apply(function)` is noted, but for those that it calls itself."""
    noted: Applied = []
    original: Callable[..., Any] = nn.Module.apply
    depth = 0

    def apply(module: nn.Module, fn: Callable[[nn.Module], Any]) -> Any:
        nonlocal depth
        if depth == 0:
            noted.append((module, fn))
        depth += 1
        try:
            return original(module, fn)
        finally:
            depth -= 1

    cast("Any", nn.Module).apply = apply
    try:
        yield noted
    finally:
        cast("Any", nn.Module).apply = original
