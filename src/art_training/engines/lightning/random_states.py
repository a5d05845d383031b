"""Random states: the global ones, and those of generators that loaders, samplers, datasets and modules hold."""

import hashlib
import random
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch

_DEEPEST = 20
_LONGEST = 1000  # entries of a container; a longer one holds data


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, so that two uses of one seed do not draw the same numbers."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:4])


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch on every device. No environment variable is touched."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  The legacy state is the one that users' code draws from.
    torch.manual_seed(seed)


def global_states() -> dict[str, Any]:
    """The global random states of Python, NumPy, torch and the accelerators in use."""
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  As above.
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_global_states(states: Mapping[str, Any]) -> None:
    """Put global random states back that `global_states` gave."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002  As above.
    torch.set_rng_state(states["torch"])
    if "cuda" in states and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Run a block from a seed of its own; the global random states go on afterwards as if it had not been there."""
    states = global_states()
    set_seed(seed)
    try:
        yield
    finally:
        set_global_states(states)


def generator_states(roots: Mapping[str, Any]) -> dict[str, Any]:
    """The states of all generators that can be reached from `roots`, by the path of attributes to each."""
    return {path: _state(generator) for path, generator in _generators(roots)}


def set_generator_states(roots: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Put states of generators back; what has no state of its path stays as it is."""
    for path, generator in _generators(roots):
        if path in states:
            _set_state(generator, states[path])


def _state(generator: Any) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


@contextmanager
def generators_kept(data: Any, **more: Any) -> Generator[None]:
    """Run a block after which the generators that declared data holds are as they were before.

    A dataset that draws from a generator of its own is the user's; it is used as it is, and each job begins alike.

    Args:
        data: as declared.
        more: what else may hold generators, by any name.
    """
    roots = {"data": data, "closure": list(_enclosed(data)), **more}
    states = [(generator, _state(generator)) for _, generator in _generators(roots)]
    try:
        yield
    finally:
        for generator, state in states:
            _set_state(generator, state)


def _enclosed(factory: Any) -> Iterator[Any]:
    """What a function has of the functions around it."""
    for cell in getattr(factory, "__closure__", None) or ():
        with suppress(ValueError):  # nothing has been put into it yet
            yield cell.cell_contents


_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
_LEAVES = (str, bytes, int, float, complex, type(None), type, ModuleType, torch.Tensor, np.ndarray, torch.dtype)


def _generators(roots: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, root in roots.items():
        yield from _walk(root, name, seen, 0)


def _walk(value: Any, path: str, seen: set[int], depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _LEAVES) or id(value) in seen or depth > _DEEPEST:
        return
    seen.add(id(value))
    if isinstance(value, random.SystemRandom):  # draws from the machine, and has no state
        return
    if isinstance(value, _GENERATORS):
        yield path, value
        return
    for name, child in _children(value):
        yield from _walk(child, f"{path}.{name}", seen, depth + 1)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        items = list(cast("Mapping[Any, Any]", value).items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(cast("list[Any]", value)))
    else:
        # A module's trainer leads to everything there is; parameters and buffers are never generators.
        attributes: dict[str, Any] = getattr(value, "__dict__", {})
        hidden = {"_trainer", "trainer", "_parameters", "_buffers"}
        items = [(name, child) for name, child in attributes.items() if name not in hidden]
    if len(items) <= _LONGEST:
        yield from ((str(name), child) for name, child in items)
