"""A bench for steps that read the data and train nothing."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from art_training.records import Artifact, Outcome, Plain, Split, Use
from art_training.setup.data.data import Data
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.bench import Bench, Scored, See


class ReadingBench(Bench):
    """Reads `art.data(...)` without an engine; whatever would need a model raises.

    What a step keeps lies in `folder`; without one, in a folder that goes with the bench.

    Attributes:
        said: what the step told about its progress, in order.
        read_splits: the splits that the step read, in order.
    """

    def __init__(
        self,
        data: Data,
        task: Task,
        metrics: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        folder: Path | None = None,
        outcomes: Mapping[str, Outcome] | None = None,
    ) -> None:
        self.step = "step"
        self.setup = Setup(model=_no_model, data=data)
        self.task = task
        self.metrics = MetricCalculator(metrics)
        self.seed = seed
        self.folder = folder or _scratch(self)
        self.outcomes = outcomes or {}
        self.splits = data.splits
        self.said: list[str] = []
        self.read_splits: list[Split] = []
        self._data = data
        self._remembered: dict[str, Plain] = {}

    def read(self, *splits: Split, see: See, plain: bool = True, setup: Setup | None = None) -> None:
        if setup is not None:
            raise _no_model()
        data = self._data.plain() if plain else self._data
        for split in splits:
            self.read_splits.append(split)
            for name, loader in data.loaders(split, in_order=True).items():
                for batch in loader:
                    see(split, name, batch)

    def say(self, phase: str, fraction: float | None = None) -> None:
        self.said.append(phase)

    def fit(self, *_: Any, **__: Any) -> NoReturn:
        raise _no_model()

    def evaluate(self, *_: Any, **__: Any) -> Scored:
        raise _no_model()

    def observe(self, *_: Any, **__: Any) -> NoReturn:
        raise _no_model()

    @property
    def engine(self) -> NoReturn:
        raise _no_model()

    def remember(self, key: str, value: Plain) -> None:
        self._remembered[key] = value

    def recall(self, key: str) -> Plain:
        return self._remembered.get(key)

    def discard(self, label: str) -> None:
        """There is nothing to delete: it trains nothing."""

    def tested(self) -> tuple[Use, ...]:
        return ()

    def fetch(self, artifact: Artifact) -> NoReturn:
        raise AssertionError(f"this step was said to read the data only, and it asked for {artifact.name}")

    def keep(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        return Artifact(name, kind, "", path.stat().st_size, note)


def _scratch(bench: ReadingBench) -> Path:
    folder = tempfile.mkdtemp(prefix="art-reading-")
    weakref.finalize(bench, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _no_model() -> AssertionError:
    return AssertionError("this step was said to read the data only, and it asked for a model")
