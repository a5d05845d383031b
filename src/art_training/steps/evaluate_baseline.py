"""EvaluateBaseline: what is reached without any training of a network, so that there is something to beat."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from art_training.checks import Check
from art_training.checks.baseline import HUMAN
from art_training.checks.bounds import Above
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Finding, Metric, Outcome, Reading, Score, Split
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.task import Task
from art_training.steps.baselines.contenders import Contender, Module, target_of
from art_training.steps.baselines.learning import Learned, Limits, learn
from art_training.steps.baselines.models import BOOSTING, DUMMY, LINEAR
from art_training.steps.baselines.pooling import Pooled
from art_training.steps.bench import Bench
from art_training.steps.step import Step

COUNT = "baselines"
SOURCE = "source"


@dataclass(frozen=True)
class EvaluateBaseline(Step):
    """Score baselines on the validation split with the project's metrics and the task's loss.

    The dummy predicts the class frequencies or the mean; the linear model is a ridge or logistic regression of scaled
    features; boosting is scikit-learn's histogram-based gradient boosting. They learn from the training split, its
    inputs flattened; tasks that have no flat target get the dummy that fits them. A baseline that makes no sense for
    a task is a candidate without scores, whose note says why.

    The scores are those of the best baseline by the first metric whose direction is known (else by the loss), and
    `baselines`, the number of those that have it.

    Attributes:
        baselines: further ones: subclasses of ArtModule, or factories of one, with `baseline_train` and `predict`.
        human: what people reach, by metric, with where the numbers are from: `{"accuracy": 0.98, "source": "..."}`.
            Taken on trust, and therefore never the best baseline.
        fit_rows: the most rows that a baseline learns from; of more a sample is drawn.
        fit_values: the most numbers in the table of features that a baseline learns from.
        fit_features: the most features; of more a sample is drawn.
    """

    baselines: Sequence[Callable[[], Any]] = ()
    human: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fit_rows: int = 50_000
    fit_values: int = 20_000_000
    fit_features: int = 2_048

    uses: ClassVar[frozenset[str]] = frozenset({"metrics"})
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.VALIDATION})
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.VALIDATION})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "baselines", tuple(self.baselines))
        object.__setattr__(self, "human", dict(self.human))
        for name in ("fit_rows", "fit_values", "fit_features"):
            value: Any = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ProjectError(f"{name}={value!r} of step {self.name!r} must be a whole number of at least 1")
        _check_human(self.human, self.name)
        _check_baselines(self.baselines, self.name)

    def run(self, bench: Bench) -> Outcome:
        if Split.VALIDATION not in bench.splits:
            raise SetupError(
                f"{self.name} scores baselines on the validation split, and the data has: {', '.join(bench.splits)}; "
                "give a val_dataloader, or art.data(validation=...)"
            )
        _require_known(self.human, bench.metrics.names)
        limits = Limits(self.fit_rows, self.fit_values, self.fit_features)
        learned = learn(bench, limits, {_name(make): make for make in self.baselines})
        scores = _predict_and_score(bench, learned)
        candidates = [_candidate(one, scores.get(one.name, {}), learned) for one in learned.contenders]
        known = {one.name for one in learned.contenders}
        candidates += [Candidate(name, note=why) for name, why in learned.left_out.items() if name not in known]
        if self.human:
            candidates.append(_human(self.human, bench.metrics))
        best, by, count = _best(scores)
        top = dict(scores.get(best, {}))
        top[COUNT] = Score(float(count), direction="maximize", note="baselines that could be scored")
        return Outcome(
            scores=top,
            readings=(Reading("rows", learned.rows, "examples", "of the training split"),),
            findings=_uncomputed(scores),
            candidates=tuple(candidates),
            parameters={"best": best, "by": by},
            seconds=learned.seconds,
            summary=_summary(best, by, candidates),
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (Above(COUNT, 0),)

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, LOSS, COUNT)


def _predict_and_score(bench: Bench, learned: Learned) -> dict[str, dict[str, Score]]:
    """Pass the validation split by all baselines at once, and score each."""
    task = bench.task
    pools: dict[str, dict[str | None, Pooled]] = {}

    def see(_: Split, loader: str | None, batch: Any) -> None:
        target = target_of(batch, task)
        for one in learned.contenders:
            if one.name in learned.left_out:
                continue
            own = pools.setdefault(one.name, {})
            try:
                predicted = one.predict(batch, target)
                for place in dict.fromkeys((None, loader)):  # the split as a whole, and each of several loaders
                    own.setdefault(place, Pooled(task)).add(*predicted)
            except (ValueError, RuntimeError) as error:
                if isinstance(one, Module):  # the user's own code
                    raise
                learned.left_out[one.name] = f"it could not predict: {error}"

    from threadpoolctl import threadpool_limits

    bench.say("predict validation")
    with threadpool_limits(1):  # batches are small: threads would wait for each other most of the time
        bench.read(Split.VALIDATION, see=see)
    scores: dict[str, dict[str, Score]] = {}
    for one in learned.contenders:
        if one.name in learned.left_out:
            continue
        bench.say(f"score {one.name}")
        for loader, pool in pools.get(one.name, {}).items():
            found = pool.scores(bench.metrics, seed=bench.seed, source=f"baseline {one.name}")
            placed = {str(Metric(name, Split.VALIDATION, loader)): score for name, score in found.items()}
            scores.setdefault(one.name, {}).update(placed)
            if pool.left_out and loader is None:
                one.notes.append(f"scored on {pool.examples:,} examples; {pool.left_out:,} more were too many to keep")
    return scores


def _candidate(contender: Contender, scores: Mapping[str, Score], learned: Learned) -> Candidate:
    notes = [learned.left_out[contender.name]] if contender.name in learned.left_out else contender.notes
    return Candidate(contender.name, scores, contender.parameters, "; ".join(notes))


def _human(declared: Mapping[str, Any], metrics: MetricCalculator) -> Candidate:
    source = declared[SOURCE]
    scores = {
        str(Metric(name, Split.VALIDATION)): Score(
            float(value), direction=metrics.direction(name), source=source, note="declared, not measured"
        )
        for name, value in declared.items()
        if name != SOURCE
    }
    return Candidate(HUMAN, scores, {"kind": HUMAN, SOURCE: source}, f"declared: {source}")


def _uncomputed(scores: Mapping[str, Mapping[str, Score]]) -> tuple[Finding, ...]:
    """Metrics that no baseline's predictions could be used for: the fault is the metric's, and better known now."""
    from art_training.setup.scores.scoring import not_computed

    addresses = dict.fromkeys(address for each in scores.values() for address in each)
    found: list[Finding] = []
    for address in addresses:
        mine = [each[address] for each in scores.values() if address in each]
        if all(math.isnan(score.value) and score.note for score in mine):
            found.append(not_computed(Metric.parse(address), mine[0].note))
    return tuple(found)


def _best(scores: Mapping[str, Mapping[str, Score]]) -> tuple[str, str, int]:
    """The best baseline, by which number, and how many have that number."""
    addresses = list(dict.fromkeys(address for each in scores.values() for address in each))
    for address in addresses:
        reached = {
            name: each[address]
            for name, each in scores.items()
            if address in each and math.isfinite(each[address].value)
        }
        directions = {score.direction for score in reached.values()} - {None}
        if reached and directions:
            choose = max if "maximize" in directions else min
            return choose(reached, key=lambda name: reached[name].value), address, len(reached)
    return "", "", 0


def _summary(best: str, by: str, candidates: Sequence[Candidate]) -> str:
    if not best:
        return "no baseline could be scored: " + "; ".join(f"{one.name}: {one.note}" for one in candidates if one.note)
    reached = [(one.name, one.scores[by].value) for one in candidates if by in one.scores]
    return f"{by}: " + ", ".join(f"{name} {value:.4g}" for name, value in reached) + f"; best is {best}"


def _check_human(human: Mapping[str, Any], step: str) -> None:
    if not human:
        return
    if not isinstance(human.get(SOURCE), str) or not human[SOURCE]:
        raise ProjectError(
            f"human={dict(human)!r} of step {step!r} does not say where it is from; "
            "add it: human={'accuracy': 0.98, 'source': 'two annotators, 500 images'}"
        )
    for name, value in human.items():
        if name != SOURCE and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            raise ProjectError(f"human[{name!r}]={value!r} of step {step!r} is not a number; give what people reach")


def _require_known(human: Mapping[str, Any], names: Sequence[str]) -> None:
    unknown = [name for name in human if name not in {*names, SOURCE, LOSS}]
    if unknown:
        raise ProjectError(
            f"human has a number for {unknown[0]!r}, which is no metric of this step; it has: {', '.join(names) or 'none'}"
        )


def _check_baselines(makes: Sequence[Any], step: str) -> None:
    names = {DUMMY, LINEAR, BOOSTING, HUMAN}
    for make in makes:
        if not isinstance(make, type) and (not callable(make) or hasattr(make, "baseline_train")):
            raise ProjectError(
                f"baselines of step {step!r} has {make!r}, an instance or nothing that can be called; "
                "give a subclass of ArtModule, or a function that returns a fresh one"
            )
        if _name(make) in names:
            raise ProjectError(
                f"two baselines of step {step!r} are called {_name(make)!r}; names must differ, so rename the class or function"
            )
        names.add(_name(make))


def _name(make: Any) -> str:
    return getattr(make, "__name__", None) or type(make).__name__
