"""Whether the order of a text is kept: by the model, and on the way from what the dataset holds into the batch."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from art_training.probes.coverage import map_style
from art_training.probes.filled import filled
from art_training.probes.passes import examples, passed
from art_training.probes.specimen import Specimen
from art_training.probes.vocabulary import vocabularies
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, mapped

_FEWEST = 4  # positions, and different words
_ROWS = 48  # of a dataset
_MANY = 0.9  # of its rows
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class OrderFree:
    """How far predictions move when tokens change their places.

    Attributes:
        moved: the largest change, as a share of how much predictions differ.
        noise: without a change.
        token: what pads the sequences; None: nothing is known to.
    """

    moved: float
    noise: float
    token: float | None


@dataclass(frozen=True)
class Reordered:
    """Rows of a dataset whose tokens come in another order than the words that they are of.

    Attributes:
        source: the attribute that holds the words.
        rows: whose words are known, four different ones or more.
        other: of these, how many come in another order.
    """

    source: str
    rows: int
    other: int


@cache
def order_free(path: str) -> Callable[[Specimen], OrderFree | None]:
    """The probe of what predictions of whole sequences make of their order: as many positions are turned round as all of them have.

    None where the entry is no sequence of tokens, or something is predicted of each position.
    """

    def probe(specimen: Specimen) -> OrderFree | None:
        batch = specimen.batches[0]
        count, tokens = examples(specimen, batch), entries(batch).get(path)
        if count is None or not isinstance(tokens, Tensor) or tokens.ndim != 2 or tokens.is_floating_point():
            return None
        padding = next((one for one in filled(specimen) if one.path == path), None)
        if padding is not None and not padding.at_end:
            return None
        real = torch.ones_like(tokens) if padding is None else (tokens != padding.token).long()
        shared = int(real.cumprod(1).sum(1).min())
        if shared < _FEWEST or len(tokens) != count:
            return None
        turned = torch.cat([tokens[:, :shared].flip(1), tokens[:, shared:]], 1)
        changed = mapped(batch, lambda leaf: turned if leaf is tokens else leaf)
        passes = [passed(specimen, one).predictions(count) for one in (batch, batch, changed)]
        for before, again, after in zip(*passes, strict=False):
            if len(before) != count or not before.shape == again.shape == after.shape:
                continue
            if before.numel() // count >= tokens.shape[1]:
                return None
            one, two, three = (each.detach().double() for each in (before, again, after))
            spread = float(one.std(0).max())
            if spread > 0:
                moved, noise = (float((each - one).abs().max()) / spread for each in (three, two))
                return OrderFree(moved, noise, None if padding is None else padding.token)
        return None

    return probe


def reordered_words(specimen: Specimen) -> Reordered | None:
    """What the order of words becomes; None where no dataset holds texts that rows can be found in."""
    loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
    tables = [one.numbers for one in vocabularies(specimen)]
    if len(loaders) != 1 or not map_style(loaders[0]):
        return None
    dataset: Any = loaders[0].dataset
    texts = list(_texts(dataset))
    if not texts:
        return None
    with specimen.kept():
        items = [dataset[number] for number in range(min(_ROWS, len(dataset)))]
    for name, rows in texts:
        words = [_words(one) for one in rows[: len(items)]]
        for numbers in (None, *tables):
            for path in entries(items[0]):
                pairs = [
                    (_known(said, numbers), as_array(leaf).ravel().tolist())
                    for said, item in zip(words, items, strict=True)
                    if isinstance(leaf := entries(item).get(path), Tensor | np.ndarray | list)
                ]
                # Words that occur once have one place each.
                told = [pair for one in pairs if (pair := _once(*one)) is not None]
                if len(told) >= len(items) / 2 and len(told) >= _FEWEST:
                    return Reordered(name, len(told), sum(given != taken for given, taken in told))
    return None


def _texts(dataset: Any) -> Iterator[tuple[str, Sequence[Any]]]:
    """Attributes that hold a text for each row: as one string, or as a list of words or of numbers."""
    if not hasattr(dataset, "__dict__"):
        return
    for name, value in vars(dataset).items():
        if not isinstance(value, list | tuple) or len(cast("Sequence[Any]", value)) != len(dataset):
            continue
        rows = cast("Sequence[Any]", value)
        if all(isinstance(one, str | list | tuple) for one in rows[:_ROWS]):
            yield name, rows


def _words(text: Any) -> list[Any]:
    return _WORD.findall(text.lower()) if isinstance(text, str) else list(text)


def _known(words: list[Any], numbers: Any) -> list[Any]:
    if numbers is None:
        return words
    lower = {str(word).lower(): number for word, number in numbers.items()}
    return [found for one in words if (found := lower.get(str(one).lower())) is not None]


def _once(words: list[Any], tokens: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """Both orders of the tokens that occur once in each; None where fewer than four do, or the row is of other words."""
    both = {one for one in words if words.count(one) == 1 and tokens.count(one) == 1}
    if len(both) < _FEWEST or len(both) < len(set(words)) / 2:
        return None
    return [one for one in words if one in both], [one for one in tokens if one in both]
