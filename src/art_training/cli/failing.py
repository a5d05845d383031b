"""The one place where errors become sentences and exit codes."""

import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from art_training.cli.exits import ExitCode
from art_training.errors import ARTError, Interrupted, UsageError
from art_training.plugins import PluginWarning


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every error becomes a sentence on stderr and an exit code."""
    from art_training.cli.app import app

    try:
        with _plainly_warned():
            code = app(args=list(arguments) if arguments is not None else None, prog_name="art", standalone_mode=False)
        sys.stdout.flush()
        if code == ExitCode.INTERRUPTED:  # typer makes an exit code of Ctrl-C by itself
            return told(KeyboardInterrupt())
    except BrokenPipeError:  # `art log Overfit | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PASSED
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # the same, seen by rich, which has closed stdout already
            return ExitCode.PASSED
        return told(error)
    except BaseException as error:  # noqa: BLE001  Nothing may leave as a traceback that is not the user's own.
        return told(error)
    return int(code or 0)


@contextmanager
def _plainly_warned() -> Generator[None]:
    """An extension that is left out is told in a sentence, without the line of ART that told it."""
    shown = warnings.formatwarning

    def sentence(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> str:
        return f"Warning: {message}\n" if category is PluginWarning else shown(message, category, *rest, **named)

    warnings.formatwarning = sentence
    try:
        yield
    finally:
        warnings.formatwarning = shown


def told(error: BaseException) -> int:
    """Say on stderr what went wrong; the exit code that belongs to it."""
    import typer

    match error:
        case KeyboardInterrupt() | Interrupted():
            _say(f"Interrupted: {error}" if str(error) else "Interrupted.")
            return ExitCode.INTERRUPTED
        case SystemExit(code=ExitCode.TERMINATED):
            notes = getattr(error, "__notes__", ())  # none where nobody watched, who was told by the log
            _say(*(f"Interrupted by SIGTERM: what was measured is kept. {one}" for one in notes))
            return ExitCode.TERMINATED
        case typer.Exit():
            return error.exit_code
        case typer.Abort():
            _say("Nothing was done.")
            return ExitCode.WRONG_USE
        case typer.TyperException():
            message = error.format_message().replace(": Value error, ", ": ")  # the validator's own words help nobody
            _say(f"Error: {message}", *_hint(error))
            return ExitCode.WRONG_USE
        case UsageError():
            _say(f"Error: {error}{_more(error)}", *getattr(error, "__notes__", ()))
            return ExitCode.WRONG_USE
        case ARTError():
            _say(f"Error: {error}{_more(error)}", *getattr(error, "__notes__", ()))
            return ExitCode.NOT_JUDGED
        case _:
            from art_training.cli.frames import folded

            _say(folded(error).rstrip())
            return ExitCode.NOT_JUDGED


def _hint(error: BaseException) -> tuple[str, ...]:
    context = getattr(error, "ctx", None)
    return (f"`{context.command_path} --help` shows how it is used.",) if context is not None else ()


def _more(error: ARTError) -> str:
    """Where to read on, behind the sentence."""
    return f" (`art docs {error.page}` tells more)" if error.page else ""


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201  The command line prints.
