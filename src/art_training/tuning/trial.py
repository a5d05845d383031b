"""One trial of a search, as it is remembered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from art_training.records import Interval, Plain, Score, plain
from art_training.tuning.space import Point

TrialState = Literal["finished", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One trial that came to an end.

    Attributes:
        number: from 0, in the order in which trials were proposed.
        state: `finished` with a value; `pruned`, ended early because others had done better by then; `failed`.
        point: of the space.
        value: what the search goes by; None where the trial did not come so far.
        watched: the name of the curve that pruning goes by; empty where there was none.
        curve: its values by epoch (from 0).
        epochs: that it trained.
        planned: epochs that it would have trained, where that is known.
        seconds: that it took.
        note: why it was pruned or failed, in words.
        scores: of the validation split, by address.
        weights: the file that the training ended with, as seen from the folder that its step's executions write in; it may be gone.
        attributes: what the pruner noted about it (plain data).
    """

    number: int
    state: TrialState
    point: Point
    value: float | None = None
    watched: str = ""
    curve: Mapping[int, float] = field(default_factory=dict[int, float])
    epochs: int = 0
    planned: int | None = None
    seconds: float = 0.0
    note: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    weights: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def label(self) -> str:
        """What it is called."""
        return f"trial {self.number}"

    def stored(self) -> Plain:
        """As plain data; `parse` reads it."""
        return plain(self)

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `stored` made."""
        values = dict(stored)
        values["curve"] = {int(epoch): float(value) for epoch, value in values["curve"].items()}
        values["scores"] = {name: parse_score(score) for name, score in values["scores"].items()}
        return cls(**values)


def parse_score(stored: Mapping[str, Any]) -> Score:
    """Read a score that was stored as plain data."""
    interval = stored["interval"]
    values: dict[str, Any] = {**stored, "interval": None if interval is None else Interval(**interval)}
    return Score.restored(**values)
