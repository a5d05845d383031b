"""The contract of a tracker: it mirrors runs somewhere else. Write-only; its failure never fails a run.

**One run of a step is one run there.** A step is what is trained, scored and judged as a whole, and what is compared with
its earlier attempts, which is what the run of every tracker is for: its scores are one row of a table of runs, its curves
lie over those of other attempts under their own names. One run for a whole project would need names such as
`Overfit/train/loss`, would mix the parameters of steps that train differently, and would never end, because most steps of
a project are recalled whenever it is run. So, too, the run of a project is no parent or group: what is trained today
belongs together with what was trained last week and is recalled today. What holds a project's runs together is the
tracker's own word for that: the project and group of W&B, the experiment of MLflow, a folder of TensorBoard.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias

from art_training.errors import UsageError
from art_training.records import StepState

Leaf: TypeAlias = str | int | float | bool | None
"""What a parameter and a cell of a table can be."""

KINDS = ("figure", "table", "text", "checkpoint", "other")


class TrackedPoint(NamedTuple):
    """One value of a curve, at an optimiser step of an epoch (from 0)."""

    name: str
    step: int
    epoch: int
    value: float


@dataclass(frozen=True)
class TrackedRun:
    """A run of a step, as it is made known to a tracker.

    Attributes:
        id: unique among all runs; letters, digits and `-`, 28 characters.
        project: the project's name.
        step: the step's name.
        kind: the step's class.
        tags: what tells it apart, by name, e.g. `art.seed`.
        again: whether it was judged anew, so that it may be there already.
    """

    id: str
    project: str
    step: str
    kind: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    again: bool = False


@dataclass(frozen=True)
class Table:
    """Verdicts, findings and the like.

    Attributes:
        name: `verdicts`, `findings`, `scores`, `candidates` or `files`.
        columns: their names.
        rows: a cell for each column; equal columns hold equal types or None.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Leaf, ...], ...]

    @property
    def records(self) -> list[dict[str, Leaf]]:
        """A mapping a row, as it is written into JSON."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Writer(ABC):
    """One run of a step, open for writing somewhere else.

    It is called by one thread, which is not the one that trains. What a method raises is a warning, and the others are
    called all the same. Everything that it is given is masked, plain and may have any name.

    Attributes:
        where: where a person finds what it wrote, e.g. a web address or a folder; empty where that is not known.
        caution: a sentence for whoever runs the project, told once, e.g. that it writes offline; or empty.
    """

    where: str = ""
    caution: str = ""

    @abstractmethod
    def parameters(self, values: Mapping[str, Leaf]) -> None:
        """Hyper-parameters, settings of the trainer, what else the step was made of. Called again with more of them."""

    @abstractmethod
    def metrics(self, values: Mapping[str, float]) -> None:
        """Scores and other numbers of the outcome by their addresses, e.g. `validation/accuracy`; NaN among them."""

    @abstractmethod
    def points(self, points: Sequence[TrackedPoint]) -> None:
        """Points of learning curves, while the step trains; of each curve in ascending order, NaN among them."""

    @abstractmethod
    def table(self, table: Table) -> None:
        """A table: verdicts and findings, and what they are about."""

    @abstractmethod
    def figure(self, name: str, path: Path, note: str) -> bool:
        """A picture; `path`, whose last part is `name`, can be read until this returns.

        Returns:
            Whether it is there now: there may be no room for such files.
        """

    @abstractmethod
    def file(self, name: str, path: Path, kind: str) -> bool:
        """Any other file of the outcome; `path` and what is returned as with `figure`."""

    @abstractmethod
    def tags(self, values: Mapping[str, str]) -> None:
        """What to find the run by; `art.state` is the summary of all verdicts. Later values replace earlier ones."""

    @abstractmethod
    def note(self, text: str) -> None:
        """What a person should read first, in Markdown."""

    @abstractmethod
    def end(self, state: StepState) -> None:
        """Finish writing; nothing is called afterwards."""


@dataclass(frozen=True)
class Tracker(ABC):
    """Opens a `Writer` for each run of a step; its fields are its configuration.

    Making one costs nothing: the library is imported by `start`, and none of this package imports one.

    Attributes:
        files: kinds of files that are sent; of the others, such as weights, only name, size and digest are. One or several
            of: figure, table, text, checkpoint, other.
        patience_seconds: how long the end of a run of the project may wait for the tracker, in all.

    Raises:
        UsageError: a kind of files is none, or the patience is no time.
    """

    files: Sequence[str] = field(default=("figure", "table", "text", "other"), kw_only=True)
    patience_seconds: float = field(default=30.0, kw_only=True)

    name: ClassVar[str]

    def __post_init__(self) -> None:
        unknown = [kind for kind in ([self.files] if isinstance(self.files, str) else self.files) if kind not in KINDS]
        if unknown or isinstance(self.files, str):
            raise UsageError(f"files={self.files!r} is no list of kinds of files; give some of: {', '.join(KINDS)}")
        if not 0 <= self.patience_seconds < float("inf"):
            raise UsageError(f"patience_seconds={self.patience_seconds!r} is no time; give seconds, e.g. 30.0")

    @abstractmethod
    def start(self, run: TrackedRun) -> Writer:
        """Open a run there; one with `again` goes on where it is there already.

        Raises:
            MissingExtra: the library is not installed.
        """


def slug(text: str, unwanted: str = r"[^\w.\-]", *, longest: int = 100) -> str:
    """`text` as a part of a path or an address, in so many characters: what matches `unwanted` becomes `_`."""
    return re.sub(unwanted, "_", text)[:longest].strip(". ") or "_"


def require(library: str, extra: str) -> Any:
    """A tracker's library, imported.

    Raises:
        MissingExtra: it is not installed; the message names the extra.
    """
    from importlib import import_module

    from art_training.errors import MissingExtra

    try:
        return import_module(library)
    except ImportError as error:
        raise MissingExtra(
            f"{library.partition('.')[0]} cannot be imported ({error}); `pip install 'art-training[{extra}]'`"
        ) from error
