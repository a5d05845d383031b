"""What a suite of an engine is run with."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, TypeAlias

from art_training.engines import Engine, EvaluateJob, FitJob, FitResult, Position
from art_training.records import Split
from art_training.setup.observation import BatchObservation
from art_training.setup.setup import Setup

Fault: TypeAlias = Literal["", "raise", "interrupt", "nan"]

SEED = 7


class EngineRuns(ABC):
    """What whoever writes an engine tells the suite, and how the suite measures with it."""

    @abstractmethod
    def engine(self, fault: Fault = "") -> Engine:
        """A fresh engine. An engine that fails on demand is told `fault`; others leave that to `setup_for`."""

    @abstractmethod
    def setup_for(self, *, epochs: int = 4, loaders: tuple[str | None, ...] = (None,), fault: Fault = "") -> Setup:
        """A setup that this engine trains within a second.

        Args:
            epochs: how many.
            loaders: names of the validation loaders; `(None,)` is a single one.
            fault: what happens in the second epoch: a RuntimeError, a KeyboardInterrupt, or a loss that is NaN and stays so.
        """

    def loss(self, seen: BatchObservation) -> float:
        """The loss of a batch."""
        found: Any = seen.returned["loss"] if isinstance(seen.returned, dict) else seen.returned
        return float(found if found is not None else seen.logged["loss"])

    def trained(self, setup: Setup, folder: Path, seed: int = SEED, **settings: Any) -> list[float]:
        """The losses of the training batches with the weights that a training ends with."""
        engine = self.engine()
        return self.losses(engine, setup, fit(engine, setup, folder, seed=seed, **settings).last)

    def losses(self, engine: Engine, setup: Setup, weights: Path | None, **settings: Any) -> list[float]:
        """The losses of the training batches."""
        losses: list[float] = []
        job = EvaluateJob(setup, SEED, (Split.TRAIN,), weights=weights, **settings)
        engine.evaluate(job, lambda seen: losses.append(self.loss(seen)), unwatched)
        return losses


def fit(
    engine: Engine, setup: Setup, folder: Path, *, seed: int = SEED, watch: Any = None, **settings: Any
) -> FitResult:
    """Train in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return engine.fit(FitJob(setup, seed, folder, **settings), watch or unwatched)


def unwatched(position: Position) -> str | None:
    """Nobody watches."""
