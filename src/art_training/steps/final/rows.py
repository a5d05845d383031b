"""The rows of the test split: whether they are its own, which of them belong to which slice, and what tells them."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from art_training.errors import SetupError
from art_training.records import Finding, Severity, Split
from art_training.setup.data.batch import as_array, entries, rows, size
from art_training.setup.task import Task
from art_training.steps.exploration.survey import row_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Choose = Callable[[Any], Any]


class TestRows:
    """Sees the batches of all splits, and remembers a number a row of them, and which test rows each slice holds."""

    __test__ = False  # no class of tests, whatever its name makes pytest think

    def __init__(self, task: Task, slices: Mapping[str, Choose]) -> None:
        self._task = task
        self._slices = slices
        self._hashes: dict[Split, list[NDArray[Any]]] = {}
        self._masks: dict[str, list[NDArray[Any]]] = {name: [] for name in slices}
        self.examples = 0

    def see(self, split: Split, loader: str | None, batch: Any) -> None:
        """Take in a batch.

        Raises:
            SetupError: a slice's function raises, or does not return one truth value an example.
        """
        del loader
        count = size(batch)
        found = entries(batch)
        inputs = {path: found[path] for path in self._task.inputs if path in found} or {
            path: leaf for path, leaf in found.items() if path != self._task.target
        }
        by_row = [leaf for leaf in inputs.values() if rows(leaf) == count]
        if by_row:
            self._hashes.setdefault(split, []).append(row_hashes(by_row, count))
        if split is Split.TEST:
            self.examples += count
            for name, choose in self._slices.items():
                self._masks[name].append(_mask(name, choose, batch, count))

    @property
    def digest(self) -> str:
        """What tells this test split from another, whatever the order of its rows; empty where it has no rows."""
        import numpy as np

        hashes = self._of(Split.TEST)
        return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest() if len(hashes) else ""

    def masks(self) -> "dict[str, NDArray[Any]]":
        """(examples,) which test examples each slice holds, by slice.

        Raises:
            SetupError: a slice holds none.
        """
        import numpy as np

        masks = {name: np.concatenate(parts) for name, parts in self._masks.items() if parts}
        for name, mask in masks.items():
            if not mask.any():
                raise SetupError(
                    f"the slice {name!r} holds none of the {len(mask)} test examples; mend its function, or leave it out"
                )
        return masks

    def require_own(self) -> None:
        """Raise where the test split is another split again.

        Raises:
            SetupError: validation or training holds the very same rows.
        """
        import numpy as np

        test = np.sort(self._of(Split.TEST))
        for split in (Split.VALIDATION, Split.TRAIN):
            if len(test) and np.array_equal(test, np.sort(self._of(split))):
                raise SetupError(
                    f"the test split is the {split.value} split: both hold the same {len(test)} examples, so a score on "
                    "it would tell nothing new; give examples that no step has seen: test_dataloader, or art.data(test=...)"
                )

    def shared(self) -> list[Finding]:
        """A finding where test examples were there to be learned from, or to be chosen by."""
        import numpy as np

        test = self._of(Split.TEST)
        seen = {split.value: int(np.isin(test, self._of(split)).sum()) for split in (Split.TRAIN, Split.VALIDATION)}
        told = [f"{count} in {name}" for name, count in seen.items() if count]
        if not told:
            return []
        known = np.isin(test, np.concatenate([self._of(Split.TRAIN), self._of(Split.VALIDATION)]))
        return [
            Finding(
                code="ART802",
                category="split",
                severity=Severity.WARNING,
                message=f"{int(known.sum())} of {len(test)} test inputs are in another split too: {', '.join(told)}",
                evidence={**seen, "rows": [int(row) for row in np.flatnonzero(known)[:10]]},
                remedy="take them out of one of the splits; the score on test is partly one on what was learned",
            )
        ]

    def _of(self, split: Split) -> "NDArray[Any]":
        import numpy as np

        return np.concatenate([np.empty(0, np.uint64), *self._hashes.get(split, [])])


def _mask(name: str, choose: Choose, batch: Any, count: int) -> "NDArray[Any]":
    try:
        chosen = choose(batch)
    except Exception as error:  # the function is the user's code
        raise SetupError(
            f"the slice {name!r} raised {type(error).__name__}: {error}; its function is called with a batch as it would "
            f"enter the model, and returns a boolean array of one value an example"
        ) from error
    array = as_array(chosen)
    if array.dtype.kind != "b" or array.shape != (count,):
        raise SetupError(
            f"the slice {name!r} returned {array.dtype} of shape {array.shape} for a batch of {count} examples; "
            f"return a boolean array of shape ({count},)"
        )
    return array
