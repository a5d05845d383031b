"""The bench that the runner lays out for a step."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Unpack

from art_training.engines import Change, Engine, EvaluateJob, FitJob, FitResult, Position
from art_training.errors import Interrupted, OutOfMemory, ProjectError, SetupError
from art_training.records import Artifact, Finding, Outcome, Plain, Score, Severity, Split, StepProgress, plain
from art_training.runner.curves import CurveWriter
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.bench import Bench, Earlier, Scored, Shaping
from art_training.stores import Store
from art_training.stores.artifacts import file_digest

_PROGRESS_SECONDS = 0.2
_LABELS = "labels of trainings"


@dataclass
class Measured:
    """What a step has measured so far; it is the outcome if the step does not come to its end."""

    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    findings: list[Finding] = field(default_factory=list[Finding])
    artifacts: list[Artifact] = field(default_factory=list[Artifact])
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def outcome(self, stopped: str) -> Outcome:
        """The partial outcome of a step that was stopped."""
        return Outcome(
            scores=self.scores,
            findings=tuple(self.findings),
            artifacts=tuple(self.artifacts),
            parameters=self.parameters,
            seconds=self.seconds,
            stopped=stopped,
        )


class RunnerBench(Bench):
    """One step's bench. It keeps what is measured as it is measured."""

    def __init__(
        self,
        *,
        step: str,
        run: str,
        setup: Setup,
        task: Callable[[], Task],
        metrics: MetricCalculator,
        seed: int,
        folder: Path,
        outcomes: Mapping[str, Outcome],
        engine: Engine,
        store: Store,
        announce: Callable[[StepProgress], None],
        resumed: str = "",
        may_test: bool = False,
        data_seed: int | None = None,
        tested: Callable[[], tuple[Outcome, ...]] = tuple,
        earlier: tuple[Earlier, ...] = (),
        memory: Path | None = None,
    ) -> None:
        self.step = step
        self.setup = setup
        self.metrics = metrics
        self.seed = seed
        self.folder = folder
        self.outcomes = outcomes
        self.measured = Measured()
        self._run = run
        self._infer = task
        self._engine = engine
        self._store = store
        self._announce = announce
        self._resumed = resumed
        self._may_test = may_test
        self._data_seed = seed if data_seed is None else data_seed
        self._tested = tested
        self.earlier = earlier
        self._memory = memory or folder / "remembered"
        self._curves = CurveWriter(store, run)
        self._labels: set[str] = set()
        self._announced = 0.0
        self._phase = ""
        self._began: dict[str, float] = {}

    @cached_property
    def task(self) -> Task:  # pyright: ignore[reportIncompatibleVariableOverride]  computed when first asked for
        self.say("look at a batch")
        return self._infer()

    @cached_property
    def splits(self) -> tuple[Split, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]  likewise
        return tuple(self._engine.splits(self.setup, seed=self._data_seed))

    def fit(
        self,
        setup: Setup | None = None,
        *,
        plain: bool = False,
        one_batch: int = 0,
        max_steps: int | None = None,
        stop_below: float | None = None,
        start: Path | None = None,
        label: str = "",
        seed: int | None = None,
        stop: Callable[[Position], str | None] | None = None,
        **shaping: Unpack[Shaping],
    ) -> FitResult:
        if label in self._labels:
            raise ProjectError(
                f"step {self.step!r} trains twice under the label {label!r}; give each its own: fit(label=...)"
            )
        self._guard(tuple(look.split for look in shaping.get("looks", ())))
        self._labels.add(label)
        self._note_label(label)
        folder = self._fit_folder(label)
        key = f"fit:{folder}"
        finished = self._finished(key, label)
        if finished is not None:
            return finished
        resume, until = self._checkpoint(key)
        if resume is None:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        if self._resumed and resume is not None:
            self._curves.inherit(self._resumed, label=label, until=until, others=self._known_labels())
        job = FitJob(
            setup=setup or self.setup,
            seed=self.seed if seed is None else seed,
            folder=folder,
            plain=plain,
            one_batch=one_batch,
            max_steps=max_steps,
            stop_below=stop_below,
            start=start,
            resume=resume,
            data_seed=self._data_seed,
            **shaping,
        )

        def watch(position: Position) -> str | None:
            # The step is asked first: what it remembers of an epoch is there before the checkpoint to go on from is.
            answer = None if stop is None else stop(position)
            self._watch(_labelled(position, label), key)
            return answer

        result = self._engine.fit(job, watch)
        self._curves.flush()
        self._note(result, label)
        if result.stopped == "interrupted":
            raise Interrupted(result.message)
        if result.stopped == "out of memory":
            raise OutOfMemory(result.message)
        self._store.remember(f"{key}:result", _stored(result))
        return result

    def evaluate(
        self,
        *splits: Split,
        setup: Setup | None = None,
        weights: Path | None = None,
        plain: bool = False,
        one_batch: bool = False,
        mode: Literal["evaluate", "train"] = "evaluate",
        seed: int | None = None,
        change: Change | None = None,
        keep: bool = True,
    ) -> Scored:
        self._guard(splits)
        setup = setup or self.setup
        scorer = self.metrics.scorer(self.task, setup.outputs, self.seed)
        job = EvaluateJob(
            setup=setup,
            seed=self.seed if seed is None else seed,
            splits=splits,
            weights=weights,
            plain=plain,
            one_batch=one_batch,
            mode=mode,
            change=change,
            data_seed=self._data_seed,
        )
        began = time.monotonic()
        result = self._engine.evaluate(job, scorer.see, self._watch)
        scores, findings = scorer.result(result.rows, result.logged)
        seconds = time.monotonic() - began
        if keep:
            self.measured.scores |= scores
        self.measured.findings += findings
        self.measured.seconds["evaluate"] = self.measured.seconds.get("evaluate", 0.0) + seconds
        return Scored(scores, findings, seconds, scorer.passes())

    def observe(
        self,
        *splits: Split,
        see: Callable[[BatchObservation], None],
        setup: Setup | None = None,
        weights: Path | None = None,
        plain: bool = False,
        one_batch: bool = False,
        limit: int | None = None,
        seed: int | None = None,
        change: Change | None = None,
    ) -> None:
        self._guard(splits)
        job = EvaluateJob(
            setup=setup or self.setup,
            seed=self.seed if seed is None else seed,
            splits=splits,
            weights=weights,
            plain=plain,
            one_batch=one_batch,
            limit=limit,
            change=change,
            data_seed=self._data_seed,
        )
        self._engine.evaluate(job, see, self._watch)

    def read(self, *splits: Split, see: Callable[[Split, str | None, Any], None], plain: bool = True) -> None:
        job = EvaluateJob(self.setup, self.seed, splits, plain=plain, data_seed=self._data_seed)
        self._engine.read(job, see, self._watch)

    def keep(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        artifact = self._store.artifacts.put(path, name=name, kind=kind, note=note)
        self.measured.artifacts.append(artifact)
        return artifact

    def fetch(self, artifact: Artifact) -> Path:
        return self._store.artifacts.fetch(artifact.digest)

    def discard(self, label: str) -> None:
        shutil.rmtree(self._fit_folder(label), ignore_errors=True)

    @property
    def engine(self) -> Engine:
        return self._engine

    def remember(self, key: str, value: Plain) -> None:
        # A file each, not a row of the store: nothing is forgotten to make room.
        path = self._remembered(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("w") as file:
            json.dump(plain(value), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def recall(self, key: str) -> Plain:
        try:
            return json.loads(self._remembered(key).read_text())
        except (OSError, ValueError):
            return None

    def tested(self) -> tuple[Outcome, ...]:
        return self._tested()

    def say(self, phase: str, fraction: float | None = None) -> None:
        self._phase = phase
        self._announce(StepProgress(self.step, phase, fraction=fraction))

    def close(self) -> None:
        """Write the points that wait."""
        self._curves.flush()

    def _known_labels(self) -> list[str]:
        """Labels of this step's trainings, of those too that an execution began which was broken off."""
        known = self.recall(_LABELS)
        return [str(label) for label in known] if isinstance(known, list) else []

    def _note_label(self, label: str) -> None:
        known = self._known_labels()
        if label and label not in known:
            self.remember(_LABELS, [*known, label])

    def _remembered(self, key: str) -> Path:
        return self._memory / f"{_file_name(key)}.json"

    def _fit_folder(self, label: str) -> Path:
        return self.folder / f"fit-{_file_name(label)}"

    def _guard(self, splits: tuple[Split, ...]) -> None:
        if Split.TEST in splits and not self._may_test:
            raise SetupError(
                f"step {self.step!r} asked for the test split, which is for the final test alone: "
                "what is chosen on it cannot be judged by it; evaluate on validation"
            )
        missing = [split for split in splits if split not in self.splits]
        if missing:
            have = ", ".join(self.splits)
            raise SetupError(
                f"step {self.step!r} needs a {missing[0]} split, but the data has: {have}; "
                f"give the datamodule a {_LOADERS[missing[0]]}, or art.data({missing[0]}=...)"
            )

    def _watch(self, position: Position, key: str = "") -> None:
        self._curves.add(position.points)
        if position.checkpoint is not None and key:
            kept = {
                "path": str(position.checkpoint),
                "digest": file_digest(position.checkpoint)[0],
                "step": position.step,
            }
            self._curves.flush()
            self._store.remember(f"{key}:checkpoint", plain(kept))
        now = time.monotonic()
        if position.phase == self._phase and now - self._announced < _PROGRESS_SECONDS:
            return
        self._phase, self._announced = position.phase, now
        self._announce(self._progress(position, now))

    def _progress(self, position: Position, now: float) -> StepProgress:
        began = self._began.setdefault(position.phase, now)
        done = position.batch / position.batches if position.batch is not None and position.batches else None
        if position.epochs and position.epochs > 0:
            done = ((position.epoch or 0) + (done or 0.0)) / position.epochs
        left = (now - began) * (1 - done) / done if done and now - began > 1.0 else None
        return StepProgress(
            step=self.step,
            phase=position.phase,
            epoch=position.epoch,
            epochs=position.epochs,
            batch=position.batch,
            batches=position.batches,
            fraction=done,
            seconds_left=left,
            values={name: value for name, _, _, value in position.points},
        )

    def _note(self, result: FitResult, label: str) -> None:
        self.measured.findings += result.findings
        self.measured.parameters |= {label: dict(result.parameters)} if label else result.parameters
        self.measured.seconds["fit"] = self.measured.seconds.get("fit", 0.0) + result.seconds

    def _checkpoint(self, key: str) -> tuple[Path | None, int]:
        """The checkpoint that a killed execution left, if it is the very file that was noted then."""
        kept = self._store.memo(f"{key}:checkpoint")
        if not isinstance(kept, dict):
            return None, 0
        path, step = Path(str(kept["path"])), kept["step"]
        if not path.is_file() or file_digest(path)[0] != kept["digest"]:
            return None, 0
        return path, step if isinstance(step, int) else 0

    def _finished(self, key: str, label: str) -> FitResult | None:
        """The result of a fit that an execution had finished before it was killed."""
        kept = self._store.memo(f"{key}:result")
        if not isinstance(kept, dict) or not isinstance(kept.get("files"), dict):
            return None
        files: dict[str, Any] = kept["files"]  # pyright: ignore[reportAssignmentType]
        if any(not Path(path).is_file() or file_digest(Path(path))[0] != digest for path, digest in files.values()):
            return None
        values: dict[str, Any] = {name: value for name, value in kept.items() if name != "files"}
        values["findings"] = tuple(
            Finding(**found | {"severity": Severity(found["severity"])}) for found in values["findings"]
        )
        values |= {name: Path(path) for name, (path, _) in files.items()}
        result = FitResult(**values)
        if self._resumed:
            self._curves.inherit(self._resumed, label=label, until=result.steps, others=self._known_labels())
        self._note(result, label)
        return result


def _file_name(label: str) -> str:
    """A name for a file: readable, and another for every label."""
    if not label:
        return "0"
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', label)[:40]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _labelled(position: Position, label: str) -> Position:
    if not label:
        return position
    points = tuple((f"{label}/{name}", step, epoch, value) for name, step, epoch, value in position.points)
    return replace(position, phase=f"{position.phase} {label}", points=points)


def _stored(result: FitResult) -> Any:
    """A fit's result as plain data, its files with their digests."""
    values = {item.name: getattr(result, item.name) for item in fields(result)}
    files = {name: (str(path), file_digest(path)[0]) for name in ("last", "best") if (path := values.pop(name))}
    return plain(values | {"files": files})


_LOADERS = {
    Split.TRAIN: "train_dataloader",
    Split.VALIDATION: "val_dataloader",
    Split.TEST: "test_dataloader",
}
