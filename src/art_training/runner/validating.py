"""What can be told of a step before anything runs: that its setup can be trained, on data that its checks ask about."""

from collections.abc import Iterator
from dataclasses import fields

from art_training.checks import Check
from art_training.engines import Engine
from art_training.errors import SetupError
from art_training.records import Metric, Split
from art_training.setup.setup import Setup
from art_training.steps.step import Step

LOADERS = {
    Split.TRAIN: "train_dataloader",
    Split.VALIDATION: "val_dataloader",
    Split.TEST: "test_dataloader",
}


class Validation:
    """Refuses steps that could only fail, while nothing has been trained for them: no data is read.

    A setup that several steps work on is looked at once.
    """

    def __init__(self) -> None:
        self._trained: dict[int, Setup] = {}  # the setups are kept, so that their ids stay their own
        self._splits: dict[int, tuple[Setup, tuple[Split, ...] | None]] = {}

    def require(self, step: Step, setup: Setup, engine: Engine) -> None:
        """Refuse a step that is going to run, if it cannot.

        Args:
            step: that is going to run.
            setup: that it works on.
            engine: the setup's.

        Raises:
            SetupError: the model, the trainer's settings or the data are none that the engine can train with.
        """
        # A step that does not train may stand in a project whose model cannot learn.
        if "trainer" in step.uses and id(setup) not in self._trained:
            try:
                engine.validate(setup)
            except SetupError as error:
                if not (step.trainer or step.hparams or step.setup):
                    raise
                raise SetupError(f"step {step.name!r}: {error}") from error
            self._trained[id(setup)] = setup
        if id(setup) not in self._splits:
            self._splits[id(setup)] = setup, engine.declared_splits(setup)
        _require_splits(step, self._splits[id(setup)][1])


def _require_splits(step: Step, declared: tuple[Split, ...] | None) -> None:
    if declared is None:
        return
    for check, metric in _asked(step):
        if metric.split is not None and metric.split not in declared:
            raise SetupError(
                f"the check `{check.title}` of step {step.name!r} asks about the {metric.split} split, but the data has: "
                f"{', '.join(declared)}; give the datamodule a {LOADERS[metric.split]}, or art.data({metric.split}=...)"
            )


def _asked(step: Step) -> Iterator[tuple[Check, Metric]]:
    """The checks that the user gave, with the scores that they ask for."""
    for check in step.checks:
        for field in fields(check):
            if isinstance(metric := getattr(check, field.name), Metric):
                yield check, metric
