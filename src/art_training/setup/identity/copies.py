"""Copies of a user's objects that share what is large and leave what is small to each its own."""

import copy
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, TypeVar, cast

from art_training.setup.identity.state import slots_of

T = TypeVar("T")

_BUFFERS = frozenset({
    "torch.Tensor", "torch.storage.UntypedStorage", "torch.storage.TypedStorage", "numpy.ndarray", "pandas.DataFrame",
    "pandas.core.frame.DataFrame", "pandas.Series", "pandas.core.series.Series", "pandas.Index",
    "pandas.core.indexes.base.Index", "builtins.bytes", "builtins.bytearray", "mmap.mmap", "pyarrow.lib.Table",
    "polars.dataframe.frame.DataFrame", "scipy.sparse._base._spbase",
})  # fmt: skip
_READ_ONLY = frozenset({"builtins.bytes", "pyarrow.lib.Table", "mmap.mmap"})  # an mmap is a file's, and has no copy
# What cannot be copied, and what two owners may hold at once.
_SHARED = frozenset({"_thread.lock", "_thread.RLock", "logging.Logger", "_io._IOBase", "_io.TextIOWrapper"})
_ATOMS = (type, ModuleType, FunctionType, BuiltinFunctionType, str, int, float, complex, bool, type(None))


def copy_sharing_buffers(value: T) -> T:
    """A deep copy of `value` in which tensors, arrays, frames and bytes are the very same objects.

    A Trainer that a datamodule is attached to does not come along: the copy's `trainer` is None.

    Raises:
        Exception: whatever an object inside raises that cannot be copied.
    """
    return _copied(value, lambda item: _is_one_of(item, _BUFFERS))


def private_copy(value: T) -> T:
    """A deep copy of `value` that can be changed in place, buffers and all, without anyone else's noticing.

    Shared is only what nobody can write into: bytes, and arrays that are read-only, such as a file opened as one.

    Raises:
        Exception: whatever an object inside raises that cannot be copied.
    """
    return _copied(value, _cannot_be_written)


def _copied(value: T, shared: Callable[[Any], bool]) -> T:
    memo: dict[int, Any] = {}
    trainer = getattr(value, "__dict__", {}).get("trainer")
    if trainer is not None:
        memo[id(trainer)] = None  # what deepcopy puts in its place
    for item in _reachable(value, without=trainer):
        if isinstance(item, ModuleType) or shared(item) or _is_one_of(item, _SHARED):
            memo[id(item)] = item
    return copy.deepcopy(value, memo)


def _cannot_be_written(item: Any) -> bool:
    if _is_one_of(item, _READ_ONLY):
        return True
    return _is_one_of(item, frozenset({"numpy.ndarray"})) and not item.flags.writeable


def _reachable(root: Any, *, without: Any) -> Iterator[Any]:
    """Everything that `root` holds, through containers, attributes and slots."""
    seen: dict[int, Any] = {id(without): without}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        yield item
        if not _is_one_of(item, _BUFFERS):
            waiting.extend(
                inner for inner in _held(item) if not isinstance(inner, _ATOMS) or isinstance(inner, ModuleType)
            )


def _held(item: Any) -> Iterator[Any]:
    if isinstance(item, Mapping):
        yield from cast("Mapping[Any, Any]", item).values()
    elif isinstance(item, list | tuple | set | frozenset):
        yield from cast("list[Any]", item)
    elif isinstance(item, MethodType):
        yield item.__self__
    if isinstance(item, _ATOMS):
        return
    yield from getattr(item, "__dict__", {}).values()
    for name in slots_of(cast("type[Any]", type(item))):
        if hasattr(item, name):
            yield getattr(item, name)


def _is_one_of(item: Any, names: frozenset[str]) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in names for kind in type(item).__mro__)
