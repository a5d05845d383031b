"""The user's callbacks and loggers: a copy of each callback for every fit, files into the job's folder."""

import copy
import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import hierarchy_of
from art_training.errors import SetupError
from art_training.records import Plain, plain

# What stops a training or chooses among its states. By name, because there are two of each.
_CHOOSING = {
    "EarlyStopping",
    "Checkpoint",
    "StochasticWeightAveraging",
    "WeightAveraging",
    "LearningRateFinder",
    "BatchSizeFinder",
    "BackboneFinetuning",
    "Timer",
}


def own_callbacks(given: Any) -> list[Any]:
    """A fresh copy of each callback; classes and factories are called.

    Raises:
        SetupError: one is no callback, or cannot be copied.
    """
    return [_own_callback(one) for one in _listed(given)]


def redirect(callbacks: Iterable[Any], folder: Path) -> None:
    """Let callbacks that write checkpoints write below `folder`, each into a place of its own."""
    taken: set[str] = set()
    for callback in callbacks:
        if not is_kind(callback, "Checkpoint") or not hasattr(callback, "dirpath"):
            continue
        name = Path(callback.dirpath).name if callback.dirpath else "checkpoints"
        unique = next(one for one in (name, *(f"{name}-{index}" for index in range(2, 1000))) if one not in taken)
        taken.add(unique)
        callback.dirpath = str(folder / unique)


def chooses(callback: Any) -> bool:
    """Whether a callback stops training, or chooses among its states by some value."""
    return any(is_kind(callback, name) for name in _CHOOSING) or getattr(callback, "monitor", None) is not None


def is_kind(value: Any, name: str) -> bool:
    """Whether a class of this name, of either hierarchy, is among the value's."""
    return any(kind.__name__ == name for kind in type(value).__mro__)


def loggers_for(given: Any, folder: Path) -> Any:
    """What to give the Trainer as its logger: live loggers as they are, classes and factories called.

    Args:
        given: the user's setting.
        folder: where a logger that is made here writes.

    Raises:
        SetupError: one is no logger.
    """
    if isinstance(given, bool):
        return given
    return [_logger(one, folder) for one in _listed(given)]


def is_default_logger(logger: Any) -> bool:
    """Whether Lightning made this logger by itself, as it does for a Trainer that is given none and no folder."""
    writes_files = is_kind(logger, "CSVLogger") or is_kind(logger, "TensorBoardLogger")
    return writes_files and logger.name == "lightning_logs" and logger.save_dir == str(Path.cwd())


def states(callbacks: Iterable[Any]) -> dict[str, Plain]:
    """The state of each callback by its class's name, a second one of a class as `EarlyStopping 2`."""
    found: dict[str, Plain] = {}
    for callback in callbacks:
        name = name_of(type(callback))
        count = sum(1 for known in found if known.split(" ")[0] == name)
        # Only what the callback itself calls its state; the rest may be anything.
        found[name if count == 0 else f"{name} {count + 1}"] = plain(callback.state_dict())
    return found


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    is_list = isinstance(given, Sequence | set) and not isinstance(given, str | Mapping)
    return list(cast("Sequence[Any]", given)) if is_list else [given]


def _own_callback(given: Any) -> Any:
    if isinstance(given, type) or hierarchy_of(given, "Callback") is None:
        if not callable(given):
            raise SetupError(f"callbacks has {given!r}, which is none; give Callback objects, classes or factories")
        made = given()
        if hierarchy_of(made, "Callback") is None:
            raise SetupError(f"the callback factory {given!r} returned {made!r}, which is no Callback; return one")
        return made
    try:
        return copy.deepcopy(given)
    except Exception as error:
        name = name_of(type(given))
        raise SetupError(
            f"the callback {name} cannot be copied ({error}), but each training needs one of its own; "
            f"give a factory: callbacks=[lambda: {name}(...)]"
        ) from error


def _logger(given: Any, folder: Path) -> Any:
    if not isinstance(given, type) and hierarchy_of(given, "Logger") is not None:
        return given
    if not callable(given):
        raise SetupError(f"logger={given!r} is none; give Logger objects, classes or factories")
    try:
        takes = "save_dir" in inspect.signature(given).parameters
    except (TypeError, ValueError):
        takes = False
    made = given(save_dir=folder) if takes else given()
    if hierarchy_of(made, "Logger") is None:
        raise SetupError(f"the logger factory {given!r} returned {made!r}, which is no Logger; return one")
    return made
