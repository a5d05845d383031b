"""Small projects, written to disk and imported as a user's would be."""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Write files to a new folder and import `project`; each call stands for another day or another machine."""
    count = itertools.count()
    before = dict(sys.modules)
    path = list(sys.path)

    def loaded(source: str, **others: str) -> ModuleType:
        folder = tmp_path / f"machine{next(count)}"
        for name, text in {"project": source, **others}.items():
            file = folder / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        sys.path[:] = [str(folder), *path]
        for name in [name for name in sys.modules if name not in before]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return importlib.import_module("project")

    yield loaded
    sys.path[:] = path
    for name in [name for name in sys.modules if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__)]:
        del sys.modules[name]
