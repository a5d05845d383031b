"""The data of a setup as a datamodule: fresh for each job, with all its hooks, whatever it was declared as."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from typing import Any

from art_training.engines.lightning.hierarchy import LIGHTNING, Hierarchy, hierarchy_of, is_overridden
from art_training.engines.lightning.loaders import evaluation_form, first_batch, named, repeating, rows, uncombined
from art_training.engines.lightning.random_states import derived_seed, seeded
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data import Data
from art_training.setup.setup import Setup

_METHODS = {Split.TRAIN: "train_dataloader", Split.VALIDATION: "val_dataloader", Split.TEST: "test_dataloader"}
_TRANSFER = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
_HOOKS = ("prepare_data", "setup", "teardown", "state_dict", "load_state_dict", "on_exception", *_TRANSFER)
_ATTRIBUTES = ("prepare_data_per_node", "allow_zero_length_dataloader_with_multiple_devices")


def open_data(setup: Setup, *, seed: int, plain: bool = False) -> Any:
    """A datamodule of this job's own, of the hierarchy that it comes from.

    What the datamodule draws at random while it prepares (a random split, say) follows from `seed` alone, so that
    training and evaluation see the same rows in the same splits.

    Raises:
        SetupError: the data is none that this engine knows, or has no training loader.
    """
    with seeded(derived_seed(seed, "data")):
        datamodule = _fresh(setup.data)
        if plain and callable(getattr(datamodule, "plain", None)) and not isinstance(setup.data, Data):
            datamodule = _plain(datamodule)
    if isinstance(datamodule, Data):
        declared = datamodule.plain() if plain else datamodule
        datamodule = LIGHTNING.derive(_DECLARED[declared.splits], "LightningDataModule")(declared)
    if not is_overridden("train_dataloader", datamodule, "LightningDataModule"):
        raise SetupError(f"{type(datamodule).__qualname__} defines no train_dataloader; define it")
    _steady(datamodule, derived_seed(seed, "data"))
    return datamodule


def check_data(setup: Setup) -> None:
    """Raise what can be told about the data without preparing it; a factory is called once.

    Raises:
        SetupError: as `open_data`.
    """
    data = setup.data
    if isinstance(data, type) and hierarchy_of(data, "LightningDataModule") is not None:
        if not is_overridden("train_dataloader", data, "LightningDataModule"):
            raise SetupError(f"{data.__qualname__} defines no train_dataloader; define it")
        return
    if isinstance(data, Data) or hierarchy_of(data, "LightningDataModule") is not None:
        return
    _fresh(data)


def split_names(datamodule: Any) -> tuple[Split, ...]:
    """The splits that a datamodule has loaders for, as far as can be told without calling it."""
    return tuple(
        split for split, method in _METHODS.items() if is_overridden(method, datamodule, "LightningDataModule")
    )


def require_split(datamodule: Any, split: Split) -> None:
    """Raise where there is no such split.

    Raises:
        SetupError: the datamodule does not define the split's loader.
    """
    has = split_names(datamodule)
    if split not in has:
        kind = type(datamodule).__qualname__
        remedy = f"art.data({split.value}=...)" if kind == "Data" else f"define {_METHODS[split]} in {kind}"
        raise SetupError(f"the data has no {split.value} split, it has: {', '.join(has)}; {remedy}")


def split_loaders(datamodule: Any, split: Split) -> dict[str | None, Any]:
    """A split's loaders by name, in evaluation form; the datamodule is set up for it.

    Raises:
        SetupError: the datamodule's method returned no loader.
    """
    require_split(datamodule, split)
    method = _METHODS[split]
    loaders = getattr(datamodule, method)()
    found = named(uncombined(loaders) if split is Split.TRAIN else loaders)
    if not found:
        raise SetupError(
            f"{type(datamodule).__qualname__}.{method} returned {loaders!r}, so there is no {split.value} split; "
            "return a DataLoader from it"
        )
    return {name: evaluation_form(loader) for name, loader in found.items()}


@dataclass
class Pass:
    """One pass over a split: what its loaders are, known once Lightning has asked for them.

    Attributes:
        split: which split.
        one_batch: only the one batch that `FitJob.one_batch` trains on.
        loaders: by name, in the order of Lightning's dataloader index.
        one: the batch, where there is only one.
    """

    split: Split
    one_batch: bool = False
    loaders: dict[str | None, Any] = field(default_factory=dict[str | None, Any])

    @property
    def names(self) -> tuple[str | None, ...]:
        """Names of the loaders."""
        return tuple(self.loaders)

    def rows(self) -> dict[str, int | None]:
        """Examples of each loader by `split` or `split:loader`."""
        return {address(self.split, name): rows(loader) for name, loader in self.loaders.items()}


def address(split: Split, loader: str | None) -> str:
    """How a loader of a split is written: `validation`, or `validation:noisy`."""
    return split.value if loader is None else f"{split.value}:{loader}"


class Passes:
    """The datamodule of several passes: prepared and set up once for all of them, with its hooks in each."""

    def __init__(self, datamodule: Any, hierarchy: Hierarchy, *, seed: int) -> None:
        self.datamodule = datamodule
        self._hierarchy = hierarchy
        self._seed = seed
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
            if wanted.one_batch:
                wanted.loaders = {None: repeating(_one_batch(inner, self._seed), 1)}
            else:
                wanted.loaders = split_loaders(inner, wanted.split)
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
        if name not in self._done:
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


def loader_names(datamodule: Any) -> dict[Split, tuple[str | None, ...]]:
    """The names of each split's loaders. The datamodule is prepared, set up and torn down; no batch is read."""
    datamodule.prepare_data()
    names: dict[Split, tuple[str | None, ...]] = {}
    for stage, splits in (("fit", (Split.TRAIN, Split.VALIDATION)), ("test", (Split.TEST,))):
        wanted = [split for split in splits if split in split_names(datamodule)]
        if not wanted:
            continue
        datamodule.setup(stage)
        for split in wanted:
            found = named(getattr(datamodule, _METHODS[split])())
            if found:
                names[split] = tuple(found)
        datamodule.teardown(stage)
    return names


def _fresh(data: Any) -> Any:
    if isinstance(data, Data):
        return data
    if not isinstance(data, type) and hierarchy_of(data, "LightningDataModule") is not None:
        from art_training.setup.identity.copies import copy_sharing_buffers

        return copy_sharing_buffers(data)
    if not callable(data):
        raise SetupError(
            f"data={data!r} is none that Lightning can train on; "
            "give a LightningDataModule class, a factory of one, or art.data(train=..., validation=...)"
        )
    made = data()
    if isinstance(made, type) or not (isinstance(made, Data) or hierarchy_of(made, "LightningDataModule") is not None):
        name = getattr(data, "__qualname__", type(data).__qualname__)
        raise SetupError(
            f"data {name} returned {made!r}, which is no LightningDataModule (of `lightning` or `pytorch_lightning`); "
            "give a class of one, a factory, or art.data(train=..., validation=...)"
        )
    return made


def _plain(datamodule: Any) -> Any:
    made = datamodule.plain()
    if hierarchy_of(made, "LightningDataModule") is None:
        raise SetupError(
            f"{type(datamodule).__qualname__}.plain() returned {made!r}; "
            "it must return a datamodule, the same data without augmentation"
        )
    return made


def _one_batch(datamodule: Any, seed: int) -> Any:
    """The same batch whenever it is asked for, though the dataset may draw at random."""
    with seeded(derived_seed(seed, "one batch")):
        return first_batch(datamodule.train_dataloader())


def _steady(datamodule: Any, seed: int) -> None:
    """Let what the datamodule draws while it prepares follow from the seed alone, and disturb nobody else's draws."""
    for name in ("prepare_data", "setup", *_METHODS.values()):
        setattr(datamodule, name, _seeded(getattr(datamodule, name), seed))


def _seeded(method: Callable[..., Any], seed: int) -> Callable[..., Any]:
    calls = count()  # a loader that is made anew in each epoch draws anew

    # `wraps` leaves the original where Lightning looks whether a method is the user's own.
    @wraps(method)
    def steady(*args: Any, **keywords: Any) -> Any:
        with seeded(derived_seed(seed, str(next(calls)))):
            return method(*args, **keywords)

    return steady


def _delegate(inner: Any, hierarchy: Hierarchy, replaced: Mapping[str, Callable[..., Any]]) -> Any:
    """A datamodule of `hierarchy` that passes everything on to `inner`, but for what is replaced.

    A hook is passed on only if the user has written it: Lightning asks whether it is there.
    """
    loaders = () if any(name in replaced for name in _METHODS.values()) else tuple(_METHODS.values())
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


class _Declared:
    """What was declared with `art.data(...)`."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self._data = data

    def _loaders(self, split: Split) -> Any:
        loaders = self._data.loaders(split)
        return loaders[None] if list(loaders) == [None] else dict(loaders)

    def train_dataloader(self) -> Any:
        """Fresh loaders of the training split."""
        return self._loaders(Split.TRAIN)


class _DeclaredValidation(_Declared):
    def val_dataloader(self) -> Any:
        """Fresh loaders of the validation split."""
        return self._loaders(Split.VALIDATION)


class _DeclaredTest(_Declared):
    def test_dataloader(self) -> Any:
        """Fresh loaders of the test split."""
        return self._loaders(Split.TEST)


class _DeclaredBoth(_DeclaredValidation, _DeclaredTest):
    """All three splits."""


_DECLARED: Mapping[tuple[Split, ...], type] = {
    (Split.TRAIN,): _Declared,
    (Split.TRAIN, Split.VALIDATION): _DeclaredValidation,
    (Split.TRAIN, Split.TEST): _DeclaredTest,
    (Split.TRAIN, Split.VALIDATION, Split.TEST): _DeclaredBoth,
}
