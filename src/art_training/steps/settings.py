"""What is set of a step, beside what its class sets."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from art_training.steps.step import Step

_LONGEST = 60  # characters of a value in a sentence


def settings(step: Step) -> dict[str, Any]:
    """The step's own fields that are not as its class has them, by name."""
    of_every_step = {field.name for field in fields(Step)}
    return {
        field.name: value
        for field in fields(step)
        if field.init and field.name not in of_every_step and not _is_default(value := getattr(step, field.name), field)
    }


def dropped(derived: Mapping[str, Step], steps: Iterable[Step]) -> dict[str, str]:
    """What steps lack that those had in whose place they stand, and how it is given again.

    Args:
        derived: the steps that were derived, by name.
        steps: those that a project has now; one of another kind stands in nobody's place.
    """
    told: dict[str, str] = {}
    for step in steps:
        before = derived.get(step.name)
        if before is None or type(before) is not type(step):
            continue
        now = settings(step)
        lost = {name: value for name, value in settings(before).items() if name not in now}
        if lost:
            whole = ", ".join(f"{name}={_told(value)}" for name, value in (now | lost).items())
            told[f"{', '.join(lost)} of {step.name}"] = f"to be given again: {type(step).__name__}({whole})"
    return told


def _is_default(value: Any, field: "Field[Any]") -> bool:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return type(value) is type(default) and bool(
        value == default
    )  # the type first: an array is equal to nothing at once


def _told(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= _LONGEST and " at 0x" not in said else "..."
