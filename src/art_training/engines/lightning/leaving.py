"""Leaving a Trainer in the middle of its work, which is no failure that anybody shall hear of."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn

from art_training.engines.lightning.failures import as_setup_error


class _Left(BaseException):
    """Leaves a Trainer; no handler of a user's catches it."""


def leave(trainer: Any) -> NoReturn:
    """Go out to the block of `leaving`; callbacks and data, who might save or report a failure, are not told of one."""
    for one in (*trainer.callbacks, trainer.datamodule):
        vars(one)["on_exception"] = _untold
    raise _Left


@contextmanager
def leaving(module: Any) -> Generator[None]:
    """Run a Trainer until it ends or is left.

    Raises:
        KeyboardInterrupt: Ctrl-C, which Lightning makes something else of.
        SetupError: a fault of the setup that Lightning told in its own terms.
        Exception: whatever the user's code raises.
    """
    try:
        yield
    except _Left:
        pass
    except SystemExit as error:  # Lightning's way out after Ctrl-C
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    except Exception as error:
        translated = as_setup_error(error, module)
        if translated is None:
            raise
        raise translated from error


def _untold(*_: Any) -> None:
    """In place of `on_exception`."""
