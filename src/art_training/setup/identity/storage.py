"""What a dataset stores: its arrays, its files, its settings. Items are never asked for, because asking may augment."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar

from art_training.records import Plain
from art_training.setup.identity.files import Tree, tree_of, tree_state
from art_training.setup.identity.late import late as late_of
from art_training.setup.identity.origin import is_local_class, is_local_file, portable
from art_training.setup.identity.reads import Reads, constants, is_place, reached
from art_training.setup.identity.source import source_of
from art_training.setup.identity.values import ValueReader, is_a
from art_training.setup.identity.written import digest_of, marked

# What changes how fast a loader is, not what it gives, and what a Trainer leaves on a datamodule.
_LOADING = frozenset({
    "num_workers", "workers", "pin_memory", "pin_memory_device", "persistent_workers", "prefetch_factor", "timeout",
    "multiprocessing_context", "trainer", "prepare_data_per_node",
    "allow_zero_length_dataloader_with_multiple_devices", "_log_hyperparams", "_hparams_name", "_hparams_initial",
})  # fmt: skip
_REMEDY = "give data_version=, or the dataset a method fingerprint()"
# Attributes that say where something is written rather than read.
_WRITTEN_TO = ("log", "save", "output", "checkpoint", "tmp", "temp")
_WRITTEN = frozenset({"log", "logs", "save", "output", "outputs", "out", "tmp", "temp"})
_FOR_AN_ITEM = ("__getitem__", "__getitems__", "__iter__", "__call__")
_NAMED_AS_PLACE = ("path", "root", "dir", "folder", "file")


class PlaceReader(ValueReader):
    """Reads values; a path that leads to files counts by their content.

    Attributes:
        trees: the files and folders that were read.
        held: the words of the names under which they were found.
    """

    def __init__(
        self,
        meet: Callable[[Any], None],
        homes: set[str],
        *,
        memo: Callable[[str], Plain] = lambda _key: None,
        remember: Callable[[str, Plain], None] = lambda _key, _value: None,
    ) -> None:
        """Begin to read; digests of folders are remembered by the states of their files."""
        super().__init__(meet, homes)
        self._memo = memo
        self._remember = remember
        self.trees: dict[str, Tree] = {}
        self.held: set[str] = set()

    def text(self, value: str, where: str) -> Plain:
        """A string; one that leads to files is read as these."""
        if not value or len(value) > 4096 or "\n" in value or not self._is_place(value, where):
            return portable(value, self.homes)
        return self.files(value, where)

    def files(self, value: str, where: str) -> Plain:
        """A path that leads to files."""
        self.held.update(re.split(r"[.\[\]]+", where))
        root = str(Path(value).absolute())
        if root in self.trees:
            return self.place(value, self.trees[root])
        if outer := next((known for known in self.trees if root.startswith(known + os.sep)), None):
            return os.path.relpath(root, outer)
        try:
            tree = self.trees[root] = self.tree(Path(root))
        except (OSError, ValueError) as error:
            return self.miss(where, f"names the files {value!r}, which cannot be read: {error}")
        if tree.note:
            self.notes[f"{where}: {tree.note}"] = None
        return self.place(value, tree)

    def place(self, _value: str, tree: Tree) -> Plain:
        """A path that was read: data may lie anywhere."""
        return {"files": tree.digest}

    def tree(self, root: Path) -> Tree:
        """The digest of a file or a folder, remembered by the states of its files.

        Raises:
            OSError, ValueError: as `tree_of` does.
        """
        key = f"tree:{root}:{tree_state(root)}"
        known = self._memo(key)
        if isinstance(known, dict):
            return Tree(str(known["digest"]), str(known["note"]))
        tree = tree_of(root)
        self._remember(key, {"digest": tree.digest, "note": tree.note})
        return tree

    def _is_place(self, value: str, where: str) -> bool:
        name = where.rpartition(".")[2].lower()
        if any(part in name for part in _WRITTEN_TO):
            return False
        likely = os.sep in value or any(part in name for part in _NAMED_AS_PLACE) or Path(value).suffix != ""
        if not likely:
            return False
        path = Path(value)
        try:
            if not path.exists():
                return False
        except (OSError, ValueError):
            return False
        # The project's own folder, or one above it, holds more than data; what is read from there is told by other means.
        absolute = str(path.absolute())
        return not any(home == absolute or home.startswith(absolute.rstrip(os.sep) + os.sep) for home in self.homes)


class GivenReader(PlaceReader):
    """Reads hyper-parameters: a path counts by its name, as a person wrote it, and by the content behind it."""

    def place(self, value: str, tree: Tree) -> Plain:
        """A path that was read."""
        return marked(f"{portable(value, self.homes)!r} with content {tree.digest[:16]}", Path)

    def _is_place(self, value: str, where: str) -> bool:
        # A folder counts where it is opened: most that a model is given are there to be written to.
        return not _WRITTEN & set(re.split(r"[^a-z]+", where.lower())) and is_place(value) and Path(value).is_file()


class StorageReader(PlaceReader):
    """Reads datasets and loaders by what they store.

    Attributes:
        settings: what a person sets of loaders, by name.
    """

    unnamed: ClassVar[frozenset[str]] = _LOADING

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin to read, as a `PlaceReader` does."""
        super().__init__(*args, **kwargs)
        self.settings: dict[str, Plain] = {}
        self._kinds: dict[type[Any], list[FunctionType]] = {}

    def thing(self, value: Any, where: str) -> Plain:
        """An object; a loader by what it gives, a dataset with a `fingerprint()` by that."""
        if is_a(value, "torch.utils.data.dataloader.DataLoader"):
            return self._loader(value, where)
        if callable(getattr(type(value), "fingerprint", None)):
            self.meet(type(value))
            return {"fingerprint": self.read(value.fingerprint(), f"{where}.fingerprint()")}
        if type(value).__module__.startswith("datasets."):  # Hugging Face's datasets keep one themselves
            return {"fingerprint": self.read(getattr(value, "_fingerprint", None), f"{where}._fingerprint")}
        read = super().thing(value, where)
        late = self._for_an_item(type(value), where)
        return digest_of({"holds": read, "reads": late}) if late else read

    def _for_an_item(self, kind: type[Any], where: str) -> dict[str, Plain]:
        """What the project's own dataset or transform reads when it is asked for an item, by name."""
        functions = self._item_functions(kind)
        if not functions:
            return {}
        reads = Reads(held=frozenset(self.held), homes=self.homes)
        for _function, call in reads.untold(functions):
            self.miss(where, f"({kind.__qualname__}) calls {call} for an item, and holds no path: {_REMEDY}")
        paths = {path: portable(path, self.homes) for path in reads.paths}
        named = {path: name for function in functions for name, path in constants(function)}
        paths |= {path: name for path, name in named.items() if self._is_place(path, name)}
        found = {name: self.files(path, f"{where}.{name}") for path, name in sorted(paths.items())}
        for function in functions:
            decided = late_of(function, source_of(function.__code__, function.__globals__).calls, {})
            found |= {f"environment {name}": os.environ.get(name) for name in decided.variables}
            if decided.asks:
                self.miss(where, f"({kind.__qualname__}) asks for the environment for an item: {_REMEDY}")
        return found

    def _item_functions(self, kind: type[Any]) -> list[FunctionType]:
        if kind not in self._kinds:
            methods = [getattr(kind, name, None) for name in _FOR_AN_ITEM] if is_local_class(kind) else []
            own = [one for one in methods if isinstance(one, FunctionType) and is_local_file(one.__code__.co_filename)]
            self._kinds[kind] = reached(own, kind)
        return self._kinds[kind]

    def _loader(self, loader: Any, where: str) -> Plain:
        """What a loader draws from and what is its own; what a person sets of it is kept apart, to be read by name."""
        kept = {name: getattr(loader, name, None) for name in ("dataset", "collate_fn", "worker_init_fn", "generator")}
        own_batches = type(loader.batch_sampler).__qualname__ != "BatchSampler"
        shuffle = _shuffles(loader.sampler)
        if own_batches and loader.batch_sampler is not None:
            kept["batch_sampler"] = loader.batch_sampler
        elif shuffle is None:
            kept["sampler"] = loader.sampler
        settings = {"batch_size": loader.batch_size, "drop_last": loader.drop_last, "shuffle": shuffle}
        self.settings |= {f"{where}.{name}": value for name, value in settings.items() if value is not None}
        return {name: self.read(value, f"{where}.{name}") for name, value in kept.items() if value is not None}


def _shuffles(sampler: Any) -> bool | None:
    """Whether a loader shuffles; None where its sampler does something else."""
    name = f"{type(sampler).__module__}.{type(sampler).__qualname__}"
    if name == "torch.utils.data.sampler.SequentialSampler":
        return False
    if name == "torch.utils.data.sampler.RandomSampler" and not sampler.replacement:
        return True if sampler.num_samples == len(sampler.data_source) else None
    return None


def loaders_of(module: Any) -> Mapping[str, Any]:
    """The loaders that a datamodule gives, by the name of their method. Its `setup` must have been called."""
    names = ("train_dataloader", "val_dataloader", "test_dataloader")
    return {name: getattr(module, name)() for name in names if overrides(module, name)}


def overrides(module: Any, name: str) -> bool:
    """Whether a datamodule has a method of its own, not the one that Lightning's class defines to say there is none."""
    method = getattr(module, name, None)
    owner = getattr(getattr(method, "__func__", method), "__module__", "") or ""
    return callable(method) and owner.partition(".")[0] not in {"lightning", "pytorch_lightning"}
