"""Who breaks off a Trainer's work from outside: the user, with Ctrl-C, or whoever sends SIGTERM."""

from typing import Any


def stopped_by(trainer: Any, error: BaseException) -> str:
    """What broke off a Trainer, in a word; empty: neither Ctrl-C nor SIGTERM did.

    Lightning leaves by SystemExit after Ctrl-C, and by one of its own, between two batches, after SIGTERM, which may also
    have ended the workers of a loader before.
    """
    if trainer.received_sigterm:
        return "SIGTERM"
    origin = error.__context__ if isinstance(error, SystemExit) else error
    return "Ctrl-C" if isinstance(origin, KeyboardInterrupt) else ""
