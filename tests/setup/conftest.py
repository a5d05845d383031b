"""Models watched without an engine, and small projects that are imported as a user's would be."""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
import torch

from art_training.records import Split
from art_training.setup.data import batch as batches
from art_training.setup.entering import following
from art_training.setup.observation import BatchObservation
from art_training.setup.observer import observe_calls

Watch = Callable[..., list[BatchObservation]]
Load = Callable[..., ModuleType]


@pytest.fixture
def watch() -> Watch:
    """Pass batches through `module.validation_step` as an engine does, and say what was seen."""

    def watched(
        module: Any, data: Iterable[Any], split: Split = Split.VALIDATION, loader: str | None = None
    ) -> list[BatchObservation]:
        seen: list[BatchObservation] = []
        module.eval()
        with torch.no_grad():
            for index, batch in enumerate(data):
                with observe_calls(module) as calls, following(batch, first=not index) as followed:
                    returned = module.validation_step(batch, index)
                seen.append(
                    BatchObservation(
                        split=split,
                        loader=loader,
                        index=index,
                        batch=batch,
                        returned=returned,
                        losses=calls.losses,
                        metric_inputs=calls.metric_inputs,
                        logged=calls.logged,
                        weight=batches.size(batch),
                        entering=followed and followed.entering(returned, calls.losses, calls.metric_inputs),
                    )
                )
        return seen

    return watched


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
    for name in [
        name
        for name in sys.modules
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__)
    ]:
        del sys.modules[name]
