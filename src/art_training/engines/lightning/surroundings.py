"""What surrounds an engine's work stays as it was: random states, folder, environment, settings, handlers."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch

from art_training.engines.lightning.random_states import global_states, set_global_states

_CHATTY = (
    "lightning.pytorch",
    "lightning.fabric",
    "pytorch_lightning",
    "lightning_fabric",
)


@contextmanager
def undisturbed() -> Generator[None]:
    """Do a block of work after which the process is as it was before.

    Restored are the global random states (Python, NumPy, torch, CUDA), the working directory, the environment, `sys.path`,
    the standard streams, torch's settings and NumPy's on errors, the warning filters, signal handlers, and the levels and
    handlers of all loggers. Lightning's announcements about devices and services are silenced meanwhile; its warnings are not.
    """
    with ExitStack() as stack:
        for keep in (_random_states, _folder, _environment, _python, _settings, _signal_handlers, _loggers):
            stack.callback(keep())
        stack.enter_context(warnings.catch_warnings())
        _silence_announcements()
        # What torch deprecates in Lightning's own code is not for the user to change.
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings(
                "ignore", category=category, module=r"(lightning|pytorch_lightning|lightning_fabric)\."
            )
        yield


def _random_states() -> Callable[[], None]:
    states = global_states()
    return lambda: set_global_states(states)


def _folder() -> Callable[[], None]:
    folder = os.getcwd()  # noqa: PTH109  Exactly what chdir takes back.

    def restore() -> None:
        if os.getcwd() != folder:  # noqa: PTH109
            os.chdir(folder)

    return restore


def _environment() -> Callable[[], None]:
    before = dict(os.environ)

    def restore() -> None:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value

    return restore


def _python() -> Callable[[], None]:
    path, streams = list(sys.path), (sys.stdin, sys.stdout, sys.stderr)

    def restore() -> None:
        if sys.path != path:
            sys.path[:] = path
        sys.stdin, sys.stdout, sys.stderr = streams

    return restore


def _settings() -> Callable[[], None]:
    settings: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (np.geterr, lambda value: np.seterr(**value)),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_default_device, torch.set_default_device),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
        (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
        (lambda: torch.backends.cudnn.benchmark, lambda value: setattr(torch.backends.cudnn, "benchmark", value)),
        (
            lambda: torch.backends.cudnn.deterministic,
            lambda value: setattr(torch.backends.cudnn, "deterministic", value),
        ),
    ]
    before = [read() for read, _ in settings]

    def restore() -> None:
        for (read, write), value in zip(settings, before, strict=True):
            if read() != value:
                write(value)

    return restore


def _signal_handlers() -> Callable[[], None]:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    names = ("SIGINT", "SIGTERM", "SIGUSR1")
    before = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None))}

    def restore() -> None:
        for number, handler in before.items():
            # None stands for a handler that was not installed from Python and cannot be put back from it.
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)

    return restore


def _loggers() -> Callable[[], None]:
    known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    loggers = [logging.root, *known, *(logging.getLogger(name) for name in _CHATTY)]
    before = [(logger.level, list(logger.handlers), logger.propagate, logger.disabled) for logger in loggers]

    def restore() -> None:
        for logger, (level, handlers, propagate, disabled) in zip(loggers, before, strict=True):
            if logger.level != level:  # every level that is set empties the caches of all loggers
                logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = propagate, disabled

    return restore


def _silence_announcements() -> None:
    import_module("lightning.pytorch")  # which sets the level of its logger when it is imported
    for name in _CHATTY:
        logger = logging.getLogger(name)
        # A level that the user chose, such as DEBUG, is a wish to see them.
        if logger.level in {logging.NOTSET, logging.INFO}:
            logger.setLevel(logging.WARNING)


def ignore_warnings(*starts: str) -> None:
    """Leave out warnings that begin so, inside of `undisturbed`: advice about what the engine, not the user, chose."""
    for start in starts:
        warnings.filterwarnings("ignore", message=start)
