"""Which number is meant: a metric's name, the split it is measured on and, among several loaders, which one."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from art_training.errors import CheckError

_NAME = re.compile(r"[A-Za-z_][\w.\-]*")


class Split(StrEnum):
    """One of the three parts of the data."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, order=True)
class Metric:
    """The address of one number of an outcome.

    Written `validation/accuracy`; with several loaders `validation:noisy/accuracy`; a number that belongs to no
    split is written by its name alone, `expected_loss`.

    Attributes:
        name: the metric's name, as declared in the project.
        split: the split that it is measured on, if any.
        loader: the loader's name, where the split has several.
    """

    name: str
    split: Split | None = None
    loader: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise CheckError(
                f"{self.name!r} is not a metric name: use letters, digits, '_', '.' and '-', starting with a letter"
            )
        if self.loader is not None and self.split is None:
            raise CheckError(f"metric {self.name!r} names the loader {self.loader!r} but no split; give the split too")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `split/name`, `split:loader/name` or `name`.

        Raises:
            CheckError: the split is not one of train, validation and test, or the name is not a name.
        """
        place, slash, name = text.rpartition("/")
        if not slash:
            return cls(name)
        split, colon, loader = place.partition(":")
        if split not in set(Split):
            raise CheckError(f"metric {text!r} names the split {split!r}; a split is one of: {', '.join(Split)}")
        return cls(name, Split(split), loader if colon else None)

    def __str__(self) -> str:
        if self.split is None:
            return self.name
        place = self.split.value if self.loader is None else f"{self.split.value}:{self.loader}"
        return f"{place}/{self.name}"


def address_of(text: str) -> Metric | None:
    """The address that a text is; None where it is none: a step of the user's own may call a score anything."""
    try:
        return Metric.parse(text)
    except CheckError:
        return None
