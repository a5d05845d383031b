"""Batches of any shape: tuples, lists, dictionaries, dataclasses and named tuples, nested as they come.

An entry is addressed by its path: positions and keys joined by dots, `"0"`, `"input_ids"`, `"image.left"`. The empty
path is the batch itself, which is how a batch that is a single tensor is addressed.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import SetupError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VALUES = (str, bytes, bool, int, float, complex, type(None))


def entries(batch: Any) -> dict[str, Any]:
    """The leaves of `batch` by path, in the order of the batch.

    A list or tuple of nothing but plain values (numbers, strings, None) is one leaf: a column of the batch, as the
    default collation makes of strings.

    Raises:
        SetupError: two leaves have one path, as in `{"a.b": ..., "a": {"b": ...}}`.
    """
    found: dict[str, Any] = {}
    for path, leaf in _walk(batch, ""):
        if path in found:
            raise SetupError(
                f"two entries of a batch are both called {path!r}; rename one so that ART can tell them apart"
            )
        found[path] = leaf
    return found


def entry(batch: Any, path: str) -> Any:
    """What stands at `path`, which may be a leaf or something that holds leaves.

    Raises:
        SetupError: nothing does; the message names the entries that there are.
    """
    found = list(_lookup(batch, path))
    if not found:
        there = ", ".join(repr(name) for name in entries(batch)) or "none"
        raise SetupError(f"a batch has no entry {path!r}; it has: {there}")
    return found[0]


def children(node: Any) -> dict[str, Any] | None:
    """The direct entries of a container by name or position; None where `node` is a leaf."""
    if isinstance(node, Mapping):
        return {str(key): value for key, value in cast("Mapping[Any, Any]", node).items()}
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    if isinstance(node, list | tuple):
        items = cast("Sequence[Any]", node)
        names = getattr(items, "_fields", None)
        if names is not None:
            return dict(zip(names, items, strict=True))
        if items and all(isinstance(item, _VALUES) for item in items):
            return None
        return {str(index): item for index, item in enumerate(items)}
    return None


def size(batch: Any) -> int:
    """How many examples `batch` holds.

    It is the length that most of its leaves have in their first dimension (the first of them, where lengths tie): a
    mask or a table that is shared by all examples does not count against the others. A list with an item an example, as
    images of varying size come, counts with its own length. A batch without any such leaf is one example.
    """
    lengths = [length for leaf in columns(batch).values() if (length := rows(leaf)) is not None]
    return Counter(lengths).most_common(1)[0][0] if lengths else 1


def columns(batch: Any, known: Collection[str] = ()) -> dict[str, Any]:
    """As `entries`, but a list that has an item an example is one leaf, at its own path.

    Args:
        batch: which.
        known: as of `lists_of_examples`.
    """
    found = entries(batch)
    for path in lists_of_examples(batch, known):
        found = _gathered(found, path, entry(batch, path))
    return found


def lists_of_examples(batch: Any, known: Collection[str] = ()) -> list[str]:
    """Paths of the lists inside a batch that have an item an example.

    Whether a list of tensors holds examples, as in `([image, image, ...], labels)`, or columns, as in `([left, right],
    labels)`, follows from the other entries: from whether more of them are as long as the list or as its items. Where as
    many are, items that have no first dimension, or mostly differ in it, are examples. Where all agree, there are columns.

    Args:
        batch: which.
        known: paths of such lists in other batches of the same loader, for where this one does not tell.
    """
    lists = _lists(batch, "")
    if not lists:
        return []
    found = entries(batch)
    inside = {path: [leaf for name, leaf in found.items() if name.startswith(f"{path}.")] for path in lists}
    usual = {path: _usual(items, inside[path]) for path, items in lists.items()}
    if all(any(rows(leaf) is not None for leaf in leaves) for leaves in inside.values()):
        lengths = {length for leaf in found.values() if (length := rows(leaf)) is not None}
        if len(lengths) == 1:
            return [path for path, items in lists.items() if path in known and {len(items)} == lengths]
    loose = [rows(leaf) for name, leaf in found.items() if not any(name.startswith(f"{path}.") for path in lists)]
    examples: list[str] = []
    for path, items in lists.items():
        length, share = usual[path]
        for_list = loose.count(len(items)) + sum(len(lists[other]) == len(items) for other in lists if other != path)
        for_items = loose.count(length) + sum(usual[other][0] == length for other in lists if other != path)
        even = for_list == for_items and (0 < 2 * share < 1 or path in known)
        columns_too = length is not None or any(rows(leaf) is not None for leaf in inside[path])
        if for_list > for_items or even or not columns_too:
            examples.append(path)
    return examples


def rows(leaf: Any) -> int | None:
    """The length of a leaf's first dimension; None where it has none."""
    shape = getattr(leaf, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(cast("Sequence[Any]", leaf)) if isinstance(leaf, list | tuple) else None


def mapped(batch: Any, function: Callable[[Any], Any]) -> Any:
    """A copy of `batch` with `function` of every leaf; containers keep their types."""
    inner = children(batch)
    if inner is None:
        return function(batch)
    return _with(batch, {name: mapped(value, function) for name, value in inner.items()})


def without(batch: Any, path: str) -> Any:
    """A copy of `batch` without what stands at `path`, as one that has no targets would come.

    A key and the last of several positions are gone; at another position, and in a field, stands None, so that the others
    keep their places. What is not there is no loss; a batch that is a single leaf stays whole.
    """
    inner = children(batch)
    if inner is None:
        return batch
    for name, value in inner.items():
        if path.startswith(f"{name}."):
            return _with(batch, inner | {name: without(value, path[len(name) + 1 :])})
    if path not in inner:
        return batch
    if isinstance(batch, Mapping):
        items = cast("Mapping[Any, Any]", batch).items()
        return {key: value for key, value in items if str(key) != path}
    if isinstance(batch, list | tuple) and not hasattr(batch, "_fields") and path == list(inner)[-1]:
        return cast("Callable[..., Any]", type(batch))(list(inner.values())[:-1])
    return _with(batch, inner | {path: None})


def with_entry(batch: Any, path: str, value: Any) -> Any:
    """A copy of `batch` with `value` at `path`, where an entry stands; containers keep their types."""
    if not path:
        return value
    inner = children(batch) or {}
    if path in inner:
        return _with(batch, inner | {path: value})
    name = next(name for name in inner if path.startswith(f"{name}."))
    return _with(batch, inner | {name: with_entry(inner[name], path[len(name) + 1 :], value)})


def detached(batch: Any) -> Any:
    """A copy of `batch` whose tensors share no graph and live on the CPU; everything else is as it was."""
    return mapped(batch, lambda leaf: leaf.detach().cpu() if _is_tensor(leaf) else leaf)


def as_array(leaf: Any) -> "NDArray[Any]":
    """A leaf as a NumPy array: tensors of any device, arrays, numbers and columns of plain values."""
    import numpy as np

    if not _is_tensor(leaf):
        return np.asarray(leaf)
    tensor = leaf.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
        tensor = tensor.float()
    return cast("NDArray[Any]", tensor.numpy())


def _usual(items: Sequence[Any], leaves: Sequence[Any]) -> tuple[int | None, float]:
    """The length of most leaves in a list, None where it can hold no columns; and the share of the leaves that have it."""
    lengths = Counter(length for leaf in leaves if (length := rows(leaf)) is not None)
    if not lengths or all(isinstance(item, Mapping) for item in items):
        return None, 0.0
    length, count = lengths.most_common(1)[0]
    return length, count / len(leaves)


def _lists(node: Any, path: str) -> dict[str, Sequence[Any]]:
    """The outermost lists and tuples inside a batch that hold further entries, by path; the batch itself is none."""
    found: dict[str, Sequence[Any]] = {}
    for name, value in (children(node) or {}).items():
        below = f"{path}.{name}" if path else name
        if isinstance(value, list | tuple) and not hasattr(cast("Any", value), "_fields") and children(value):
            found[below] = cast("Sequence[Any]", value)
        else:
            found |= _lists(value, below)
    return found


def _gathered(found: Mapping[str, Any], path: str, items: Sequence[Any]) -> dict[str, Any]:
    """The leaves with those of one list as one, in the place of the first of them."""
    gathered: dict[str, Any] = {}
    for name, leaf in found.items():
        inside = name.startswith(f"{path}.")
        gathered[path if inside else name] = items if inside else leaf
    return gathered


def _walk(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = children(node)
    if inner is None:
        yield path, node
        return
    for name, value in inner.items():
        yield from _walk(value, f"{path}.{name}" if path else name)


def _lookup(node: Any, path: str) -> Iterator[Any]:
    """Everything at `path`. A key may itself hold dots, so that every key that begins the path is tried."""
    if not path:
        yield node
        return
    for name, value in (children(node) or {}).items():
        if name == path:
            yield value
        elif path.startswith(f"{name}."):
            yield from _lookup(value, path[len(name) + 1 :])


def _with(batch: Any, values: Mapping[str, Any]) -> Any:
    """A container like `batch` with these entries in the place of its own."""
    if isinstance(batch, Mapping):
        return _like_mapping(cast("Mapping[Any, Any]", batch), list(values.values()))
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        return _like_dataclass(batch, values)
    kind = cast("Callable[..., Any]", type(batch))
    return kind(**values) if hasattr(batch, "_fields") else kind(values.values())


def _like_mapping(batch: Mapping[Any, Any], values: list[Any]) -> Any:
    pairs = dict(zip(batch, values, strict=True))
    kind = cast("Callable[[Any], Any]", type(batch))
    try:
        return kind(pairs)
    except TypeError:  # its own type cannot be made of pairs
        return pairs


def _like_dataclass(batch: Any, values: Mapping[str, Any]) -> Any:
    # Built without __init__: a batch may compute fields there, or take other arguments.
    copy: Any = object.__new__(cast("type[Any]", type(batch)))
    for name, value in values.items():
        object.__setattr__(copy, name, value)
    return copy


def _is_tensor(leaf: Any) -> bool:
    return hasattr(leaf, "detach") and hasattr(leaf, "cpu") and hasattr(leaf, "numpy")
