"""A number for each row of a batch, equal for equal rows; and a bounded collection of such numbers.

Hashing is vectorised: a million rows of a hundred numbers take a second or two, where a hash of each row's bytes would
take a minute.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from art_training.setup.data.batch import as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_CHUNK = 1 << 15  # words that are mixed at a time, so that they stay in the processor's cache
_ALL = 2**64 - 1


def row_hashes(leaves: Sequence[Any], count: int) -> "NDArray[Any]":
    """A number for each of `count` rows: equal for equal rows, for others only with a chance of about 1 to 2**64.

    Type and shape of a row count too, except for how many zeros end a row of whole numbers: the same sentence, padded to
    another length in another batch, has the same number. It resists chance, not somebody who looks for collisions.
    """
    import numpy as np

    hashes = np.zeros(count, np.uint64)
    for leaf in leaves:
        hashes = mixed(hashes + _leaf_hashes(leaf, count))
    return hashes


def mixed(words: "NDArray[Any]") -> "NDArray[Any]":
    """Words of 64 bits, each scrambled reversibly: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    import numpy as np

    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def numeric(leaf: Any) -> "NDArray[Any] | None":
    """The leaf as an array of numbers; None where it holds something else."""
    array = as_array(leaf)
    return array if array.dtype.kind in "biufc" else None


def _leaf_hashes(leaf: Any, count: int) -> "NDArray[Any]":
    import numpy as np

    array = numeric(leaf)
    if array is None:
        return np.array([_value_hash(value) for value in cast("Sequence[Any]", leaf)], np.uint64)
    whole = array.dtype.kind in "biu" and array.ndim == 2
    shape = "row" if whole else array.shape[1:]
    words = np.ascontiguousarray(array, np.int64).view(np.uint64) if whole else _words(array, count)
    return _sums(words) + np.uint64(_number(f"{array.dtype.str}{shape}".encode()))


def _value_hash(value: Any) -> int:
    """Of one value of a column; an array has the number that it would have as a row of an array."""
    array = as_array(value) if hasattr(value, "shape") else None
    if array is None or array.dtype.kind not in "biufc":
        return _number(repr(value).encode())
    return int(_leaf_hashes(array[None], 1)[0])


def _sums(words: "NDArray[Any]") -> "NDArray[Any]":
    """(rows, words) -> (rows,): each word is scrambled with a key of its place, and they are added; zeros add nothing."""
    import numpy as np

    count, width = words.shape
    sums = np.zeros(count, np.uint64)
    if not width:
        return sums
    keys, step = _keys(width), max(1, _CHUNK // width)
    for first in range(0, count, step):
        part = words[first : first + step]
        terms = mixed(part + keys)
        terms *= part != 0
        sums[first : first + step] = terms.sum(1, dtype=np.uint64)
    return sums


@lru_cache(maxsize=8)
def _keys(width: int) -> "NDArray[Any]":
    import numpy as np

    keys = mixed(np.arange(1, width + 1, dtype=np.uint64) * np.uint64(_GOLDEN))
    keys.flags.writeable = False
    return keys


def _words(array: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """The bytes of each row as words of 64 bits, the last filled up with zeros."""
    import numpy as np

    if not array.size:
        return np.zeros((count, 0), np.uint64)
    rows = np.ascontiguousarray(array).reshape(count, -1).view(np.uint8)
    missing = -rows.shape[1] % 8
    if missing:
        rows = np.pad(rows, ((0, 0), (0, missing)))
    return rows.view(np.uint64)


def _number(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Hashed:
    """Rows by their hashes.

    Attributes:
        indices: (rows,) places in the split, ascending.
        inputs: (rows,) hashes of the inputs.
        targets: (rows,) hashes of the targets; empty where none was recognised.
        limit: rows whose input's hash is larger are left out.
    """

    indices: "NDArray[Any]"
    inputs: "NDArray[Any]"
    targets: "NDArray[Any]"
    limit: int = _ALL

    @property
    def whole(self) -> bool:
        """Whether no row is left out."""
        return self.limit == _ALL

    def below(self, limit: int) -> "Hashed":
        """Those up to a limit."""
        import numpy as np

        if limit >= self.limit:
            return self
        kept = self.inputs <= np.uint64(limit)
        targets = self.targets[kept] if len(self.targets) else self.targets
        return Hashed(self.indices[kept], self.inputs[kept], targets, limit)


class Hashes:
    """Collects hashes of rows, at most so many.

    Of more, those with the smallest hashes stay, each half of a split that has too many: equal rows stay together, and
    those of other splits with them, so that shares of duplicates can still be estimated (Gibbons, Distinct sampling for
    highly-accurate answers to distinct values queries, VLDB 2001).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = _ALL
        self._held = 0
        self._parts: list[Hashed] = []

    def add(self, first: int, inputs: "NDArray[Any]", targets: "NDArray[Any] | None") -> None:
        """Take in rows, the first of which has the place `first`."""
        import numpy as np

        indices = np.arange(first, first + len(inputs))
        none = np.empty(0, np.uint64)
        part = Hashed(indices, inputs, none if targets is None else targets).below(self._limit)
        self._parts.append(part)
        self._held += len(part.inputs)
        while self._held > self._most:
            self._limit //= 2
            self._parts = [one.below(self._limit) for one in self._parts]
            self._held = sum(len(one.inputs) for one in self._parts)

    def all(self) -> Hashed:
        """What was kept. Targets count only where every row has one."""
        import numpy as np

        def joined(parts: "list[NDArray[Any]]", kind: Any) -> "NDArray[Any]":
            return np.concatenate(parts) if parts else np.empty(0, kind)

        inputs = joined([one.inputs for one in self._parts], np.uint64)
        targets = joined([one.targets for one in self._parts], np.uint64)
        indices = joined([one.indices for one in self._parts], np.int64)
        return Hashed(indices, inputs, targets if len(targets) == len(inputs) else targets[:0], self._limit)
