"""What proposes the next trial and what ends one early: Optuna, asked and told, never in charge.

Bergstra et al., Algorithms for hyper-parameter optimization, NeurIPS 2011 (TPE); Bergstra and Bengio, Random search for
hyper-parameter optimization, JMLR 13 (2012); Li et al., Hyperband, JMLR 18 (2018); Akiba et al., Optuna, KDD 2019.
"""

import hashlib
import itertools
import logging
import random
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from art_training.records import Direction
from art_training.tuning.dimension import Choice, Dimension, Integer, Uniform, Value
from art_training.tuning.space import Point, Space
from art_training.tuning.trial import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial

Sampler = Literal["tpe", "random"]
Pruning = Literal["median", "hyperband"]

_NAME = "art"  # Hyperband draws a trial's bracket by the name of the study
_TRIES = 10  # proposals of a point that was not tried, before one is drawn among those that are left
_COUNTED = 100_000  # points that are looked through for one that was not tried
_WATCHED_FIRST = 5  # trials that run to their end before the median says anything


@dataclass(frozen=True)
class Search:
    """A search that holds no state: what it proposes follows from the trials that there are, and from nothing else.

    A study is built anew from the trials for each proposal, and its sampler is seeded by the number of the trial. So a
    search that is broken off after any trial, in any process, proposes what it would have proposed. It costs
    about 0.2 ms for each trial that there is.

    Attributes:
        space: what is searched.
        direction: which way of a trial's value is better.
        sampler: `tpe` or `random`.
        pruning: `median`, `hyperband`, or None for none.
        seed: all proposals follow from it.
        epochs: how many a whole trial has; None where it is not known, and then nothing is pruned.
        sign: -1 where the curve that pruning goes by has the other direction than the value.
    """

    space: Space
    direction: Direction
    sampler: Sampler = "tpe"
    pruning: Pruning | None = "median"
    seed: int = 0
    epochs: int | None = None
    sign: int = 1

    def ask(self, trials: Sequence[Trial]) -> "Asked | None":
        """What to try next, given all trials before it; None when every point of the space was tried."""
        tried = {_key(trial.point) for trial in trials}
        for attempt in range(_TRIES):
            asked = self._proposed(trials, attempt)
            if _key(asked.point) not in tried:
                return asked
        points = self.space.points()
        if points is None:
            return self._proposed(trials, 0)
        left = [point for point in itertools.islice(points, _COUNTED) if _key(point) not in tried]
        if not left:
            return None
        return self._proposed(trials, 0, random.Random(self._seed(len(trials), _TRIES)).choice(left))  # noqa: S311

    def _proposed(self, trials: Sequence[Trial], attempt: int, point: Point | None = None) -> "Asked":
        with _quiet() as optuna:
            study = self._study(optuna, trials, attempt)
            if point is not None:
                study.enqueue_trial(dict(point))
            trial = study.ask()
            proposed: dict[str, Value] = {}
            for name, dimension in self.space.dimensions.items():
                if self.space.is_active(name, proposed):
                    proposed[name] = _suggested(trial, name, dimension)
        return Asked(len(trials), proposed, self.sign, study, trial)

    def _study(self, optuna: Any, trials: Sequence[Trial], attempt: int) -> "Study":
        study = optuna.create_study(
            study_name=_NAME,
            direction=self.direction,
            sampler=self._sampler(optuna, self._seed(len(trials), attempt)),
            pruner=self._pruner(optuna),
        )
        study.add_trials([self._frozen(optuna, trial) for trial in trials])
        return study

    def _sampler(self, optuna: Any, seed: int) -> "BaseSampler":
        kinds = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        return kinds[self.sampler](seed=seed)

    def _pruner(self, optuna: Any) -> "BasePruner":
        if self.pruning is None or self.epochs is None:
            return optuna.pruners.NopPruner()
        if self.pruning == "hyperband":
            # Told, not found out: what it finds out by itself depends on when it is asked first.
            return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(1, self.epochs), reduction_factor=3)
        return optuna.pruners.MedianPruner(n_startup_trials=_WATCHED_FIRST, n_warmup_steps=max(1, self.epochs // 10))

    def _frozen(self, optuna: Any, trial: Trial) -> "FrozenTrial":
        states = optuna.trial.TrialState
        distributions = {name: _distribution(optuna, self.space.dimensions[name]) for name in trial.point}
        return optuna.trial.create_trial(
            state={"finished": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[trial.state],
            value=trial.value if trial.state == "finished" else None,
            params=dict(trial.point),
            distributions=distributions,
            intermediate_values={epoch: self.sign * value for epoch, value in trial.curve.items()},
            system_attrs=dict(trial.attributes),
        )

    def _seed(self, number: int, attempt: int) -> int:
        digest = hashlib.sha256(f"{self.seed}/trial {number}/{attempt}".encode()).digest()
        return int.from_bytes(digest[:4]) % 2**31


@dataclass
class Asked:
    """A trial that was proposed and runs.

    Attributes:
        number: of the trial.
        point: of the space.
        sign: of what is reported, see `Search`.
        curve: what was reported, by epoch.
    """

    number: int
    point: Point
    sign: int
    _study: "Study"
    _trial: "OptunaTrial"
    curve: dict[int, float] = field(default_factory=dict[int, float])

    def report(self, epoch: int, value: float) -> bool:
        """Tell what an epoch gave; says whether the trial should be ended. What is told again changes nothing."""
        if epoch in self.curve:
            return False
        self.curve[epoch] = value
        with _quiet():
            self._trial.report(self.sign * value, epoch)
            return bool(self._trial.should_prune())

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the pruner noted, which it needs to know of this trial later."""
        return dict(self._study.get_trials(deepcopy=False)[self.number].system_attrs)


def _suggested(trial: "OptunaTrial", name: str, dimension: Dimension) -> Value:
    match dimension:
        case Uniform(low, high, log):
            return float(trial.suggest_float(name, low, high, log=log))
        case Integer(low, high, log, step):
            return int(trial.suggest_int(name, low, high, log=log, step=step))
        case Choice(options):
            return str(trial.suggest_categorical(name, list(options)))
        case _:
            raise TypeError(f"{type(dimension).__name__} is no dimension that can be searched")


def _distribution(optuna: Any, dimension: Dimension) -> "BaseDistribution":
    distributions = optuna.distributions
    match dimension:
        case Uniform(low, high, log):
            return distributions.FloatDistribution(low, high, log=log)
        case Integer(low, high, log, step):
            return distributions.IntDistribution(low, high, log=log, step=step)
        case Choice(options):
            return distributions.CategoricalDistribution(list(options))
        case _:
            raise TypeError(f"{type(dimension).__name__} is no dimension that can be searched")


def _key(point: Point) -> tuple[tuple[str, Value], ...]:
    return tuple(sorted(point.items()))


@contextmanager
def _quiet() -> Generator[Any]:
    """Optuna without its log and its notes on what is experimental; what others set about them is put back."""
    import optuna

    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        logger.setLevel(level)
