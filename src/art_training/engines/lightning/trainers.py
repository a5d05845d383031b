"""The Trainer of a job: the user's settings or factory, with what the engine adds."""

import copy
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from art_training.engines.engine import FitJob
from art_training.engines.lightning.describe import is_own
from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import LIGHTNING, Hierarchy, hierarchy_of
from art_training.engines.lightning.kinds import require_kinds
from art_training.engines.lightning.logger import SilentLogger, StandInLogger
from art_training.engines.lightning.redirect import (
    chooses,
    is_default_logger,
    is_kind,
    loggers_for,
    own_callbacks,
    redirect,
)
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.errors import SetupError
from art_training.setup.setup import Setup

_QUIET: Mapping[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
# What a pass shares with the user's training: where and in which numbers it computes.
_PLACE = (
    "accelerator",
    "strategy",
    "devices",
    "num_nodes",
    "precision",
    "plugins",
    "deterministic",
    "benchmark",
    "detect_anomaly",
)


# Objects among the settings that a Trainer makes its own.
_LIVE = ("accelerator", "strategy", "plugins", "profiler")


@dataclass(frozen=True)
class Additions:
    """What the engine adds to the user's trainer.

    Attributes:
        callbacks: the engine's own; they run before the user's.
        logger: stands in where the user gives none.
    """

    callbacks: tuple[Any, ...]
    logger: Any


def check_trainer(setup: Setup) -> None:
    """Raise what can be told about the trainer's settings without training.

    Raises:
        SetupError: a setting does not exist, or a callback or logger is none.
    """
    if callable(setup.trainer):
        return
    known = list(inspect.signature(LIGHTNING.base("Trainer")).parameters)
    unknown = [name for name in setup.trainer if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, 1)
        remedy = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known)}"
        raise SetupError(f"trainer has {unknown[0]!r}, which is no setting of Lightning's Trainer; {remedy}")
    own_callbacks([one for one in _many(setup.trainer.get("callbacks")) if not _is_factory(one)])
    apart = {"callbacks", "logger", "default_root_dir", "enable_checkpointing", "enable_progress_bar"}
    settings = {name: value for name, value in setup.trainer.items() if name not in apart}
    quiet = {**_QUIET, "enable_checkpointing": False, "logger": False, "devices": 1}
    _require_one_process(_made(LIGHTNING, quiet | settings))


def fit_trainer(job: FitJob, hierarchy: Hierarchy, additions: Additions) -> Any:
    """The Trainer that a job trains with.

    Where the user says nothing: no progress bar and no summary (ART shows its own), no checkpoints but ART's, no sanity
    check before training, one device, and a logger that makes curves of what is logged.

    Raises:
        SetupError: the settings do not make a Trainer of the model's hierarchy that trains in this process.
    """
    given = job.setup.trainer
    if callable(given):
        trainer = _from_factory(given, job, hierarchy, additions)
    else:
        trainer = _from_settings(given, job, hierarchy, additions)
    if job.silent and trainer.loggers:
        trainer.loggers = [hierarchy.derive(StandInLogger, "Logger")(job.folder)]
    _limit(trainer, job)
    redirect(trainer.callbacks, job.folder)
    _require_one_process(trainer)
    return trainer


def pass_trainer(setup: Setup, hierarchy: Hierarchy, *, limit: int | None, on_cpu: bool = False) -> Any:
    """A Trainer that passes whole splits through a model: the user's device and precision, none of the rest.

    Gradients are off through `no_grad`, as in the validations of a training: what a tensor of inference mode touches can
    not be changed outside of it, and metrics outlive the pass.

    Raises:
        SetupError: as `fit_trainer`.
    """
    most: int | float = 1.0 if limit is None else limit
    if callable(setup.trainer) and not on_cpu:
        trainer = _called(setup.trainer, hierarchy, logger=False, max_steps=-1, default_root_dir=None)
        trainer.callbacks = []
        _unlimited(trainer)
    else:
        settings: Mapping[str, Any] = {} if callable(setup.trainer) else setup.trainer
        place = {name: settings[name] for name in _PLACE if name in settings} if not on_cpu else {"accelerator": "cpu"}
        fixed = {"logger": False, "enable_checkpointing": False, "callbacks": None, "inference_mode": False}
        trainer = _made(hierarchy, {"devices": 1, **place, **fixed, **_QUIET})
    trainer.loggers = [hierarchy.derive(SilentLogger, "Logger")()]
    trainer.limit_val_batches = trainer.limit_test_batches = most
    trainer.validate_loop.verbose = trainer.test_loop.verbose = False
    trainer.validate_loop.inference_mode = trainer.test_loop.inference_mode = False
    _require_one_process(trainer)
    return trainer


def _from_settings(settings: Mapping[str, Any], job: FitJob, hierarchy: Hierarchy, additions: Additions) -> Any:
    given = dict(settings)
    callbacks = own_callbacks(given.pop("callbacks", None))
    if job.one_batch:
        callbacks = [callback for callback in callbacks if not chooses(callback)]
    logger = given.pop("logger", None)
    if job.silent:
        given.pop("default_root_dir", None)
        logger = logger if logger is False else None  # a logger's class or factory may write when it is called
    if logger is None:
        logger = False if given.get("barebones") else additions.logger
    checkpoints = any(is_kind(callback, "Checkpoint") for callback in callbacks)
    bar = any(is_kind(callback, "ProgressBar") for callback in callbacks)
    defaults = {
        **_QUIET,
        "enable_progress_bar": bar,
        "enable_checkpointing": checkpoints,
        "num_sanity_val_steps": 0,
        "devices": 1,
        "default_root_dir": job.folder,
    }
    if job.one_batch and given.get("enable_checkpointing") and not checkpoints:
        given["enable_checkpointing"] = False
    made = {**defaults, **given, "logger": loggers_for(logger, job.folder)}
    return _made(hierarchy, {**made, "callbacks": [*additions.callbacks, *callbacks]})


def _from_factory(factory: Callable[..., Any], job: FitJob, hierarchy: Hierarchy, additions: Additions) -> Any:
    steps = -1 if job.max_steps is None or job.within_settings else job.max_steps
    trainer = _called(factory, hierarchy, default_root_dir=job.folder, logger=additions.logger, max_steps=steps)
    if "default_root_dir" not in _parameters(factory):
        trainer._default_root_dir = str(job.folder)  # noqa: SLF001  The Trainer has no public way.
    # What Lightning adds where the factory says nothing: a logger that writes into the working directory, a summary.
    trainer.loggers = [additions.logger if is_default_logger(one) else one for one in trainer.loggers]
    users = [callback for callback in trainer.callbacks if not _is_shown_by_art(callback)]
    if job.one_batch:
        users = [callback for callback in users if not chooses(callback)]
    trainer.callbacks = [*additions.callbacks, *own_callbacks(users)]
    return trainer


def _is_shown_by_art(callback: Any) -> bool:
    """Whether a callback is a progress bar, or the model summary that Lightning adds by itself."""
    return is_kind(callback, "ProgressBar") or (is_kind(callback, "ModelSummary") and callback._max_depth == 1)  # noqa: SLF001


def _called(factory: Callable[..., Any], hierarchy: Hierarchy, **offered: Any) -> Any:
    """Call a factory with what it names of the offered settings; its own default of callbacks stays its own."""
    named = _parameters(factory)
    arguments = {name: value for name, value in {**offered, **_QUIET}.items() if name in named}
    if "callbacks" in named and named["callbacks"].default is inspect.Parameter.empty:
        arguments["callbacks"] = []
    ignore_warnings("Starting from v1.9.0, `tensorboardX`")  # about the logger that Lightning adds where none is given
    trainer = factory(**arguments)
    name = name_of(factory)
    found = hierarchy_of(trainer, "Trainer")
    if found is None:
        raise SetupError(f"trainer {name} returned {trainer!r}; it must return a Trainer of {hierarchy}")
    if found != hierarchy:
        raise SetupError(
            f"trainer {name} returned a Trainer of {found}, but the model is a module of {hierarchy}; "
            f"import Trainer from {hierarchy} there"
        )
    if trainer.state.fn is not None:
        raise SetupError(
            f"trainer {name} returned a Trainer that has been used before; it must make a new one each time"
        )
    return trainer


def _made(hierarchy: Hierarchy, settings: Mapping[str, Any]) -> Any:
    kind = hierarchy.base("Trainer")
    known = inspect.signature(kind).parameters
    unknown = [name for name in settings if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, 1)
        remedy = f"did you mean {close[0]!r}?" if close else "leave it out"
        raise SetupError(f"trainer has {unknown[0]!r}, which is no setting of the installed Trainer; {remedy}")
    require_kinds(kind, settings)
    try:
        return kind(**{name: _own(value) if name in _LIVE else value for name, value in settings.items()})
    except (ValueError, TypeError, RuntimeError) as error:
        raise _refused(error) from error
    except Exception as error:
        if type(error).__name__ != "MisconfigurationException":
            raise
        raise _refused(error) from error


def _own(value: Any) -> Any:
    """A copy; what holds threads or files cannot be copied, and is used as it is, like a live logger."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  Whatever a foreign object raises, it cannot be copied.
        return value


def _refused(error: Exception) -> SetupError:
    return SetupError(f"Lightning's Trainer refuses the settings in trainer={{...}}: {' '.join(str(error).split())}")


def _parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters that a factory names and that are not bound already."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # a callable of C
        return {}
    bound = set(factory.keywords) if isinstance(factory, functools.partial) else set[str]()
    named = (one for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY})
    return {one.name: one for one in named if one.name not in bound}


def _limit(trainer: Any, job: FitJob) -> None:
    """What the job says about length stands above the trainer's settings, or beside them where it is within them."""
    if job.max_steps is not None and job.within_settings:
        loop = trainer.fit_loop.epoch_loop
        loop.max_steps = min(job.max_steps, loop.max_steps) if loop.max_steps >= 0 else job.max_steps
    elif job.max_steps is not None:
        fit_loop = trainer.fit_loop
        fit_loop.max_epochs, fit_loop.min_epochs = -1, None
        fit_loop.epoch_loop.max_steps, fit_loop.epoch_loop.min_steps = job.max_steps, None
        trainer.callbacks = [callback for callback in trainer.callbacks if not is_kind(callback, "Timer")]
    if job.one_batch:
        _unlimited(trainer)
        trainer.reload_dataloaders_every_n_epochs = 0
        trainer.check_val_every_n_epoch, trainer.val_check_interval = 1, 1.0
        if hasattr(trainer, "_val_check_time_interval"):
            trainer._val_check_time_interval = None  # noqa: SLF001  Set by a time as `val_check_interval`.


def _unlimited(trainer: Any) -> None:
    trainer.fast_dev_run = False
    trainer.overfit_batches = 0.0
    trainer.limit_train_batches = trainer.limit_val_batches = trainer.limit_test_batches = 1.0


def _require_one_process(trainer: Any) -> None:
    if trainer.world_size > 1:
        raise SetupError(
            f"the trainer would use {trainer.world_size} processes ({type(trainer.strategy).__name__}), and ART trains in "
            "one for now; set trainer={'devices': 1, 'num_nodes': 1}"
        )


def _is_factory(value: Any) -> bool:
    return isinstance(value, type) or (hierarchy_of(value, "Callback") is None and callable(value))


def _many(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(cast("list[Any]", given)) if isinstance(given, list | tuple | set) else [given]


def bare_trainer(datamodule: Any) -> Any:
    """A Trainer for a datamodule to look at while its loaders are named; nothing is run with it."""
    hierarchy = hierarchy_of(datamodule, "LightningDataModule") or LIGHTNING
    return _made(
        hierarchy, {"accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False, **_QUIET}
    )


def users_of(callbacks: list[Any]) -> list[Any]:
    """The user's callbacks among those of a trainer."""
    return [callback for callback in callbacks if not is_own(callback)]


def configured_callbacks(module: Any, job: FitJob) -> None:
    """Let callbacks that the module itself configures write into the job's folder, and choose nothing on one batch."""
    original = module.configure_callbacks

    @functools.wraps(original)
    def configure_callbacks() -> Any:
        made = _many(original())
        if job.one_batch:
            made = [callback for callback in made if not chooses(callback)]
        redirect(made, job.folder / "configured")
        return made

    module.configure_callbacks = configure_callbacks
