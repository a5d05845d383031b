"""A job that trains nothing: a fresh model is laid open for experiments."""

from dataclasses import dataclass
from pathlib import Path

from art_training.setup.setup import Setup


@dataclass(frozen=True)
class ExperimentJob:
    """One specimen.

    Attributes:
        setup: resolved; nothing in it is mutated.
        seed: everything random follows from it.
        folder: where whatever the user's code writes goes; exists and is this job's own.
        batches: of the training split that are fetched, in the order of training.
        data_seed: as in `FitJob`.
    """

    setup: Setup
    seed: int
    folder: Path
    batches: int = 4
    data_seed: int | None = None
