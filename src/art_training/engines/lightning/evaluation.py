"""Passes over whole splits, with a model or without one."""

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, no_grad

from art_training.engines.engine import EvaluateJob, EvaluateResult, Position, Watch
from art_training.engines.lightning.build import build_model
from art_training.engines.lightning.change import changed, replaced
from art_training.engines.lightning.checkpoint import load_weights
from art_training.engines.lightning.data import data_seed, open_data, require_split
from art_training.engines.lightning.failures import as_setup_error, is_out_of_memory, line_of, name_of
from art_training.engines.lightning.hierarchy import Hierarchy, hierarchy_of, is_overridden
from art_training.engines.lightning.loaders import batches
from art_training.engines.lightning.random_states import set_seed
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.trainers import pass_trainer
from art_training.engines.lightning.values import numbers
from art_training.engines.lightning.views import Pass, Passes, address
from art_training.errors import OutOfMemory, SetupError
from art_training.records import Split
from art_training.setup.data.batch import size
from art_training.setup.observation import BatchObservation, See
from art_training.setup.observer import observe_calls

_PROGRESS_SECONDS = 0.2

Step = Callable[[Any, int, int], Any]
MakeStep = Callable[[Pass, Any, str], Step]


def evaluate(job: EvaluateJob, see: See, watch: Watch) -> EvaluateResult:
    """Pass splits through the model; the caller restores what surrounds it.

    Raises:
        SetupError: a split does not exist, or the module has no step that can be evaluated.
        OutOfMemory: the device or the machine had no memory left.
        Exception: whatever the user's code raises.
    """
    set_seed(job.seed)
    module, hierarchy = build_model(job.setup)
    datamodule = open_data(job.setup, seed=data_seed(job), plain=job.plain)
    loaded: list[bool] = []

    def ready(model: Any) -> None:
        """Load the weights once the model stands: some make their layers as late as `setup`."""
        if job.weights is not None and not loaded:
            load_weights(model, job.weights)
            loaded.append(True)

    for split in job.splits:
        require_step(module, split)
    return _pass_all(Passing(job, hierarchy, module, ready), datamodule, showing_to(see), watch)


def showing_to(see: See) -> MakeStep:
    """Let the user's step of a split run as it is, and show each batch on its way through it."""

    def observing(wanted: Pass, module: Any, method: str) -> Step:
        return _observing(module, getattr(module, method), wanted, see)

    return observing


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


@dataclass(frozen=True)
class Passing:
    """What passes through which model.

    Attributes:
        job: what is wanted.
        hierarchy: of the module.
        module: the model.
        ready: told when the model stands and a pass begins; loads its weights.
        on_cpu: whatever the trainer's settings say.
        epoch: what the model takes for the current one.
        restores: whether buffers are afterwards as they were before.
    """

    job: EvaluateJob
    hierarchy: Hierarchy
    module: Any
    ready: Callable[[Any], None]
    on_cpu: bool = False
    epoch: int = 0
    restores: bool = True


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


def pass_once(
    passing: Passing, passes: Passes, wanted: Pass, make_step: MakeStep, watch: Watch
) -> dict[str, Mapping[str, float]]:
    """Pass one split through the model; returns what it logged, by `split` or `split:loader`.

    Raises:
        OutOfMemory: the device or the machine had no memory left.
        SetupError: a fault of the setup that Lightning told in its own terms.
        Exception: whatever the user's code raises.
    """
    job, module = passing.job, passing.module
    trainer = pass_trainer(job.setup, passing.hierarchy, limit=job.limit, on_cpu=passing.on_cpu)
    trainer.fit_loop.epoch_progress.current.completed = passing.epoch
    testing = wanted.split is Split.TEST and is_overridden("test_step", module, "LightningModule")
    hook = "test_step" if testing else "validation_step"
    step = make_step(wanted, module, _step_name(module, wanted.split))
    progress = _Progress(wanted, watch)
    ready = passing.hierarchy.derive(_Ready, "Callback")(passing.ready)
    trainer.callbacks.append(ready)

    def run_step(batch: Any, batch_idx: int = 0, dataloader_idx: int = 0) -> Any:
        returned = step(batch, batch_idx, dataloader_idx)
        progress.tell()
        return returned

    members: dict[str, Any] = {hook: run_step}
    if job.mode == "train":
        members |= {name: lambda: None for name in ("on_validation_model_eval", "on_test_model_eval")}
    view = passes.view(wanted, testing=testing)
    with replaced(module, members), changed(module, view, job.change):
        try:
            (trainer.test if testing else trainer.validate)(module, datamodule=view, verbose=False)
        except SystemExit as error:  # Lightning's way out after Ctrl-C
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise
        except Exception as error:
            if is_out_of_memory(error):
                message = f"out of memory while {wanted.split.value} was evaluated: {line_of(error)}"
                raise OutOfMemory(f"{message}; give a smaller batch_size, or a device with more memory") from error
            translated = as_setup_error(error, module)
            if translated is None:
                raise
            raise translated from error
        finally:
            if passing.restores:
                ready.restore_buffers(module)
    return _logged(trainer, wanted)


def require_step(module: Any, split: Split) -> None:
    """Raise where a module has no step that a split can be passed through.

    Raises:
        SetupError: it trains by itself in its training step, or takes the loader's iterator.
    """
    name = _step_name(module, split)
    kind = name_of(type(module))
    if name == "training_step" and not module.automatic_optimization:
        raise SetupError(
            f"{kind} has no validation_step, and its training_step optimises by itself, so that it cannot be evaluated; "
            "define validation_step(batch, batch_idx), and return predictions and targets from it or give outputs="
        )
    if "dataloader_iter" in inspect.signature(getattr(module, name)).parameters:
        raise SetupError(
            f"{kind}.{name} takes the loader's iterator, so that ART cannot see its batches; "
            f"write {name}(self, batch, batch_idx)"
        )


def _step_name(module: Any, split: Split) -> str:
    """The user's step that a split is passed through."""
    names = ("test_step", "validation_step") if split is Split.TEST else ("validation_step",)
    for name in names:
        if is_overridden(name, module, "LightningModule"):
            return name
    return "training_step"


def _observing(module: Any, original: Callable[..., Any], wanted: Pass, see: See) -> Step:
    takes = _positions(original)

    def step(batch: Any, batch_idx: int, dataloader_idx: int) -> Any:
        # A step may take entries out of a dictionary; who observes is shown the batch as it came.
        received = batch.copy() if type(batch) in {dict, list} else batch
        with observe_calls(module) as calls:
            returned = original(*(batch, batch_idx, dataloader_idx)[:takes])
        see(
            BatchObservation(
                split=wanted.split,
                loader=wanted.names[dataloader_idx],
                index=batch_idx,
                batch=received,
                returned=returned,
                losses=calls.losses,
                metric_inputs=calls.metric_inputs,
                logged=calls.logged,
                weight=size(received),
            )
        )
        return returned

    return step


def _positions(step: Callable[..., Any]) -> int:
    """How many of batch, batch index and loader index a step takes; Lightning passes them by position, too."""
    parameters = list(inspect.signature(step).parameters.values())
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return 3
    return sum(1 for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD})


def _logged(trainer: Any, wanted: Pass) -> dict[str, Mapping[str, float]]:
    """What was logged, by `split` or `split:loader`. Lightning adds the loader's index to names where it has several."""
    found: dict[str, dict[str, float]] = {address(wanted.split, name): {} for name in wanted.names}
    for full, value in numbers(trainer.callback_metrics).items():
        name, _, index = full.partition("/dataloader_idx_")
        places = [address(wanted.split, wanted.names[int(index)])] if index.isdigit() else list(found)
        for place in places:
            found[place][name] = value
    return dict(found)


class _Progress:
    """Tells how far a pass is, a few times a second."""

    def __init__(self, wanted: Pass, watch: Watch) -> None:
        self._wanted = wanted
        self._watch = watch
        self._done = 0
        self._told = time.monotonic()

    def tell(self) -> None:
        """One more batch is done."""
        self._done += 1
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            counts = [batches(loader) for loader in self._wanted.loaders.values()]
            total = None if None in counts else sum(count or 0 for count in counts)
            self._watch(Position(f"evaluate {self._wanted.split.value}", batch=self._done, batches=total))


class _Ready:
    """Tells when the model stands and the pass begins, and keeps its buffers as they are then."""

    def __init__(self, ready: Callable[[Any], None]) -> None:
        super().__init__()
        self._ready = ready
        self._buffers: dict[str, Tensor] = {}

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """A validation begins."""
        self._ready(module)
        self._buffers = {name: buffer.detach().clone() for name, buffer in module.named_buffers()}

    def on_test_start(self, trainer: Any, module: Any) -> None:
        """A test begins."""
        self.on_validation_start(trainer, module)

    def restore_buffers(self, module: Any) -> None:
        """Running statistics are as before, though a pass in training mode has moved them."""
        with no_grad():
            for name, buffer in module.named_buffers():
                if name in self._buffers and buffer.shape == self._buffers[name].shape:
                    buffer.copy_(self._buffers[name])


class _Reader:
    """A module without a model: its step is replaced by one that shows the batch."""

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Replaced for each pass."""
