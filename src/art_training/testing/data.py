"""Small data sets for tests and examples: none needs a network, and none needs torch."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from art_training.records import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float]
Arrays: TypeAlias = "tuple[NDArray[Any], NDArray[Any]]"


@dataclass(frozen=True)
class Points:
    """Points (x, y) of plain floats, for what shall run without torch and NumPy.

    Attributes:
        splits: the points of each split by loader; `None` names a split's only loader.
        batch_size: points a batch.
    """

    splits: Mapping[Split, Mapping[str | None, tuple[Point, ...]]]
    batch_size: int = 8


def points(
    train: int = 30,
    validation: int = 12,
    *,
    loaders: tuple[str | None, ...] = (None,),
    batch_size: int = 8,
    noise: float = 0.1,
    seed: int = 0,
) -> Points:
    """Points around `y = 2 x + 1`, no two alike; the validation split has one loader for each name in `loaders`."""
    generator = random.Random(seed)  # noqa: S311  nothing secret depends on it

    def some(count: int) -> tuple[Point, ...]:
        xs = [generator.uniform(-1, 1) for _ in range(count)]
        return tuple((x, 2 * x + 1 + generator.gauss(0, noise)) for x in xs)

    splits: dict[Split, dict[str | None, tuple[Point, ...]]] = {Split.TRAIN: {None: some(train)}}
    if validation:
        splits[Split.VALIDATION] = {name: some(validation) for name in loaders}
    return Points(splits, batch_size)


def digits(*, validation: int = 360, seed: int = 0) -> tuple[Arrays, Arrays]:
    """scikit-learn's handwritten digits as training and validation arrays: (rows, 64) in 0..1, and classes 0..9."""
    from sklearn.datasets import load_digits

    x, y = _loaded(load_digits)
    return _split(x / 16, y, validation, seed, by=y)


def diabetes(*, validation: int = 89, seed: int = 0) -> tuple[Arrays, Arrays]:
    """scikit-learn's diabetes data as training and validation arrays: (rows, 10), and a number of (rows,)."""
    from sklearn.datasets import load_diabetes

    x, y = _loaded(load_diabetes)
    return _split(x, y, validation, seed, by=None)


def _loaded(load: Any) -> Arrays:
    x, y = load(return_X_y=True)
    return x, y


def _split(x: Any, y: Any, validation: int, seed: int, *, by: Any) -> tuple[Arrays, Arrays]:
    from sklearn.model_selection import train_test_split

    parts: list[Any] = train_test_split(x, y, test_size=validation, random_state=seed, stratify=by)
    x_train, x_rest, y_train, y_rest = parts
    return (x_train, y_train), (x_rest, y_rest)
