"""What a step works with: the runner lays it out, the step takes from it what it needs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Unpack

from art_training.engines import Averaging, Change, Engine, FitResult, Look, Parts, Position, Teaching
from art_training.records import Artifact, Finding, Outcome, Plain, Score, Split, Use
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task

if TYPE_CHECKING:
    from art_training.steps.step import Step

See: TypeAlias = Callable[[Split, str | None, Any], None]
"""Called with the split, its loader and each batch."""


@dataclass(frozen=True)
class Scored:
    """Scores of one evaluation and what was noticed on the way.

    Attributes:
        scores: by address, e.g. `validation/accuracy`.
        findings: what was found wrong.
        seconds: how long it took.
        passes: what the scores of each split were computed on, for comparisons and for looks at single examples.
    """

    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    passes: Mapping[Split, Examples] = field(default_factory=dict[Split, Examples])


@dataclass(frozen=True)
class Earlier:
    """A step before another one that has an outcome.

    Attributes:
        name: of the step.
        kind: its class.
        outcome: what came of it.
        chose: whether it handed on another setup than it was given.
        configured: the setup of one of its candidates, by the candidate's name; see `Step.configured`.
        step: as it is declared, for what it can do again.
        works_on: the setup that it works on.
    """

    name: str
    kind: str
    outcome: Outcome
    chose: bool = False
    configured: Callable[[str], Setup] | None = field(default=None, compare=False, repr=False)
    step: "Step | None" = field(default=None, compare=False, repr=False)
    works_on: Callable[[], Setup] | None = field(default=None, compare=False, repr=False)


class Shaping(TypedDict, total=False):
    """What a step may ask of a training besides; see `FitJob` for each."""

    deadline: float | None
    change: Change | None
    looks: tuple[Look, ...]
    rate: Callable[[int], float] | None
    parts: Parts | None
    averaging: Averaging | None
    teaching: Teaching | None
    within_settings: bool


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
        earlier: the steps before this one that have an outcome, in the project's order.
    """

    step: str
    setup: Setup
    task: Task
    metrics: MetricCalculator
    seed: int
    folder: Path
    outcomes: Mapping[str, Outcome]
    splits: tuple[Split, ...]
    earlier: tuple[Earlier, ...] = ()

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
        label: str = "",
        seed: int | None = None,
        stop: Callable[[Position], str | None] | None = None,
        **shaping: Unpack[Shaping],
    ) -> FitResult:
        """Train `setup` (the step's by default); curves are kept while it runs, and a killed training is resumed.

        Args:
            setup: what is trained.
            plain: without augmentation, where the data offers that form.
            one_batch: as in `FitJob`.
            max_steps: as in `FitJob`.
            stop_below: as in `FitJob`.
            start: weights to start from.
            label: names this training among several of one step, uniquely: its curves are `<label>/train/loss`, ...; a
                killed step finds what it has finished by it.
            seed: of this training; None: the step's own.
            stop: asked at every sign of progress; a sentence in answer ends the training at the next batch.
            shaping: what else the job shall have.

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
        seed: int | None = None,
        change: Change | None = None,
        keep: bool = True,
    ) -> Scored:
        """Score weights on whole splits with the project's metrics and the loss.

        Args:
            splits: which.
            setup: of the model; None: the step's.
            weights: a file of the engine; None: as freshly made from the seed.
            plain: without augmentation.
            one_batch: only the batch that `fit(one_batch=...)` trains on.
            mode: as in `EvaluateJob`.
            seed: that the model is made from where there are no weights; None: the step's own.
            change: what each batch becomes before it enters the model.
            keep: whether the scores are the step's own, which a step that is broken off leaves behind.

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
        seed: int | None = None,
        change: Change | None = None,
    ) -> None:
        """Pass splits through the model and show every batch to `see`."""

    @abstractmethod
    def read(self, *splits: Split, see: See, plain: bool = True, setup: Setup | None = None) -> None:
        """Show the batches of whole splits as they would enter the model. Needs no model; the test split is allowed.

        Args:
            splits: which.
            see: called with the split, its loader and each batch.
            plain: without augmentation.
            setup: whose data are read; None: the step's.
        """

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
    def discard(self, label: str) -> None:
        """Delete the files that the training called `label` left, its weights among them."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine, for what a file of it holds and what parameters a model has; training goes through `fit`."""

    @abstractmethod
    def remember(self, key: str, value: Plain) -> None:
        """Remember a small value of this step with this fingerprint, durably, for whoever goes on after a kill.

        Of a step that has `amounts`, whoever asks for more of the same work finds it too.
        """

    @abstractmethod
    def recall(self, key: str) -> Plain:
        """What was remembered under `key` by a run that was broken off; None where there is nothing."""

    @abstractmethod
    def tested(self) -> Sequence[Use]:
        """The earlier uses of the project's test split, oldest first, those of removed runs among them."""

    @abstractmethod
    def say(self, phase: str, fraction: float | None = None) -> None:
        """Tell what is being done, for who is watching."""
