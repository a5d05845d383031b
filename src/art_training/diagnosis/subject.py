"""What is diagnosed: its name, its place in the user's code, and whether it can be gone through at all."""

import inspect
from typing import Any

from art_training.engines import Engine
from art_training.errors import ARTError
from art_training.plugins import load
from art_training.probes.places import place_of
from art_training.setup.frames import is_users
from art_training.setup.modified import Modified
from art_training.setup.setup import Setup
from art_training.setup.torch_model import TorchModel


def name_of(model: Any) -> str:
    """What the user's model is called, in a word."""
    made = _users(model)
    return getattr(made, "__name__", None) or type(made).__name__


def place_of_model(model: Any) -> str:
    """Where the model is defined, in code of the user's."""
    place = place_of(inspect.unwrap(_users(model)))
    return place if is_users(place.rpartition(":")[0]) else ""


def _users(model: Any) -> Any:
    """The model as the user wrote it, without what was made of it here."""
    made = model.base if isinstance(model, Modified) else model
    return made.model if isinstance(made, TorchModel) else made


def require_declared(setup: Setup) -> None:
    """Raise what can be told of a setup before it is gone through; what the user's code raises is told later.

    Raises:
        SetupError: the model or the data are none, the model does not take its hyper-parameters, or the Trainer its settings.
    """
    engine: Engine = load("engines", setup.engine)()
    try:
        engine.validate(setup)
    except ARTError:
        raise
    except (Exception, SystemExit):  # noqa: BLE001  A factory of the user's; it raises again where it is diagnosed.
        return
