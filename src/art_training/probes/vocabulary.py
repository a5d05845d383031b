"""Tables from words to numbers that data and model hold, and what they depend on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from art_training.probes.reachable import reachable
from art_training.probes.specimen import Specimen
from art_training.records import Split

_UNKNOWN = {"<unk>", "[unk]", "unk", "<oov>", "[oov]", "oov", "<unknown>", "unknown", "__unk__"}
_PADDING = {"<pad>", "[pad]", "pad", "<padding>", "__pad__"}
_FEWEST = 10
_PROGRAM = "import json, sys; print(json.dumps(list(set(json.load(sys.stdin)))))"


@dataclass(frozen=True)
class Vocabulary:
    """A table from words to numbers.

    Attributes:
        numbers: of each word.
        split: whose dataset holds it; empty where something else does.
        unknown: the number of what is not in it; None where no word is called so.
        padding: the number of what fills sequences up; None likewise.
        moved: the share of words that have another number in another process; None where the order is not a set's.
    """

    numbers: Mapping[str, int]
    split: str
    unknown: int | None
    padding: int | None
    moved: float | None


def vocabularies(specimen: Specimen) -> tuple[Vocabulary, ...]:
    """Every table from words to numbers that datasets, what gave them, or the model holds."""
    found: dict[int, Vocabulary] = {}
    for split, owner in _owners(specimen):
        for one in reachable(owner, (dict,)):
            if id(one) not in found and _is_vocabulary(one):
                table = cast("dict[str, int]", one)
                unknown, padding = _called(table, _UNKNOWN), _called(table, _PADDING)
                found[id(one)] = Vocabulary(dict(table), split, unknown, padding, _moved(table))
    return tuple(found.values())


def _owners(specimen: Specimen) -> Iterator[tuple[str, Any]]:
    for split in (Split.TRAIN, Split.VALIDATION):
        for loader in specimen.loaders.get(split, {}).values():
            yield split.value, getattr(loader, "dataset", None)
            yield split.value, getattr(loader, "collate_fn", None)
    for one in (*specimen.data, specimen.module):
        yield "", one


def _called(table: Mapping[str, int], names: set[str]) -> int | None:
    return next((number for word, number in table.items() if word.lower() in names), None)


def _is_vocabulary(table: dict[Any, Any]) -> bool:
    if len(table) < _FEWEST or not all(isinstance(one, str) for one in table):
        return False
    numbers = list(table.values())
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        return False
    return len(set(numbers)) == len(numbers) and max(numbers) - min(numbers) < 2 * len(numbers)


def _falls(words: Sequence[str]) -> int:
    """How often the words, in this order, go back in the table of a set.

    A set is gone through in the order of its slots, which are the last digits of the hashes, but for collisions. How many
    digits count depends on how the set grew; the order is that of a set if it fits any size that a set of so many words has.
    """
    sizes = (1 << digits for digits in range(len(words).bit_length(), len(words).bit_length() + 4))
    return min(sum(hash(b) & size - 1 < hash(a) & size - 1 for a, b in pairwise(words)) for size in sizes)


def _most_falls(count: int) -> float:
    """Five standard deviations fewer than any other order has: descents of random permutations, (n - 1) / 2 and (n + 1) / 12."""
    return max(0.0, (count - 1) / 2 - 5 * ((count + 1) / 12) ** 0.5)


def _moved(table: Mapping[str, int]) -> float | None:
    """How many words would be numbered otherwise in another process, where the numbers follow the order of a set.

    Strings have other hashes in each process (PYTHONHASHSEED), and sets have the order of hashes.
    """
    words = sorted((word for word in table if not word.startswith(("<", "["))), key=table.__getitem__)
    if len(words) < _FEWEST or _falls(words) > _most_falls(len(words)):
        return None
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        env=environment,
        timeout=20,
        check=True,
    )
    other = cast("list[str]", json.loads(done.stdout))
    return sum(a != b for a, b in zip(words, other, strict=True)) / len(words)
