"""One training."""

import inspect
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from art_training.engines.engine import FitJob, FitResult, Stopped, Watch
from art_training.engines.lightning.averaging import Averages
from art_training.engines.lightning.build import require_trainable
from art_training.engines.lightning.change import changed, replaced, require_batches
from art_training.engines.lightning.checkpoint import Checkpoints, load_weights
from art_training.engines.lightning.data import data_seed, open_data, require_split, unreached
from art_training.engines.lightning.describe import is_own
from art_training.engines.lightning.failures import as_setup_error, is_out_of_memory, line_of, name_of
from art_training.engines.lightning.hierarchy import Hierarchy
from art_training.engines.lightning.lazy import open_model
from art_training.engines.lightning.logger import CurveLogger
from art_training.engines.lightning.looks import Looks
from art_training.engines.lightning.parts import Freezing
from art_training.engines.lightning.rate import Rates, after_optimizers
from art_training.engines.lightning.recorder import Recorder
from art_training.engines.lightning.redirect import states
from art_training.engines.lightning.stopping import stopped_by
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.teaching import require_steps_to_teach, taught_step
from art_training.engines.lightning.trainers import Additions, configured_callbacks, fit_trainer, users_of
from art_training.engines.lightning.values import numbers
from art_training.engines.lightning.views import fit_view
from art_training.engines.lightning.watching import Watching


def fit(job: FitJob, watch: Watch) -> FitResult:
    """Train; the caller restores what surrounds it.

    Raises:
        SetupError: the setup cannot be trained as declared.
        Exception: whatever the user's code raises.
    """
    try:
        training = _prepare(job, watch)
    except KeyboardInterrupt as error:
        said = str(error) or "interrupted by Ctrl-C"
        return FitResult(stopped="interrupted", message=f"{said} before training began")
    except Exception as error:
        if is_out_of_memory(error):
            return FitResult(stopped="out of memory", message=f"out of memory before training began: {line_of(error)}")
        raise
    stopped, message = _run(training)
    return _result(training, stopped, message)


def _ignore_own_choices(job: FitJob, module: Any, trainer: Any) -> None:
    if any(is_own(one) for one in trainer.loggers):
        ignore_warnings("The number of training batches")  # curves have every step, whatever a logger is given
    if is_own(module):
        ignore_warnings("You defined a `validation_step` but have no `val_dataloader`")
    if job.one_batch:
        ignore_warnings(".*does not have many workers")


@dataclass(frozen=True)
class _Training:
    job: FitJob
    module: Any
    datamodule: Any
    trainer: Any
    recorder: Any
    checkpoints: Any


def _prepare(job: FitJob, watch: Watch) -> _Training:
    module, hierarchy = open_model(job.setup, seed=job.seed, data_seed=data_seed(job))
    require_trainable(module)
    require_batches(module, job.change)
    if job.teaching is not None:
        require_steps_to_teach(module)
    datamodule = open_data(job.setup, seed=data_seed(job), plain=job.plain)
    for look in job.looks:
        require_split(datamodule, look.split)
    view = fit_view(datamodule, hierarchy, one_batch=job.one_batch, seed=job.seed)
    start = job.start if job.resume is None else None
    load = None if start is None else lambda model: load_weights(model, start)  # pyright: ignore[reportUnknownLambdaType]
    recorder = hierarchy.derive(Recorder, "Callback")(job, watch, load=load)
    checkpoints = hierarchy.derive(Checkpoints, "Callback")(job, recorder, datamodule)
    logger = hierarchy.derive(CurveLogger, "Logger")(recorder.curves, job.folder)
    goes_on = unreached(datamodule, module) if job.plain else None
    if goes_on is not None:
        recorder.findings.append(goes_on)
    asked_for = _asked_for(job, hierarchy, recorder)
    trainer = fit_trainer(job, hierarchy, Additions((recorder, *asked_for, checkpoints), logger))
    after_optimizers(trainer, [one.prepare for one in (recorder, *asked_for) if hasattr(one, "prepare")])
    recorder.curves.collects = not any(is_own(one) for one in trainer.loggers)
    _ignore_own_choices(job, module, trainer)
    configured_callbacks(module, job)
    return _Training(job, module, view, trainer, recorder, checkpoints)


def _asked_for(job: FitJob, hierarchy: Hierarchy, recorder: Any) -> list[Any]:
    """The callbacks that do what a job adds to a training."""
    found: list[Any] = []
    if job.rate is not None:
        found.append(hierarchy.derive(Rates, "Callback")(job, recorder))
    if job.parts is not None:  # after the rates, whose proportions are those of the groups that the module makes
        found.append(hierarchy.derive(Freezing, "Callback")(job, recorder))
    if job.averaging is not None:
        found.append(hierarchy.derive(Averages, "Callback")(job, recorder))
    if job.monitors:
        found.append(hierarchy.derive(Watching, "Callback")(job.monitors))
    if job.looks:
        found.append(hierarchy.derive(Looks, "Callback")(job, recorder))
    return found


def _taught(module: Any, job: FitJob) -> AbstractContextManager[None]:
    members = {} if job.teaching is None else {"training_step": taught_step(module, job.teaching)}
    return replaced(module, members)


def _teaching(job: FitJob) -> dict[str, Any]:
    teaching = job.teaching
    if teaching is None:
        return {}
    said = {"teacher": name_of(teaching.teacher), "share": teaching.share, "temperature": teaching.temperature}
    return {"teaching": said}


def _run(training: _Training) -> tuple[Stopped, str]:
    job, trainer, recorder = training.job, training.trainer, training.recorder
    arguments: dict[str, Any] = {"datamodule": training.datamodule}
    if job.resume is not None:
        arguments["ckpt_path"] = str(job.resume)
        if "weights_only" in inspect.signature(trainer.fit).parameters:  # the runner vouches for the file
            arguments["weights_only"] = False
    try:
        with changed(training.module, training.datamodule, job.change), _taught(training.module, job):
            trainer.fit(training.module, **arguments)
    except BaseException as error:
        by = stopped_by(trainer, error)
        if by:
            return "interrupted", f"interrupted by {by} {recorder.where()}"
        if not isinstance(error, Exception):
            raise
        if is_out_of_memory(error):
            return "out of memory", f"out of memory {recorder.where()}: {line_of(error)}"
        translated = as_setup_error(error, training.module)
        if translated is None:
            raise
        raise translated from error
    return recorder.stopped, recorder.message


def _result(training: _Training, stopped: Stopped, message: str) -> FitResult:
    trainer, recorder, checkpoints = training.trainer, training.recorder, training.checkpoints
    broken_off = stopped in {"interrupted", "out of memory"}
    last = checkpoints.newest if broken_off else checkpoints.save(trainer, "last.ckpt")
    callbacks = users_of(trainer.callbacks)
    return FitResult(
        stopped=stopped,
        message=message,
        epochs=trainer.current_epoch,
        steps=trainer.global_step,
        seconds=recorder.seconds,
        last=last,
        best=_best(trainer),
        logged=numbers(trainer.callback_metrics),
        callbacks=states(callbacks),
        parameters=recorder.parameters | _teaching(training.job),
        findings=tuple(recorder.findings),
        began=recorder.began_with,
    )


def _best(trainer: Any) -> Path | None:
    """The file of the first ModelCheckpoint that chooses by a value."""
    for callback in trainer.checkpoint_callbacks:
        path = getattr(callback, "best_model_path", "")
        if getattr(callback, "monitor", None) is not None and path and Path(path).is_file():
            return Path(path)
    return None
