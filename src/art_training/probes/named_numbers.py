"""Numbers that code calls by a name: in attributes, in constants beside the classes, in words of vocabularies."""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from torch import nn

from art_training.probes.reachable import reachable
from art_training.probes.specimen import Specimen
from art_training.probes.vocabulary import vocabularies
from art_training.records import Split


def named_numbers(specimen: Specimen, name: re.Pattern[str], words: Collection[str]) -> Iterator[tuple[str, float]]:
    """Names and the numbers that they stand for, of the model, of the data, and of what puts batches together.

    Args:
        specimen: whose code is looked at.
        name: of attributes and constants, in whole.
        words: of vocabularies, in lower case.
    """
    owners: list[Any] = [specimen.module, *specimen.data]
    for loader in specimen.loaders.get(Split.TRAIN, {}).values():
        owners += [getattr(loader, "dataset", None), getattr(loader, "collate_fn", None)]
    spaces: list[Mapping[str, Any]] = []
    for one in owners:
        kind = one if isinstance(one, type) else type(one)
        written_in = sys.modules.get(str(getattr(one, "__module__", "")))
        spaces += [_attributes(one), _attributes(kind), {} if written_in is None else vars(written_in)]
        spaces += [cast("Mapping[str, Any]", found) for found in reachable(one, (dict,), depth=2)]
    for space in spaces:
        for key, value in list(space.items()):
            called = isinstance(key, str) and name.fullmatch(key)
            if called and isinstance(value, int | float) and not isinstance(value, bool):
                yield key, value
    for one in vocabularies(specimen):
        for word, number in one.numbers.items():
            if word.lower() in words:
                yield word, number


def _attributes(one: Any) -> Mapping[str, Any]:
    if isinstance(one, nn.Module):
        return {**vars(one), **dict(getattr(one, "hparams", {}) or {})}
    try:
        return dict(vars(one))
    except TypeError:
        return {}
