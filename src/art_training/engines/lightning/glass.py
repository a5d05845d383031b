"""The model and the data that looks are taken through, so that the model that trains is not touched."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from art_training.engines.engine import EvaluateJob, FitJob
from art_training.engines.lightning.checkpoint import take_weights, weights_of
from art_training.engines.lightning.data import data_seed, is_plain, open_data
from art_training.engines.lightning.hierarchy import is_overridden
from art_training.engines.lightning.lazy import open_model
from art_training.engines.lightning.loaders import evaluation_form, named, uncombined
from art_training.engines.lightning.passing import Passing, StandingPass, require_step, showing_to
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.views import Pass, Passes
from art_training.engines.shaping import Look
from art_training.records import Split
from art_training.setup.observation import BatchObservation

_CHANGE = "on_after_batch_transfer"


class Glass:
    """A second model that takes on the weights of the one that trains, and the batches that pass through it.

    The model that trains could be looked at itself only if everything that its steps and hooks leave behind were known:
    metrics, lists, counters, logged values. So a second one is made, in full and from the same seed, because what a model
    draws while it is made may be more than its weights. It costs the memory of one more set of weights, and once the time
    to make it.

    The data are those of the training itself where they are read as a look wants them: without augmentation, and from
    data sets that can be read at any place. Other data are opened a second time. Batches that are few are read once.
    """

    def __init__(self, job: FitJob, trainer: Any, counts: Sequence[int | None]) -> None:
        """For the looks of a job, each of so many batches of a loader.

        Raises:
            SetupError: there is no step that a split can be passed through.
        """
        self._job = job
        self._module, self._hierarchy = open_model(job.setup, seed=job.seed, data_seed=data_seed(job))
        for look in job.looks:
            require_step(self._module, look.split)
        ignore_warnings(".*does not have many workers", ".*sampler has shuffling enabled")
        self._opened: Passes | None = None
        self._live: tuple[Any, Any] = (None, None)
        self._epochs = 0
        self._count = 0
        self._passes = [self._pass(look, count, trainer) for look, count in zip(job.looks, counts, strict=True)]

    def look(self, index: int, trainer: Any, module: Any) -> int:
        """Pass the batches of one look through the weights of `module`; returns how many they were."""
        self._live, self._epochs, self._count = (trainer, module), trainer.current_epoch, 0
        datamodule = trainer.datamodule
        try:
            self._passes[index].run(epoch=self._epochs)
        finally:
            datamodule.trainer = trainer  # its hooks have seen the one of the pass
        self._live = (None, None)
        return self._count

    def _pass(self, look: Look, count: int | None, trainer: Any) -> StandingPass:
        job = self._job
        wanted = Pass(look.split, one_batch=bool(job.one_batch), first=1 if job.one_batch else count)
        loaders = _readable(job, trainer, look.split)
        change = job.change
        if loaders is None:
            passes = self._open()
        else:
            passes = Passes(trainer.datamodule, self._hierarchy, seed=job.seed, stands=True)
            wanted.keep(loaders)
            if is_overridden(_CHANGE, trainer.datamodule, "LightningDataModule"):
                change = None  # the hook of these very data makes it already
        asked = EvaluateJob(job.setup, job.seed, (look.split,), plain=True, change=change, data_seed=job.data_seed)
        passing = Passing(asked, self._hierarchy, self._module, self._take_weights, restores=False)

        def see(seen: BatchObservation) -> None:
            self._count += 1
            look.see(self._epochs, seen)

        return StandingPass(passing, passes, wanted, showing_to(see), lambda position: None)  # noqa: ARG005

    def _open(self) -> Passes:
        if self._opened is None:
            datamodule = open_data(self._job.setup, seed=data_seed(self._job), plain=True)
            self._opened = Passes(datamodule, self._hierarchy, seed=self._job.seed)
        return self._opened

    def _take_weights(self, model: Any) -> None:
        trainer, module = self._live
        take_weights(model, weights_of(trainer, module), "the model that trains")


def loaders_of(trainer: Any, split: Split) -> dict[str | None, Any]:
    """The loaders of a split that a training reads, by name; empty where it reads none."""
    if split is Split.TRAIN:
        return named(uncombined(trainer.train_dataloader))
    return named(trainer.val_dataloaders) if split is Split.VALIDATION else {}


def _readable(job: FitJob, trainer: Any, split: Split) -> Mapping[str | None, Any] | None:
    """The loaders of a training in evaluation form, where they can be read beside it; None where they cannot."""
    found = loaders_of(trainer, split)
    if not found or not (job.plain or is_plain(trainer.datamodule)):
        return None
    for loader in found.values():
        # A stream may have one position for all who read it, and what is no DataLoader may be anything.
        if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
            return None
    return {name: evaluation_form(loader) for name, loader in found.items()}


@contextmanager
def attributes_kept(loaders: Iterable[Any]) -> Generator[None]:
    """Read data sets whose attributes are afterwards what they were: some count how often they are read."""
    datasets: dict[int, Any] = {}
    for loader in loaders:
        _gather(getattr(loader, "dataset", None), datasets)
    before = [(one, dict(vars(one))) for one in datasets.values()]
    try:
        yield
    finally:
        for one, attributes in before:
            vars(one).clear()
            vars(one).update(attributes)


def _gather(dataset: Any, found: dict[int, Any]) -> None:
    """Add a data set, those that it is a part of and those that it consists of, each once."""
    if id(dataset) in found or not hasattr(dataset, "__dict__"):
        return
    found[id(dataset)] = dataset
    parts = getattr(dataset, "datasets", ())
    for one in (getattr(dataset, "dataset", None), *(parts if isinstance(parts, list | tuple) else ())):
        _gather(one, found)
