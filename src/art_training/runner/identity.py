"""What each step's result depends on, computed once a run: engines, seeds, data digests, tasks, fingerprints."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from art_training.engines import Engine
from art_training.plugins import load
from art_training.records import Fingerprint, Plain, plain
from art_training.setup.identity.data_digest import DataDigest, digest_data
from art_training.setup.identity.fingerprint import fingerprint, setup_components
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.step import Step
from art_training.stores import Store

# What a task tells about how it was inferred.
_TOLD = frozenset({"source", "declared", "notes"})
_OPTIONAL = frozenset({"model", "hparams", "trainer", "metrics", "outputs"})


class Identity:
    """Computes what identifies results; everything is computed once and remembered by the store where it can be."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._seed = seed
        self._data: dict[tuple[int, str | None], tuple[object, DataDigest]] = {}
        self._tasks: dict[str, Task] = {}
        self._engines: dict[str, Engine] = {}
        self._fingerprints: dict[tuple[str, int, tuple[tuple[str, str], ...]], tuple[Setup, Fingerprint]] = {}

    def forget(self) -> None:
        """A step is going to work, and may write a file that a later one depends on."""
        self._fingerprints.clear()

    def engine(self, setup: Setup) -> Engine:
        """The setup's engine."""
        if setup.engine not in self._engines:
            self._engines[setup.engine] = load("engines", setup.engine)()
        return self._engines[setup.engine]

    def seed(self, step: Step) -> int:
        """The step's own seed, derived from the project's and its name."""
        digest = hashlib.sha256(f"{self._seed}/{step.name}".encode()).digest()
        return int.from_bytes(digest[:4]) % 2**31

    def data(self, setup: Setup) -> DataDigest:
        """The digest of the setup's data."""
        key = (id(setup.data), setup.data_version)
        if key not in self._data:
            digest = digest_data(
                setup.data,
                version=setup.data_version,
                seed=self._seed,
                memo=self._store.memo,
                remember=self._store.remember,
            )
            self._data[key] = (setup.data, digest)  # the object is kept so that its id stays its own
        return self._data[key][1]

    def task(self, setup: Setup) -> Task:
        """The setup's task, remembered for as long as nothing changes that it was inferred from."""
        components, _ = setup_components(setup, memo=self._store.memo, remember=self._store.remember)
        key = "task:" + Fingerprint({**components, "data digest": self.data(setup).value}).digest
        if key not in self._tasks:
            stored = self._store.memo(key)
            task = Task.parse(stored) if isinstance(stored, dict) else setup.task
            if stored is None:
                self._store.remember(key, plain(task))
            self._tasks[key] = task
        return self._tasks[key]

    def fingerprint(
        self, step: Step, setup: Setup, metrics: MetricCalculator, consumes: Mapping[str, str]
    ) -> Fingerprint:
        """What the step's result depends on; a step is told by its name."""
        key = (step.name, id(setup), tuple(sorted(consumes.items())))
        if key not in self._fingerprints:
            # The setup is kept, so that its id stays its own.
            self._fingerprints[key] = (setup, self._computed(step, setup, metrics, consumes))
        return self._fingerprints[key][1]

    def _computed(
        self, step: Step, setup: Setup, metrics: MetricCalculator, consumes: Mapping[str, str]
    ) -> Fingerprint:
        whole = fingerprint(
            setup,
            step=step,
            metrics=metrics.described(),
            seed=self.seed(step),
            consumes=consumes,
            data=self.data(setup),
            memo=self._store.memo,
            remember=self._store.remember,
        )
        unused = _OPTIONAL - step.uses
        settings = {f"trainer.{name}" for name in step.unused_settings}
        kept = {
            name: value
            for name, value in whole.components.items()
            if _part(name) not in unused and name not in settings
        }
        if "model" in unused:
            kept |= self._task_component(setup)
        return replace(whole, components=kept)

    def _task_component(self, setup: Setup) -> dict[str, Plain]:
        """What the task is, in place of the model that it was inferred from."""
        task = plain(self.task(setup))
        assert isinstance(task, dict)
        return {f"task.{name}": value for name, value in task.items() if name not in _TOLD}


def _part(component: str) -> str:
    return component.partition(":")[0].partition(".")[0].strip()
