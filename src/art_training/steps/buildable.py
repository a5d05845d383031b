"""Whether a setup that a step is going to train can be built, looked at before anything is trained."""

from typing import Any

from art_training.engines import EvaluateJob, Position
from art_training.errors import ARTError, Interrupted, StoreError, UsageError
from art_training.records import Split
from art_training.setup.modified import Modified
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench


def require_buildable(bench: Bench, setup: Setup) -> None:
    """Build what a setup's code makes, so that a wrong one is told of before anything is trained.

    Raises:
        SetupError: it cannot be trained as declared, e.g. because a modifier returned nothing.
    """
    try:
        bench.engine.validate(setup)
        bench.engine.parameters(setup)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001  What its code raises is told when it is tried, as that training's own failure.
        return


def unreadable(bench: Bench, setup: Setup) -> str:
    """Why modified data give no batch of the training and of the validation split; empty where they do, or are not modified.

    A modifier may return a datamodule that lacks a loader, or whose loaders need what its `setup` never made. One batch of
    each split is read as a training would read it.
    """
    if not isinstance(setup.data, Modified):
        return ""
    job = EvaluateJob(setup, bench.seed, (Split.TRAIN, Split.VALIDATION), limit=1)
    try:
        bench.engine.read(job, _overlook, _nobody_watches)
    except (Interrupted, StoreError):
        raise
    except Exception as error:  # noqa: BLE001  A modifier's code is the user's; whatever it raises is its own result.
        first = str(error).strip().partition("\n")[0]
        if isinstance(error, ARTError):
            return first
        told = f"{type(error).__name__}: {first}".rstrip(": ")
        unset = "; a modifier's data are set up after it, by their own `setup`"
        return told + (unset if isinstance(error, AttributeError) else "")
    return ""


def _overlook(split: Split, loader: str | None, batch: Any) -> None:
    """Nothing is asked of the batch."""


def _nobody_watches(position: Position) -> None:
    """Nothing is told of it."""
