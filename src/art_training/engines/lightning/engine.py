"""The Lightning engine."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from art_training.engines.engine import Engine, EvaluateJob, EvaluateResult, FitJob, FitResult, Watch
from art_training.engines.experiment import ExperimentJob
from art_training.engines.shaping import Parameter
from art_training.records import Split
from art_training.setup.observation import See
from art_training.setup.setup import Setup

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.probes import Specimen


class LightningEngine(Engine):
    """Trains LightningModules of `lightning` and `pytorch_lightning`, and plain modules through `art.from_torch`.

    Training is Lightning's own: the user's Trainer, module, datamodule, callbacks and loggers with all their hooks. A
    fit is seeded for the model, for the data and for training apart, so that a change of the model leaves the order of
    the data as it was. Jobs of one engine run one after another, in the main thread where Ctrl-C shall be heard.
    """

    name: ClassVar[str] = "lightning"

    def __init__(self) -> None:
        self._splits: dict[int, tuple[Any, Mapping[Split, tuple[str | None, ...]]]] = {}

    def validate(self, setup: Setup) -> None:
        from art_training.engines.lightning.build import check_model
        from art_training.engines.lightning.data import check_data
        from art_training.engines.lightning.surroundings import undisturbed
        from art_training.engines.lightning.trainers import check_trainer

        with undisturbed():
            check_model(setup)
            check_data(setup)
            check_trainer(setup)

    def validate_declaration(self, setup: Setup) -> None:
        from art_training.engines.lightning.build import check_hparams
        from art_training.engines.lightning.surroundings import undisturbed
        from art_training.engines.lightning.trainers import check_trainer

        with undisturbed():
            check_hparams(setup)
            check_trainer(setup)

    def declared_splits(self, setup: Setup) -> tuple[Split, ...] | None:
        from art_training.engines.lightning.data import declared_splits
        from art_training.engines.lightning.surroundings import undisturbed

        with undisturbed():
            return declared_splits(setup)

    def splits(self, setup: Setup, *, seed: int) -> Mapping[Split, tuple[str | None, ...]]:
        from art_training.engines.lightning.data import loader_names, open_data
        from art_training.engines.lightning.surroundings import undisturbed
        from art_training.engines.lightning.trainers import bare_trainer

        known = self._splits.get(id(setup.data))
        if known is None:
            with undisturbed():
                datamodule = open_data(setup, seed=seed)
                datamodule.trainer = bare_trainer(datamodule)
                known = (setup.data, loader_names(datamodule))  # the data is kept so that its id stays its own
            self._splits[id(setup.data)] = known
        return known[1]

    def fit(self, job: FitJob, watch: Watch) -> FitResult:
        from art_training.engines.lightning.fit import fit
        from art_training.engines.lightning.random_states import generators_kept
        from art_training.engines.lightning.surroundings import undisturbed

        with undisturbed(), generators_kept(job.setup.data):
            return fit(job, watch)

    def evaluate(self, job: EvaluateJob, see: See, watch: Watch) -> EvaluateResult:
        from art_training.engines.lightning.evaluation import evaluate
        from art_training.engines.lightning.random_states import generators_kept
        from art_training.engines.lightning.surroundings import undisturbed

        with undisturbed(), generators_kept(job.setup.data):
            return evaluate(job, see, watch)

    def experiment(self, job: ExperimentJob, run: "Callable[[Specimen], None]") -> None:
        from art_training.engines.lightning.experiment import experiment
        from art_training.engines.lightning.random_states import generators_kept
        from art_training.engines.lightning.surroundings import undisturbed

        with undisturbed(), generators_kept(job.setup.data):
            experiment(job, run)

    def parameters(self, setup: Setup) -> tuple[Parameter, ...]:
        from art_training.engines.lightning.surroundings import undisturbed
        from art_training.engines.lightning.weights import parameters

        with undisturbed():
            return parameters(setup)

    def fresh_weights(self, setup: Setup, *, seed: int) -> "Mapping[str, Tensor]":
        from art_training.engines.lightning.surroundings import undisturbed
        from art_training.engines.lightning.weights import fresh_weights

        with undisturbed():
            return fresh_weights(setup, seed=seed)

    def weights(self, path: Path) -> "Mapping[str, Tensor]":
        from art_training.engines.lightning.weights import read_weights

        return read_weights(path)

    def write_weights(self, weights: "Mapping[str, Tensor]", path: Path) -> Path:
        from art_training.engines.lightning.weights import write_weights

        return write_weights(weights, path)

    def read(self, job: EvaluateJob, see: Callable[[Split, str | None, Any], None], watch: Watch) -> EvaluateResult:
        from art_training.engines.lightning.evaluation import read
        from art_training.engines.lightning.random_states import generators_kept
        from art_training.engines.lightning.surroundings import undisturbed

        with undisturbed(), generators_kept(job.setup.data):
            return read(job, see, watch)
