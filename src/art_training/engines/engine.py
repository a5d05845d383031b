"""The contract of an engine: it trains and evaluates a setup, and says what it saw."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from art_training.engines.experiment import ExperimentJob
from art_training.engines.shaping import Averaging, Change, Look, Parameter, Parts, Teaching
from art_training.errors import SetupError
from art_training.records import Finding, Split
from art_training.setup.observation import BatchObservation, See
from art_training.setup.setup import Setup

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.probes import Monitor, Specimen


@dataclass(frozen=True)
class Position:
    """How far an engine is, with the newest numbers. `points` are new values of curves: (name, value).

    Attributes:
        phase: `fit` or `evaluate <split>`.
        step: optimiser steps so far.
        epoch: from 0.
        epochs: how many there will be, if known.
        batch: batches done in this epoch or pass.
        batches: batches in this epoch or pass, if known.
        points: new points of curves, `(name, step, epoch, value)`; the engine hands each over once.
        checkpoint: an epoch checkpoint that has just been completed, from which training can go on; handed over once.
    """

    phase: str
    step: int = 0
    epoch: int | None = None
    epochs: int | None = None
    batch: int | None = None
    batches: int | None = None
    points: tuple[tuple[str, int, int, float], ...] = ()
    checkpoint: Path | None = None


Watch: TypeAlias = Callable[[Position], str | None]
"""Told how far an engine is. A sentence in answer ends a training at the next batch, and is its result's message."""


@dataclass(frozen=True)
class FitJob:
    """One training.

    Attributes:
        setup: resolved; nothing in it is mutated.
        seed: everything random follows from it.
        folder: where checkpoints and whatever the user's callbacks write go; exists and is this job's own.
        plain: ask the data for its form without augmentation (`datamodule.plain()`), where it offers one.
        one_batch: train on one fixed batch of the training split (the first, in evaluation form), repeated so many times
            an epoch; the validation loader is the same batch; callbacks that stop or choose are left out. 0: the real data.
        max_steps: stop after so many optimiser steps, whatever the trainer's settings say; None: the trainer's settings.
        within_settings: `max_steps` only shortens: the trainer's settings hold too, whichever ends the training first.
        stop_below: stop as soon as the training loss of an epoch is below this.
        start: weights to start from (a file of this engine); None: freshly made.
        resume: checkpoint of this engine to go on from, with all random states.
        deadline: seconds after which training ends at the next batch; None: no limit.
        change: what each batch of training, of its validations and of looks becomes before it enters the model.
        looks: batches that are looked at while training goes on.
        rate: the learning rate at each optimiser step (from 0; each optimiser counts its own), in place of the module's
            schedulers; a group whose rate is another at the beginning keeps its proportion.
        parts: which parameters train, and how fast.
        averaging: the average of weights that training ends with; None: the weights of its last step.
        teaching: a model that teaches this one.
        monitors: what watches; told of its moments in order.
        data_seed: what the data draws while it prepares, such as a random split, follows from it; None: from `seed`.
            Jobs that shall see the same rows in the same splits have it in common.
        silent: nothing is written but into the folder: the user's loggers are replaced by one that takes everything and
            keeps nothing.
    """

    setup: Setup
    seed: int
    folder: Path
    plain: bool = False
    one_batch: int = 0
    max_steps: int | None = None
    stop_below: float | None = None
    start: Path | None = None
    resume: Path | None = None
    deadline: float | None = None
    change: Change | None = None
    looks: tuple[Look, ...] = ()
    rate: Callable[[int], float] | None = None
    parts: Parts | None = None
    averaging: Averaging | None = None
    teaching: Teaching | None = None
    monitors: "tuple[Monitor, ...]" = ()
    data_seed: int | None = None
    silent: bool = False
    within_settings: bool = False


Stopped = Literal["", "interrupted", "loss is not finite", "out of memory"]


@dataclass(frozen=True)
class FitResult:
    """What a training gave.

    Attributes:
        stopped: why it ended before its time; empty where it did not. A user's EarlyStopping is not a reason.
        message: one sentence about `stopped`, with epoch and batch.
        epochs: epochs completed.
        steps: optimiser steps done.
        seconds: time in training and its validations, without building model and data.
        last: checkpoint with the weights at the end; None where there is none.
        best: checkpoint that the user's ModelCheckpoint calls best; None where there is none.
        logged: last values that the module and its callbacks logged, by name.
        callbacks: final state of the user's callbacks by class name (plain data).
        parameters: what was really used: trainer settings, optimisers, schedulers, loaders (plain data).
        findings: what was seen to be wrong.
        began: where the job named weights to start from, the digest (`engines.weights.digest_of`) of those that the first
            step was taken from; else empty.
    """

    stopped: Stopped = ""
    message: str = ""
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    last: Path | None = None
    best: Path | None = None
    logged: Mapping[str, float] = field(default_factory=dict[str, float])
    callbacks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    findings: tuple[Finding, ...] = ()
    began: str = ""


@dataclass(frozen=True)
class EvaluateJob:
    """One evaluation-mode pass over whole splits. Order, shuffling and `drop_last` of training loaders do not apply.

    Attributes:
        setup: resolved; nothing in it is mutated.
        seed: everything random follows from it.
        splits: which; a split that the data does not have is a SetupError.
        weights: a checkpoint of this engine; None: as freshly made from the seed.
        plain: ask the data for its form without augmentation.
        one_batch: only the one fixed batch that `FitJob.one_batch` trains on, as the training split.
        limit: at most so many batches of each loader; None: all. Scores need all.
        mode: `train` leaves dropout on and batch norm on batch statistics; buffers are restored afterwards. Rows are
            shuffled by the seed, because those of a sorted file make batches that training never sees. A loader's
            `drop_last` applies, because a last batch of one row has no statistics of its own.
        change: what each batch becomes before it enters the model; what is observed is what enters.
        data_seed: as in `FitJob`.
        as_training: pass batches through the training step, in place of the step of their split; nothing is learned.
    """

    setup: Setup
    seed: int
    splits: tuple[Split, ...]
    weights: Path | None = None
    plain: bool = False
    one_batch: bool = False
    limit: int | None = None
    mode: Literal["evaluate", "train"] = "evaluate"
    change: Change | None = None
    data_seed: int | None = None
    as_training: bool = False


@dataclass(frozen=True)
class EvaluateResult:
    """What an evaluation gave besides the batches that `see` was shown.

    Attributes:
        rows: examples of each loader by `split` or `split:loader`, as its dataset counts them; None where it cannot.
        logged: what the module logged over the pass, as the engine reduced it: `split` or `split:loader` to name to
            value.
        seconds: time by split.
    """

    rows: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    logged: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])


class Engine(ABC):
    """Trains and evaluates. Everything given to it stays as it was; global random states are restored afterwards."""

    name: ClassVar[str]

    @abstractmethod
    def validate(self, setup: Setup) -> None:
        """Raise what can be told about a setup without training.

        Raises:
            SetupError: the model is none that this engine trains, the data has no training loader, and the like.
        """

    def validate_declaration(self, setup: Setup) -> None:
        """Raise what a declaration alone tells of hyper-parameters and of the Trainer's settings: no model and no data are made.

        For setups that are made of one that `validate` has seen, by the dozen.

        Raises:
            SetupError: the model does not take a hyper-parameter, or there is no such setting.
        """
        del setup

    def declared_splits(self, setup: Setup) -> tuple[Split, ...] | None:
        """The splits that the data has, as far as its declaration tells without preparing it; None where it does not."""
        del setup
        return None

    @abstractmethod
    def splits(self, setup: Setup, *, seed: int) -> Mapping[Split, tuple[str | None, ...]]:
        """The splits that the data has, each with the names of its loaders (`(None,)` where there is one)."""

    @abstractmethod
    def fit(self, job: FitJob, watch: Watch) -> FitResult:
        """Train. Ctrl-C, lack of memory and a loss that is not finite end it cleanly and are told in the result.

        Raises:
            SetupError: the setup cannot be trained as declared, or the model raises where it makes its optimiser or on its
                first batch; one sentence with the remedy.
            Exception: whatever the user's code raises later.
        """

    @abstractmethod
    def evaluate(self, job: EvaluateJob, see: See, watch: Watch) -> EvaluateResult:
        """Pass whole splits through the model and show each batch to `see`.

        Raises:
            SetupError: a split does not exist, the model cannot be evaluated, or it raises on its first batch.
            OutOfMemory: the device or the machine had no memory left.
            Exception: whatever the user's code raises later.
        """

    @abstractmethod
    def read(self, job: EvaluateJob, see: Callable[[Split, str | None, Any], None], watch: Watch) -> EvaluateResult:
        """Show the batches of whole splits as they would enter the model (all data hooks run), without any model."""

    def experiment(self, job: ExperimentJob, run: "Callable[[Specimen], None]") -> None:
        """Lay a fresh model open, with its first batches of training, and let `run` experiment on it.

        Raises:
            SetupError: this engine cannot, or the setup cannot be trained as declared.
            Exception: whatever the user's code raises.
        """
        del job, run
        raise SetupError(f"the engine {self.name!r} cannot lay a model open for experiments; diagnose with another")

    @abstractmethod
    def parameters(self, setup: Setup) -> tuple[Parameter, ...]:
        """The parameters of a fresh model, in the order of the model.

        Raises:
            SetupError: the model cannot be made.
        """

    @abstractmethod
    def fresh_weights(self, setup: Setup, *, seed: int) -> "Mapping[str, Tensor]":
        """Parameters and buffers, by name and on the CPU, that a job with this seed begins with where it names no others.

        Raises:
            SetupError: the model cannot be made.
        """

    @abstractmethod
    def weights(self, path: Path) -> "Mapping[str, Tensor]":
        """What a file of this engine holds: parameters and buffers by name, on the CPU."""

    @abstractmethod
    def write_weights(self, weights: "Mapping[str, Tensor]", path: Path) -> Path:
        """Write parameters and buffers as a file that `FitJob.start` and `EvaluateJob.weights` take."""

    def observe(self, setup: Setup, *, seed: int, split: Split, limit: int) -> list[BatchObservation]:
        """The first `limit` batches of each loader of a split on their way through fresh weights, in evaluation mode."""
        seen: list[BatchObservation] = []
        self.evaluate(EvaluateJob(setup, seed, (split,), limit=limit), seen.append, lambda _: None)
        return seen
