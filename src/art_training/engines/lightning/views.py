"""Datamodules that stand for another: for a pass over a split, for one batch, for the other hierarchy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from art_training.engines.lightning.data import METHODS, split_loaders, split_names
from art_training.engines.lightning.hierarchy import Hierarchy, hierarchy_of, is_overridden
from art_training.engines.lightning.loaders import (
    first_batch,
    first_batches,
    keeping,
    named,
    repeating,
    rows,
    uncombined,
)
from art_training.engines.lightning.random_states import derived_seed, seeded
from art_training.records import Split

_TRANSFER = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
_HOOKS = ("prepare_data", "setup", "teardown", "state_dict", "load_state_dict", "on_exception", *_TRANSFER)
_ATTRIBUTES = ("prepare_data_per_node", "allow_zero_length_dataloader_with_multiple_devices")


@dataclass
class Pass:
    """One pass over a split: what its loaders are, known once Lightning has asked for them.

    Attributes:
        split: which split.
        one_batch: only the one batch that `FitJob.one_batch` trains on.
        whole: also a short last batch that the loader's `drop_last` leaves out.
        first: only so many batches of each loader, which are read once and kept; None: the loaders as they are.
        as_trained: in the order and batches of training, whatever else is said.
        loaders: by name, in the order of Lightning's dataloader index.
        found: whether they are what they shall be, however often Lightning asks for them.
    """

    split: Split
    one_batch: bool = False
    whole: bool = True
    first: int | None = None
    as_trained: bool = False
    loaders: dict[str | None, Any] = field(default_factory=dict[str | None, Any])
    found: bool = False

    @property
    def names(self) -> tuple[str | None, ...]:
        """Names of the loaders."""
        return tuple(self.loaders)

    def keep(self, loaders: Mapping[str | None, Any]) -> None:
        """Read what is wanted of loaders in evaluation form, once and for all."""
        first = self.first
        self.loaders = {
            name: loader if first is None else keeping(first_batches(loader, first)) for name, loader in loaders.items()
        }
        self.found = True

    def rows(self) -> dict[str, int | None]:
        """Examples of each loader by `split` or `split:loader`."""
        return {address(self.split, name): rows(loader) for name, loader in self.loaders.items()}


def address(split: Split, loader: str | None) -> str:
    """How a loader of a split is written: `validation`, or `validation:noisy`."""
    return split.value if loader is None else f"{split.value}:{loader}"


class Passes:
    """The datamodule of several passes: prepared and set up once for all of them, with its hooks in each."""

    def __init__(self, datamodule: Any, hierarchy: Hierarchy, *, seed: int, stands: bool = False) -> None:
        """Of a datamodule; one that `stands` is another's, who sets it up and tears it down."""
        self.datamodule = datamodule
        self._hierarchy = hierarchy
        self._seed = seed
        self._stands = stands
        self._done: dict[str, None] = {}

    def view(self, wanted: Pass, *, testing: bool = False) -> Any:
        """A datamodule whose validation loaders (test loaders, if `testing`) are those of the wanted split.

        The stage that the user's `setup` is called with is `fit` for training and validation data, as in training,
        and `test` for test data.
        """
        inner = self.datamodule
        wanted_stage = "test" if wanted.split is Split.TEST else "fit"

        def prepare_data(view: Any) -> None:  # noqa: ARG001
            self._once("", inner.prepare_data)

        def setup(view: Any, **_: Any) -> None:  # noqa: ARG001
            self._once(wanted_stage, lambda: inner.setup(wanted_stage))

        def teardown(view: Any, **_: Any) -> None:
            """Left to `close`, because a later pass may use what this one has set up."""

        def loaders(view: Any) -> list[Any]:  # noqa: ARG001
            if wanted.found:
                pass
            elif wanted.one_batch:
                wanted.loaders = {None: repeating(_one_batch(inner, self._seed), 1)}
            elif wanted.as_trained:
                wanted.loaders = named(uncombined(inner.train_dataloader()))
            elif wanted.first is None:
                wanted.loaders = split_loaders(inner, wanted.split, whole=wanted.whole)
            else:
                wanted.keep(split_loaders(inner, wanted.split, whole=wanted.whole))
            return list(wanted.loaders.values())

        method = "test_dataloader" if testing else "val_dataloader"
        replaced = {"prepare_data": prepare_data, "setup": setup, "teardown": teardown, method: loaders}
        return _delegate(inner, self._hierarchy, replaced)

    def close(self) -> None:
        """Let the datamodule tear down what it has set up."""
        stages, self._done = [stage for stage in self._done if stage], {}
        for stage in stages:
            self.datamodule.teardown(stage)

    def _once(self, name: str, work: Callable[[], None]) -> None:
        if name not in self._done and not self._stands:
            work()
            self._done[name] = None


def fit_view(datamodule: Any, hierarchy: Hierarchy, *, one_batch: int, seed: int) -> Any:
    """The datamodule to train with: itself where it can be, a delegate where hierarchy or batches differ."""
    if not one_batch:
        same = hierarchy_of(datamodule, "LightningDataModule") == hierarchy
        return datamodule if same else _delegate(datamodule, hierarchy, {})

    drawn: list[Any] = []

    def batch() -> Any:
        if not drawn:
            drawn.append(_one_batch(datamodule, seed))
        return drawn[0]

    def train_dataloader(view: Any) -> Any:  # noqa: ARG001
        return repeating(batch(), one_batch)

    def val_dataloader(view: Any) -> Any:  # noqa: ARG001
        return repeating(batch(), 1)

    replaced: dict[str, Any] = {"train_dataloader": train_dataloader}
    if Split.VALIDATION in split_names(datamodule):
        replaced["val_dataloader"] = val_dataloader
    return _delegate(datamodule, hierarchy, replaced)


def _one_batch(datamodule: Any, seed: int) -> Any:
    """The same batch whenever it is asked for, though the dataset may draw at random."""
    with seeded(derived_seed(seed, "one batch")):
        return first_batch(datamodule.train_dataloader())


def _delegate(inner: Any, hierarchy: Hierarchy, replaced: Mapping[str, Callable[..., Any]]) -> Any:
    """A datamodule of `hierarchy` that passes everything on to `inner`, but for what is replaced.

    A hook is passed on only if the user has written it: Lightning asks whether it is there.
    """
    loaders = () if any(name in replaced for name in METHODS.values()) else tuple(METHODS.values())
    forwarded = [name for name in (*_HOOKS, *loaders) if is_overridden(name, inner, "LightningDataModule")]
    members: dict[str, Any] = {name: _forward(name) for name in forwarded}
    members |= {"__init__": _init, "__getattr__": _getattr, "trainer": property(_get_trainer, _set_trainer), **replaced}
    # The class keeps its name: Lightning stores a datamodule's state under it.
    return type(type(inner).__qualname__, (hierarchy.base("LightningDataModule"),), members)(inner)


def _forward(name: str) -> Callable[..., Any]:
    def forward(view: Any, *args: Any, **keywords: Any) -> Any:
        return getattr(view._inner, name)(*args, **keywords)  # noqa: SLF001  Its own member.

    return forward


def _init(view: Any, inner: Any) -> None:
    object.__setattr__(view, "_inner", inner)
    super(type(view), view).__init__()
    for name in _ATTRIBUTES:
        if hasattr(inner, name):
            setattr(view, name, getattr(inner, name))


def _getattr(view: Any, name: str) -> Any:
    if name == "_inner":
        raise AttributeError(name)
    return getattr(view._inner, name)  # noqa: SLF001  Its own member.


def _get_trainer(view: Any) -> Any:
    return view._inner.trainer  # noqa: SLF001  Its own member.


def _set_trainer(view: Any, trainer: Any) -> None:
    view._inner.trainer = trainer  # noqa: SLF001  Its own member.
