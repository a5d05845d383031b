"""Models made ready: those whose layers learn their sizes from a batch, and those whose hooks make layers."""

from collections.abc import Callable
from typing import Any

from torch.nn.parameter import is_lazy

from art_training.engines.engine import EvaluateJob
from art_training.engines.lightning.build import build_model
from art_training.engines.lightning.data import open_data
from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import Hierarchy
from art_training.engines.lightning.late import late_hooks, stand, steady_hooks
from art_training.engines.lightning.passing import Passing, pass_once, require_step, showing_to
from art_training.engines.lightning.random_states import derived_seed, generators_kept, seeded, set_seed
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.views import Pass, Passes
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.setup import Setup


def open_model(setup: Setup, *, seed: int, data_seed: int) -> tuple[Any, Hierarchy]:
    """A fresh model of a setup, all of whose parameters have their shapes and their first values.

    Random initialisation follows from the seed, in the model's hooks too. Where layers learn their sizes from a batch, the
    first of the training split is passed through the model in evaluation mode, so that what is counted, frozen, loaded or
    looked at before training is what will train. The global random states are left where making the model left them.

    Layers that the model makes in its hooks are there when a Trainer has called them; see `open_whole_model`.

    Raises:
        SetupError: the model cannot be made, or no batch can be passed through it before training.
        Exception: whatever the user's constructor raises.
    """

    def sized() -> None:
        """What a hook has made without sizes takes on those of another model, which stands already."""
        if _sizeless(module):
            whole = open_whole_model(setup, seed=seed, data_seed=data_seed)
            module.load_state_dict(whole.state_dict(), strict=False)  # what a later hook makes is there already, too

    module, hierarchy = _open(setup, seed=seed, data_seed=data_seed, then=sized)
    return module, hierarchy


def open_whole_model(setup: Setup, *, seed: int, data_seed: int) -> Any:
    """A fresh model with the layers that it makes in its hooks, for which a training of it is begun.

    Raises:
        SetupError: as `open_model`; or the setup cannot be trained as declared.
        Exception: whatever the user's constructor or hooks raise.
    """
    module, hierarchy = _open(setup, seed=seed, data_seed=data_seed, then=lambda: None)
    if late_hooks(module):
        stand(module, hierarchy, setup, seed=seed, data_seed=data_seed)
        _learn_sizes(module, hierarchy, setup, seed=seed, data_seed=data_seed)
    return module


def _open(setup: Setup, *, seed: int, data_seed: int, then: Callable[[], None]) -> tuple[Any, Hierarchy]:
    set_seed(seed)
    module, hierarchy = build_model(setup)
    steady_hooks(module, seed=seed, then=then)
    _learn_sizes(module, hierarchy, setup, seed=seed, data_seed=data_seed)
    return module, hierarchy


def _learn_sizes(module: Any, hierarchy: Hierarchy, setup: Setup, *, seed: int, data_seed: int) -> None:
    if _sizeless(module):
        with seeded(derived_seed(seed, "sizes")), generators_kept(setup.data):
            _pass_a_batch(module, hierarchy, setup, seed=seed, data_seed=data_seed)


def _sizeless(module: Any) -> list[str]:
    """Names of the parameters and buffers that have no shape yet."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return [name for name, one in named if is_lazy(one)]


def _pass_a_batch(module: Any, hierarchy: Hierarchy, setup: Setup, *, seed: int, data_seed: int) -> None:
    names = _sizeless(module)
    try:
        require_step(module, Split.TRAIN)
    except SetupError as error:
        raise _told(module, names, str(error)) from error
    ignore_warnings(".*does not have many workers", ".*sampler has shuffling enabled")
    passes = Passes(open_data(setup, seed=data_seed, plain=True), hierarchy, seed=seed)
    job = EvaluateJob(setup, seed, (Split.TRAIN,), limit=1)
    passing = Passing(job, hierarchy, module, lambda model: None)  # noqa: ARG005
    pass_once(passing, passes, Pass(Split.TRAIN, first=1), showing_to(lambda seen: None), lambda position: None)  # noqa: ARG005
    passes.close()
    left = _sizeless(module)
    if left:
        raise _told(module, left, "a batch of the training split does not pass through it")


def _told(module: Any, names: list[str], why: str) -> SetupError:
    return SetupError(
        f"{name_of(type(module))} has parameters without a size, {', '.join(names)}, and {why}; give their layers the size "
        "of their input (in_features=..., in_channels=...), or pass a batch through them in the model's constructor"
    )
