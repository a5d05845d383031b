"""The bench that the runner lays out for a step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from art_training.checks.healthy import HEALTH
from art_training.engines import Change, Engine, EvaluateJob, FitJob, FitResult, Position
from art_training.errors import Interrupted, OutOfMemory, SetupError
from art_training.probes import Monitor
from art_training.probes.health import Health
from art_training.records import Artifact, Finding, Outcome, Plain, Reading, Split, StepProgress, Use
from art_training.rules.watched import judged, watchers
from art_training.runner.curves import CurveWriter, labelled
from art_training.runner.layers import LayerWatch
from art_training.runner.measured import Measured
from art_training.runner.metrics_first import require_computable
from art_training.runner.pace import Pace
from art_training.runner.probing import Probing, without_probes
from art_training.runner.resumption import Resumption
from art_training.runner.validating import require_splits
from art_training.setup.called import Called
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.bench import Bench, Earlier, Scored, See, Shaping
from art_training.stores import Point, Store

_PROGRESS_SECONDS = 0.2
_ONLY_TRAINING = "training"  # what the only training of a step is called, which needs no label


class _Passing(TypedDict, total=False):
    """How a split passes through a model; see `EvaluateJob` for each."""

    weights: Path | None
    plain: bool
    one_batch: bool
    limit: int | None
    mode: Literal["evaluate", "train"]
    change: Change | None


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
        tested: Callable[[], Sequence[Use]] = tuple,
        earlier: tuple[Earlier, ...] = (),
        memory: Path | None = None,
        probing: Probing | None = None,
        grew: Callable[[Sequence[Point]], None] | None = None,
    ) -> None:
        self.step = step
        self.setup = setup
        self.metrics = metrics
        self.seed = seed
        self.folder = folder
        self.outcomes = outcomes
        self.measured = Measured()
        self._infer = task
        self._engine = engine
        self._store = store
        self._announce = announce
        self._may_test = may_test
        self._data_seed = seed if data_seed is None else data_seed
        self._tested = tested
        self.earlier = earlier
        self._curves = CurveWriter(store, run, grew)
        self._left = Resumption(
            step=step,
            folder=folder,
            memory=memory or folder / "remembered",
            store=store,
            curves=self._curves,
            resumed=resumed,
        )
        self._announced = 0.0
        self._phase = ""
        self._pace = Pace()
        self._health: dict[str, Any] = {}
        self._unhealthy: list[Finding] = []
        self._layers = LayerWatch()
        self.probing = probing or Probing()
        self._tried = False  # the metrics

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
        self._guard(tuple(look.split for look in shaping.get("looks", ())))
        self._left.begin(label)
        finished = self._left.finished(label)
        if finished is not None:
            self._note(finished, label)
            self._recall_health(label)
            return finished
        folder, resume = self._left.take_up(label)
        self._try_metrics()
        trained, watched = setup or self.setup, watchers()
        called = Called.of(trained.model)
        probes, seen = ((), ()) if shaping.get("rate") else self.probing.begin(self, label, called)
        shaping["looks"] = (*shaping.get("looks", ()), *seen)
        job = FitJob(
            setup=trained,
            seed=self.seed if seed is None else seed,
            folder=folder,
            plain=plain,
            one_batch=one_batch,
            max_steps=max_steps,
            stop_below=stop_below,
            start=start,
            resume=resume,
            data_seed=self._data_seed,
            monitors=() if shaping.get("rate") else (*watched, *self._layers.begin(label, called), *probes),
            **shaping,
        )

        def watch(position: Position) -> str | None:
            # The step is asked first: what it remembers of an epoch is there before the checkpoint to go on from is.
            answer = None if stop is None else stop(position)
            self._watch(labelled(position, label), label)
            self._curves.add(self._layers.points())
            return answer

        result = without_probes(self._engine.fit(job, watch), len(seen))
        if probes or seen:
            self.probing.end(self, label)
        result = replace(result, seconds=self._left.seconds_before(label) + result.seconds)
        self._curves.add(self._layers.points())
        self._curves.flush()
        self._note(result, label)
        if job.monitors:
            self._note_health(watched, called, label)
        if result.stopped == "interrupted":
            raise Interrupted(result.message)
        if result.stopped == "out of memory":
            raise OutOfMemory(result.message)
        self._left.note_finished(label, result)
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
        job = self._pass(
            splits, setup, seed, weights=weights, plain=plain, one_batch=one_batch, mode=mode, change=change
        )
        scorer = self.metrics.scorer(self.task, job.setup.outputs, self.seed)
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
        job = self._pass(
            splits, setup, seed, weights=weights, plain=plain, one_batch=one_batch, limit=limit, change=change
        )
        self._engine.evaluate(job, see, self._watch)

    def read(self, *splits: Split, see: See, plain: bool = True, setup: Setup | None = None) -> None:
        job = EvaluateJob(setup or self.setup, self.seed, splits, plain=plain, data_seed=self._data_seed)
        self._engine.read(job, see, self._watch)

    def keep(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        artifact = self._store.artifacts.put(path, name=name, kind=kind, note=note)
        self.measured.artifacts.append(artifact)
        return artifact

    def fetch(self, artifact: Artifact) -> Path:
        return self._store.artifacts.fetch(artifact.digest)

    def discard(self, label: str) -> None:
        self._left.discard(label)

    @property
    def engine(self) -> Engine:
        return self._engine

    def remember(self, key: str, value: Plain) -> None:
        self._left.remember(key, value)

    def recall(self, key: str) -> Plain:
        return self._left.recall(key)

    def tested(self) -> Sequence[Use]:
        return self._tested()

    def say(self, phase: str, fraction: float | None = None) -> None:
        self._phase = phase
        self._announce(StepProgress(self.step, phase, fraction=fraction))

    @property
    def health(self) -> tuple[tuple[Reading, ...], tuple[Finding, ...]]:
        """What rules said of each training that was watched, by its label, as the check `Healthy` reads it."""
        if not self._health:
            return (), ()
        return (Reading(HEALTH, dict(self._health)),), tuple(self._unhealthy)

    def close(self) -> None:
        """Write the points that wait."""
        self._curves.flush()

    def _pass(
        self, splits: tuple[Split, ...], setup: Setup | None, seed: int | None, **how: Unpack[_Passing]
    ) -> EvaluateJob:
        """A pass over whole splits, if the step may see them: of its own setup and seed, unless others are given."""
        self._guard(splits)
        given = self.seed if seed is None else seed
        return EvaluateJob(setup or self.setup, given, splits, data_seed=self._data_seed, **how)

    def _try_metrics(self) -> None:
        """Once, before the first training: a metric that raises whatever is learned shall not be told after it."""
        if self._tried or not self.metrics.names:
            return
        self.say("try the metrics")
        split = Split.VALIDATION if Split.VALIDATION in self.splits else Split.TRAIN
        require_computable(self.metrics, self.task, self._pass((split,), None, None), self._engine, self._store)
        self._tried = True

    def _guard(self, splits: tuple[Split, ...]) -> None:
        if Split.TEST in splits and not self._may_test:
            raise SetupError(
                f"step {self.step!r} asked for the test split, which is for the final test alone: "
                "what is chosen on it cannot be judged by it; evaluate on validation"
            )
        require_splits(f"step {self.step!r}", splits, self.splits)

    def _watch(self, position: Position, label: str | None = None) -> None:
        self._curves.add(position.points)
        if position.checkpoint is not None and label is not None:
            self._curves.flush()
            self._left.note_checkpoint(label, position.checkpoint, position.step)
        now = time.monotonic()
        if position.phase == self._phase and now - self._announced < _PROGRESS_SECONDS:
            return
        self._phase, self._announced = position.phase, now
        self._announce(self._progress(position, now))

    def _progress(self, position: Position, now: float) -> StepProgress:
        done = position.batch / position.batches if position.batch is not None and position.batches else None
        if position.epochs and position.epochs > 0:
            done = ((position.epoch or 0) + (done or 0.0)) / position.epochs
        return StepProgress(
            step=self.step,
            phase=position.phase,
            epoch=position.epoch,
            epochs=position.epochs,
            batch=position.batch,
            batches=position.batches,
            fraction=done,
            seconds_left=self._pace.left(position.phase, done, now),
            values={name: value for name, _, _, value in position.points},
        )

    def _note_health(self, watched: Sequence[Monitor], called: Called, label: str) -> None:
        if all(_saw_nothing(one) for one in watched):
            return
        told, found = judged(watched, called)
        name = label or _ONLY_TRAINING
        self._health[name] = told
        self._unhealthy += [replace(one, where=" of ".join(filter(None, (one.where, label)))) for one in found]
        self._left.remember(f"{HEALTH} of {name}", told)

    def _recall_health(self, label: str) -> None:
        name = label or _ONLY_TRAINING
        told = self._left.recall(f"{HEALTH} of {name}")
        if isinstance(told, dict):
            self._health[name] = told

    def _note(self, result: FitResult, label: str) -> None:
        self.measured.findings += result.findings
        self.measured.parameters |= {label: dict(result.parameters)} if label else result.parameters
        self.measured.seconds["fit"] = self.measured.seconds.get("fit", 0.0) + result.seconds


def _saw_nothing(monitor: Monitor) -> bool:
    """Of an engine that tells monitors nothing."""
    return isinstance(monitor, Health) and not (monitor.losses or monitor.gradients or monitor.ended_well)
