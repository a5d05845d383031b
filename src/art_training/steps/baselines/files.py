"""Predictions that somebody else made, from a file or an array: one row an example of the validation split."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.errors import ProjectError, SetupError
from art_training.setup.data.batch import as_array
from art_training.stores.artifacts import file_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXAMPLE = "example"
PREDICTION = "prediction"
PREDICTIONS = frozenset({".csv", ".npy"})
WEIGHTS = frozenset({".ckpt", ".pt", ".pth", ".safetensors"})


@dataclass(frozen=True)
class Predictions:
    """What a file holds.

    Attributes:
        values: (examples, ...) numbers; integers where all of them are.
        digest: SHA-256 of the file's bytes, in hexadecimal; empty where there is no file.
        what: names the file or array in sentences.
    """

    values: "NDArray[Any]"
    digest: str
    what: str

    def require_examples(self, count: int) -> None:
        """Refuse predictions of another split.

        Raises:
            SetupError: there are not as many as examples.
        """
        if len(self.values) != count:
            raise SetupError(
                f"{self.what} holds {len(self.values):,} predictions, and the validation split has {count:,} examples; "
                "give one of each example, in the order of the split"
            )


def require_file(path: Path, what: str) -> None:
    """Refuse a file that cannot be one of predictions or weights.

    Raises:
        ProjectError: it does not exist, or its name says that it is something else.
    """
    if path.suffix.lower() not in PREDICTIONS | WEIGHTS:
        raise ProjectError(
            f"{what} is of no known kind; give predictions as .csv or .npy, or weights of the setup's model as "
            f"{', '.join(sorted(WEIGHTS))}"
        )
    if not path.is_file():
        raise ProjectError(f"{what} does not exist (looked at {path.absolute()}); give the path of a file")


def read_predictions(path: Path, what: str) -> Predictions:
    """Read a file of predictions.

    A `.npy` file holds an array of one row an example. A `.csv` file has a header: a column `prediction` with a class or
    a value, or columns `0`, `1`, ... with a number for each class, label or output. A column `example` gives the place in
    the split, from 0, where rows are in another order.

    Raises:
        SetupError: it is gone, or holds something else, or a number that is none.
    """
    try:
        digest, _ = file_digest(path)
        values = _loaded(path, what) if path.suffix.lower() == ".npy" else _table(path, what)
    except OSError as error:
        raise SetupError(f"{what} cannot be read: {error.strerror or error}; give the path of a file") from error
    return replace(predictions_of(values, what), digest=digest)


def predictions_of(array: Any, what: str) -> Predictions:
    """Predictions in an array, a tensor or a column of a frame.

    Raises:
        SetupError: it holds something else, or a number that is none.
    """
    import numpy as np

    values = as_array(array)
    if values.dtype.kind not in "biuf" or not values.ndim:
        raise SetupError(f"{what} holds no numbers with one row an example; give an array of (examples, ...) numbers")
    if values.dtype.kind != "f":
        return Predictions(values.astype(np.int64), "", what)
    wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))
    if len(wrong):
        raise SetupError(f"{what} has no finite number for example {wrong[0]}; give a prediction of each example")
    return Predictions(values, "", what)


def _loaded(path: Path, what: str) -> "NDArray[Any]":
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except ValueError as error:
        raise SetupError(f"{what} holds no array of numbers: {error}; write it with numpy.save") from error


def _table(path: Path, what: str) -> "NDArray[Any]":
    import numpy as np

    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        columns = [column.strip() for column in next(reader, [])]
        wanted = _wanted(columns, what)
        rows = [_numbers(row, columns, what, reader.line_num) for row in reader if row]
    table = np.array(rows, np.float64).reshape(len(rows), len(columns))
    if EXAMPLE in columns:
        table = _ordered(table, columns.index(EXAMPLE), what)
    values = table[:, [columns.index(name) for name in wanted]]
    if bool((np.isfinite(values) & (values == np.trunc(values))).all()) and wanted == [PREDICTION]:
        values = values.astype(np.int64)
    return values[:, 0] if wanted == [PREDICTION] else values


def _wanted(columns: list[str], what: str) -> list[str]:
    """The columns that hold predictions, in their order."""
    others = [column for column in columns if column != EXAMPLE]
    numbered = [str(number) for number in range(len(others))]
    if others == [PREDICTION] or (others and sorted(others) == sorted(numbered)):
        return [PREDICTION] if others == [PREDICTION] else numbered
    raise SetupError(
        f"{what} has the columns {', '.join(columns) or 'none'}; give 'prediction', or '0', '1', ... with a number for each "
        "class or output, and 'example' where rows are in another order than the split"
    )


def _numbers(row: list[str], columns: list[str], what: str, line: int) -> list[float]:
    if len(row) != len(columns):
        raise SetupError(
            f"{what} has {len(row)} values in line {line}, and {len(columns)} columns; give a value for each"
        )
    numbers: list[float] = []
    for text in row:
        try:
            numbers.append(float(text))
        except ValueError:
            raise SetupError(
                f"{what} has {text!r} in line {line}, which is no number; write classes as 0, 1, ..."
            ) from None
    return numbers


def _ordered(table: "NDArray[Any]", column: int, what: str) -> "NDArray[Any]":
    import numpy as np

    order = np.argsort(table[:, column], kind="stable")
    places = table[order, column]
    wrong = np.flatnonzero(places != np.arange(len(places)))
    if len(wrong):
        raise SetupError(
            f"{what} has the example {places[wrong[0]]:g} where {int(wrong[0])} is due; number the examples of the "
            "validation split from 0, each once"
        )
    return table[order]
