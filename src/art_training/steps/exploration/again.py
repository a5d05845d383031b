"""Single examples, read again by their places."""

import contextlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from art_training.records import Split
from art_training.steps.bench import Bench
from art_training.steps.exploration.survey import Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row: TypeAlias = "dict[str, NDArray[Any]]"


class _Enough(Exception):
    """Ends a pass before its end."""


def read_again(bench: Bench, wanted: Mapping[Survey, Collection[int]]) -> dict[tuple[Survey, int], Row]:
    """The inputs of some examples, each as a batch of one; a pass over a split ends with the last that is wanted."""
    found: dict[tuple[Survey, int], Row] = {}
    for split in dict.fromkeys(survey.split for survey in wanted):
        mine = {
            survey.loader: (survey, frozenset(places)) for survey, places in wanted.items() if survey.split is split
        }
        _read(bench, split, mine, found)
    return found


def _read(
    bench: Bench,
    split: Split,
    mine: "Mapping[str | None, tuple[Survey, frozenset[int]]]",
    found: dict[tuple[Survey, int], Row],
) -> None:
    passed = dict.fromkeys(mine, 0)

    def see(_: Split, loader: str | None, batch: Any) -> None:
        if loader not in mine:
            return
        survey, places = mine[loader]
        columns, count = survey.inputs_of(batch)
        first = passed[loader]
        for place in (place for place in places if first <= place < first + count):
            found[survey, place] = {path: column[place - first : place - first + 1] for path, column in columns.items()}
        passed[loader] += count
        if all(passed[name] > max(places, default=-1) for name, (_, places) in mine.items()):
            raise _Enough

    with contextlib.suppress(_Enough):
        bench.read(split, see=see, plain=True)
