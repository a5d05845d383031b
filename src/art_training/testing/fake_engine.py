"""An engine that fits a line in pure Python, for tests of what stands above engines: quick, and able to fail on demand."""

import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from art_training.engines import (
    Engine,
    EvaluateJob,
    EvaluateResult,
    FitJob,
    FitResult,
    Parameter,
    Position,
    Stopped,
    Watch,
)
from art_training.engines.timetable import Length, Timetable, timetable
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.observation import BatchObservation, See
from art_training.setup.setup import Setup
from art_training.testing.fake_line import Batch, Line, batches_of, changed, epochs_of, model_of, points_of

__all__ = ["FakeEngine", "Fault", "Line"]

if TYPE_CHECKING:
    from torch import Tensor

Fault: TypeAlias = Literal["", "raise", "interrupt", "out of memory", "nan", "hang"]

_STOPPED: Mapping[type[BaseException], Stopped] = {KeyboardInterrupt: "interrupted", MemoryError: "out of memory"}


@dataclass
class FakeEngine(Engine):
    """Trains a `Line` (or what has its methods) on `Points`. Setups name it `engine="fake"`; it is not registered.

    A test that goes by the name puts it into place with `monkeypatch.setattr("art_training.plugins.load", ...)`.

    Attributes:
        fault: what happens in the middle of an epoch: `raise` a RuntimeError, `interrupt` as by Ctrl-C, run `out of
            memory`, a `nan` loss, or `hang` until the process is killed.
        at_epoch: in which epoch, from 0.
        epoch_seconds: how long each epoch lasts at least.
        tensors: show tensors of torch to `see`, as what computes scores needs them, instead of lists.
        fits: the jobs that were asked for, in order.
    """

    fault: Fault = ""
    at_epoch: int = 1
    epoch_seconds: float = 0.0
    tensors: bool = False

    name: ClassVar[str] = "fake"

    def __post_init__(self) -> None:
        self.fits: list[FitJob] = []

    def validate(self, setup: Setup) -> None:
        points_of(setup)
        epochs_of(setup)
        model_of(setup, random.Random(0))  # noqa: S311  nothing secret depends on it

    def splits(self, setup: Setup, *, seed: int) -> Mapping[Split, tuple[str | None, ...]]:
        return {split: tuple(loaders) for split, loaders in points_of(setup).splits.items()}

    def parameters(self, setup: Setup) -> tuple[Parameter, ...]:
        model_of(setup, random.Random(0))  # noqa: S311  likewise
        return Parameter("weight", ()), Parameter("bias", ())

    def fresh_weights(self, setup: Setup, *, seed: int) -> "Mapping[str, Tensor]":
        import torch

        line = model_of(setup, random.Random(seed))  # noqa: S311  likewise
        return {name: torch.tensor(getattr(line, name), dtype=torch.float64) for name in ("weight", "bias")}

    def weights(self, path: Path) -> "Mapping[str, Tensor]":
        import torch

        weight, bias = json.loads(path.read_text())["weights"]
        return {"weight": torch.tensor(weight, dtype=torch.float64), "bias": torch.tensor(bias, dtype=torch.float64)}

    def write_weights(self, weights: "Mapping[str, Tensor]", path: Path) -> Path:
        path.write_text(json.dumps({"weights": [float(weights["weight"]), float(weights["bias"])]}))
        return path

    def fit(self, job: FitJob, watch: Watch) -> FitResult:
        self.fits.append(job)
        asked = [name for name in ("parts", "teaching") if getattr(job, name) is not None]
        if asked:
            raise SetupError(f"the fake engine fits a line as a whole and knows no {asked[0]}; leave it out")
        training = _Training(self, job, watch)
        began = time.monotonic()
        stopped: Stopped = ""
        try:
            stopped = training.run()
        except tuple(_STOPPED) as error:
            stopped = _STOPPED[type(error)]
        message = f"{stopped} in epoch {training.epoch}, batch {training.batch}" if stopped else training.answer
        return FitResult(
            stopped=stopped,
            message=message,
            epochs=training.epoch,
            steps=training.steps,
            seconds=time.monotonic() - began,
            last=training.save("last.json"),
            logged={"train/loss": training.loss},
            parameters={"optimizer": "gradient descent", "lr": training.model.lr},
        )

    def evaluate(self, job: EvaluateJob, see: See, watch: Watch) -> EvaluateResult:
        model = model_of(job.setup, random.Random(job.seed))  # noqa: S311  likewise
        if job.weights is not None:
            model.weight, model.bias = json.loads(job.weights.read_text())["weights"]
        logged: dict[str, dict[str, float]] = {}

        def observe(split: Split, loader: str | None, index: int, batch: Batch) -> None:
            seen = self.observed(model, split, loader, index, batch)
            logged.setdefault(split.value, {})["loss"] = seen.logged["loss"]
            see(seen)

        rows, seconds = self._pass(job, observe, watch)
        return EvaluateResult(rows, logged, seconds)

    def read(self, job: EvaluateJob, see: Callable[[Split, str | None, Any], None], watch: Watch) -> EvaluateResult:
        rows, seconds = self._pass(job, lambda split, loader, _, batch: see(split, loader, batch), watch)
        return EvaluateResult(rows, {}, seconds)

    def look(self, model: Line, job: FitJob, when: Timetable, epochs: int) -> None:
        """Pass the batches of a look through a model."""

        def observe(split: Split, loader: str | None, index: int, batch: Batch) -> None:
            when.look.see(epochs, self.observed(model, split, loader, index, batch))

        wanted = EvaluateJob(job.setup, job.seed, (when.look.split,), limit=when.batches, change=job.change)
        self._pass(wanted, observe, lambda position: None)  # noqa: ARG005

    def observed(self, model: Line, split: Split, loader: str | None, index: int, batch: Batch) -> BatchObservation:
        """One batch on its way through a model."""
        loss = model.loss(batch)
        returned: dict[str, Any] = {"loss": loss, "predictions": model.predict(batch[0]), "targets": batch[1]}
        shown: Any = batch
        if self.tensors:
            import torch

            shown = tuple(torch.tensor(column) for column in batch)
            returned = {name: torch.tensor(value) for name, value in returned.items()}
        return BatchObservation(split, loader, index, shown, returned, logged={"loss": loss}, weight=len(batch[0]))

    def _pass(
        self, job: EvaluateJob, see: Callable[[Split, str | None, int, Batch], None], watch: Watch
    ) -> tuple[dict[str, int | None], dict[str, float]]:
        points = points_of(job.setup)
        rows: dict[str, int | None] = {}
        seconds: dict[str, float] = {}
        for split in job.splits:
            if split not in points.splits:
                raise SetupError(f"the data has no {split.value} split; it has: {', '.join(points.splits)}")
            began = time.monotonic()
            for loader, those in points.splits[split].items():
                batches = list(batches_of(those, points.batch_size))[: 1 if job.one_batch else job.limit]
                for index, batch in enumerate(batches):
                    see(split, loader, index, changed(batch, job.change))
                    watch(Position(f"evaluate {split.value}", batch=index + 1, batches=len(batches)))
                rows[split.value if loader is None else f"{split.value}:{loader}"] = len(those)
            seconds[split.value] = time.monotonic() - began
        return rows, seconds


class _Training:
    """One training, which can be left anywhere with what it has reached."""

    def __init__(self, engine: FakeEngine, job: FitJob, watch: Watch) -> None:
        self.epoch = self.steps = self.batch = 0
        self.loss = math.nan
        self.answer = ""  # of whoever watches, if it ended the training
        self._engine = engine
        self._job = job
        self._watch = watch
        self._averaged: list[float] = []
        self._count = 0  # of what is averaged
        self._looked: dict[int, int] = {}  # optimiser steps at the last look
        self._tables: list[Timetable] = []
        self._random = random.Random(job.seed)  # noqa: S311  likewise
        self.model = model_of(job.setup, self._random)
        self._data = points_of(job.setup)
        self._until = None if job.deadline is None else time.monotonic() + job.deadline
        if job.start is not None:
            self.model.weight, self.model.bias = json.loads(job.start.read_text())["weights"]
        if job.resume is not None:
            self._resume(job.resume)

    def run(self) -> Stopped:
        """Train to the end; returns why it ended before."""
        epochs = epochs_of(self._job.setup)
        self._tables = self._timetables(epochs)
        self._look()
        stopped = self._epochs(epochs)
        if self._averaged and not stopped:
            self.model.weight, self.model.bias = self._averaged
        self._look(ended=True)
        return stopped

    def _epochs(self, epochs: int) -> Stopped:
        while self.epoch < epochs:
            began = time.monotonic()
            losses: list[float] = []
            batches = self._batches()
            for self.batch, batch in enumerate(batches):
                if self._is_over():
                    return ""
                if self.batch == len(batches) // 2:
                    self._maybe_fail()
                if self._job.rate is not None:
                    self.model.lr = self._job.rate(self.steps)
                entering = changed(batch, self._job.change)
                self.loss = math.nan if self._fails("nan") else self.model.learn(entering)
                values = (("train/loss", self.loss), ("lr/0", self.model.lr))
                self.steps += 1
                points = tuple((name, self.steps, self.epoch, value) for name, value in values)
                self._average("ema")
                losses.append(self.loss)
                position = Position("fit", self.steps, self.epoch, epochs, self.batch + 1, len(batches), points)
                self._tell(position)
                if not math.isfinite(self.loss):
                    return "loss is not finite"
            self._average("swa")
            self.epoch += 1
            time.sleep(max(0.0, self._engine.epoch_seconds - (time.monotonic() - began)))
            path = self.save(f"epoch-{self.epoch}.json")
            self._tell(Position("fit", self.steps, self.epoch - 1, epochs, checkpoint=path))
            if self._job.stop_below is not None and sum(losses) / len(losses) < self._job.stop_below:
                return ""
            self._look()
        return ""

    def _average(self, moment: Literal["ema", "swa"]) -> None:
        """Let the weights of this moment take part in the average, if it is one of such moments."""
        asked = self._job.averaging
        if asked is None or asked.kind != moment or self.epoch < asked.first_epoch:
            return
        now = [self.model.weight, self.model.bias]
        self._count += 1
        share = 1 / self._count if moment == "swa" or self._count == 1 else 1 - asked.decay
        before = self._averaged or now
        self._averaged = [a + share * (b - a) for a, b in zip(before, now, strict=True)]

    def _timetables(self, epochs: int) -> list[Timetable]:
        """When it is looked at; every loader of points knows its length."""
        (those, *_) = self._data.splits[Split.TRAIN].values()
        batches = self._job.one_batch or len(list(batches_of(those, self._data.batch_size)))
        length = Length(epochs, epochs * batches)
        found: list[Timetable] = []
        for look in self._job.looks:
            loaders = self._data.splits[look.split].values()
            lengths = [len(list(batches_of(one, self._data.batch_size))) for one in loaders]
            found.append(timetable(look, length, lengths))
        return found

    def _look(self, *, ended: bool = False) -> None:
        """Look where it is due, unless it has been done since the last step."""
        for index, table in enumerate(self._tables):
            if self._looked.get(index) != self.steps and table.is_due(self.epoch, self.steps, ended=ended):
                self._engine.look(self.model, self._job, table, self.epoch)
                self._looked[index] = self.steps

    def save(self, name: str) -> Path:
        """Write a checkpoint, whole or not at all."""
        version, numbers, gauss = self._random.getstate()
        state: dict[str, Any] = {
            "weights": [self.model.weight, self.model.bias],
            "epoch": self.epoch,
            "steps": self.steps,
            "random": [version, list(numbers), gauss],
            "averaged": [self._averaged, self._count],
        }
        path = self._job.folder / name
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(state))
        return beside.rename(path)

    def _resume(self, path: Path) -> None:
        state = json.loads(path.read_text())
        self.model.weight, self.model.bias = state["weights"]
        self.epoch, self.steps = state["epoch"], state["steps"]
        self._averaged, self._count = state["averaged"]
        version, numbers, gauss = state["random"]
        self._random.setstate((version, tuple(numbers), gauss))

    def _batches(self) -> list[Batch]:
        (those, *_) = self._data.splits[Split.TRAIN].values()
        if self._job.one_batch:
            return [next(batches_of(those, self._data.batch_size))] * self._job.one_batch
        order = list(those)
        self._random.shuffle(order)
        return list(batches_of(tuple(order), self._data.batch_size))

    def _tell(self, position: Position) -> None:
        self.answer = self._watch(position) or self.answer

    def _is_over(self) -> bool:
        if self.answer:
            return True
        late = self._until is not None and time.monotonic() >= self._until
        return late or (self._job.max_steps is not None and self.steps >= self._job.max_steps)

    def _fails(self, fault: Fault) -> bool:
        return self._engine.fault == fault and self.epoch == self._engine.at_epoch

    def _maybe_fail(self) -> None:
        if self._fails("raise"):
            raise RuntimeError(f"told to raise in epoch {self.epoch}")
        if self._fails("interrupt"):
            raise KeyboardInterrupt
        if self._fails("out of memory"):
            raise MemoryError
        while self._fails("hang"):
            time.sleep(0.05)
