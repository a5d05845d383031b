"""One pass of a split through a model, through Lightning's own loop, with all hooks; once, or again and again."""

import inspect
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, no_grad
from torch.nn.parameter import is_lazy

from art_training.engines.engine import EvaluateJob, Position, Watch
from art_training.engines.lightning.change import changed, replaced
from art_training.engines.lightning.failures import as_setup_error, is_out_of_memory, line_of, name_of
from art_training.engines.lightning.hierarchy import Hierarchy, is_overridden
from art_training.engines.lightning.loaders import batches
from art_training.engines.lightning.stopping import stopped_by
from art_training.engines.lightning.trainers import pass_trainer
from art_training.engines.lightning.values import numbers
from art_training.engines.lightning.views import Pass, Passes, address
from art_training.errors import OutOfMemory, SetupError
from art_training.records import Split
from art_training.setup.all_pairs import allowing_tables, refusing_tables
from art_training.setup.data.batch import size
from art_training.setup.entering import following
from art_training.setup.observation import BatchObservation, See
from art_training.setup.observer import observe_calls

_PROGRESS_SECONDS = 0.2

Step = Callable[[Any, int, int], Any]
MakeStep = Callable[[Pass, Any, str], Step]


@dataclass(frozen=True)
class Passing:
    """What passes through which model.

    Attributes:
        job: what is wanted.
        hierarchy: of the module.
        module: the model.
        ready: told when the model stands and a pass begins; loads its weights.
        on_cpu: whatever the trainer's settings say.
        restores: whether buffers are afterwards as they were before.
    """

    job: EvaluateJob
    hierarchy: Hierarchy
    module: Any
    ready: Callable[[Any], None]
    on_cpu: bool = False
    restores: bool = True


def _stay(stage: str) -> None:
    """In place of the model's `teardown`: what it has set up is still needed."""


def pass_once(
    passing: Passing, passes: Passes, wanted: Pass, make_step: MakeStep, watch: Watch
) -> dict[str, Mapping[str, float]]:
    """Pass one split through the model; returns what it logged, by `split` or `split:loader`.

    Raises:
        OutOfMemory: the device or the machine had no memory left.
        SetupError: a fault of the setup that Lightning told in its own terms.
        Exception: whatever the user's code raises.
    """
    return StandingPass(passing, passes, wanted, make_step, watch, stands=False).run()


class StandingPass:
    """A pass that can be run again and again.

    Lightning makes a Trainer, moves the model, and sets up model and data for every call. What stands does that once;
    then a pass is its evaluation loop alone, with all hooks of one.
    """

    def __init__(
        self,
        passing: Passing,
        passes: Passes,
        wanted: Pass,
        make_step: MakeStep,
        watch: Watch,
        *,
        stands: bool = True,
    ) -> None:
        job, module = passing.job, passing.module
        self._trainer = pass_trainer(job.setup, passing.hierarchy, limit=job.limit, on_cpu=passing.on_cpu)
        self._passing = passing
        self._wanted = wanted
        self._testing = wanted.split is Split.TEST and is_overridden("test_step", module, "LightningModule")
        self._view = passes.view(wanted, testing=self._testing)
        self._ready = passing.hierarchy.derive(_Ready, "Callback")(passing.ready, keeps=passing.restores)
        self._trainer.callbacks.append(self._ready)
        step = make_step(wanted, module, step_name(module, wanted.split, as_training=job.as_training))
        self._members = self._replaced(step, watch, stands=stands)
        self._ran = False

    def run(self, *, epoch: int = 0) -> dict[str, Mapping[str, float]]:
        """Pass the split through the model; returns what it logged.

        Args:
            epoch: what the model takes for the current one.

        Raises:
            OutOfMemory: the device or the machine had no memory left.
            SetupError: a fault of the setup that Lightning told in its own terms.
            Exception: whatever the user's code raises.
        """
        module, wanted = self._passing.module, self._wanted
        self._trainer.fit_loop.epoch_progress.current.completed = epoch
        meant = self._passing.job.setup.declarations.get("couples_examples")
        allowed = allowing_tables() if meant else nullcontext()
        with replaced(module, self._members), changed(module, self._view, self._passing.job.change), allowed:
            try:
                self._run()
            except BaseException as error:
                if stopped_by(self._trainer, error):
                    raise KeyboardInterrupt from error
                if not isinstance(error, Exception):
                    raise
                if is_out_of_memory(error):
                    message = f"out of memory while {wanted.split.value} was evaluated: {line_of(error)}"
                    raise OutOfMemory(f"{message}; give a smaller batch_size, or a device with more memory") from error
                translated = as_setup_error(error, module)
                if translated is None:
                    raise
                raise translated from error
            finally:
                self._ready.restore_buffers(module)
        return _logged(self._trainer, wanted)

    def _run(self) -> None:
        trainer, testing = self._trainer, self._testing
        if not self._ran:
            self._ran = True
            (trainer.test if testing else trainer.validate)(self._passing.module, datamodule=self._view, verbose=False)
            return
        # Another pass of the same model and data may have been run in between.
        self._passing.module.trainer = self._view.trainer = trainer
        trainer.strategy.model_to_device()  # which the end of a first pass takes it from
        stage = "testing" if testing else "validating"
        setattr(trainer, stage, True)
        (trainer.test_loop if testing else trainer.validate_loop).run()
        setattr(trainer, stage, False)

    def _replaced(self, step: Step, watch: Watch, *, stands: bool) -> dict[str, Any]:
        progress = _Progress(self._wanted, watch)

        def run_step(batch: Any, batch_idx: int = 0, dataloader_idx: int = 0) -> Any:
            returned = step(batch, batch_idx, dataloader_idx)
            progress.tell()
            return returned

        members: dict[str, Any] = {"test_step" if self._testing else "validation_step": run_step}
        if self._passing.job.mode == "train":
            members |= {name: lambda: None for name in ("on_validation_model_eval", "on_test_model_eval")}
        if stands:
            members["teardown"] = _stay
        return members


def showing_to(see: See) -> MakeStep:
    """Let the user's step of a split run as it is, and show each batch on its way through it.

    Of the first batch predictions must not be compared each with every target.
    """

    def observing(wanted: Pass, module: Any, method: str) -> Step:
        return _observing(module, getattr(module, method), wanted, see)

    return observing


def require_step(module: Any, split: Split, *, as_training: bool = False) -> None:
    """Raise where a module has no step that a split can be passed through.

    Raises:
        SetupError: it trains by itself in its training step, or takes the loader's iterator.
    """
    name = step_name(module, split, as_training=as_training)
    kind = name_of(type(module))
    if name == "training_step" and not module.automatic_optimization:
        if as_training:
            raise SetupError(f"the training_step of {kind} optimises by itself, so that nothing can be evaluated by it")
        raise SetupError(
            f"{kind} has no validation_step, and its training_step optimises by itself, so that it cannot be evaluated; "
            "define validation_step(batch, batch_idx), and return predictions and targets from it or give outputs="
        )
    if "dataloader_iter" in inspect.signature(getattr(module, name)).parameters:
        raise SetupError(
            f"{kind}.{name} takes the loader's iterator, so that ART cannot see its batches; "
            f"write {name}(self, batch, batch_idx)"
        )


def step_name(module: Any, split: Split, *, as_training: bool = False) -> str:
    """The user's step that a split is passed through."""
    names = ("test_step", "validation_step") if split is Split.TEST else ("validation_step",)
    for name in () if as_training else names:
        if is_overridden(name, module, "LightningModule"):
            return name
    return "training_step"


def _observing(module: Any, original: Callable[..., Any], wanted: Pass, see: See) -> Step:
    takes = _positions(original)

    def step(batch: Any, batch_idx: int, dataloader_idx: int) -> Any:
        # A step may take entries out of a dictionary; who observes is shown the batch as it came.
        received = batch.copy() if type(batch) in {dict, list} else batch
        unpaired = nullcontext() if batch_idx else refusing_tables(received)
        follow = following(received, first=not batch_idx, parameters=module.parameters())
        with observe_calls(module) as calls, unpaired, follow as followed:
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
                entering=followed and followed.entering(returned, calls.losses, calls.metric_inputs),
                compared=followed.compared if followed else (),
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

    def __init__(self, ready: Callable[[Any], None], *, keeps: bool) -> None:
        super().__init__()
        self._ready = ready
        self._keeps = keeps
        self._buffers: dict[str, Tensor] = {}

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """A validation begins."""
        self._ready(module)
        if self._keeps:
            known = {name: one for name, one in module.named_buffers() if not is_lazy(one)}
            self._buffers = {name: buffer.detach().clone() for name, buffer in known.items()}

    def on_test_start(self, trainer: Any, module: Any) -> None:
        """A test begins."""
        self.on_validation_start(trainer, module)

    def restore_buffers(self, module: Any) -> None:
        """Running statistics are as before, though a pass in training mode has moved them."""
        with no_grad():
            for name, buffer in module.named_buffers():
                if name in self._buffers and buffer.shape == self._buffers[name].shape:
                    buffer.copy_(self._buffers[name])
