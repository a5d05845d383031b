"""The digest of a setup's data: what it stores, never what it gives, because giving may augment.

A datamodule is set up once, under fixed random states, and the storage behind its loaders is read. What it opened on the
way is remembered with the digest, so that the next process needs no `setup()` as long as code, arguments and files are what
they were. Where that cannot be known (a network, another program, a reader that opens files in C), nothing is
remembered, and the data is set up again.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from art_training.records import Plain, digest_component
from art_training.records.fingerprint import UNKNOWN
from art_training.setup.identity.code import CodeWalk
from art_training.setup.identity.copies import copy_sharing_buffers
from art_training.setup.identity.files import file_state, tree_state
from art_training.setup.identity.opened import Opened, recorded
from art_training.setup.identity.provenance import installed_versions
from art_training.setup.identity.storage import StorageReader, loaders_of, overrides
from art_training.setup.identity.undisturbed import undisturbed
from art_training.setup.identity.written import digest_hex, is_digest, shown_or_digest
from art_training.setup.modified import Modified

_FORMAT = 2  # raised when digests are taken in another way, so that remembered ones are not compared with new ones

# Modules that open files without Python seeing it. Some are imported where no data of the project's is read by them,
# pyarrow by pandas and safetensors by what keeps models: there, what counts is whether the data's code asks for them.
_READERS_IN_C = (
    "h5py", "netCDF4", "cv2", "decord", "lmdb", "polars", "duckdb", "rasterio", "soundfile", "tensorflow",
    "torchcodec", "tables", "osgeo", "nvidia.dali", "lance", "ffcv", "av", "datasets",
)  # fmt: skip
_ASKED_FOR = {
    "pyarrow": re.compile(r"arrow|parquet|feather|orc\b|load_dataset", re.IGNORECASE),
    "safetensors": re.compile(r"safetensors|safe_open|load_file"),
}
_SIMPLE = (bool, int, float, str, type(None))
_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "gethostname"})


@dataclass(frozen=True)
class DataDigest:
    """What is known of the data.

    Attributes:
        value: the digest in hexadecimal, the version that the user gave, or `unknown`.
        unknown: what could not be told, in words; with `value` not `unknown`, the digest covers the rest.
        note: what was looked at, where it was not everything; else empty.
        components: what the data adds to a fingerprint, by name: its code, its settings, its digest.
    """

    value: str
    unknown: tuple[str, ...] = ()
    note: str = ""
    components: Mapping[str, Plain] = field(default_factory=dict[str, Plain])


def digest_data(
    data: Any,
    *,
    version: str | None,
    seed: int,
    memo: Callable[[str], Plain],
    remember: Callable[[str, Plain], None],
) -> DataDigest:
    """Digest the data of a setup. Nothing of it is changed, nor global random states nor the working directory.

    Args:
        data: a datamodule class, a factory, an instance, or `art.data(...)`.
        version: stands in for the digest; code and settings count all the same.
        seed: of the random states that the data is set up under.
        memo: gives what was remembered under a key, or None.
        remember: remembers a plain value under a key.
    """
    if isinstance(data, Modified):
        base = digest_data(data.base, version=version, seed=seed, memo=memo, remember=remember)
        return _modified(base, data.modifiers)
    reading = _Reading(data, seed, memo, remember)
    if version is not None:
        components = {**reading.settings(), **reading.walk.components(), "data version": version}
        return DataDigest(version, reading.walk.unknown, "", components)
    if reading.needs_no_setup:
        reading.read(data, {})
        return reading.digest()
    key = reading.key()
    known = _recalled(memo(key))
    if known is not None:
        return known
    try:
        with recorded() as opened, undisturbed(seed):
            module, loaders = reading.set_up()
    except Exception as error:  # noqa: BLE001  The user's data may raise anything; training will raise it again.
        reason = f"the data cannot be set up: {type(error).__name__}: {error}"
        return DataDigest(UNKNOWN, (reason,), "", {**reading.walk.components(), "data digest": UNKNOWN})
    reading.read(module, loaders)
    digest = reading.digest()
    reasons = tuple(reading.untracked(opened))
    if reasons:
        note = f"the data is set up again at each start, because {reasons[0]}"
        return replace(digest, note="; ".join(filter(None, (digest.note, note))))
    remember(key, _remembered(digest, reading, opened))
    return digest


class _Reading:
    """One reading of the data.

    Attributes:
        walk: the code that the data reaches.
        needs_no_setup: whether the data is declared by what holds the examples.
    """

    def __init__(
        self, data: Any, seed: int, memo: Callable[[str], Plain], remember: Callable[[str, Plain], None]
    ) -> None:
        self.walk = CodeWalk("data", watched=True)
        self._storage = StorageReader(self.walk.meet, self.walk.values.homes, memo=memo, remember=remember)
        self._data = data
        self._seed = seed
        self._is_instance = not isinstance(data, type) and (hasattr(data, "train_dataloader") or not callable(data))
        self._settings: dict[str, Plain] = {}
        self._content: dict[str, Plain] = {}
        self._known_files: set[str] = set()
        self.needs_no_setup = _has_parts(data)
        if self._is_instance and not self.needs_no_setup:
            self.walk.meet(type(data))
        elif not self.needs_no_setup:
            self.walk.begin(data)

    def settings(self) -> dict[str, Plain]:
        """What can be read of the data without looking at what it holds; the classes of datasets are walked."""
        if self.needs_no_setup:
            for part in self._data.parts().values():
                self.walk.meet(type(getattr(part, "dataset", part)))
            given = cast("Mapping[str, Any]", self._data.settings())
        else:
            given = {name: value for name, value in _state(self._data).items() if isinstance(value, _SIMPLE)}
            given = given if self._is_instance else {}
        kept = {name: value for name, value in given.items() if self._storage.keeps(self._data, name)}
        reader = self.walk.values  # unlike the other one, it opens no files
        return {f"data.{name}": shown_or_digest(reader.read(value, name)) for name, value in kept.items()}

    def key(self) -> str:
        """What tells, together with the states of files, whether the data is what it was."""
        before = StorageReader(self.walk.meet, self.walk.values.homes)
        state = _attributes(self._data, before) if self._is_instance else {}
        parts: dict[str, Plain] = {
            "format": _FORMAT,
            "seed": self._seed,
            "versions": dict(sorted(installed_versions().items())),  # a library may make the data
            "code": dict(sorted(self.walk.components().items())),
            "state": state,
        }
        self._known_files = set(self.walk.files)
        return f"data:{digest_hex(parts)}"

    def set_up(self) -> tuple[Any, Mapping[str, Any]]:
        """Set the data up as training would: the datamodule, or declared data, and its loaders."""
        module = copy_sharing_buffers(self._data) if self._is_instance else self._data()
        if _has_parts(module):
            return module, {}
        if overrides(module, "prepare_data"):
            module.prepare_data()
        if overrides(module, "setup"):
            module.setup("fit")
            if overrides(module, "test_dataloader"):
                module.setup("test")
        return module, loaders_of(module)

    def read(self, module: Any, loaders: Mapping[str, Any]) -> None:
        """Read what is behind the loaders, and what the datamodule keeps."""
        stored = module.parts() if _has_parts(module) else loaders
        self._content = {name: self._storage.read(value, name) for name, value in stored.items()}
        if _has_parts(module):
            settings = {name: self._storage.read(value, name) for name, value in module.settings().items()}
        else:
            settings = _attributes(module, self._storage)
        self._settings = {**settings, **self._storage.settings}

    def digest(self) -> DataDigest:
        """What was read."""
        readable = {f"data.{name}": value for name, value in self._settings.items() if _is_readable(value)}
        settings = sorted(self._settings.items())  # attributes are told by their names, in whatever order they were set
        large: dict[str, Plain] = {name: value for name, value in settings if not _is_readable(value)}
        value = digest_hex({"format": _FORMAT, "settings": large, "content": self._content})
        components: dict[str, Plain] = {**self.walk.components(), **readable, "data digest": digest_component(value)}
        unknown = (*(f"data: {text}" for text in self._storage.unknown), *self.walk.unknown)
        return DataDigest(value, unknown, "; ".join(self._storage.notes), components)

    def untracked(self, opened: Opened) -> Iterator[str]:
        """Why the files that were opened do not tell whether the data is what it was."""
        yield from opened.reasons
        for module in _READERS_IN_C:
            if module in sys.modules:
                yield f"{module} may read files that Python does not see"
        for module, asked in _ASKED_FOR.items():
            if module in sys.modules and any(asked.search(name) for name in self.walk.mentioned):
                yield f"{module} may read files that Python does not see"
        if names := sorted(_ENVIRONMENT & self.walk.mentioned):
            yield f"its code asks for {names[0]}"
        late = self.walk.files - self._known_files
        if any(not Path(file).is_file() for file in late):
            yield "it reaches code that is in no file, and only once it is set up"

    def states(self, opened: Opened) -> dict[str, Plain]:
        """States of the files that the digest rests on: data, and code that was reached only by setting up."""
        roots = tuple(f"{root}/" for root in self._storage.trees)
        inside = {path for path in (*opened.files, *opened.folders) if f"{path}/".startswith(roots)}
        paths = {*opened.files, *opened.folders, *(self.walk.files - self._known_files)} - inside
        return {
            "files": {path: file_state(path) for path in sorted(paths)},
            "trees": {root: tree_state(Path(root)) for root in sorted(self._storage.trees)},
        }


def _modified(base: DataDigest, modifiers: Sequence[Any]) -> DataDigest:
    """What is known of data that a `Variant` changes: what it was, and the code that changes it."""
    walk = CodeWalk("data modifier")
    names: list[Plain] = []
    for modifier in modifiers:
        walk.begin(modifier)
        names.append(walk.values.read(modifier, "data modifier"))
    code: dict[str, Plain] = {**dict(sorted(walk.components().items())), "data modifiers": shown_or_digest(names)}
    unknown = (*base.unknown, *walk.unknown)
    components: dict[str, Plain] = {**base.components, **code}
    if base.value == UNKNOWN:
        return DataDigest(UNKNOWN, unknown, base.note, components)
    return DataDigest(digest_hex({"of": base.value, "modified by": code}), unknown, base.note, components)


def _has_parts(data: Any) -> bool:
    """Whether data was declared by `art.data`, or in the same way."""
    return not isinstance(data, type) and callable(getattr(data, "parts", None))


def _attributes(module: Any, reader: StorageReader) -> dict[str, Plain]:
    return {name: reader.read(value, name) for name, value in _state(module).items() if reader.keeps(module, name)}


def _state(module: Any) -> dict[str, Any]:
    """The attributes of a datamodule, and its saved hyper-parameters among them."""
    state: dict[str, Any] = dict(getattr(module, "__dict__", {}))
    saved = state.pop("_hparams", None)
    return state | (cast("dict[str, Any]", dict(saved)) if isinstance(saved, Mapping) else {})


def _is_readable(value: Plain) -> bool:
    return not is_digest(shown_or_digest(value))


def _remembered(digest: DataDigest, reading: _Reading, opened: Opened) -> Plain:
    return {
        "value": digest.value,
        "unknown": list(digest.unknown),
        "note": digest.note,
        "components": dict(digest.components),
        "states": reading.states(opened),
    }


def _recalled(stored: Plain) -> DataDigest | None:
    """A remembered digest, if all files are what they were."""
    if not isinstance(stored, dict):
        return None
    kept = cast("dict[str, Any]", stored)
    try:
        states = kept["states"]
        same = all(file_state(path) == state for path, state in states["files"].items())
        same = same and all(tree_state(Path(root)) == state for root, state in states["trees"].items())
    except (OSError, ValueError):
        return None
    if not same:
        return None
    return DataDigest(kept["value"], tuple(kept["unknown"]), kept["note"], kept["components"])
