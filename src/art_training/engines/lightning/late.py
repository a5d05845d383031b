"""Models that make layers after their constructor, in the hooks that Lightning has for it."""

import tempfile
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from art_training.engines.engine import FitJob
from art_training.engines.lightning.build import require_trainable
from art_training.engines.lightning.change import replaced
from art_training.engines.lightning.data import open_data
from art_training.engines.lightning.hierarchy import Hierarchy, is_overridden
from art_training.engines.lightning.leaving import leave, leaving
from art_training.engines.lightning.logger import SilentLogger
from art_training.engines.lightning.random_states import derived_seed, generators_kept, seeded
from art_training.engines.lightning.trainers import Additions, configured_callbacks, fit_trainer
from art_training.engines.lightning.views import fit_view
from art_training.setup.setup import Setup

_HOOKS = ("setup", "configure_sharded_model", "configure_model")  # in the order in which Lightning calls them


def late_hooks(module: Any) -> tuple[str, ...]:
    """The user's hooks in which a model may make layers that its constructor has not made."""
    return tuple(name for name in _HOOKS if is_overridden(name, module, "LightningModule"))


def steady_hooks(module: Any, *, seed: int, then: Callable[[], None]) -> None:
    """Let what such hooks draw follow from the seed alone, whichever Trainer calls them, and how often.

    Between a model's constructor and its hooks data are prepared, by one Trainer otherwise than by another.

    Args:
        module: the model.
        seed: that it is made from.
        then: called after each of the hooks.
    """
    for name in late_hooks(module):
        vars(module)[name] = _steady(getattr(module, name), derived_seed(seed, f"layers of {name}"), then)


def stand(module: Any, hierarchy: Hierarchy, setup: Setup, *, seed: int, data_seed: int) -> None:
    """Let a training of a model begin, with its data and its callbacks, and leave it when the hooks have made the layers.

    Raises:
        SetupError: the setup cannot be trained as declared.
        Exception: whatever the user's code raises.
    """
    require_trainable(module)
    with tempfile.TemporaryDirectory() as folder, generators_kept(setup.data), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is to be warned of, the training itself tells
        job = FitJob(setup, seed, Path(folder), data_seed=data_seed, silent=True)
        datamodule = open_data(setup, seed=data_seed)
        trainer = fit_trainer(job, hierarchy, Additions((), hierarchy.derive(SilentLogger, "Logger")()))
        configured_callbacks(module, job)

        @wraps(module.configure_optimizers)
        def configure_optimizers() -> None:  # what Lightning calls next
            leave(trainer)

        with leaving(trainer, module), replaced(module, {"configure_optimizers": configure_optimizers}):
            trainer.fit(module, datamodule=fit_view(datamodule, hierarchy, one_batch=0, seed=seed))


def _steady(hook: Callable[..., Any], seed: int, then: Callable[[], None]) -> Callable[..., Any]:
    # `wraps` leaves the original where Lightning looks whether a hook is the user's own.
    @wraps(hook)
    def steady(*args: Any, **keywords: Any) -> Any:
        with seeded(seed):
            returned = hook(*args, **keywords)
        then()
        return returned

    return steady
