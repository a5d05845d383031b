"""Whether what fills sequences up is also what ends them, told by masks, by lengths or by the longest rows, and whether it is learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor

from art_training.probes.asked import Asked, AskedClasses, asked
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries

_NEXT = 0.9  # of the targets that count are the token that comes next
_MOST = 0.9  # of the rows that are filled up
_FEWEST_TARGETS, _FEWEST_ROWS, _FEWEST_BATCHES = 50, 16, 3


@dataclass(frozen=True)
class Ending:
    """A token that ends sequences and fills them up.

    Attributes:
        token: its number.
        path: of the sequences in the batch.
        told_by: the entry that counts one such token as a part of a row; empty where the longest row of every batch ends with one.
        rows: that end with it.
        of: rows in all.
        targets: that count in the loss.
        asked: of these, how many are the token.
    """

    token: int
    path: str
    told_by: str
    rows: int
    of: int
    targets: int
    asked: int


@dataclass(frozen=True)
class _Filled:
    """Sequences of one batch: (rows, positions), and how many of the token each ends with."""

    tokens: Tensor
    trailing: Tensor
    batch: Any


def ending(specimen: Specimen) -> Ending | None:
    """None where the next token is not what is learned, or nothing tells that what fills sequences up also ends them."""
    seen = asked(specimen)
    for path in [path for path, leaf in entries(seen.batches[0]).items() if _is_tokens(leaf)]:
        learned = [_next(seen, place, path) for place in range(len(seen.batches))]
        if any(one is None for one in learned):
            continue
        many = [(one, entries(one)[path]) for one in seen.batches]
        if not all(_is_tokens(leaf) for _, leaf in many):
            continue
        last = torch.cat([leaf[:, -1] for _, leaf in many])
        token = int(last.mode().values)
        filled = [_Filled(leaf, _trailing(leaf, token), batch) for batch, leaf in many]
        told_by = _told_by(filled, path)
        if told_by is None:
            continue
        counted = [one.classes[one.weights > 0] for one in learned if one is not None]
        total = sum(len(one) for one in counted)
        if total < _FEWEST_TARGETS:
            continue
        return Ending(
            token=token,
            path=path,
            told_by=told_by,
            rows=sum(int((one.trailing > 0).sum()) for one in filled),
            of=sum(len(one.tokens) for one in filled),
            targets=total,
            asked=sum(int((one == token).sum()) for one in counted),
        )
    return None


def _is_tokens(leaf: Any) -> TypeGuard[Tensor]:
    integral = isinstance(leaf, Tensor) and not leaf.is_floating_point() and leaf.ndim == 2 and not leaf.is_complex()
    return integral and leaf.shape[1] > 2 and int(leaf.max()) > 1


def _next(seen: Asked, place: int, path: str) -> AskedClasses | None:
    """What is asked at every position of a batch, where that is the token that comes next in this entry."""
    found = entries(seen.batches[place])
    tokens = found.get(path)
    if not _is_tokens(tokens):
        return None
    for one in seen.classes:
        if one.batch != place or one.weights.shape[1] < 2 or len(one.weights) != len(tokens):
            continue
        width, counts = one.weights.shape[1], one.weights > 0
        # Tokens that predictions are made of; or those to come, as an entry of their own beside these.
        for ahead in (1, 0):
            if ahead == 0 and not any(_follows(other, tokens) for other in found.values()):
                continue
            there = tokens[:, ahead : ahead + width]
            asked_for, counted = one.classes[:, : there.shape[1]], counts[:, : there.shape[1]]
            if there.shape[1] >= width - 1 and bool(counted.any()):
                same = (asked_for == there)[counted]
                if float(same.double().mean()) >= _NEXT:
                    return one
    return None


def _follows(other: Any, tokens: Tensor) -> bool:
    """Whether another entry holds the same sequences one position earlier."""
    if not _is_tokens(other) or other.shape != tokens.shape:
        return False
    return float((other[:, 1:] == tokens[:, :-1]).double().mean()) >= _NEXT


def _trailing(tokens: Tensor, token: int) -> Tensor:
    return (tokens.flip(1) == token).long().cumprod(1).sum(1)


def _told_by(filled: Sequence[_Filled], path: str) -> str | None:
    """The entry by which one of the tokens belongs to every row that is filled up; None where nothing says so."""
    for name in entries(filled[0].batch):
        if name == path:
            continue
        inside: list[Tensor] = []
        for one in filled:
            lengths = _lengths(entries(one.batch).get(name), one.tokens)
            if lengths is None:
                break
            shorter = lengths < one.tokens.shape[1]
            inside.append((one.trailing - (one.tokens.shape[1] - lengths))[shorter])
        else:
            together = torch.cat(inside)
            if len(together) >= _FEWEST_ROWS and float((together == 1).double().mean()) >= _MOST:
                return name
    widths = {one.tokens.shape[1] for one in filled}
    longest = [int(one.trailing.min()) for one in filled]
    rows = sum(len(one.tokens) for one in filled)
    if len(filled) >= _FEWEST_BATCHES and len(widths) > 1 and set(longest) == {1} and rows >= _FEWEST_ROWS:
        return ""
    return None


def _lengths(leaf: Any, tokens: Tensor) -> Tensor | None:
    """How many positions of each row an entry counts, where it is a mask of them from the first on, or says their number."""
    if not isinstance(leaf, Tensor) or leaf.is_complex() or not leaf.ndim or len(leaf) != len(tokens):
        return None
    if leaf.shape == tokens.shape and bool(((leaf == 0) | (leaf == 1)).all()):
        counts = leaf.long()
        return counts.sum(1) if bool((counts.cumprod(1) == counts).all()) else None
    if leaf.ndim == 1 and not leaf.is_floating_point() and int(leaf.min()) >= 1 and int(leaf.max()) <= tokens.shape[1]:
        return leaf.long()
    return None
