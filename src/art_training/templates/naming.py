"""What a new project may be called, and where it may lie."""

import re
from pathlib import Path

from art_training.errors import UsageError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z]", re.ASCII)
_RESERVED = {"con", "prn", "aux", "nul"}  # no folders on Windows


def require_name(folder: Path) -> str:
    """The project's name: that of its folder, which is one everywhere.

    Raises:
        UsageError: it is none on some system, or in a package's metadata.
    """
    name = folder.resolve().name
    if _NAME.fullmatch(name) and name.lower() not in _RESERVED:
        return name
    tidy = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._").lstrip("0123456789-._")
    better = f", for example {tidy}" if _NAME.fullmatch(tidy) and tidy.lower() not in _RESERVED else ""
    raise UsageError(
        f"{name!r} is no name for a project: it begins with a letter, ends with a letter or digit, and has letters, digits, '-', '_' "
        f"and '.' between them; give another{better}"
    )


def require_free(folder: Path) -> None:
    """See that nothing is overwritten.

    Raises:
        UsageError: there is a file, or a folder that is not empty.
    """
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is there already, and is not empty; give another name, or empty it")
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is a file; give another name, or move it away")
