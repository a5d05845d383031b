"""`art.data`: datasets, loaders and arrays as the data of a setup."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.sources import Loading, Source, is_column, source

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

Sources: TypeAlias = Mapping[str | None, Source]


def data(
    train: Any,
    validation: Any = None,
    test: Any = None,
    *,
    batch_size: int = 32,
    shuffle: bool = True,
    collate: Callable[[list[Any]], Any] | None = None,
    workers: int = 0,
    plain_train: Any = None,
) -> "Data":
    """Declare the data of a setup.

    Each split is one of

    - a Dataset, or anything with a length and items (a list of examples);
    - a DataLoader, whose batch size, order, workers and collation stay its own;
    - a tuple of arrays `(X, y)`, which gives batches `(x, y)`; an array alone gives batches `(x,)`;
    - a dictionary of arrays, which gives dictionaries as batches;
    - a dictionary of any of these by name, for several loaders.

    A dictionary is one of arrays when all its values are arrays (NumPy, torch, a column of pandas, a list of numbers);
    several loaders of bare arrays are written `{"clean": (X,), "noisy": (Z,)}`. NumPy's float64 becomes float32 and its
    integers int64, except images of bytes, which stay uint8; tensors keep the type that they have.

    Args:
        train: the training split.
        validation: the validation split.
        test: the test split.
        batch_size: examples a batch.
        shuffle: whether the training split is shuffled anew in each epoch.
        collate: puts a list of examples together to a batch; torch's default collation where it is not given.
        workers: processes that load, of each loader.
        plain_train: the training split without augmentation, which the early steps ask for.

    Raises:
        SetupError: a split is empty, is none of the above, or its arrays do not fit together.
    """
    if train is None:
        raise SetupError("train=None; give the training split, for example train=(X, y)")
    if not isinstance(cast("Any", batch_size), int) or batch_size < 1:
        raise SetupError(f"batch_size={batch_size!r} must be a whole number of at least 1")
    if not isinstance(cast("Any", workers), int) or workers < 0:
        raise SetupError(f"workers={workers!r} must be a whole number of at least 0")
    if collate is not None and not callable(collate):
        raise SetupError(f"collate={collate!r} is not callable; give a function of a list of examples")
    given = {Split.TRAIN: train, Split.VALIDATION: validation, Split.TEST: test}
    sources = {split: _sources(value, split.value) for split, value in given.items() if value is not None}
    plain = None if plain_train is None else _sources(plain_train, "plain_train")
    if plain is not None and set(plain) != set(sources[Split.TRAIN]):
        raise SetupError(
            f"plain_train has the loaders {_named(plain)} and train has {_named(sources[Split.TRAIN])}; "
            "plain_train is the same split without augmentation: give it the same names"
        )
    return Data(MappingProxyType(sources), plain, shuffle, Loading(batch_size, collate, workers))


@dataclass(frozen=True, eq=False)
class Data:
    """Splits, and how loaders are made of them. `art.data(...)` makes one.

    Attributes:
        sources: where the examples of each split come from, by loader; `None` names a split's only loader.
        plain_train: the training split without augmentation, where there is such a form.
        shuffle: whether the training split is shuffled.
        loading: batch size, collation and workers.
    """

    sources: Mapping[Split, Sources]
    plain_train: Sources | None
    shuffle: bool
    loading: Loading

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that there are, in the order train, validation, test."""
        return tuple(self.sources)

    def loaders(self, split: Split, *, in_order: bool = False) -> Mapping[str | None, "DataLoader[Any]"]:
        """Fresh loaders of a split by name; `None` names its only one.

        The order of a shuffled split follows torch's global random state; a user's own loader keeps its generator,
        which begins anew in each fresh loader.

        Args:
            split: which.
            in_order: never shuffle arrays and datasets.

        Raises:
            SetupError: there is no such split.
        """
        if split not in self.sources:
            raise SetupError(
                f"the data has no {split.value} split; it has: {', '.join(self.sources)}; give art.data({split.value}=...)"
            )
        shuffle = self.shuffle and split is Split.TRAIN and not in_order
        return {name: one.loader(self.loading, shuffle=shuffle) for name, one in self.sources[split].items()}

    def parts(self) -> Mapping[str, Any]:
        """What holds the examples, arrays, datasets or loaders, as the user gave them: `train`, `validation:noisy`, ..."""
        return {place: one.part for place, one in self._placed()}

    def rows(self) -> Mapping[str, int | None]:
        """How many examples each part has, where that can be told without reading them."""
        return {place: one.rows for place, one in self._placed()}

    def settings(self) -> dict[str, Any]:
        """What else a result depends on, by name."""
        return {"batch_size": self.loading.batch_size, "shuffle": self.shuffle, "collate": self.loading.collate}

    def plain(self) -> "Data":
        """The data without augmentation, where `plain_train` was given; the data itself where not."""
        if self.plain_train is None:
            return self
        return replace(self, sources=MappingProxyType({**self.sources, Split.TRAIN: self.plain_train}))

    def but(self, **changes: Any) -> "Data":
        """The data with some arguments of `art.data` given anew, e.g. `data.but(batch_size=16, train=(X, y))`.

        Raises:
            SetupError: `art.data` has no such argument, or does not take its value.
        """
        given: dict[str, Any] = {split.value: _given(sources) for split, sources in self.sources.items()}
        given |= {"plain_train": self.plain_train and _given(self.plain_train), "shuffle": self.shuffle}
        given |= {name: getattr(self.loading, name) for name in ("batch_size", "collate", "workers")}
        known = {*given, *(split.value for split in Split)}
        if unknown := sorted(set(changes) - known):
            raise SetupError(f"art.data has no argument {unknown[0]!r}; it has: {', '.join(sorted(known))}")
        return data(**(given | changes))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Data":
        # A mapping that cannot be written cannot be copied either, as Python sees it.
        sources = {split: _copied(one, memo) for split, one in self.sources.items()}
        plain = None if self.plain_train is None else _copied(self.plain_train, memo)
        return replace(self, sources=MappingProxyType(sources), plain_train=plain, loading=deepcopy(self.loading, memo))

    def _placed(self) -> Iterator[tuple[str, Source]]:
        places = [(split.value, sources) for split, sources in self.sources.items()]
        if self.plain_train is not None:
            places.append(("plain_train", self.plain_train))
        for place, sources in places:
            for name, one in sources.items():
                yield place if name is None else f"{place}:{name}", one


def _sources(value: Any, name: str) -> Sources:
    if not isinstance(value, Mapping):
        return MappingProxyType({None: source(value, name)})
    values = cast("Mapping[Any, Any]", value)
    if not values:
        raise SetupError(f"{name}={{}} holds nothing; give arrays or loaders by name, or leave it out")
    arrays = [key for key, item in values.items() if is_column(item)]
    if len(arrays) == len(values):
        return MappingProxyType({None: source(values, name)})
    if arrays:
        other = next(key for key in values if key not in arrays)
        raise SetupError(
            f"{name} mixes arrays ({arrays[0]!r}) with what is none ({other!r}, a {type(values[other]).__name__}): "
            "a dictionary holds either the arrays of one loader, or several loaders by name"
        )
    return MappingProxyType({str(key): source(item, f"{name}:{key}") for key, item in values.items()})


def _copied(sources: Sources, memo: dict[int, Any]) -> Sources:
    return MappingProxyType({name: deepcopy(one, memo) for name, one in sources.items()})


def _given(sources: Sources) -> Any:
    """What `art.data` was given for a split."""
    return sources[None].part if set(sources) == {None} else {name: one.part for name, one in sources.items()}


def _named(sources: Sources) -> str:
    return ", ".join("(unnamed)" if name is None else name for name in sources)
