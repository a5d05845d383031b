"""A step of validation, or what gives its loader, under a name that nobody calls."""

import difflib
import inspect
from dataclasses import dataclass
from typing import Any

from art_training.probes.specimen import Specimen
from art_training.setup.frames import is_users

_STEP, _LOADER = "validation_step", "val_dataloader"
_ALIKE = (
    0.8  # of `validation_step`: validate_step, valid_step, val_step, validation_steps; not training_step, which has 0.5
)
_BESIDE = {"training_step", "test_step", "predict_step", "train_dataloader", "test_dataloader", "predict_dataloader"}


@dataclass(frozen=True)
class Misnamed:
    """A method that stands where another is looked for.

    Attributes:
        owner: its class.
        written: its name.
        meant: the name that is called.
    """

    owner: str
    written: str
    meant: str


def misnamed(specimen: Specimen) -> Misnamed | None:
    """The first of the model and of what gives the data; None where the right one is there, or nothing is like it."""
    datamodule = specimen.data[1] if len(specimen.data) > 1 else None
    for owner, meant in ((specimen.module, _STEP), (datamodule, _LOADER)):
        written = _nearly(type(owner), meant)
        if written:
            return Misnamed(type(owner).__name__, written, meant)
    return None


def _nearly(kind: type, meant: str) -> str:
    """The name of a method of the user's that is like this one, where this one is not defined and no code calls it."""
    users = [base for base in kind.__mro__ if (file := _file(base)) and is_users(file)]
    if not users or any(meant in vars(base) for base in users):
        return ""
    names = [
        name
        for base in users
        for name, value in vars(base).items()
        if inspect.isfunction(value) and name not in _BESIDE and _is_like(name, meant)
    ]
    called = " ".join(_source(base) for base in users)
    return next((name for name in names if f".{name}(" not in called), "")


def _is_like(name: str, meant: str) -> bool:
    short = name.replace("validate", "validation").replace("valid_", "validation_").replace("val_", "validation_")
    return difflib.SequenceMatcher(None, short, meant.replace("val_", "validation_")).ratio() >= _ALIKE


def _file(kind: type) -> str:
    try:
        return inspect.getsourcefile(kind) or ""
    except (OSError, TypeError):
        return ""


def _source(kind: Any) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return ""
