"""How this very installation's `art` is typed: by its name where the shell finds it, else by its path."""

import os
import shlex
import shutil
import sys
from pathlib import Path

_NAME = "art"


def as_typed(folder: Path) -> str:
    """What to type for `art` in a folder, such as `art` or `../.venv/bin/art`."""
    own = _own()
    if own is None:
        return shlex.join([sys.executable, "-m", "art_training"])
    found = shutil.which(_NAME)
    if found is not None and own.samefile(found):
        return _NAME
    near = os.path.relpath(own, folder.resolve())
    return shlex.quote(min(near, str(own), key=len))


def respelled(sentence: str, command: str) -> str:
    """A sentence with its commands as they are typed: `art run` becomes e.g. `../.venv/bin/art run`."""
    return sentence.replace(f"`{_NAME} ", f"`{command} ")


def _own() -> Path | None:
    """The script that runs now, or else the one beside the interpreter that runs now."""
    scripts = (Path(sys.argv[0]), Path(sys.executable).parent / _NAME)
    return next((file.absolute() for file in scripts if file.name == _NAME and file.is_file()), None)
