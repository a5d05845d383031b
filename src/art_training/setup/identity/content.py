"""Digests of what tensors, arrays and frames hold."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from art_training.setup.identity.sparse import strided_parts

FULL_BYTES = 256 * 2**20
_SAMPLE_BYTES = 64 * 2**20
_SEED = 20


@dataclass(frozen=True)
class Content:
    """The digest of one buffer.

    Attributes:
        digest: SHA-256 of kind, type, shape and bytes.
        note: what was looked at, where it was not everything; else empty.
    """

    digest: str
    note: str = ""


def content_of(value: Any) -> Content | None:
    """Digest a tensor, an array or a frame; None for anything else, and for an array of Python objects.

    What holds more than 256 MB is sampled: its shape and type, and whole rows along the first dimension, 64 MB of them,
    chosen by a fixed seed.

    Raises:
        TypeError, ValueError: a frame holds objects that cannot be compared by value.
    """
    for kind in type(value).__mro__:
        reader = _READERS.get(f"{kind.__module__}.{kind.__qualname__}")
        if reader is not None:
            return reader(value)
    return None


def _tensor(value: Any) -> Content:
    import torch

    tensor = value.detach()
    if type(tensor) is not torch.Tensor:  # a subclass may do anything in its operations
        tensor = tensor.as_subclass(torch.Tensor)
    head = f"tensor {tensor.dtype} {tuple(tensor.shape)} {tensor.layout}"
    if tensor.is_meta:
        return _digest(f"{head} meta", [])
    if tensor.layout is not torch.strided:
        parts = [_tensor(part) for part in strided_parts(tensor)]
        return _digest(head, [part.digest.encode() for part in parts], next((part.note for part in parts), ""))
    if tensor.is_quantized:
        head += f" {tensor.qscheme()}"
        tensor = tensor.int_repr()
    rows, note = _rows(tensor.shape, tensor.numel() * tensor.element_size())
    chosen = tensor if rows is None else tensor[torch.tensor(rows, device=tensor.device)]
    plain = chosen.resolve_conj().resolve_neg().contiguous().cpu()
    return _digest(head, [plain.flatten().view(torch.uint8).numpy().data] if plain.numel() else [], note)


def _array(value: Any) -> Content | None:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.hasobject:
        return None
    parts = [np.ma.getmaskarray(value)] if isinstance(value, np.ma.MaskedArray) else []
    head = f"array {array.dtype.descr if array.dtype.names else array.dtype.str} {array.shape} {len(parts)}"
    rows, note = _rows(array.shape, array.nbytes)
    chosen = [np.ascontiguousarray(part if rows is None else part[rows]) for part in (array, *parts)]
    return _digest(
        head, [part.view(np.uint8).data if part.ndim else part.tobytes() for part in chosen if part.size], note
    )


def _frame(value: Any) -> Content:
    import numpy as np
    from pandas import util

    hash_rows: Any = cast("Any", util).hash_pandas_object
    columns = list(value.items()) if value.ndim == 2 else [(value.name, value)]
    head = f"frame {len(value)} {[(str(name), str(column.dtype)) for name, column in columns]}"
    rows, note = _rows((len(value),), int(value.memory_usage(index=True, deep=False).sum()) if value.ndim == 2 else 0)
    chosen = value if rows is None else value.iloc[rows]
    hashed = hash_rows(chosen, index=True)
    return _digest(head, [np.ascontiguousarray(hashed.to_numpy()).data], note)


def _index(value: Any) -> Content:
    return _frame(value.to_series(index=range(len(value))) if value.nlevels == 1 else value.to_frame(index=False))


def _bytes(value: Any) -> Content:
    return _digest(f"bytes {len(value)}", [memoryview(value).cast("B")])


def _rows(shape: Any, size: int) -> tuple[list[int] | None, str]:
    """Rows to look at, None for all, and the words that say so."""
    count = int(shape[0]) if len(shape) else 0
    if size <= FULL_BYTES or count < 2:
        return None, ""
    wanted = max(1, count * _SAMPLE_BYTES // size)
    rows = sorted(random.Random(_SEED).sample(range(count), wanted))  # noqa: S311  A sample, not a secret.
    return rows, f"{wanted} of {count} rows of a buffer of {size / 2**20:.0f} MB were compared"


def _digest(head: str, parts: list[Any], note: str = "") -> Content:
    digest = hashlib.sha256(head.encode())
    for part in parts:
        digest.update(part)
    return Content(digest.hexdigest(), note)


_READERS: dict[str, Callable[[Any], Content | None]] = {
    "torch.Tensor": _tensor,
    "numpy.ndarray": _array,
    "pandas.DataFrame": _frame,
    "pandas.core.frame.DataFrame": _frame,
    "pandas.Series": _frame,
    "pandas.core.series.Series": _frame,
    "pandas.Index": _index,
    "pandas.core.indexes.base.Index": _index,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.memoryview": _bytes,
}
