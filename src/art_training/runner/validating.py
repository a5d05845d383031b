"""What can be told of a step before anything runs: its setups can be trained, and what it and its checks name will be there."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields

from art_training.checks import Check
from art_training.checks.bounds import ScoreCheck
from art_training.engines import Engine
from art_training.errors import CheckError, SetupError, UnknownMetric, UsageError
from art_training.records import Metric, Split
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.steps.prospect import Prospect
from art_training.steps.step import Step

_LOADERS = {
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

    def splits(self, setup: Setup, engine: Engine) -> tuple[Split, ...] | None:
        """The splits that a setup's data have, as far as it is declared; asked for once."""
        if id(setup) not in self._splits:
            self._splits[id(setup)] = setup, engine.declared_splits(setup)
        return self._splits[id(setup)][1]

    def require(self, step: Step, prospect: Prospect) -> None:
        """Refuse a step that is going to run, if it cannot.

        Args:
            step: that is going to run.
            prospect: what it will meet.

        Raises:
            SetupError: the model, the trainer's settings or the data are none that the engine can train with; the data lack
                a split; or it is not known which way the score is better that the step chooses by.
            UnknownMetric: the step chooses by a metric that there is not.
            CheckError: no value of its metric can pass a check.
            UsageError: it or a check of it names what no earlier step is going to leave, or what its model does not have.
        """
        setup, engine = prospect.setup, prospect.engine
        # A step that does not train may stand in a project whose model cannot learn.
        if "trainer" in step.uses and id(setup) not in self._trained:
            try:
                engine.validate(setup)
            except Exception as error:
                if not prospect.awaits_file(error):
                    if not isinstance(error, SetupError) or not (step.trainer or step.hparams or step.setup):
                        raise
                    raise SetupError(f"step {step.name!r}: {error}") from error
            else:
                self._trained[id(setup)] = setup
        declared = self.splits(setup, engine)
        if declared is not None:
            require_splits(f"step {step.name!r}", step.needs_splits, declared)
            _require_asked(step, declared)
        _require_direction(step, prospect.metrics)
        _require_attainable(step, prospect.metrics)
        _require_setups(step, setup, engine)
        step.foresee(prospect)
        for check in step.checks:
            check.foresee(prospect.before)


def require_splits(who: str, needed: Collection[Split], have: Sequence[Split]) -> None:
    """Refuse data that lack a split.

    Raises:
        SetupError: they do.
    """
    missing = [split for split in Split if split in needed and split not in have]
    if missing:
        raise SetupError(
            f"{who} needs a {missing[0]} split, and the data has: {', '.join(have)}; "
            f"give a {_LOADERS[missing[0]]}, or art.data({missing[0]}=...)"
        )


def _require_asked(step: Step, declared: tuple[Split, ...]) -> None:
    for check, metric in _asked(step):
        if metric.split is not None and metric.split not in declared:
            raise SetupError(
                f"the check `{check.title}` of step {step.name!r} asks about the {metric.split} split, but the data has: "
                f"{', '.join(declared)}; give the datamodule a {_LOADERS[metric.split]}, or art.data({metric.split}=...)"
            )


def _asked(step: Step) -> Iterator[tuple[Check, Metric]]:
    """The checks that the user gave, with the scores that they ask for."""
    for check in step.checks:
        for field in fields(check):
            if isinstance(metric := getattr(check, field.name), Metric):
                yield check, metric


def _require_direction(step: Step, metrics: MetricCalculator) -> None:
    """Refuse a choice by a score that the step will not have, or that is better nobody knows which way."""
    if not step.decides:
        return
    by = getattr(step, step.decides)
    name = Metric.parse(by).name
    try:
        direction = metrics.direction(name)
    except UnknownMetric as error:
        raise UnknownMetric(f"step {step.name!r} chooses by {by}: {error}") from error
    if direction is None:
        raise SetupError(
            f"it is not known which way metric {name!r} is better, so {step.name} cannot choose by it; "
            "set its attribute higher_is_better to True or False"
        )


def _require_attainable(step: Step, metrics: MetricCalculator) -> None:
    """Refuse a check that no value of its metric can pass, such as a percent of a share."""
    for check in step.checks:
        metric = getattr(check, "metric", None)
        if not isinstance(check, ScoreCheck) or not isinstance(metric, Metric) or metric.name not in metrics.names:
            continue
        best, minimize = metrics.best(metric.name), metrics.direction(metric.name) == "minimize"
        if best is not None and not check.attainable(best, minimize=minimize):
            raise CheckError(
                f"the check `{check.title}` of step {step.name!r} can never pass, because the best that {metric.name} can "
                f"be is {best:g}; give a limit on that scale{'' if minimize else ', a share where it is a percent'}"
            )


def _require_setups(step: Step, setup: Setup, engine: Engine) -> None:
    """Refuse setups that the step is going to make, as far as their declarations tell."""
    called = ""
    try:
        for what, one in step.setups(setup):
            called = f"{what} of "
            engine.validate_declaration(one)
            called = ""
    except UsageError as error:
        raise SetupError(f"{called}step {step.name!r}: {error}") from error
