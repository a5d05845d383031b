"""Looks at batches while a training goes on, through a model of their own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from art_training.engines.engine import EvaluateJob, FitJob
from art_training.engines.lightning.build import build_model
from art_training.engines.lightning.checkpoint import take_weights, weights_of
from art_training.engines.lightning.data import data_seed, open_data
from art_training.engines.lightning.evaluation import Passing, pass_once, require_step, showing_to
from art_training.engines.lightning.hierarchy import Hierarchy
from art_training.engines.lightning.random_states import derived_seed, generators_kept, seeded, set_seed
from art_training.engines.lightning.recorder import Recorder
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.views import Pass, Passes
from art_training.engines.shaping import Look


class Looks:
    """The callback that looks, between epochs.

    A look passes its batches through a second model that is given the weights of the first: hooks, modes, buffers,
    metrics, logged values and gradients of the model that trains cannot be touched by it. It costs the memory of one
    more set of weights, and of the data a second time where their datamodule reads them. Batches that are few are read
    once. A training that is resumed looks when it begins again, as one that begins does.
    """

    def __init__(self, job: FitJob, recorder: Recorder) -> None:
        super().__init__()
        self._job = job
        self._recorder = recorder
        self._seed = derived_seed(job.seed, "look")
        self._glass: _Glass | None = None
        self._spent = [0.0] * len(job.looks)
        self._costs = [0.0] * len(job.looks)  # seconds of the last look, without what is made once
        self._looked: list[tuple[int, int] | None] = [None] * len(job.looks)  # optimiser steps and epochs
        self._started = 0.0

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins: the first look."""
        self._started = time.monotonic()
        self._look(trainer, module, range(len(self._job.looks)))

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """The moment between two epochs."""
        self._look(trainer, module, [index for index in range(len(self._job.looks)) if self._affordable(index)])

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Training is done: the last look, unless it has been taken since the last step."""
        self._look(trainer, module, range(len(self._job.looks)))

    # Its own work.

    def _affordable(self, index: int) -> bool:
        training = time.monotonic() - self._started - sum(self._spent)
        return self._spent[index] + self._costs[index] <= self._job.looks[index].share * training

    def _look(self, trainer: Any, module: Any, which: Sequence[int]) -> None:
        now = (trainer.global_step, trainer.current_epoch)
        due = [index for index in which if self._looked[index] != now]
        if not due:
            return
        loaders = {"train": trainer.train_dataloader, "validation": trainer.val_dataloaders}
        kept = generators_kept(self._job.setup.data, fit=trainer.datamodule, module=module, **loaders)
        modes = {one: one.training for one in module.modules()}
        began = time.monotonic()
        with seeded(self._seed), kept:
            for index in due:
                self._take(index, trainer, module)
                self._looked[index] = now
        for one, training in modes.items():  # a model may share layers with every other one that is made
            one.training = training
        self._recorder.leave_out(time.monotonic() - began)

    def _take(self, index: int, trainer: Any, module: Any) -> None:
        began = time.monotonic()
        if self._glass is None:
            self._glass = _Glass.made(self._job)
        made = time.monotonic()
        set_seed(self._seed)  # what a data set draws is the same in every look
        self._glass.look(index, trainer, module)
        self._costs[index] = time.monotonic() - made
        self._spent[index] += time.monotonic() - began


@dataclass
class _Glass:
    """The model and the data that looks are taken through."""

    job: FitJob
    hierarchy: Hierarchy
    module: Any
    passes: Passes
    wanted: list[Pass]

    @classmethod
    def made(cls, job: FitJob) -> "_Glass":
        """Everything fresh, as for an evaluation.

        Raises:
            SetupError: there is no step that a split can be passed through.
        """
        set_seed(job.seed)
        module, hierarchy = build_model(job.setup)
        datamodule = open_data(job.setup, seed=data_seed(job), plain=True)
        for look in job.looks:
            require_step(module, look.split)
        ignore_warnings(".*does not have many workers", ".*sampler has shuffling enabled")
        wanted = [_wanted(look, one_batch=bool(job.one_batch)) for look in job.looks]
        return cls(job, hierarchy, module, Passes(datamodule, hierarchy, seed=job.seed), wanted)

    def look(self, index: int, trainer: Any, live: Any) -> None:
        """Pass the batches of one look through the weights of `live`."""
        look, epochs = self.job.looks[index], trainer.current_epoch
        job = self.job
        asked = EvaluateJob(job.setup, job.seed, (look.split,), plain=True, change=job.change, data_seed=job.data_seed)

        def ready(model: Any) -> None:
            take_weights(model, weights_of(trainer, live), "the model that trains")

        passing = Passing(asked, self.hierarchy, self.module, ready, epoch=epochs)
        showing = showing_to(lambda seen: look.see(epochs, seen))
        pass_once(passing, self.passes, self.wanted[index], showing, lambda position: None)  # noqa: ARG005


def _wanted(look: Look, *, one_batch: bool) -> Pass:
    return Pass(look.split, one_batch=one_batch, first=look.batches)
