"""Passes over whole splits, with a model or without one."""

import operator
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from art_training.engines.engine import EvaluateJob, EvaluateResult, Watch
from art_training.engines.lightning.checkpoint import load_weights
from art_training.engines.lightning.data import data_seed, open_data, require_split
from art_training.engines.lightning.hierarchy import Hierarchy, hierarchy_of
from art_training.engines.lightning.lazy import open_model
from art_training.engines.lightning.passing import MakeStep, Passing, Step, pass_once, require_step, showing_to
from art_training.engines.lightning.random_states import set_seed
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.views import Pass, Passes
from art_training.records import Split
from art_training.setup.observation import See


def evaluate(job: EvaluateJob, see: See, watch: Watch) -> EvaluateResult:
    """Pass splits through the model; the caller restores what surrounds it.

    Raises:
        SetupError: a split does not exist, or the module has no step that can be evaluated.
        OutOfMemory: the device or the machine had no memory left.
        Exception: whatever the user's code raises.
    """
    module, hierarchy = open_model(job.setup, seed=job.seed, data_seed=data_seed(job))
    datamodule = open_data(job.setup, seed=data_seed(job), plain=job.plain)
    loaded: list[Any] = []

    def ready(model: Any) -> None:
        """Load the weights once the model stands: some make their layers as late as `setup`, and anew for each pass."""
        held = [*model.parameters(), *model.buffers()]
        if job.weights is not None and not (len(held) == len(loaded) and all(map(operator.is_, held, loaded))):
            load_weights(model, job.weights)
            loaded[:] = held

    for split in job.splits:
        require_step(module, split, as_training=job.as_training)
    return _pass_all(Passing(job, hierarchy, module, ready), datamodule, showing_to(see), watch)


def read(job: EvaluateJob, see: Callable[[Split, str | None, Any], None], watch: Watch) -> EvaluateResult:
    """Show the batches of splits as they would enter a model, on the CPU; the caller restores what surrounds it.

    The datamodule's hooks run. Hooks that a model defines on itself do not, because there is no model.

    Raises:
        SetupError: a split does not exist.
    """
    set_seed(job.seed)
    datamodule = open_data(job.setup, seed=data_seed(job), plain=job.plain)
    hierarchy = cast("Hierarchy", hierarchy_of(datamodule, "LightningDataModule"))
    reader = hierarchy.derive(_Reader, "LightningModule")()

    def showing(wanted: Pass, module: Any, method: str) -> Step:  # noqa: ARG001
        def step(batch: Any, batch_idx: int, dataloader_idx: int) -> None:  # noqa: ARG001
            see(wanted.split, wanted.names[dataloader_idx], batch)

        return step

    passing = Passing(job, hierarchy, reader, lambda module: None, on_cpu=True)  # noqa: ARG005
    return _pass_all(passing, datamodule, showing, watch)


def _pass_all(passing: Passing, datamodule: Any, make_step: MakeStep, watch: Watch) -> EvaluateResult:
    job = passing.job
    for split in job.splits:
        require_split(datamodule, split)
    # Said once, by the training; and here the loaders of any split have the name of the validation loader.
    ignore_warnings(".*does not have many workers", ".*sampler has shuffling enabled")
    passes = Passes(datamodule, passing.hierarchy, seed=job.seed)
    rows: dict[str, int | None] = {}
    logged: dict[str, Mapping[str, float]] = {}
    seconds: dict[str, float] = {}
    for split in job.splits:
        wanted = Pass(split, one_batch=job.one_batch, whole=job.mode == "evaluate")
        began = time.monotonic()
        logged |= pass_once(passing, passes, wanted, make_step, watch)
        seconds[split.value] = time.monotonic() - began
        rows |= wanted.rows()
    passes.close()
    return EvaluateResult(rows=rows, logged=logged, seconds=seconds)


class _Reader:
    """A module without a model: its step is replaced by one that shows the batch."""

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Replaced for each pass."""
