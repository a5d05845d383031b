"""What is seen of a trial while it trains, and whether it should go on."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from art_training.engines import Position
from art_training.records import Metric, Plain, plain
from art_training.tuning.study import Asked

LOSS_CURVE = "validation/loss"
_VALIDATION = "(?:val|valid|validation|eval|dev)"


@dataclass
class Progress:
    """How far a trial is. It is remembered at each epoch, so that whoever goes on after a kill knows it too.

    Attributes:
        number: of the trial.
        curves: values by epoch of each curve that pruning could go by.
        pruned: the epoch after which it was ended; None where it was not.
        planned: epochs that it has in all, where that is known.
        seconds: that it took before the process was killed.
    """

    number: int
    curves: dict[str, dict[int, float]] = field(default_factory=dict[str, dict[int, float]])
    pruned: int | None = None
    planned: int | None = None
    seconds: float = 0.0

    @classmethod
    def parse(cls, stored: Plain, number: int) -> "Progress":
        """Read what was remembered of this trial; what was remembered of another one does not count."""
        if not isinstance(stored, dict) or stored.get("number") != number:
            return cls(number)
        values: dict[str, Any] = dict(stored)
        values["curves"] = {
            name: {int(epoch): float(value) for epoch, value in curve.items()}
            for name, curve in values["curves"].items()
        }
        return cls(**values)

    def stored(self) -> Plain:
        """As plain data."""
        return plain(self)

    @property
    def epochs(self) -> int:
        """Epochs that are known to be complete."""
        return max((max(curve) + 1 for curve in self.curves.values() if curve), default=0)


@dataclass
class Watcher:
    """Follows the curves of one trial, asks whether it should be pruned, and remembers.

    One value counts for each epoch: the first. So a decision rests on the same numbers however late they are handed
    over, and whoever trains an epoch again decides as before.

    Attributes:
        asked: the trial as it was proposed.
        progress: of the trial.
        metric: what the search goes by.
        watched: the curve that pruning goes by; empty while it is not known.
        remember: keeps the progress durably.
    """

    asked: Asked
    progress: Progress
    metric: Metric
    watched: str
    remember: Callable[[Progress], None]

    def __post_init__(self) -> None:
        for epoch, value in sorted(self.progress.curves.get(self.watched, {}).items()):
            self.asked.report(epoch, value)

    def __call__(self, position: Position) -> str | None:
        """Take in what is new; a sentence in answer ends the training."""
        progress = self.progress
        if progress.pruned is None:
            if position.epochs is not None and position.epochs > 0:
                progress.planned = position.epochs
            new = [self._take(name, epoch, value) for name, _, epoch, value in position.points]
            if any(new):
                self.remember(progress)
        return None if progress.pruned is None else self.why

    @property
    def why(self) -> str:
        """Why the trial was pruned, in words."""
        epoch = self.progress.pruned
        assert epoch is not None
        of = f" of {self.progress.planned}" if self.progress.planned else ""
        return f"pruned after epoch {epoch + 1}{of}, at {self.watched} {self.progress.curves[self.watched][epoch]:.4g}"

    def _take(self, name: str, epoch: int, value: float) -> bool:
        progress = self.progress
        if progress.pruned is not None or not may_watch(name, self.metric):
            return False
        curve = progress.curves.setdefault(name, {})
        if epoch in curve:
            return False
        curve[epoch] = value
        # What has come to its last epoch has cost all that it will.
        is_last = progress.planned is not None and epoch >= progress.planned - 1
        if name == self.watched and self.asked.report(epoch, value) and not is_last:
            progress.pruned = epoch
        return True


def may_watch(curve: str, metric: Metric) -> bool:
    """Whether pruning could go by a curve: what the search goes by, as the module logs it, or the validation loss."""
    return curve == LOSS_CURVE or is_of(curve, metric)


def is_of(curve: str, metric: Metric) -> bool:
    """Whether a curve is that of the metric on the validation split, by its name."""
    if metric.name == "loss":
        return curve == LOSS_CURVE
    name = re.escape(metric.name.lower())
    pattern = rf"logged/(?:{_VALIDATION}[_/.\- ]?{name}|{name}[_/.\- ]{_VALIDATION})(?:_epoch)?"
    return re.fullmatch(pattern, curve.lower()) is not None


def choose(progress: Progress, metric: Metric) -> str:
    """The curve that pruning goes by from now on: the metric's own where the module logs it; empty where there is none."""
    own = sorted(name for name, curve in progress.curves.items() if curve and is_of(name, metric))
    if own:
        return own[0]
    return LOSS_CURVE if progress.curves.get(LOSS_CURVE) else ""
