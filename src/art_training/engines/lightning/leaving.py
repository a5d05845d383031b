"""Leaving a Trainer in the middle of its work, which is no failure that anybody shall hear of."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn

from art_training.engines.lightning.failures import as_setup_error
from art_training.engines.lightning.stopping import stopped_by


class _Left(BaseException):
    """Leaves a Trainer; no handler of a user's catches it."""


def leave(trainer: Any) -> NoReturn:
    """Go out to the block of `leaving`; callbacks and data, who might save or report a failure, are not told of one."""
    for one in (*trainer.callbacks, trainer.datamodule):
        vars(one)["on_exception"] = _untold
    raise _Left


@contextmanager
def leaving(trainer: Any, module: Any) -> Generator[None]:
    """Run a Trainer until it ends or is left.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM, which Lightning makes something else of.
        SetupError: a fault of the setup that Lightning told in its own terms.
        Exception: whatever the user's code raises.
    """
    try:
        yield
    except _Left:
        pass
    except BaseException as error:
        if stopped_by(trainer, error):
            raise KeyboardInterrupt from error
        if not isinstance(error, Exception):
            raise
        translated = as_setup_error(error, module)
        if translated is None:
            raise
        raise translated from error


def _untold(*_: Any) -> None:
    """In place of `on_exception`."""
