"""What a module's parts give, call by call: noted, exchanged among the examples, or made alike."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def hooked(root: nn.Module, enter: Callable[..., Any], leave: Callable[..., Any]) -> Generator[None]:
    """A block in which two hooks are at every module below the root: before its forward, and after it."""
    below = [one for one in root.modules() if one is not root]
    handles = [
        handle for one in below for handle in (one.register_forward_pre_hook(enter), one.register_forward_hook(leave))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def second_exchanged(module: nn.Module, rows: int) -> Generator[None]:
    """A block in which what every other call of a module gives is exchanged among the examples."""
    calls = 0

    def exchange(_module: nn.Module, _given: Any, output: Any) -> Any:
        nonlocal calls
        calls += 1
        return output.roll(rows, 0) if calls % 2 == 0 and isinstance(output, Tensor) else output

    handle = module.register_forward_hook(exchange)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def all_alike(root: nn.Module) -> Generator[None]:
    """A block in which every outermost module gives all examples the mean of what it gave them at its first call."""
    means: dict[nn.Module, Tensor] = {}
    depth = 0

    def enter(_module: nn.Module, _given: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(module: nn.Module, _given: Any, output: Any) -> Any:
        nonlocal depth
        depth -= 1
        if depth or not isinstance(output, Tensor) or not output.is_floating_point() or output.ndim < 2:
            return output
        return means.setdefault(module, output.mean(0, keepdim=True)).expand_as(output)

    with hooked(root, enter, leave):
        yield


@contextmanager
def outermost_calls(root: nn.Module) -> Generator[list[tuple[nn.Module, list[Tensor]]]]:
    """Fills with the outermost modules that are called and what each gave, call by call, in the order of their last call."""
    notes: list[tuple[nn.Module, list[Tensor]]] = []
    depth = 0

    def enter(_module: nn.Module, _given: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(module: nn.Module, _given: Any, output: Any) -> None:
        nonlocal depth
        depth -= 1
        if depth or not isinstance(output, Tensor) or not output.is_floating_point() or not output.ndim:
            return
        given = next((many for one, many in notes if one is module), [])
        notes[:] = [one for one in notes if one[0] is not module]
        notes.append((module, [*given, output.detach()]))

    with hooked(root, enter, leave):
        yield notes


@contextmanager
def outputs_with_graph(root: nn.Module) -> Generator[list[Tensor]]:
    """Fills with what modules below the root give that carries a graph, in order."""
    notes: list[Tensor] = []

    def leave(_module: nn.Module, _given: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            notes.append(output)

    handles = [one.register_forward_hook(leave) for one in root.modules() if one is not root]
    try:
        yield notes
    finally:
        for handle in handles:
            handle.remove()
