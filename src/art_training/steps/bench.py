"""What a step works with: the runner lays it out, the step takes from it what it needs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from art_training.engines import FitResult
from art_training.records import Artifact, Finding, Outcome, Score, Split
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task


class Scored:
    """Scores of one evaluation and what was noticed on the way."""

    def __init__(self, scores: Mapping[str, Score], findings: Sequence[Finding], seconds: float) -> None:
        self.scores = scores
        self.findings = tuple(findings)
        self.seconds = seconds


class Bench(ABC):
    """What a step works with.

    Attributes:
        step: the step's name.
        setup: the resolved setup.
        task: what it is for.
        metrics: the project's metrics, without those that the step skips.
        seed: the step's own seed.
        folder: a scratch folder of this step's own; what shall stay is kept by `keep`.
        outcomes: outcomes of earlier steps by step name.
        splits: the splits that the data has.
    """

    step: str
    setup: Setup
    task: Task
    metrics: MetricCalculator
    seed: int
    folder: Path
    outcomes: Mapping[str, Outcome]
    splits: tuple[Split, ...]

    @abstractmethod
    def fit(
        self,
        setup: Setup | None = None,
        *,
        plain: bool = False,
        one_batch: int = 0,
        max_steps: int | None = None,
        stop_below: float | None = None,
        start: Path | None = None,
    ) -> FitResult:
        """Train `setup` (the step's by default); curves are kept while it runs, and a killed training is resumed.

        Raises:
            Interrupted: by Ctrl-C; what was measured until then is kept with the run.
            OutOfMemory: likewise.
        """

    @abstractmethod
    def evaluate(
        self,
        *splits: Split,
        setup: Setup | None = None,
        weights: Path | None = None,
        plain: bool = False,
        one_batch: bool = False,
        mode: Literal["evaluate", "train"] = "evaluate",
    ) -> Scored:
        """Score weights on whole splits with the project's metrics and the loss.

        Raises:
            SetupError: a split does not exist, or it is the test split and the step is not the final test.
        """

    @abstractmethod
    def observe(
        self,
        *splits: Split,
        see: Callable[[BatchObservation], None],
        setup: Setup | None = None,
        weights: Path | None = None,
        plain: bool = False,
        one_batch: bool = False,
        limit: int | None = None,
    ) -> None:
        """Pass splits through the model and show every batch to `see`."""

    @abstractmethod
    def read(self, *splits: Split, see: Callable[[Split, str | None, Any], None], plain: bool = True) -> None:
        """Show the batches of whole splits as they would enter the model. Needs no model; the test split is allowed."""

    @abstractmethod
    def keep(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        """Keep a file as an artifact of this run."""

    @abstractmethod
    def fetch(self, artifact: Artifact) -> Path:
        """A local, read-only file of an artifact of this or an earlier step; its bytes are verified.

        Raises:
            StoreError: it is not kept any more, or was changed.
        """

    @abstractmethod
    def say(self, phase: str, fraction: float | None = None) -> None:
        """Tell what is being done, for who is watching."""
