"""The files of an export: `model.json` and `model.safetensors`, in a folder or in one archive of the same bytes always."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.errors import SetupError

if TYPE_CHECKING:
    from torch import Tensor

DESCRIPTION = "model.json"
TENSORS = "model.safetensors"
FORMAT = 1

_KEY = "art_training_export"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that an archive can hold: the same model gives the same file


def write(path: Path, description: Mapping[str, Any], tensors: "Mapping[str, Tensor]") -> Path:
    """Write an export as one archive; its digests are added to the description.

    Args:
        path: of the archive; what is there is replaced.
        description: plain data.
        tensors: on any device; each is written with memory of its own.
    """
    from safetensors.torch import save

    saved = save({name: one.detach().cpu().contiguous().clone() for name, one in sorted(tensors.items())})
    told: dict[str, Any] = {_KEY: FORMAT, **description, "tensors": _sha(saved)}
    told["digest"] = _sha(_canonical(told))
    unfinished = path.with_name(f"{path.name}.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(DESCRIPTION, _EPOCH), json.dumps(told, indent=1))
        archive.writestr(zipfile.ZipInfo(TENSORS, _EPOCH), saved)
    return unfinished.replace(path)


def read(path: Path) -> "tuple[dict[str, Any], dict[str, Tensor]]":
    """The description and the tensors of an export.

    Args:
        path: an archive, or a folder that it was unpacked to.

    Raises:
        SetupError: it is none, it is of a newer ART, or its bytes are not those that were written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    raw, saved = _bytes(path)
    try:
        told: Any = json.loads(raw)
    except ValueError as error:
        raise SetupError(f"{DESCRIPTION} of {path} is damaged ({error}); export the model again") from error
    if not isinstance(told, dict) or _KEY not in told:
        raise SetupError(f"{DESCRIPTION} of {path} describes no export of ART; give what Squeeze(export=True) left")
    description: dict[str, Any] = told
    if description[_KEY] > FORMAT:
        raise SetupError(
            f"{path} has the format {description[_KEY]} of exports and this version of ART reads up to {FORMAT}; "
            "update art-training"
        )
    digest = description.pop("digest", "")
    if _sha(_canonical(description)) != digest:
        raise SetupError(f"{DESCRIPTION} of {path} was changed after the export; export the model again")
    if _sha(saved) != description["tensors"]:
        raise SetupError(f"{TENSORS} of {path} was changed after the export; export the model again")
    try:
        return description, load(saved)
    except SafetensorError as error:
        raise SetupError(f"{TENSORS} of {path} cannot be read ({error}); export the model again") from error


def _bytes(path: Path) -> tuple[bytes, bytes]:
    if path.is_dir():
        missing = [name for name in (DESCRIPTION, TENSORS) if not (path / name).is_file()]
        if missing:
            raise SetupError(f"{path} has no {missing[0]}, so it is no export; give the folder that holds both files")
        return (path / DESCRIPTION).read_bytes(), (path / TENSORS).read_bytes()
    if not path.exists():
        raise SetupError(f"there is no {path}; give the archive, or the folder, that Squeeze exported")
    if not zipfile.is_zipfile(path):
        raise SetupError(f"{path} is no archive of an exported model; give the one that Squeeze(export=True) left")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(DESCRIPTION), archive.read(TENSORS)
    except KeyError as error:
        raise SetupError(f"the archive {path} is no export: {error.args[0]}") from error
    except zipfile.BadZipFile as error:
        raise SetupError(
            f"the archive {path} was changed after the export ({error}); export the model again"
        ) from error


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
