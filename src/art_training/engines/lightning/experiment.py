"""A fresh model laid open for experiments, where its step works: within a Trainer that has just begun."""

import dataclasses
from collections.abc import Callable
from functools import wraps
from typing import Any

from art_training.engines.engine import FitJob
from art_training.engines.experiment import ExperimentJob
from art_training.engines.lightning.build import require_trainable
from art_training.engines.lightning.change import replaced
from art_training.engines.lightning.data import METHODS, data_seed, open_data, split_names
from art_training.engines.lightning.lazy import open_model
from art_training.engines.lightning.leaving import leave, leaving
from art_training.engines.lightning.lengths import batches_of
from art_training.engines.lightning.loaders import named, uncombined
from art_training.engines.lightning.logger import SilentLogger
from art_training.engines.lightning.random_states import seeded
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.trainers import Additions, fit_trainer, users_of
from art_training.engines.lightning.views import fit_view
from art_training.probes import Plan, Schedule, Specimen
from art_training.probes.building import noted_applies
from art_training.probes.loading import Loaded, by_name, noted_loads
from art_training.records import Split


def experiment(job: ExperimentJob, run: Callable[[Specimen], None]) -> None:
    """Begin a training, fetch its first batches, and let `run` experiment in place of the first step.

    The caller restores what surrounds it. An epoch with fewer batches gives what it has.

    Raises:
        SetupError: the setup cannot be trained as declared.
        Exception: whatever the user's code raises.
    """
    with noted_loads() as loads:
        _begin(job, run, loads)


def _begin(job: ExperimentJob, run: Callable[[Specimen], None], loads: Loaded) -> None:
    fitting = FitJob(job.setup, job.seed, job.folder, data_seed=job.data_seed, silent=True)
    with noted_applies() as applied:
        module, hierarchy = open_model(job.setup, seed=job.seed, data_seed=data_seed(fitting))
    require_trainable(module)
    datamodule = open_data(job.setup, seed=data_seed(fitting))
    view = fit_view(datamodule, hierarchy, one_batch=0, seed=job.seed)
    logger = hierarchy.derive(SilentLogger, "Logger")()
    trainer = fit_trainer(fitting, hierarchy, Additions((), logger))
    ignore_warnings(".*does not have many workers", "The number of training batches", "`training_step` returned `None`")
    step = module.training_step
    batches: list[Any] = []

    # `wraps` leaves the signature where Lightning looks which arguments a step takes.
    @wraps(step)
    def training_step(batch: Any, *others: Any) -> None:
        batches.append(batch)
        if len(batches) < min(job.batches, batches_of(trainer) or job.batches):
            return

        def call(given: Any, index: int) -> Any:
            return step(given, index) if others else step(given)

        specimen = _specimen(trainer, module, call, tuple(batches), job.setup.data)
        run(dataclasses.replace(specimen, loaded=by_name(module, loads), applied=tuple(applied)))
        leave(trainer)

    def optimizer_step(epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any]) -> None:
        del epoch, batch_idx, optimizer
        optimizer_closure()  # fetches the batch; there are no gradients to step by

    def lr_scheduler_step(scheduler: Any, metric: Any) -> None:
        del scheduler, metric

    fetching = {
        "training_step": training_step,
        "optimizer_step": optimizer_step,
        "lr_scheduler_step": lr_scheduler_step,
    }
    with leaving(trainer, module), replaced(module, fetching):
        trainer.fit(module, datamodule=view)


def _specimen(
    trainer: Any, module: Any, step: Callable[[Any, int], Any], batches: tuple[Any, ...], declared: Any
) -> Specimen:
    return Specimen(
        module=module,
        step=step,
        batches=batches,
        optimizers=tuple(trainer.strategy.optimizers),
        schedules=tuple(
            Schedule(one.scheduler, one.interval, one.frequency, one.monitor or "")
            for one in trainer.strategy.lr_scheduler_configs
        ),
        automatic=module.automatic_optimization,
        plan=plan_of(trainer),
        seeded=seeded,
        data=(declared, trainer.datamodule),
        loaders=_loaders(trainer),
    )


def plan_of(trainer: Any) -> Plan:
    """How long and by what rules a Trainer would go on."""
    steps = trainer.estimated_stepping_batches
    return Plan(
        epochs=None if trainer.max_epochs in {None, -1} else trainer.max_epochs,
        batches=batches_of(trainer),
        steps=int(steps) if steps not in {-1, float("inf")} else None,
        accumulate=trainer.accumulate_grad_batches,
        clip=trainer.gradient_clip_val,
        precision=str(trainer.precision),
        validations=_validations(trainer),
        validates_every=trainer.check_val_every_n_epoch or 1,
        first_validation=_first_validation(trainer),
        callbacks=tuple(users_of(trainer.callbacks)),
    )


def _validations(trainer: Any) -> int | None:
    if not trainer.enable_validation:
        return 0
    counts = trainer.num_val_batches
    return int(sum(counts)) if counts and all(isinstance(one, int) for one in counts) else None


def _first_validation(trainer: Any) -> int | None:
    """Batches before it: within an epoch that is validated, or, where epochs do not matter, from the beginning."""
    every, within = trainer.check_val_every_n_epoch, getattr(trainer, "val_check_batch", None)
    if within is None or within == float("inf"):  # by the clock, or at the end of an epoch that has no length
        return None
    batches = batches_of(trainer)
    if every is None:
        return int(within)
    if every == 1:
        return int(within)
    return None if batches is None else int(within) + (every - 1) * batches


def _loaders(trainer: Any) -> dict[Split, dict[str | None, Any]]:
    found = {Split.TRAIN: named(uncombined(trainer.train_dataloader))}
    if trainer.val_dataloaders is not None:
        found[Split.VALIDATION] = named(trainer.val_dataloaders)
    datamodule = trainer.datamodule
    if Split.TEST in split_names(datamodule):
        datamodule.setup("test")
        found[Split.TEST] = named(getattr(datamodule, METHODS[Split.TEST])())
    return found
