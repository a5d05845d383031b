"""What a dataset stores: its arrays, its files, its settings. Items are never asked for, because asking may augment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from art_training.records import Plain
from art_training.setup.identity.files import Tree, tree_of, tree_state
from art_training.setup.identity.origin import is_local_class, is_local_file, portable
from art_training.setup.identity.references import references
from art_training.setup.identity.values import ValueReader, is_a

# What changes how fast a loader is, not what it gives, and what a Trainer leaves on a datamodule.
_LOADING = frozenset({
    "num_workers", "workers", "pin_memory", "pin_memory_device", "persistent_workers", "prefetch_factor", "timeout",
    "multiprocessing_context", "trainer", "prepare_data_per_node",
    "allow_zero_length_dataloader_with_multiple_devices", "_log_hyperparams", "_hparams_name", "_hparams_initial",
})  # fmt: skip
_REMEDY = "give data_version=, or the dataset a method fingerprint()"
# Names by which files are opened, and attributes that say where something is written rather than read.
_OPENS = frozenset({
    "open", "imread", "read_csv", "read_parquet", "read_image", "decode_image", "loadtxt", "fromfile", "memmap",
    "read_bytes", "read_text", "open_memmap", "get_object", "urlopen",
})  # fmt: skip
_WRITTEN_TO = ("log", "save", "output", "checkpoint", "tmp", "temp")
_NAMED_AS_PLACE = ("path", "root", "dir", "folder", "file")


class StorageReader(ValueReader):
    """Reads datasets and loaders by what they store.

    Attributes:
        trees: the files and folders of data that were read.
        settings: what a person sets of loaders, by name.
    """

    unnamed: ClassVar[frozenset[str]] = _LOADING

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
        self.settings: dict[str, Plain] = {}
        self._places = 0

    def thing(self, value: Any, where: str) -> Plain:
        """An object; a loader by what it gives, a dataset with a `fingerprint()` by that."""
        if is_a(value, "torch.utils.data.dataloader.DataLoader"):
            return self._loader(value, where)
        if callable(getattr(type(value), "fingerprint", None)):
            self.meet(type(value))
            return {"fingerprint": self.read(value.fingerprint(), f"{where}.fingerprint()")}
        if type(value).__module__.startswith("datasets."):  # Hugging Face's datasets keep one themselves
            return {"fingerprint": self.read(getattr(value, "_fingerprint", None), f"{where}._fingerprint")}
        before = self._places
        read = super().thing(value, where)
        if self._places == before and (opens := _opens_unseen(value)):
            self.miss(where, f"({type(value).__qualname__}) calls {opens} for an item, and holds no path: {_REMEDY}")
        return read

    def text(self, value: str, where: str) -> Plain:
        """A string; one that leads to files of data is read as these."""
        if not value or len(value) > 4096 or "\n" in value or not self._is_place(value, where):
            return portable(value, self.homes)
        self._places += 1
        known = self._within(value)
        if known is not None:
            return known
        try:
            tree = self.trees[str(Path(value).absolute())] = self._tree(Path(value).absolute())
        except (OSError, ValueError) as error:
            return self.miss(where, f"names the files {value!r}, which cannot be read: {error}")
        if tree.note:
            self.notes[f"{where}: {tree.note}"] = None
        return {"files": tree.digest}

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

    def _tree(self, root: Path) -> Tree:
        key = f"tree:{root}:{tree_state(root)}"
        known = self._memo(key)
        if isinstance(known, dict):
            return Tree(str(known["digest"]), str(known["note"]))
        tree = tree_of(root)
        self._remember(key, {"digest": tree.digest, "note": tree.note})
        return tree

    def _within(self, value: str) -> Plain:
        """A path inside a folder that was read already, relative to it."""
        absolute = str(Path(value).absolute())
        for root in self.trees:
            if absolute == root:
                return {"files": self.trees[root].digest}
            if absolute.startswith(root + os.sep):
                return os.path.relpath(absolute, root)
        return None

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


def _opens_unseen(dataset: Any) -> str:
    """The name by which the project's own dataset opens a file when it is asked for an item; empty where it does not."""
    kind = cast("type[Any]", type(dataset))
    if not is_local_class(kind):
        return ""
    for method in ("__getitem__", "__getitems__", "__iter__"):
        code = getattr(getattr(kind, method, None), "__code__", None)
        if code is not None and is_local_file(code.co_filename):
            return min(references(code).mentioned & _OPENS, default="")
    return ""


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
