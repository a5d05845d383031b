"""Classes and functions that were defined again since the project took hold of them, as happens in notebooks."""

import sys
from collections.abc import Iterable
from functools import reduce
from typing import Any

from art_training.setup.setup import Setup
from art_training.steps.step import Step


def redefined(setup: Setup, steps: Iterable[Step]) -> tuple[str, ...]:
    """A sentence for each thing that the project holds in an earlier definition than its module does."""
    held = {f"{name}=": getattr(setup, name) for name in ("model", "data", "outputs")}
    sentences = [
        f"{value.__qualname__} was defined again, but the setup still holds the earlier one; "
        f"run the cell with Setup(...) again, or project.setup = project.setup.but({name}{value.__qualname__})"
        for name, value in held.items()
        if _is_outdated(value)
    ]
    sentences += [
        f"{type(step).__qualname__} was defined again, but step {step.name!r} still is of the earlier one; "
        f"use project.replace_step({type(step).__qualname__}(...))"
        for step in steps
        if _is_outdated(type(step))
    ]
    return tuple(sentences)


def _is_outdated(value: Any) -> bool:
    """Whether a class or function is not what its own module calls by its name now."""
    name, module = getattr(value, "__qualname__", ""), sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or not name or "<" in name:
        return False
    now = reduce(lambda owner, part: getattr(owner, part, None), name.split("."), module)
    # A decorator may have put something else of that name in its place; only the same kind of thing replaces it.
    return now is not None and now is not value and type(now) is type(value)
