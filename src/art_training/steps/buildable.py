"""Whether a setup that a step is going to train can be, looked at before anything is trained."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from art_training.engines import EvaluateJob, EvaluateResult, Position
from art_training.errors import ARTError, Interrupted, Misfit, StoreError, UsageError, WrongModifier
from art_training.records import Split
from art_training.setup.modified import Modified
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench


@dataclass(frozen=True)
class Buildable:
    """What a step asks of setups that differ from its own, one batch of each split at most.

    Attributes:
        bench: of the step; its setup is what the others differ from.
    """

    bench: Bench

    def why_not(self, setup: Setup) -> str:
        """Why this setup alone cannot be trained, to go on with after `could not be trained`; empty where nothing is known against it.

        Raises:
            SetupError: it cannot be trained as declared, e.g. because a modifier returned nothing.
        """
        if why := self._unread(setup):
            return f"for want of data: {why}"
        try:
            self._require_built(setup)
        except Misfit as error:
            return f"from pretrained weights: {error}"
        if why := self._unpassed(setup):
            return f"on its data: {why}"
        return ""

    def _require_built(self, setup: Setup) -> None:
        """Build what the setup's code makes, so that a wrong one is told of before anything is trained."""
        try:
            self.bench.engine.validate(setup)
            self.bench.engine.parameters(setup)
        except UsageError:
            raise
        except Exception:  # noqa: BLE001  What its code raises is told when it is tried, as that training's own failure.
            return

    def _unread(self, setup: Setup) -> str:
        """Why modified data give no batch of the training and of the validation split; empty where they do, or are not modified.

        A modifier may return a datamodule that lacks a loader, or whose loaders need what its `setup` never made. One
        batch of each split is read as a training would read it.
        """
        if not isinstance(setup.data, Modified):
            return ""
        error = self._raised(self.bench.engine.read, setup)
        unset = "; a modifier's data are set up after it, by their own `setup`"
        return "" if error is None else _told(error) + (unset if isinstance(error, AttributeError) else "")

    def _unpassed(self, setup: Setup) -> str:
        """Why batches of modified data, which may have another width, do not pass through the model.

        A fresh model that takes no batch until its training has begun takes none of the step's own setup either; then
        nothing is known.
        """
        if not isinstance(setup.data, Modified):
            return ""
        error = self._raised(self.bench.engine.evaluate, setup)
        return "" if error is None or not self._own_passes else _told(error)

    @cached_property
    def _own_passes(self) -> bool:
        return self._raised(self.bench.engine.evaluate, self.bench.setup) is None

    def _raised(self, look: Callable[..., EvaluateResult], setup: Setup) -> Exception | None:
        """What looking at one batch of each split raises, if anything."""
        job = EvaluateJob(setup, self.bench.seed, (Split.TRAIN, Split.VALIDATION), limit=1)
        try:
            look(job, _overlook, _nobody_watches)
        except (Interrupted, StoreError, WrongModifier):
            raise
        except Exception as error:  # noqa: BLE001  A modifier's code is the user's; whatever it raises is its own result.
            return error
        return None


def _told(error: Exception) -> str:
    """An error in one line; one of ART's own is a sentence as it is."""
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, ARTError) else f"{type(error).__name__}: {first}".rstrip(": ")


def _overlook(*seen: object) -> None:
    """Nothing is asked of a batch."""


def _nobody_watches(position: Position) -> None:
    """Nothing is told of it."""
