"""The data of a setup as a datamodule: fresh for each job, with all its hooks, whatever it was declared as."""

from collections.abc import Callable, Mapping
from functools import wraps
from itertools import count
from typing import Any

from art_training.engines.engine import EvaluateJob, FitJob
from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import LIGHTNING, Kind, hierarchy_of, is_overridden
from art_training.engines.lightning.loaders import evaluation_form, named, uncombined
from art_training.engines.lightning.random_states import derived_seed, seeded
from art_training.errors import SetupError
from art_training.records import Finding, Severity, Split
from art_training.setup.data.data import Data
from art_training.setup.setup import Setup

METHODS = {Split.TRAIN: "train_dataloader", Split.VALIDATION: "val_dataloader", Split.TEST: "test_dataloader"}

_PLAIN = "_is_without_augmentation"
_LONGEST = 100  # characters of a value in a sentence


def open_data(setup: Setup, *, seed: int, plain: bool = False) -> Any:
    """A datamodule of this job's own, of the hierarchy that it comes from.

    What the datamodule draws at random while it prepares (a random split, say) follows from `seed` alone, so that
    training and evaluation see the same rows in the same splits.

    Raises:
        SetupError: the data is none that this engine knows, or has no training loader.
    """
    with seeded(derived_seed(seed, "data")):
        datamodule = _fresh(setup.data)
        if plain and callable(getattr(datamodule, "plain", None)) and not isinstance(datamodule, Data):
            datamodule = _plain(datamodule)
            vars(datamodule)[_PLAIN] = True
    if isinstance(datamodule, Data):
        declared = datamodule.plain() if plain else datamodule
        datamodule = LIGHTNING.derive(_DECLARED[declared.splits], "LightningDataModule")(declared)
    if not is_overridden("train_dataloader", datamodule, "LightningDataModule"):
        raise SetupError(f"{name_of(type(datamodule))} defines no train_dataloader; define it")
    _steady(datamodule, derived_seed(seed, "data"))
    return datamodule


def data_seed(job: FitJob | EvaluateJob) -> int:
    """What the data of a job draws from."""
    return job.seed if job.data_seed is None else job.data_seed


def is_plain(datamodule: Any) -> bool:
    """Whether the data have no other form, without augmentation, than the one that they are in."""
    declared = getattr(datamodule, "_data", None)
    if isinstance(declared, Data):
        return declared.plain() is declared
    return getattr(datamodule, _PLAIN, False) or not callable(getattr(datamodule, "plain", None))


def unreached(datamodule: Any, module: Any) -> Finding | None:
    """What goes on changing batches though data were asked for without augmentation; None where nothing does.

    A hook may be there for anything; whether it augments, its writer knows.
    """
    of_data = not (isinstance(datamodule, _Declared) or _PLAIN in vars(datamodule))
    owners: tuple[tuple[Any, Kind, bool], ...] = (
        (datamodule, "LightningDataModule", of_data),
        (module, "LightningModule", True),
    )
    hooks = [
        f"{name_of(type(owner))}.{hook}"
        for owner, kind, asked in owners
        for hook in ("on_before_batch_transfer", "on_after_batch_transfer")
        if asked and is_overridden(hook, owner, kind)
    ]
    if not hooks:
        return None
    where = name_of(type(datamodule))
    return Finding(
        code="ART301",
        category="preprocessing",
        severity=Severity.INFO,
        message=f"this training asked for data without augmentation, and {' and '.join(hooks)} went on changing its batches",
        evidence={"hooks": hooks},
        remedy=f"where it augments, do so in the datamodule, and define {where}.plain() that returns the same data without it",
        where=hooks[0],
    )


def check_data(setup: Setup) -> None:
    """Raise what can be told about the data without preparing it; a factory is called once.

    Raises:
        SetupError: as `open_data`.
    """
    data = setup.data
    if isinstance(data, type) and hierarchy_of(data, "LightningDataModule") is not None:
        if not is_overridden("train_dataloader", data, "LightningDataModule"):
            raise SetupError(f"{name_of(data)} defines no train_dataloader; define it")
        return
    if isinstance(data, Data) or hierarchy_of(data, "LightningDataModule") is not None:
        return
    _fresh(data)


def declared_splits(setup: Setup) -> tuple[Split, ...]:
    """The splits of a setup's data, as far as can be told without preparing it; a factory is called once.

    Raises:
        SetupError: the data is none that this engine knows.
    """
    data = setup.data
    if isinstance(data, type) and hierarchy_of(data, "LightningDataModule") is not None:
        return split_names(data)
    made = data if hierarchy_of(data, "LightningDataModule") is not None else _fresh(data)
    return made.splits if isinstance(made, Data) else split_names(made)


def split_names(datamodule: Any) -> tuple[Split, ...]:
    """The splits that a datamodule has loaders for, as far as can be told without calling it."""
    return tuple(split for split, method in METHODS.items() if is_overridden(method, datamodule, "LightningDataModule"))


def require_split(datamodule: Any, split: Split) -> None:
    """Raise where there is no such split.

    Raises:
        SetupError: the datamodule does not define the split's loader.
    """
    has = split_names(datamodule)
    if split not in has:
        declared = isinstance(datamodule, _Declared)
        where = f"define {METHODS[split]} in {name_of(type(datamodule))}"
        remedy = f"give art.data({split.value}=...)" if declared else where
        raise SetupError(f"the data has no {split.value} split, it has: {', '.join(has)}; {remedy}")


def split_loaders(datamodule: Any, split: Split, *, whole: bool = True) -> dict[str | None, Any]:
    """A split's loaders by name, in evaluation form; the datamodule is set up for it.

    Args:
        datamodule: which.
        split: which.
        whole: as of `evaluation_form`.

    Raises:
        SetupError: the datamodule's method returned no loader.
    """
    require_split(datamodule, split)
    method = METHODS[split]
    loaders = getattr(datamodule, method)()
    found = named(uncombined(loaders) if split is Split.TRAIN else loaders)
    if not found:
        raise SetupError(
            f"{name_of(type(datamodule))}.{method} returned {loaders!r}, so there is no {split.value} split; "
            "return a DataLoader from it"
        )
    return {name: evaluation_form(loader, whole=whole) for name, loader in found.items()}


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
            found = named(getattr(datamodule, METHODS[split])())
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
            f"data={_shown(data)} is none that Lightning can train on; "
            "give a LightningDataModule class, a factory of one, or art.data(train=..., validation=...)"
        )
    made = data()
    if isinstance(made, type) or not (isinstance(made, Data) or hierarchy_of(made, "LightningDataModule") is not None):
        name = name_of(data)
        raise SetupError(
            f"data {name} returned {_shown(made)}, which is no LightningDataModule (of `lightning` or `pytorch_lightning`); "
            "give a class of one, a factory, or art.data(train=..., validation=...)"
        )
    return made


def _shown(value: Any) -> str:
    """A value in a sentence: a table of numbers is no part of one."""
    text = repr(value)
    return text if len(text) <= _LONGEST and "\n" not in text else f"<{name_of(type(value))}>"


def _plain(datamodule: Any) -> Any:
    made = datamodule.plain()
    if hierarchy_of(made, "LightningDataModule") is None:
        raise SetupError(
            f"{name_of(type(datamodule))}.plain() returned {made!r}; "
            "it must return a datamodule, the same data without augmentation"
        )
    return made


def _steady(datamodule: Any, seed: int) -> None:
    """Let what the datamodule draws while it prepares follow from the seed alone, and disturb nobody else's draws."""
    for name in ("prepare_data", "setup", *METHODS.values()):
        method = getattr(datamodule, name)
        if method is not None:  # a subclass takes a split away with `val_dataloader = None`
            setattr(datamodule, name, _seeded(method, seed))


def _seeded(method: Callable[..., Any], seed: int) -> Callable[..., Any]:
    calls = count()  # a loader that is made anew in each epoch draws anew

    # `wraps` leaves the original where Lightning looks whether a method is the user's own.
    @wraps(method)
    def steady(*args: Any, **keywords: Any) -> Any:
        with seeded(derived_seed(seed, str(next(calls)))):
            return method(*args, **keywords)

    return steady


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
