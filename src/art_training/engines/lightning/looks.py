"""Looks at batches while a training goes on, when their timetable says so."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from art_training.engines.engine import FitJob
from art_training.engines.lightning.glass import Glass, attributes_kept, loaders_of
from art_training.engines.lightning.lengths import length_of
from art_training.engines.lightning.loaders import batches, evaluation_form
from art_training.engines.lightning.random_states import derived_seed, generators_kept, seeded, set_seed
from art_training.engines.lightning.recorder import Recorder
from art_training.engines.shaping import Look
from art_training.engines.timetable import Timetable, timetable
from art_training.records import Split

_READ = (Split.TRAIN, Split.VALIDATION)


class Looks:
    """The callback that looks, between epochs.

    A look passes its batches through a second model that is given the weights of the first (see `Glass`), which is not
    made before the first look is due. The time that looks take is no training time.
    """

    def __init__(self, job: FitJob, recorder: Recorder) -> None:
        super().__init__()
        self._job = job
        self._recorder = recorder
        self._seed = derived_seed(job.seed, "look")
        self._glass: Glass | None = None
        self._tables: list[Timetable] = []
        self._looked: list[tuple[int, int] | None] = [None] * len(job.looks)  # optimiser steps and epochs

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins, or goes on: how long it will be is known."""
        length = length_of(trainer)
        self._tables = [timetable(look, length, self._lengths(trainer, look)) for look in self._job.looks]
        self._recorder.parameters["looks"] = [table.told() for table in self._tables]
        self._look(trainer, module)

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """The moment between two epochs."""
        self._look(trainer, module)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Training is done."""
        self._look(trainer, module, ended=True)
        self._glass = None  # its weights are of no use any more

    # Its own work.

    def _lengths(self, trainer: Any, look: Look) -> list[int | None]:
        if self._job.one_batch:
            return [1]
        found = loaders_of(trainer, look.split)
        return [batches(evaluation_form(loader)) for loader in found.values()] or [None]

    def _look(self, trainer: Any, module: Any, *, ended: bool = False) -> None:
        now = (trainer.global_step, trainer.current_epoch)
        passed = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        due = [
            index
            for index, table in enumerate(self._tables)
            if self._looked[index] != now and table.is_due(trainer.current_epoch, passed, ended=ended)
        ]
        if due:
            began = time.monotonic()
            self._take(due, trainer, module)
            self._recorder.leave_out(time.monotonic() - began)
        for index in due:
            self._looked[index] = now

    def _take(self, due: Sequence[int], trainer: Any, module: Any) -> None:
        loaders = {"train": trainer.train_dataloader, "validation": trainer.val_dataloaders}
        generators = generators_kept(self._job.setup.data, fit=trainer.datamodule, module=module, **loaders)
        attributes = attributes_kept(one for split in _READ for one in loaders_of(trainer, split).values())
        modes = {one: one.training for one in module.modules()}
        with seeded(self._seed), generators, attributes:
            if self._glass is None:
                self._glass = Glass(self._job, trainer, [table.batches for table in self._tables])
            for index in due:
                if index != due[0]:
                    set_seed(self._seed)  # what a data set draws is the same in every look
                count = self._glass.look(index, trainer, module)
                if self._tables[index].cost is None:
                    self._tables[index] = replace(self._tables[index], cost=count)
        for one, training in modes.items():  # a model may share layers with every other one that is made
            one.training = training
