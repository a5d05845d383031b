"""Which inputs are sequences of tokens, how long each is, and what fills them up."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAMED = re.compile(r"(^|[._])(ids?|tokens?|input_ids|words?|text)$")
_SHORTEST = 4  # columns below which numbers are a table whatever they look like
_FEWEST_TOKENS = 4
_NOTHING = -(2**62)  # stands where a row has ended already


@dataclass(frozen=True)
class Tokens:
    """An input that holds sequences.

    Attributes:
        ids: (rows, width) whole numbers.
        lengths: (rows,) how many of each row are tokens.
        real: (rows, width) which are.
        padding: what fills rows up; None where that is not known, or nothing does.
        widths: (rows,) how wide each row is with what fills it up.
        words: whether the tokens are words of a text.
    """

    ids: "NDArray[Any]"
    real: "NDArray[Any]"
    widths: "NDArray[Any]"
    padding: int | None = None
    words: bool = False

    @property
    def lengths(self) -> "NDArray[Any]":
        """(rows,) how many of each row are tokens."""
        return self.real.sum(1)


def sequences(columns: Mapping[str, "NDArray[Any]"], task: Task) -> dict[str, Tokens]:
    """The inputs that are sequences of tokens, by path.

    Texts are; whole numbers are where a mask of the same shape stands beside them, where they are called ids or tokens,
    where rows vary in width, where the task has one class a position, or where one number fills up the ends of rows and
    never stands inside one. Other whole numbers are features.
    """
    found: dict[str, Tokens] = {}
    for path, column in columns.items():
        if _is_text(column):
            found[path] = of_texts(column)
        elif _is_whole(column) and not _is_mask(path, column):
            tokens = _of_numbers(path, column, columns, task)
            if tokens is not None:
                found[path] = tokens
    return found


def masks(columns: Mapping[str, "NDArray[Any]"]) -> list[str]:
    """Paths of the inputs that say which positions of others count."""
    return [path for path, column in columns.items() if _is_mask(path, column)]


def of_texts(texts: "NDArray[Any]") -> Tokens:
    """The words of texts, each as a number that is the same in every process."""
    import numpy as np

    rows = [np.array([zlib.crc32(word.encode()) for word in text.lower().split()], np.int64) for text in texts]
    return _ragged(rows, words=True)


def tokens_of(column: "NDArray[Any]", columns: Mapping[str, "NDArray[Any]"], padding: int | None) -> Tokens:
    """A further batch of an input that holds sequences, of which is known what fills rows up."""
    tokens = _ragged(list(column)) if column.dtype == object else _rectangle(column)
    mask = next((one for one in masks(columns) if _shapes(columns[one]) == _shapes(column)), None)
    if mask is not None:
        return Tokens(tokens.ids, _masked(mask, columns[mask], tokens), tokens.widths, padding)
    return (
        tokens if padding is None else Tokens(tokens.ids, tokens.real & (tokens.ids != padding), tokens.widths, padding)
    )


def _of_numbers(path: str, column: "NDArray[Any]", columns: Mapping[str, "NDArray[Any]"], task: Task) -> Tokens | None:
    tokens = _ragged(list(column)) if column.dtype == object else _rectangle(column)
    mask = next((one for one in masks(columns) if _shapes(columns[one]) == _shapes(column)), None)
    if mask is not None:
        real = _masked(mask, columns[mask], tokens)
        return Tokens(tokens.ids, real, tokens.widths, _filling(tokens.ids, real))
    padded = _padded(tokens)
    if padded is not None:
        return padded
    named = bool(_NAMED.search(path)) or task.kind is TaskKind.SEQUENCE
    return tokens if named or column.dtype == object else None


def _padded(tokens: Tokens) -> Tokens | None:
    """With what fills rows up left out, if something does: one number, at one end of rows, never inside."""
    import numpy as np

    ids, (count, width) = tokens.ids, tokens.ids.shape
    if count < 2 or width < _SHORTEST:
        return None
    for back in (True, False):
        last = ids[np.arange(count), tokens.widths - 1] if back else ids[:, 0]
        values, counts = np.unique(last, return_counts=True)
        filling = int(values[counts.argmax()])
        same = (ids == filling) | ~tokens.real
        run = np.logical_and.accumulate(same[:, ::-1] if back else same, 1)
        run = run[:, ::-1] if back else run
        real = tokens.real & ~run
        others = np.unique(ids[real])
        inside = bool(((ids == filling) & real).any())
        # Else it is a token that begins or ends every row, or a number of the last column of a table.
        varies = len(np.unique((tokens.real & run).sum(1))) > 2
        if not inside and varies and len(others) >= _FEWEST_TOKENS:
            return Tokens(ids, real, tokens.widths, filling)
    return None


def _rectangle(column: "NDArray[Any]") -> Tokens:
    import numpy as np

    return Tokens(column.astype(np.int64), np.ones(column.shape, bool), np.full(len(column), column.shape[1]))


def _ragged(rows: "list[NDArray[Any]]", *, words: bool = False) -> Tokens:
    import numpy as np

    widths = np.array([len(row) for row in rows], np.int64)
    real = np.arange(max(1, int(widths.max(initial=0))))[None] < widths[:, None]
    ids = np.full(real.shape, _NOTHING, np.int64)
    if rows:
        ids[real] = np.concatenate(rows)
    return Tokens(ids, real, widths, words=words)


def _masked(path: str, column: "NDArray[Any]", tokens: Tokens) -> "NDArray[Any]":
    """Which positions are real. torch's padding masks say the opposite: they are true where nothing counts."""
    import numpy as np

    mask = _ragged([row.astype(np.int64) for row in column]).ids if column.dtype == object else column
    hidden = "pad" in path.rpartition(".")[2].lower()
    return tokens.real & ((mask == 0) if hidden else (mask == 1))


def _filling(ids: "NDArray[Any]", real: "NDArray[Any]") -> int | None:
    import numpy as np

    values = np.unique(ids[~real])
    values = values[values != _NOTHING]
    return int(values[0]) if len(values) == 1 else None


def _is_text(column: "NDArray[Any]") -> bool:
    return column.dtype == object and len(column) > 0 and all(isinstance(row, str) for row in column)


def _is_whole(column: "NDArray[Any]") -> bool:
    if column.dtype != object:
        return column.dtype.kind in "iu" and column.ndim == 2 and column.shape[1] > 1
    rows: list[Any] = list(column)
    return all(getattr(row, "ndim", 0) == 1 and row.dtype.kind in "iu" for row in rows)


def _is_mask(path: str, column: "NDArray[Any]") -> bool:
    import numpy as np

    if "mask" not in path.rpartition(".")[2].lower() or not len(column):
        return False
    rows = list(column) if column.dtype == object else [column]
    return all(
        getattr(row, "dtype", np.dtype(object)).kind in "biuf" and bool(np.isin(row, (0, 1)).all()) for row in rows
    )


def _shapes(column: "NDArray[Any]") -> Any:
    return [len(row) for row in column] if column.dtype == object else column.shape
