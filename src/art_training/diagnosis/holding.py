"""What is given as an object stays as it was: a model that was made already, and datasets."""

import copy
import inspect
import random
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset, Sampler

from art_training.setup.data.data import Data
from art_training.setup.frames import is_users

_LONGEST = 100_000  # entries of a container that are looked into; a longer one holds data
_NOT_ITS_OWN = frozenset({"_trainer", "trainer", "_fabric"})  # lead to everything there is
_Restore = Callable[[], None]


class Kept:
    """Objects whose attributes, and what these hold, can be put back.

    Kept are attributes, containers of Python, tensors, arrays, gradients, optimisers, schedulers, random generators, and
    objects of the user's own classes. What other objects change within themselves is not seen.
    """

    def __init__(self, roots: Iterable[Any], *, tensors: bool = True) -> None:
        """Keep what can be reached from `roots`.

        Args:
            roots: objects.
            tensors: whether numbers of tensors and arrays are kept too: not those of data, which would be held twice.
        """
        self._tensors = tensors
        self._seen: dict[int, Any] = {}  # objects are held, so that no other one gets the identity of one that is gone
        self._restores: list[_Restore] = []
        waiting = deque(roots)
        while waiting:
            value = waiting.popleft()
            if id(value) not in self._seen and not isinstance(value, str | bytes | int | float | bool | type | None):
                self._seen[id(value)] = value
                waiting.extend(self._take(value))

    def restore(self) -> None:
        """Put everything back."""
        for one in self._restores:
            one()

    def _take(self, value: Any) -> Iterator[Any]:
        """Remember what a value is now; gives what it holds."""
        if isinstance(value, Tensor):
            if self._tensors:
                self._restores += _tensor(value)
        elif isinstance(value, np.ndarray):
            if self._tensors and value.flags.writeable:
                self._restores.append(_array(cast("np.ndarray[Any, Any]", value)))
        elif isinstance(value, torch.Generator | np.random.Generator | np.random.RandomState | random.Random):
            self._restores.append(_generator(value))
        elif isinstance(value, dict):
            entries = cast("dict[Any, Any]", value)
            self._restores.append(_mapping(entries))
            yield from entries.values() if len(entries) <= _LONGEST else ()
        elif isinstance(value, list | deque | set):
            held = cast("list[Any]", value)
            self._restores.append(_collection(held))
            yield from held if len(held) <= _LONGEST else ()
        elif isinstance(value, tuple):
            held = cast("tuple[Any, ...]", value)
            yield from held if len(held) <= _LONGEST else ()
        elif _is_looked_into(value):
            attributes = cast("dict[str, Any]", vars(value))
            self._restores.append(_mapping(attributes))
            yield from (one for name, one in attributes.items() if name not in _NOT_ITS_OWN)


class Held:
    """A model that was given as an instance: each time it is asked for, it is as it was given.

    One whose layers learn their sizes from the first batch cannot be put back; a copy of it is used, which has no weights yet.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._sizeless = any(map(is_lazy, (*module.parameters(), *module.buffers())))
        self._kept = Kept([module])

    @property
    def again(self) -> Callable[[], nn.Module]:
        """Returns the model, with the weights, modes and gradients that it was given with."""

        def given() -> nn.Module:
            if self._sizeless:
                return copy.deepcopy(self._module)
            self.restore()
            return self._module

        kind = type(self._module)
        given.__name__ = given.__qualname__ = kind.__name__
        told: Any = given
        told.__wrapped__, told.__signature__ = (
            kind,
            inspect.Signature(),
        )  # where it is defined, and that it takes nothing
        return given

    def restore(self) -> None:
        """Put everything back, and take off what a Trainer has attached."""
        self._kept.restore()


@contextmanager
def data_kept(data: Any) -> Generator[None]:
    """A block after which datasets that were given have the attributes that they had: some count what is read, or keep it.

    The numbers that they hold are not kept.
    """
    if isinstance(data, Data):
        given = list(data.parts().values())
    else:
        given = list(inspect.getclosurevars(data).nonlocals.values()) if inspect.isfunction(data) else []
    kept = Kept(given, tensors=False)
    try:
        yield
    finally:
        kept.restore()


def _tensor(value: Tensor) -> list[_Restore]:
    if is_lazy(value):
        return []
    before, trains = value.detach().clone(), value.requires_grad
    gradient = value.grad if value.is_leaf else None
    kept = None if gradient is None else gradient.detach().clone()

    def restore() -> None:
        if value.is_leaf:
            value.grad = None
        if (value.shape, value.dtype, value.device) == (before.shape, before.dtype, before.device):
            value.data.copy_(before)
        else:  # it was moved, or made another type
            value.data = before.clone()
        if value.is_leaf:
            value.requires_grad_(trains)
            value.grad = gradient
        if gradient is not None and kept is not None:
            gradient.data.copy_(kept)

    return [restore]


def _array(value: "np.ndarray[Any, Any]") -> _Restore:
    before = value.copy()

    def restore() -> None:
        value[...] = before

    return restore


def _generator(value: Any) -> _Restore:
    if isinstance(value, random.SystemRandom):  # draws from the machine, and has no state
        return lambda: None
    if isinstance(value, np.random.Generator):
        bits, state = value.bit_generator, value.bit_generator.state
        return lambda: setattr(bits, "state", state)
    if isinstance(value, random.Random):
        internal = value.getstate()
        return lambda: value.setstate(internal)
    state = value.get_state()
    return lambda: value.set_state(state)


def _mapping(value: dict[Any, Any]) -> _Restore:
    before = dict(value)

    def restore() -> None:
        # Past what a class of its own may do when entries are set.
        dict.clear(value)
        dict.update(value, before)

    return restore


def _collection(value: Any) -> _Restore:
    before = list(value)

    def restore() -> None:
        value.clear()
        (value.update if isinstance(value, set) else value.extend)(before)

    return restore


def _is_looked_into(value: Any) -> bool:
    """Whether an object's attributes are kept: those of torch that hold state, and those of the user's own classes."""
    if not hasattr(value, "__dict__") or isinstance(value, ModuleType | FunctionType | MethodType):
        return False
    if isinstance(value, nn.Module | Optimizer | LRScheduler | Dataset | DataLoader | Sampler):
        return True
    name = type(value).__module__
    file = getattr(sys.modules.get(name), "__file__", None)
    return name == "__main__" if file is None else is_users(file)
