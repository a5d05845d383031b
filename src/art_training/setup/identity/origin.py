"""Whose code it is: the project's own, which is walked, or a library's, which is only named.

A library is what was installed: the standard library and whatever lies in `site-packages` or `dist-packages`. Everything
else is the project's own, also a package installed in editable form, and also what was installed from a folder of the
machine, because both can be edited without a new version number.
"""

import json
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

_INSTALLED = ("site-packages", "dist-packages")
_MARKERS = ("art_project.py", "pyproject.toml", "setup.py", ".git")
_OWN = Path(__file__).resolve().parents[2]


def is_local_file(filename: str) -> bool:
    """Whether code with this file name (of a code object, may be `<stdin>` or a notebook cell) is the project's own."""
    return _is_local_file(filename)


def is_local_class(kind: type) -> bool:
    """Whether a class was defined in the project's own code."""
    name = kind.__module__
    if name == "__main__":  # a script or a notebook: nothing of a library is ever defined there
        return True
    # A module that was executed without being registered belongs to where its top-level package belongs, if anywhere.
    module = sys.modules.get(name) or sys.modules.get(name.partition(".")[0])
    return not _built_in(name) if module is None else is_local_module(module)


def is_local_module(module: Any) -> bool:
    """Whether a module is the project's own. A namespace package is, where its folder is."""
    file = getattr(module, "__file__", None)
    if file is not None:
        return is_local_file(file)
    folders = [str(folder) for folder in getattr(module, "__path__", ())]
    if folders:
        return is_local_file(folders[0])
    return not _built_in(str(module.__name__))


def module_name(name: str | None) -> str:
    """The name of a module as a person knows it: a script that runs as `__main__` is called by its file."""
    if name != "__main__":
        return name or "?"
    main: Any = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else "__main__"


def qualified_name(thing: Any) -> str:
    """`module.name` of a class, a function, or of the class of anything else."""
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    owner = getattr(thing, "__module__", None)
    if owner is None and hasattr(thing, "__self__"):  # a method of a class written in C
        owner = type(thing.__self__).__module__
    name = short_name(thing.__qualname__)
    return name if owner in {"builtins", None} else f"{module_name(owner)}.{name}"


def short_name(qualname: str) -> str:
    """A qualified name without the marks of local scopes."""
    return qualname.replace("<locals>.", "").replace("<lambda>", "lambda")


def home_of(filename: str) -> str | None:
    """The folder of the project that a source file belongs to; None where the file is none on disk.

    The nearest folder above it that holds a project file (`art_project.py`, `pyproject.toml`, `setup.py`, `.git`), else
    the folder that the file would be imported from.
    """
    return _home_of(filename)


def portable(path: str | os.PathLike[str], homes: Iterable[str]) -> str:
    """`path` as it reads wherever the project lies: relative to the home that holds it, if one does."""
    text = os.fspath(path)
    if not text.startswith((os.sep, "\\")) and text[1:2] != ":":  # not absolute, in a way that is quick
        return text
    for home in sorted(homes, key=len, reverse=True):
        if text == home or text.startswith(home + os.sep):
            return Path("<project>", os.path.relpath(text, home)).as_posix()
    return text


@cache
def _is_local_file(filename: str) -> bool:
    if filename.startswith("<frozen "):
        return False
    if filename.startswith("<") and filename.endswith(">"):
        # What a library generates carries names of its own, e.g. `<__array_function__ internals>`, `<attrs generated`.
        return filename in {"<stdin>", "<string>"} or filename.startswith(("<ipython-input", "<cell"))
    path = Path(os.path.abspath(filename))  # noqa: PTH100  Links are kept: they may point into another project.
    if path.is_relative_to(_OWN):
        return path.is_relative_to(_OWN / "templates")
    parts = path.parts
    for installed in _INSTALLED:
        if installed in parts:
            place = parts.index(installed)
            return len(parts) > place + 1 and _from_a_folder(Path(*parts[: place + 1]), parts[place + 1])
    return not any(path.is_relative_to(folder) for folder in _standard_library())


@cache
def _standard_library() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib")
    return tuple({Path(folder).resolve() for name in names if (folder := sysconfig.get_path(name))} | _prefixed())


def _prefixed() -> set[Path]:
    # In a virtual environment sysconfig names the base interpreter's library; the unresolved form is seen in co_filename.
    return {Path(folder) for name in ("stdlib", "platstdlib") if (folder := sysconfig.get_path(name))}


@cache
def _from_a_folder(installed: Path, entry: str) -> bool:
    """Whether an entry of site-packages was installed from a folder of this machine (PEP 610), so is someone's project."""
    top = entry.partition(".")[0]
    for record in installed.glob("*.dist-info/direct_url.json"):
        try:
            direct = cast("Mapping[str, Any]", json.loads(record.read_text()))
            files = (record.parent / "RECORD").read_text()
        except (OSError, ValueError):
            continue
        if "dir_info" in direct and any(line.startswith((f"{top}/", f"{top}.py,")) for line in files.splitlines()):
            return True
    return False


@cache
def _home_of(filename: str) -> str | None:
    path = Path(os.path.abspath(filename))  # noqa: PTH100  As in `_is_local_file`.
    if not path.is_file():
        return None
    for folder in path.parents:
        if any((folder / marker).exists() for marker in _MARKERS):
            return str(folder)
    folder = path.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return str(folder)


def _built_in(name: str) -> bool:
    return name != "__main__" and name.partition(".")[0] in sys.stdlib_module_names
