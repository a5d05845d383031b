"""Learning curves as they are drawn: with so many points as a picture can show, and with what belongs in one picture."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from art_training.records import Curve, Split
from art_training.stores import Sampled, Store
from art_training.stores.sampling import sampled

LOSS = "loss"
LOGGED = "logged"
RATE = "lr"

# [training/]place/rest: the label of a training may hold anything, what a module logs too, so that the first place counts.
_NAME = re.compile(
    r"(?:(?P<training>.+?)/)??(?P<place>(?P<split>train|validation|test)(?::[^/]*)?|logged|lr)/(?P<rest>.+)", re.DOTALL
)
_SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
}
_WORD = "|".join(sorted(_SPLITS, key=len, reverse=True))
_LOGGED = re.compile(rf"(?:(?P<before>{_WORD})[_/.\- ](?P<name>.+)|(?P<named>.+)[_/.\- ](?P<after>{_WORD}))", re.DOTALL)
_EVERY = re.compile(
    r"(?<=.)_(?:epoch|step)$"
)  # what Lightning and the engine write behind a name: how often it was taken
_NUMBER = re.compile(r"(\d+)")


class Pairing(NamedTuple):
    """What a curve shows, told by its name.

    Attributes:
        panel: what stands on the axis; curves of one panel belong in one picture.
        training: the training, where a step has several, such as `trial 3`; else empty.
        split: on which it was measured; None where it belongs to none.
        loader: the split's loader, where it has several; else empty.
    """

    panel: str
    training: str = ""
    split: Split | None = None
    loader: str = ""

    @classmethod
    def of(cls, name: str) -> "Pairing":
        """The pairing of `train/loss`, `trial 3/validation:noisy/accuracy`, `logged/val_acc`, `lr/0`, or of any other name."""
        found = _NAME.fullmatch(name)
        if found is None:
            return cls(name)
        training, place, rest = found["training"] or "", found["place"], found["rest"]
        if place == RATE:
            return cls(RATE, training)
        if place == LOGGED:
            panel, split = _logged(rest)
            return cls(f"{LOGGED}/{panel}", training, split)
        return cls(_EVERY.sub("", rest), training, Split(found["split"]), place.partition(":")[2])


@dataclass(frozen=True)
class PointsRow:
    """One curve to draw.

    Attributes:
        name: its name.
        panel: what belongs in one picture with it: `train/loss` and `validation/loss` are both `loss`.
        training: of which training of the step it is, where it has several; else empty.
        split: on which it was measured; None where it belongs to none.
        loader: the split's loader, where it has several; else empty.
        steps: optimiser steps, ascending.
        values: one a step; a NaN is a gap in the line, and an infinity lies outside of every axis.
        epochs: from 0, one a step; empty where they are not known.
        points: how many there are between the steps that were asked for.
        truncated: whether some of them are left out.
    """

    name: str
    panel: str
    training: str
    split: Split | None
    loader: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    epochs: tuple[int, ...]
    points: int
    truncated: bool

    @classmethod
    def of(cls, name: str, found: Sampled) -> "PointsRow":
        """The row of one curve."""
        curve = found.curve
        shown = len(curve.steps)
        return cls(name, *Pairing.of(name), curve.steps, curve.values, curve.epochs, found.points, shown < found.points)


def points_of(
    store: Store,
    run: str,
    names: Sequence[str] | None = None,
    limit: int = 1000,
    *,
    first: int | None = None,
    last: int | None = None,
) -> tuple[PointsRow, ...]:
    """The curves of a run, with at most `limit` points each: whatever stands out in a stretch of steps is among them.

    Args:
        store: where the run is.
        run: its id, running or ended.
        names: of the curves; None means all. Those that it does not have are left out.
        limit: of points of each curve, 5 or more.
        first: only steps from this one on, as after a zoom.
        last: only steps up to this one.

    Returns:
        By panel, the loss first; in it by training, and train before validation.

    Raises:
        UsageError: `limit` is too small.
    """
    found = dict(store.sampled(run, names, limit=limit, first=first, last=last))
    if names is None or not found.keys() >= set(names):
        of_outcome = _of_outcome(store, run, names, partial(sampled, limit=limit, first=first, last=last))
        found = {**of_outcome, **found}
    return in_order(PointsRow.of(name, one) for name, one in found.items())


def in_order(rows: Iterable[PointsRow]) -> tuple[PointsRow, ...]:
    """Curves as `points_of` orders them."""
    return tuple(sorted(rows, key=_order))


def _of_outcome(
    store: Store, run: str, names: Sequence[str] | None, sample: Callable[[Curve], Sampled]
) -> dict[str, Sampled]:
    """Curves that a step handed over with its outcome alone."""
    outcome = store.outcome(run)
    curves = outcome.curves.items() if outcome else ()
    found = {name: sample(curve) for name, curve in curves if names is None or name in names}
    return {name: one for name, one in found.items() if one.points}


def _logged(name: str) -> tuple[str, Split | None]:
    """The panel and split of what a module logs by a name of its own, such as `val_loss` or `accuracy/train`."""
    short = _EVERY.sub("", name)
    found = _LOGGED.fullmatch(short)
    if found is None:
        return short, None
    return found["name"] or found["named"], _SPLITS[found["before"] or found["after"]]


def _order(row: PointsRow) -> tuple[object, ...]:
    kind = 0 if row.panel == LOSS else 3 if row.panel == RATE else 2 if row.panel.startswith(f"{LOGGED}/") else 1
    split = list(Split).index(row.split) if row.split else -1
    return kind, row.panel, natural(row.training), split, row.name


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts `trial 2` before `trial 10`."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(text))
