"""Batches as columns: a list that has an item an example becomes an array with a row an example."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

from art_training.setup.data.batch import as_array, children, columns, entries

if TYPE_CHECKING:
    from numpy.typing import NDArray


def gathered(batch: Any, lists: Collection[str] = ()) -> dict[str, Any]:
    """The leaves of a batch by path, in its order.

    Of a list that has an item an example, each entry of the items is one array, of dtype object where the items vary in
    shape: of `([image, image], [{"boxes": ...}, {"boxes": ...}])` there are `0` and `1.boxes`.

    Args:
        batch: which.
        lists: paths of such lists in other batches of the same loader, for where this one does not tell.
    """
    found: dict[str, Any] = {}
    for path, leaf in columns(batch, lists).items():
        if not isinstance(leaf, list | tuple) or children(leaf) is None:
            found[path] = leaf
            continue
        items = [entries(item) for item in cast("Sequence[Any]", leaf)]
        for name in dict.fromkeys(name for item in items for name in item):
            found[f"{path}.{name}" if name else path] = _column([item.get(name) for item in items])
    return found


def _column(values: Sequence[Any]) -> "NDArray[Any]":
    """Values as one array; of dtype object, one array or value each, where they vary in shape or are no numbers."""
    import numpy as np

    arrays = [as_array(value) for value in values]
    if len({(array.shape, array.dtype) for array in arrays}) == 1 and arrays[0].dtype.kind in "biufc":
        return np.stack(arrays)
    column = np.empty(len(arrays), object)
    for at, array in enumerate(arrays):  # in one go, arrays of one shape would be taken apart
        column[at] = array if array.dtype.kind in "biufc" else values[at]
    return column
