"""Tune: search for hyper-parameters, and do not believe the best of many noisy trials."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast, get_args

from art_training.checks import Check
from art_training.checks.bounds import Above
from art_training.checks.finite import NoNaN
from art_training.checks.improves import GAIN
from art_training.errors import ProjectError, SetupError, StoreError
from art_training.records import Artifact, Direction, Metric, Outcome, Promise, Reading, Score, Split, plain
from art_training.records.counted import counted
from art_training.setup.forward import parameters_of
from art_training.setup.scores.metrics import LOSS
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.setup.torch_model import TorchModel
from art_training.steps.bench import Bench
from art_training.steps.deciding import deciding_metric
from art_training.steps.examples import LookBack
from art_training.steps.looking_back import LOOKING_BACK, LooksBack
from art_training.steps.searching.again import INCOMING, Again, Decision, fresh_seed
from art_training.steps.searching.budget import Budget
from art_training.steps.searching.modifiers import check_modifiers, unable_findings
from art_training.steps.searching.telling import ALONE, adjusted, again, candidates, gain, readings, write_table
from art_training.steps.searching.trying import Tried, Trying, best, weights_of
from art_training.steps.weights import LAST
from art_training.tuning.dimension import Choice, Dimension
from art_training.tuning.space import TRAINER, Space
from art_training.tuning.study import Pruning, Sampler, Search
from art_training.tuning.trial import Trial

FINISHED = "finished_trials"
SELECTED = "selected_value"


@dataclass(frozen=True)
class Tune(LooksBack):
    """Search a space for the setup that does best on the validation split, and train the best again on fresh seeds.

    Every trial is a whole training under the step's seed, scored on the validation split with the weights that it ends
    with. A trial that raises, diverges or runs out of memory is a failed trial with its sentence. Pruning compares
    trials epoch by epoch: by what the search goes by where the module logs it while it validates (`val_accuracy`), else
    by the validation loss.

    The `top` trials and the incoming setup are then trained under `seeds_for_winner` seeds that chose nothing. The best
    under these wins. It is handed on only where it is not worse than the incoming setup; what is handed on is the
    winner's point of the space, laid over the setup that later steps would have begun with. The examples that the weights
    of what is handed on do worst on are named, those under the first fresh seed.

    What is proposed follows from the seed and the trials before it alone, and every trial is remembered as it ends: a
    search that is killed goes on with the trials that it would have had. Fields that say how much is searched (`trials`,
    `seconds`, `epochs`, `top`, `seeds_for_winner`) change what comes out, and the step is stale when they change; they do
    not change the trials themselves, so that a larger budget begins with all trials that there are, and trains none of
    them again. Anything else that changes, the space among it, begins a new search; so does `art run --force`.

    Scores, beside those of what is handed on (means over the fresh seeds): `selected_value`, what the winner had reached
    in the search; `gain`, how much better it is than the incoming setup, positive is better, paired on fresh seeds;
    `finished_trials`. The winner was chosen by what it is judged by: under the fresh seeds from the `top` trials, on the
    validation examples from all that were ranked. The interval of the gain and the p-value in the reading `p_adjusted` are
    those of such a best of several, so that a search among setups that are no better seldom claims one that is.

    Attributes:
        space: what is searched, by name of the hyper-parameter: see `art.space`.
        by: what decides: `validation/loss`, or a metric whose direction is known, `validation/accuracy`.
        sampler: `tpe` learns from the trials before; `random` does not.
        pruning: `median` ends a trial that is worse than the median of those before it at the same epoch; `hyperband`
            gives more epochs to ever fewer; None lets every trial end.
        trials: how many are made.
        seconds: none begins after so many seconds in trials.
        epochs: none begins after so many epochs in trials. One of the three must be given; the first that is reached
            ends the search. Trainings under fresh seeds come on top.
        seeds_for_winner: fresh seeds for each of the top trials and for the incoming setup.
        top: so many of the best trials are trained again; their weights are kept as `trial <n>.ckpt`. The more there are,
            the wider is the interval of the gain: with three seeds, three take nearly twice the gain to be certain as one.
        examples: worst examples of each kind that are named; 0: no look back at the data.
        examples_seconds: the time to read their inputs again for pictures.
    """

    space: Mapping[str, Dimension] | Space
    by: str = "validation/loss"
    sampler: Sampler = "tpe"
    pruning: Pruning | None = "median"
    trials: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    seeds_for_winner: int = 3
    top: int = 3

    purpose: ClassVar[str] = "Which settings are best, once the luck of the best of many trials is taken off?"
    amounts: ClassVar[frozenset[str]] = frozenset({
        "trials", "seconds", "epochs", "seeds_for_winner", "top", *LOOKING_BACK
    })  # fmt: skip
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.VALIDATION})
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.VALIDATION})
    leaves_weights: ClassVar[bool | None] = True
    decides: ClassVar[str] = "by"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.space, Space):
            object.__setattr__(self, "space", Space(self.space))
        object.__setattr__(self, "by", str(deciding_metric(self.by, self.name)))
        for field, allowed in (("sampler", get_args(Sampler)), ("pruning", (*get_args(Pruning), None))):
            if getattr(self, field) not in allowed:
                raise ProjectError(
                    f"{field}={getattr(self, field)!r} of step {self.name!r} is none of: {', '.join(map(repr, allowed))}"
                )
        self._budget.check(self.name)
        for field in ("seeds_for_winner", "top"):
            value: Any = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ProjectError(f"{field}={value!r} of step {self.name!r} must be a whole number of at least 1")

    def run(self, bench: Bench) -> Outcome:
        metric = Metric.parse(self.by)
        direction = self._direction(bench, metric)
        _check_setup(self._space, bench.setup)
        bench.say("look at the modifiers")
        unable = check_modifiers(self._space, bench)
        search = Search(self._space, direction, self.sampler, self.pruning, bench.seed)
        tried = Trying(bench, search, metric, direction, self._budget, self.top).run()
        leaders = best(tried.trials, direction)[: self.top]
        decision = None
        if leaders:
            named = [(trial.label, self._space.apply(bench.setup, trial.point)) for trial in leaders]
            fresh = Again(bench, metric, direction, self.seeds_for_winner, watch=self.examples > 0)
            decision = fresh.decide(named, ranked=sum(1 for trial in tried.trials if trial.state != "failed"))
        outcome = self._told(bench, metric, tried, leaders, decision)
        told = "".join(f"; {what} could not be trained {why}" for what, why in unable.items())
        return replace(
            outcome, findings=(*outcome.findings, *unable_findings(unable)), summary=f"{outcome.summary}{told}"
        )

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        """The setup with the winner's point laid over it; as it was where the winner was not handed on.

        What the step itself laid over the setup, such as fewer epochs, was for the search and is not handed on. A setup
        of the step's own is.
        """
        if not outcome.parameters.get("carried"):
            return setup
        base = setup if self.setup is None else self.resolve(setup)
        return self._space.apply(base, outcome.parameters["point"])

    def configured(self, setup: Setup, outcome: Outcome, candidate: str) -> Setup:
        """The setup that one of the best trials trained, by its name: `trial 7`.

        Raises:
            ProjectError: it is none of them.
        """
        points = outcome.parameters.get("points", {})
        if candidate not in points:
            raise ProjectError(
                f"{candidate!r} is none of the best trials of step {self.name!r}; these are: {', '.join(points) or 'none'}"
            )
        return self._space.apply(self.resolve(setup), points[candidate])

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (Above(FINISHED, 0), NoNaN())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, LOSS, FINISHED, SELECTED, GAIN)

    def keeps_parameters(self, setup: Setup) -> bool:
        return self._space.keeps_parameters(setup)

    def candidate_names(self) -> Sequence[str] | None:
        if self.trials is None:
            return None
        trials = self._labels(self.trials)
        return (*trials, *(again(one, self.seeds_for_winner) for one in (INCOMING, *trials)))

    def promise(self) -> Promise:
        few = [f"{name}=2" for name in ("trials", "top") if getattr(self, name) == 1]
        return replace(
            super().promise(),
            setups=min(self.top, self.trials or self.top),
            for_two=", ".join(few),
            kept=None if self.trials is None else (*self._labels(self.trials), LAST.removesuffix(".ckpt")),
        )

    def setups(self, setup: Setup) -> Iterable[tuple[str, Setup]]:
        """What each dimension gives by itself: its lowest number, or each of its options."""
        _check_setup(self._space, setup)
        for name, dimension in self._space.dimensions.items():
            for value in dimension.options if isinstance(dimension, Choice) else (dimension.lowest,):
                yield f"{name}={value!r} in the space", self._space.apply(setup, {name: value})

    def configuration(self) -> dict[str, Any]:
        """The fields, the space dimension by dimension, so that a stale step says which one changed."""
        own = super().configuration()
        own.pop("space")
        return {**{f"space.{name}": one for name, one in self._space.dimensions.items()}, **own}

    @staticmethod
    def _labels(trials: int) -> list[str]:
        return [f"trial {number}" for number in range(trials)]

    @property
    def _space(self) -> Space:
        return cast("Space", self.space)

    @property
    def _budget(self) -> Budget:
        return Budget(self.trials, self.seconds, self.epochs)

    def _direction(self, bench: Bench, metric: Metric) -> Direction:
        if Split.VALIDATION not in bench.splits:
            raise SetupError(
                f"{self.name} chooses by {metric}, and the data has: {', '.join(bench.splits)}; "
                "give a val_dataloader, or art.data(validation=...)"
            )
        direction = bench.metrics.direction(metric.name)
        if direction is None:
            raise SetupError(
                f"it is not known which way metric {metric.name!r} is better, so {self.name} cannot choose by it; "
                "set its attribute higher_is_better to True or False"
            )
        return direction

    def _told(
        self, bench: Bench, metric: Metric, tried: Tried, leaders: Sequence[Trial], decision: Decision | None
    ) -> Outcome:
        trials = tried.trials
        finished = sum(1 for trial in trials if trial.state == "finished")
        scores = {FINISHED: Score(float(finished), direction="maximize", note=tried.ended)}
        told = list(readings(self._space, tried, metric, pruning=self.pruning, seed=bench.seed))
        if not finished:
            told.append(
                Reading(f"remedy for {FINISHED}", f"no trial gave a value: {trials[0].label}: {trials[0].note}")
            )
        parameters: dict[str, Any] = {"by": str(metric), "points": {one.label: dict(one.point) for one in leaders}}
        winner = None if decision is None or decision.winner is None else decision.winner.name
        if decision is not None:
            scores = {**decision.chosen.scores, **gain(decision), **scores}
        if decision is not None and winner is not None:
            trial = next(one for one in leaders if one.label == winner)
            scores[SELECTED] = Score(
                trial.value or 0.0, rows=None, note=f"of {winner} in the search, under the seed that chose it"
            )
            parameters |= {"winner": winner, "point": dict(trial.point), "carried": decision.carried}
            told.append(Reading("winner", self._space.shown(trial.point), note=_verdict(decision, metric)))
            told.extend(adjusted(decision))
        looked = self._look_back(bench, decision)
        artifacts = [*_kept(bench, leaders, decision), *looked.artifacts]
        table = write_table(bench.folder / "trials.csv", self._space, trials, metric)
        artifacts.append(bench.keep(table, name="trials.csv", kind="table", note="all trials, a row each"))
        return Outcome(
            scores=scores,
            readings=(*told, *looked.readings),
            candidates=candidates(self._space, trials, decision, self.seeds_for_winner),
            parameters=parameters,
            artifacts=tuple(artifacts),
            findings=() if decision is None else decision.findings,
            seconds={
                "trials": sum(trial.seconds for trial in trials),
                "fresh seeds": 0.0 if decision is None else decision.seconds,
                "look back": looked.seconds,
            },
            summary=_summary(tried, decision, metric, leaders, self.seeds_for_winner),
        )

    def _look_back(self, bench: Bench, decision: Decision | None) -> LookBack:
        if decision is None or decision.last is None:
            return LookBack()
        seed = fresh_seed(bench.seed, 0)
        return self.look_back_with(bench, decision.last, decision.chosen.setup, seed=seed, forgotten=decision.forgotten)


def _check_setup(space: Space, setup: Setup) -> None:
    """Raise what would make every trial fail.

    Raises:
        SetupError: the model takes no hyper-parameter of a name, or settings cannot be laid over the Trainer.
    """
    space.apply(setup, space.first())
    model: Any = setup.model
    known = parameters_of(model.model) if isinstance(model, TorchModel) else parameters_of(model)
    if known is None:
        return
    accepted = [*known, *(model.optimizer_arguments if isinstance(model, TorchModel) else ())]
    for name in space.hparams:
        if name not in accepted:
            raise SetupError(
                f"space has {name!r}, which the model does not take; it takes: {', '.join(accepted) or 'nothing'}; "
                f"a setting of the Trainer is called '{TRAINER}{name}'"
            )


def _kept(bench: Bench, leaders: Sequence[Trial], decision: Decision | None) -> list[Artifact]:
    """The weights of the best trials, of this run or of one that was asked for less; and those of what is handed on."""
    kept = [artifact for trial in leaders if (artifact := _weights(bench, trial)) is not None]
    if decision is not None and decision.last is not None:
        note = f"{decision.chosen.name}, trained under the first fresh seed"
        kept.append(bench.keep(decision.last, name="last.ckpt", kind="checkpoint", note=note))
    return kept


def _weights(bench: Bench, trial: Trial) -> Artifact | None:
    key = f"weights of {trial.label}"
    if (path := weights_of(bench, trial)) is not None:
        note = "under the seed of the search"
        artifact = bench.keep(path, name=f"{trial.label}.ckpt", kind="checkpoint", note=note)
        bench.remember(key, plain(artifact))
        return artifact
    stored = bench.recall(key)
    if not isinstance(stored, dict):
        return None
    artifact = Artifact(**cast("dict[str, Any]", stored))
    try:
        bench.fetch(artifact)
    except StoreError:  # freed since; nothing here needs them
        return None
    return artifact


def _verdict(decision: Decision, metric: Metric) -> str:
    """Whether the winner is handed on, and why."""
    winner, compared = decision.winner, decision.comparison
    assert winner is not None
    if compared is None:
        return f"handed on; the incoming setup could not be trained: {decision.incoming.note}"
    between = compared.interval
    size = f"{abs(compared.value):.4g}"
    if between is not None:
        size += f" (difference {compared.value:+.4g}, {between.level:.0%} interval {between.low:+.4g} to {between.high:+.4g})"
    if not decision.carried:
        return f"not handed on: on the same fresh seeds its {metric} is worse than that of the incoming setup by {size}"
    if compared.value == 0:
        return f"handed on: on the same fresh seeds its {metric} is that of the incoming setup, no better and no worse"
    told = f"handed on: on the same fresh seeds its {metric} is better than that of the incoming setup by {size}"
    return told if compared.better else f"{told}; that it is better is not certain"


def _summary(tried: Tried, decision: Decision | None, metric: Metric, leaders: Sequence[Trial], seeds: int) -> str:
    states = [trial.state for trial in tried.trials]
    counts = ", ".join(
        f"{states.count(state)} {state}" for state in ("finished", "pruned", "failed") if state in states
    )
    told = f"{counted(len(states), 'trial')} ({counts}){ALONE if len(states) == 1 else ''}"
    if decision is None or decision.winner is None:
        return f"{told}; none could be chosen"
    winner = decision.winner
    trial = next(one for one in leaders if one.label == winner.name)
    fresh = "a fresh seed" if seeds == 1 else f"{seeds} fresh seeds"
    told += f"; {winner.name} reached {metric} {trial.value:.4g}, and {winner.value(metric):.4g} on {fresh}"
    if decision.comparison is not None:
        told += f", where the incoming setup has {decision.incoming.value(metric):.4g}"
    return f"{told}: {'handed on' if decision.carried else 'not handed on'}"
