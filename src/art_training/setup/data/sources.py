"""Where the examples of one loader come from: arrays, a dataset, or a loader of the user's own."""

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from art_training.errors import SetupError

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

Columns: TypeAlias = tuple[Any, ...] | dict[str, Any]


@dataclass(frozen=True)
class Loading:
    """How loaders are made of datasets and arrays. Its fields are those of `art.data`."""

    batch_size: int
    collate: Callable[[list[Any]], Any] | None
    workers: int


class Source(ABC):
    """Examples as the user gave them. Nothing of it is changed, also not the state of a generator."""

    @property
    @abstractmethod
    def part(self) -> Any:
        """What holds the examples, as it was given: arrays, a dataset, or a loader with its settings."""

    @abstractmethod
    def loader(self, loading: Loading, *, shuffle: bool) -> "DataLoader[Any]":
        """A fresh loader."""

    @property
    def rows(self) -> int | None:
        """How many examples there are, as far as it can be told without reading them."""
        return _length(self.part)


class ArraySource(Source):
    """Arrays that hold one row an example."""

    def __init__(self, columns: Columns) -> None:
        self._rows = ArrayRows(columns)

    @property
    def part(self) -> Columns:
        return self._rows.columns

    @property
    def rows(self) -> int:
        return len(self._rows)

    def loader(self, loading: Loading, *, shuffle: bool) -> "DataLoader[Any]":
        from torch.utils.data import DataLoader

        return DataLoader(
            cast("Any", self._rows),
            batch_size=loading.batch_size,
            shuffle=shuffle,
            num_workers=loading.workers,
            collate_fn=loading.collate or collate_rows,
        )

    def __repr__(self) -> str:
        columns = self._rows.columns
        named = columns.items() if isinstance(columns, dict) else (("", column) for column in columns)
        return "arrays(" + ", ".join(f"{name}{':' * bool(name)}{_shown(column)}" for name, column in named) + ")"


class DatasetSource(Source):
    """A dataset: of torch, or anything with a length and items."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    @property
    def part(self) -> Any:
        return self._dataset

    def loader(self, loading: Loading, *, shuffle: bool) -> "DataLoader[Any]":
        from torch.utils.data import DataLoader, IterableDataset

        return DataLoader(
            self._dataset,
            batch_size=loading.batch_size,
            shuffle=shuffle and not isinstance(self._dataset, IterableDataset),
            num_workers=loading.workers,
            collate_fn=loading.collate,
        )

    def __repr__(self) -> str:
        length = self.rows
        return f"{type(self._dataset).__name__}({'' if length is None else f'{length} examples'})"


class LoaderSource(Source):
    """A DataLoader of the user's own, with its own batch size, order, workers and collation."""

    def __init__(self, loader: "DataLoader[Any]") -> None:
        self._loader = loader

    @property
    def part(self) -> Any:
        return self._loader

    @property
    def rows(self) -> int | None:
        return _length(self._loader.dataset)

    def loader(self, loading: Loading, *, shuffle: bool) -> "DataLoader[Any]":
        return again(self._loader)

    def __repr__(self) -> str:
        length = self.rows
        counted = "" if length is None else f"{length} examples, "
        return f"{type(self._loader).__name__}({counted}batch_size={self._loader.batch_size})"


class ArrayRows:
    """Arrays as a dataset whose items are rows, as tensors; a whole batch is taken from the arrays at once.

    Arrays stay where they are, on disk too (`numpy.memmap`); what leaves them is a copy. NumPy's float64 becomes
    float32, its integers become int64, except images of bytes (uint8 with more than one dimension), which stay; tensors
    keep the type that they have.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        columns = self.columns.values() if isinstance(self.columns, dict) else self.columns
        return next(int(column.shape[0]) for column in columns)

    def __getitem__(self, index: int) -> Any:
        return self._taken(lambda column: column[index])

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """The rows at `indices` as one batch. A DataLoader asks for them in this way where a dataset allows it."""
        import numpy as np

        chosen, listed = np.asarray(indices), list(indices)

        def take(column: Any) -> Any:
            return column[chosen if isinstance(column, np.ndarray) else listed]

        return self._taken(take)

    def _taken(self, take: Callable[[Any], Any]) -> Any:
        if isinstance(self.columns, dict):
            return {name: _tensor(take(column), column.ndim) for name, column in self.columns.items()}
        return tuple(_tensor(take(column), column.ndim) for column in self.columns)


def collate_rows(rows: Any) -> Any:
    """Rows that `ArrayRows` took together are a batch already; rows taken one by one are put together."""
    if not isinstance(rows, list):
        return rows
    from torch.utils.data import default_collate

    first = cast("list[Any]", rows)[0]
    batch: Any = default_collate(rows)
    return tuple(batch) if isinstance(first, tuple) else batch


def again(loader: "DataLoader[Any]") -> "DataLoader[Any]":
    """A loader like `loader` that shares its dataset but no state; its generators begin where the user's stand.

    A subclass that iterates in its own way cannot be made again, and is returned as it is.
    """
    from torch.utils.data import BatchSampler, DataLoader

    if type(loader).__iter__ is not DataLoader.__iter__:
        return loader
    settings: dict[str, Any] = {
        "num_workers": loader.num_workers,
        "collate_fn": loader.collate_fn,
        "pin_memory": loader.pin_memory,
        "timeout": loader.timeout,
        "worker_init_fn": loader.worker_init_fn,
        "generator": _generator(loader.generator),
    }
    if loader.num_workers:
        settings |= {
            "multiprocessing_context": loader.multiprocessing_context,
            "prefetch_factor": loader.prefetch_factor,
            "persistent_workers": loader.persistent_workers,
        }
    batch_sampler = cast("Any", loader.batch_sampler)
    if batch_sampler is None:  # batching is the dataset's own
        settings |= {"batch_size": None, "sampler": _sampler(loader.sampler, settings["generator"])}
    elif (
        type(batch_sampler) is BatchSampler and loader.batch_size is not None
    ):  # else it was given, and not made of a size
        settings |= {"batch_size": loader.batch_size, "drop_last": loader.drop_last}
        settings |= {"sampler": _sampler(loader.sampler, settings["generator"])}
    else:
        settings |= {"batch_sampler": _sampler(batch_sampler, settings["generator"])}
    if _iterable(loader):
        settings.pop("sampler", None)
    return DataLoader(loader.dataset, **settings)


def source(value: Any, name: str) -> Source:
    """What `value` is, for the split or loader called `name`.

    Raises:
        SetupError: it is nothing that examples can be read from, is empty, or its arrays do not fit together.
    """
    found = _recognised(value, name)
    if found.rows == 0:
        raise SetupError(f"{name} has no examples; give at least one, or leave it out")
    return found


def is_column(value: Any) -> bool:
    """Whether `value` is an array that holds one row an example, or a plain list of numbers."""
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return bool(items) and all(isinstance(item, bool | int | float) for item in items)
    return hasattr(value, "shape") and (hasattr(value, "dtype") or hasattr(value, "to_numpy"))


def _recognised(value: Any, name: str) -> Source:
    if is_a(value, "torch.utils.data.dataloader.DataLoader"):
        return LoaderSource(value)
    if is_a(value, "torch.utils.data.dataset.Dataset"):
        return DatasetSource(value)
    if is_a(value, "pandas.DataFrame") or is_a(value, "pandas.core.frame.DataFrame"):
        raise SetupError(
            f"{name} is a DataFrame, which does not say which column is the target; "
            f"give {name}=(frame.drop(columns='target'), frame['target'])"
        )
    if isinstance(value, tuple) and value:
        items = cast("tuple[Any, ...]", value)
        return ArraySource(tuple(_columns({str(index): item for index, item in enumerate(items)}, name).values()))
    if isinstance(value, Mapping):
        return ArraySource(_columns(cast("Mapping[str, Any]", value), name))
    if is_column(value) and not isinstance(value, list):
        return ArraySource((_column(value, name),))
    if hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, str | bytes):
        return DatasetSource(value)
    raise SetupError(
        f"{name} is a {type(value).__name__}, from which no examples can be read; give a Dataset, a DataLoader, "
        "a tuple of arrays (X, y), or a dictionary of arrays"
    )


def is_a(value: Any, name: str) -> bool:
    """Whether `value` is an instance of the class called `name`, whose module need not be imported to know."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in type(value).__mro__)


def _columns(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    columns = {key: _column(value, f"{name}[{key!r}]") for key, value in values.items()}
    (first, one), *others = columns.items()
    for key, other in others:
        if other.shape[0] != one.shape[0]:
            raise SetupError(
                f"the arrays of {name} have different lengths: {first!r} has {one.shape[0]} rows and {key!r} has "
                f"{other.shape[0]}; every array needs one row for each example"
            )
    return columns


def _column(value: Any, name: str) -> Any:
    """`value` as an array or a tensor with rows."""
    if not is_column(value):
        raise SetupError(
            f"{name} is a {type(value).__name__}, not an array; give an array with one row for each example"
        )
    if hasattr(value, "toarray"):
        raise SetupError(f"{name} is a sparse matrix, which cannot be cut into batches; give {name}.toarray()")
    if not is_a(value, "torch.Tensor"):
        import numpy as np

        value = value if isinstance(value, np.ndarray) else np.asarray(value)
        if value.dtype.kind not in "biufc":
            raise SetupError(
                f"{name} holds {_kind(value)}, and a tensor holds numbers; encode it as numbers, "
                "or give a Dataset that does so"
            )
    if value.ndim == 0:
        raise SetupError(f"{name} is a single number; give an array with one row for each example")
    return value


def _kind(array: Any) -> str:
    return {"U": "text", "S": "bytes", "M": "dates", "m": "durations"}.get(array.dtype.kind, "objects")


def _tensor(taken: Any, dimensions: int) -> Any:
    """Rows of a column with so many dimensions, as a tensor."""
    import numpy as np
    import torch

    if isinstance(taken, torch.Tensor):
        return taken
    if taken.dtype.kind == "f" and taken.dtype.itemsize > 4:
        return torch.from_numpy(np.array(taken, dtype=np.float32))
    if taken.dtype.kind in "iu" and not (taken.dtype == np.uint8 and dimensions > 1):
        return torch.from_numpy(np.array(taken, dtype=np.int64))
    return torch.from_numpy(np.array(taken, dtype=taken.dtype.newbyteorder("=")))


def _shown(column: Any) -> str:
    return f"{str(column.dtype).removeprefix('torch.')}[{', '.join(str(length) for length in column.shape)}]"


def _length(part: Any) -> int | None:
    try:
        return len(part)
    except (TypeError, NotImplementedError):  # an iterable dataset need not know its length
        return None


def _iterable(loader: "DataLoader[Any]") -> bool:
    return is_a(loader.dataset, "torch.utils.data.dataset.IterableDataset")


def _generator(generator: Any) -> Any:
    if generator is None:
        return None
    import torch

    if not isinstance(generator, torch.Generator):  # of NumPy or Python, or one that draws from the machine
        return generator if isinstance(generator, random.SystemRandom) else copy.deepcopy(generator)
    fresh = torch.Generator(device=generator.device)
    fresh.set_state(generator.get_state())
    return fresh


def _sampler(sampler: Any, generator: Any) -> Any:
    """A copy of a sampler whose generators are its own."""
    fresh = copy.copy(sampler)
    if getattr(fresh, "generator", None) is not None:
        own = _generator(fresh.generator)
        fresh.generator = generator if generator is not None and type(own) is type(generator) else own
    if hasattr(fresh, "sampler"):
        fresh.sampler = _sampler(fresh.sampler, generator)
    return fresh
