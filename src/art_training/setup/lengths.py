"""How long a Trainer's settings let it train: long enough to train at all."""

from collections.abc import Mapping
from datetime import timedelta
from numbers import Real
from typing import Any, cast

from art_training.errors import SetupError

_UNLIMITED = -1


def require_training(trainer: Mapping[str, Any], who: str = "") -> None:
    """Refuse settings under which nothing is trained, or whose number is no length.

    What is no number at all is told by the engine, which knows the kinds of all settings.

    Args:
        trainer: the settings.
        who: whose they are, to begin the sentence with; empty: the setup's.

    Raises:
        SetupError: with the setting, its value and what to give.
    """
    for name, what in (("max_epochs", "epochs"), ("max_steps", "optimiser steps")):
        value: Any = trainer.get(name)
        if not _is_number(value) or value >= 1 or value == _UNLIMITED:
            continue
        wrong = "so that nothing is trained" if value == 0 else f"which is no number of {what}"
        raise SetupError(f"{who}trainer has {name}={value!r}, {wrong}; give 1 or more, or -1 for no limit")
    seconds = _seconds(trainer.get("max_time"))
    if seconds is not None and seconds <= 0:
        raise SetupError(
            f"{who}trainer has max_time={trainer['max_time']!r}, so that nothing is trained; give a time such as "
            "{'minutes': 10} or '00:00:10:00', or None for no limit"
        )
    share = trainer.get("limit_train_batches")
    if _is_number(share) and share == 0:
        raise SetupError(
            f"{who}trainer has limit_train_batches={share!r}, so that nothing is trained; give a number of batches, a share "
            "of them such as 0.1, or 1.0 for all"
        )


def _seconds(time: Any) -> float | None:
    """How long a time is in any of the forms that a Trainer takes; None for what is none of them."""
    try:
        if isinstance(time, str):  # days, hours, minutes, seconds
            days, hours, minutes, seconds = (int(part) for part in time.strip().split(":"))
            time = timedelta(days, seconds, hours=hours, minutes=minutes)
        elif isinstance(time, Mapping):
            time = timedelta(**cast("Mapping[str, Any]", time))
    except (TypeError, ValueError, OverflowError):
        return None
    return time.total_seconds() if isinstance(time, timedelta) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
