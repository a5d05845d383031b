"""Batches that are changed just before they enter the model."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any, cast

from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import is_overridden
from art_training.engines.shaping import Change
from art_training.errors import SetupError

_HOOK = "on_after_batch_transfer"


@contextmanager
def changed(module: Any, datamodule: Any, change: Change | None) -> Generator[None]:
    """Let every batch be changed after all hooks of the data, on the model's device; nothing happens without a change.

    Args:
        module: the model, whose steps are given the changed batch.
        datamodule: what Lightning is given with it; where it has the last hook, that of the model is not called.
        change: what each batch becomes.
    """
    if change is None:
        yield
        return
    owner = datamodule if is_overridden(_HOOK, datamodule, "LightningDataModule") else module
    with replaced(owner, {_HOOK: _changing(getattr(owner, _HOOK), change)}):
        yield


def require_batches(module: Any, change: Change | None) -> None:
    """Raise where a model takes the loader's iterator, whose batches pass through no hook.

    Raises:
        SetupError: there is a change, and it could not be made.
    """
    if change is not None and "dataloader_iter" in signature(module.training_step).parameters:
        raise SetupError(
            f"{name_of(type(module))}.training_step takes the loader's iterator, so that its batches cannot be changed; "
            "write training_step(self, batch, batch_idx)"
        )


@contextmanager
def replaced(owner: Any, members: Mapping[str, Any]) -> Generator[None]:
    """Put members on an instance for a while, past the hooks of `nn.Module.__setattr__`."""
    attributes = cast("dict[str, Any]", owner.__dict__)
    before = {name: attributes[name] for name in members if name in attributes}
    attributes.update(members)
    try:
        yield
    finally:
        for name in members:
            attributes.pop(name, None)
        attributes.update(before)


def _changing(hook: Callable[..., Any], change: Change) -> Callable[..., Any]:
    # `wraps` leaves the original where Lightning looks whether a hook is the user's own.
    @wraps(hook)
    def changing(*args: Any, **keywords: Any) -> Any:
        made = change(hook(*args, **keywords))
        if made is None:
            raise SetupError(f"change {name_of(change)} returned None; it must return the batch that enters the model")
        return made

    return changing
