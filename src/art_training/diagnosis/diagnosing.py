"""A setup is diagnosed: probes and rules in stages, from the cheapest on."""

import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from art_training.diagnosis.result import Diagnosis, Judged, State
from art_training.engines import Engine, EvaluateJob, ExperimentJob, FitJob, FitResult, Position
from art_training.errors import ARTError, SetupError
from art_training.plugins import load
from art_training.probes import Enough, Evaluation, Monitor, RowReader, Rows, Specimen
from art_training.probes.cost import cost
from art_training.probes.rebuilt import Rebuilt, Repeated, begun, rebuilt, repeated
from art_training.records import Finding, Severity, Split
from art_training.rules import Laboratory, NotMeasured, Rule, Stage, rules
from art_training.setup.data.batch import detached
from art_training.setup.observation import BatchObservation
from art_training.setup.setup import Setup

_SHARE_OF_TRAINING = 0.5  # of what is left of the budget
_SHARE_OF_READING = 0.15
_SHARE_OF_BEGINNING = 0.05  # of the budget, that the training may take to begin for it to begin twice more
_MOST_EPOCHS = 3
_SHARE_OF_PROBING = 0.5
_SHARE_OF_EVALUATING = 0.1
_MOST_BATCHES = 200  # of the validation split, whose predictions are kept
_FEWEST_BATCHES = 8
_BATCHES_AGAIN = 8
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def diagnose_setup(
    setup: Setup, *, budget: float = 60.0, ignore: Mapping[str, str] | Iterable[str] = (), seed: int = 0
) -> Diagnosis:
    """Say what is wrong with a setup, why, with what evidence, and what to change.

    Nothing of the user's is changed: models are made anew, and trainings write into a scratch folder.

    Args:
        setup: what is diagnosed.
        budget: seconds, about; trainings are cut to it.
        ignore: codes of rules that shall not be judged, with the reason.
        seed: of everything random.

    Raises:
        SetupError: the budget is not above 0, or a rule that shall be ignored does not exist.
    """
    if not budget > 0:
        raise SetupError(f"budget={budget!r} of a diagnosis must be above 0 seconds")
    ignored = dict(ignore) if isinstance(ignore, Mapping) else dict.fromkeys(ignore, "")
    _require_known(ignored)
    with tempfile.TemporaryDirectory(prefix="art-") as folder:
        return _Diagnosing(setup, ignored, budget, seed, Path(folder)).run()


@dataclass
class _Diagnosing:
    setup: Setup
    ignored: Mapping[str, str]
    budget: float
    seed: int
    folder: Path
    judged: list[Judged] = field(default_factory=list[Judged])
    findings: list[Finding] = field(default_factory=list[Finding])
    stages: dict[str, float] = field(default_factory=dict[str, float])
    broken: str = ""
    beginning: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.laboratory = Laboratory(declarations=self.setup.declarations)
        self.engine: Engine = load("engines", self.setup.engine)()

    def run(self) -> Diagnosis:
        """Go through the stages; what breaks one leaves the others."""
        try:
            self.laboratory.task = self.setup.task
        except Exception as error:  # noqa: BLE001  A model whose task cannot be told may train all the same.
            self.laboratory.give_up(Rows, f"what the setup is for could not be told: {error}")
        else:
            self._read()
        self._laid_open()
        if not self.broken:
            self._begun_again()
            self._trained()
        self._judge_rest()
        return told(self.setup, self)

    def _read(self) -> None:
        """The rows of all splits, without any model."""
        assert self.laboratory.task is not None
        reader = RowReader(self.laboratory.task, _SHARE_OF_READING * self.budget, self.setup.declarations)
        try:
            with self._timed("inspect"):
                splits = tuple(self.engine.splits(self.setup, seed=self.seed))
                job = EvaluateJob(self.setup, self.seed, splits, plain=True, data_seed=self.seed)
                self.engine.read(job, reader.see, _unwatched)
        except Enough:
            pass
        except Exception as error:  # noqa: BLE001  The user's code; what needs no rows is still judged.
            self.laboratory.give_up(Rows, f"the splits could not be read: {type(error).__name__}: {error}")
            return
        self.laboratory.lay_down(reader.result())

    def _laid_open(self) -> None:
        """The stages that need no training."""
        began = time.monotonic()

        def run(specimen: Specimen) -> None:
            self.beginning = time.monotonic() - began
            self.laboratory.lay_open(specimen, seconds=_SHARE_OF_PROBING * self.budget)
            # What begins is looked at before all others: what a model counts in attributes of its own is not put back after
            # an experiment.
            for probe in (begun, cost):
                with self._timed(Stage.PROBE.value), suppress(NotMeasured):
                    self.laboratory.ask(probe)
            for stage in (Stage.INSPECT, Stage.PROBE):
                with self._timed(stage.value):
                    self._judge(stage)
            with self._timed(Stage.PROBE.value):
                for probe in dict.fromkeys(one for rule in self._rules(*Stage) for one in rule.asks):
                    with suppress(NotMeasured):  # kept, and told to the rule that asks
                        self.laboratory.ask(probe)

        folder = self.folder / "experiment"
        folder.mkdir()
        with self._broken_at("begin a training"):
            self.engine.experiment(ExperimentJob(self.setup, self.seed, folder, data_seed=self.seed), run)
        self.laboratory.lay_open(None)

    def _begun_again(self) -> None:
        """The same beginning from the same seed, and what was saved in a model that is made from another one."""
        reason = ""
        if self.beginning > _SHARE_OF_BEGINNING * self.budget:
            reason = f"the training would have to begin twice more, and took {self.beginning:.1f} s to begin"
        try:
            first = self.laboratory.ask(begun)
        except NotMeasured as error:
            reason = str(error)
        else:
            for number, (kind, compare) in enumerate(((Repeated, repeated), (Rebuilt, rebuilt))):
                if reason:
                    break
                self._compared(kind, lambda specimen, compare=compare: compare(first, specimen), self.seed + number)
        for kind in (Repeated, Rebuilt):
            if reason:
                self.laboratory.give_up(kind, reason)

    def _compared(self, kind: type[Any], compare: Callable[[Specimen], Any], seed: int) -> None:
        def run(specimen: Specimen) -> None:
            self.laboratory.lay_down(compare(specimen))

        with tempfile.TemporaryDirectory(dir=self.folder) as folder, self._timed(Stage.PROBE.value):
            job = ExperimentJob(self.setup, seed, Path(folder), data_seed=self.seed)
            try:
                self.engine.experiment(job, run)
            except Exception as error:  # noqa: BLE001  The user's code, which is what is examined.
                self.laboratory.give_up(kind, f"a second beginning raised {type(error).__name__}: {error}")

    def _trained(self) -> None:
        """A short training under the user's settings, stopped from outside, and a look at what came of it."""
        kinds = dict.fromkeys(kind for rule in self._rules(Stage.TRAIN, Stage.EVALUATE) for kind in rule.watches)
        monitors: list[Monitor] = [kind() for kind in kinds]
        folder = self.folder / "training"
        folder.mkdir()
        until = time.monotonic() + _SHARE_OF_TRAINING * (self.budget - (time.monotonic() - self.began))

        def watch(position: Position) -> str | None:
            enough = time.monotonic() > until or (position.epoch or 0) >= _MOST_EPOCHS
            return "enough was seen" if enough and position.step else None

        result = None
        with self._timed("train"), self._broken_at("train"):
            job = FitJob(self.setup, self.seed, folder, monitors=tuple(monitors), data_seed=self.seed)
            result = self.engine.fit(job, watch)
        for monitor in monitors:
            if monitor.failure:
                self.laboratory.give_up(type(monitor), monitor.failure)
            else:
                self.laboratory.lay_down(monitor)
        if result is not None:
            self.laboratory.lay_down(result)
        with self._timed("train"):
            self._judge(Stage.TRAIN)
        if result is not None and result.last is not None:
            with self._timed("evaluate"):
                self._evaluated(result)
                self._judge(Stage.EVALUATE)

    def _evaluated(self, result: FitResult) -> None:
        """Pass the validation split through the trained weights twice."""
        if Split.VALIDATION not in self.engine.splits(self.setup, seed=self.seed):
            self.laboratory.give_up(Evaluation, "there is no validation split")
            return
        limit = self._validated()
        job = EvaluateJob(
            self.setup, self.seed, (Split.VALIDATION,), weights=result.last, data_seed=self.seed, limit=limit
        )
        seen: list[list[BatchObservation]] = [[], []]
        try:
            first = self.engine.evaluate(job, lambda one: seen[0].append(_on_cpu(one)), _unwatched)
            other = replace(job, limit=min(_BATCHES_AGAIN, limit // 2), seed=self.seed + 1)
            self.engine.evaluate(other, lambda one: seen[1].append(_on_cpu(one)), _unwatched)
        except Exception as error:  # noqa: BLE001  The user's code, which is what is examined.
            self.laboratory.give_up(Evaluation, f"the validation raised {type(error).__name__}: {error}")
            return
        logged = {name: value for one in first.logged.values() for name, value in one.items()}
        self.laboratory.lay_down(
            Evaluation(tuple(seen[0]), tuple(seen[1]), logged, first.rows.get("validation"), dict(result.logged))
        )

    def _validated(self) -> int:
        """How many batches of validation are passed: fewer of an expensive model."""
        with suppress(NotMeasured):
            return min(
                _MOST_BATCHES,
                max(_FEWEST_BATCHES, self.laboratory.ask(cost).passes(_SHARE_OF_EVALUATING * self.budget)),
            )
        return _MOST_BATCHES

    def _judge_rest(self) -> None:
        done = {one.code for one in self.judged}
        for rule in rules():
            if rule.code in self.ignored:
                self.judged.append(_judged(rule, "ignored", self.ignored[rule.code]))
            elif rule.code not in done:
                reason = f"the diagnosis did not come so far: {self.broken}" if self.broken else "nothing was trained"
                self.judged.append(_judged(rule, "not judged", reason))

    def _rules(self, *stages: Stage) -> list[Rule]:
        return [rule for rule in rules() if rule.stage in stages and rule.code not in self.ignored]

    def _judge(self, stage: Stage) -> None:
        # The cheap ones first: where time runs out it is the dear ones that are not judged, the least severe of them first.
        for rule in sorted(self._rules(stage), key=lambda one: (one.trains, one.trains and _ORDER[one.severity])):
            try:
                found = rule.findings(self.laboratory)
            except NotMeasured as reason:
                self.judged.append(_judged(rule, "not judged", str(reason)))
                continue
            except Exception as error:  # noqa: BLE001  A fault of one rule must not silence the others.
                reason = f"the rule itself raised {type(error).__name__}: {error}; please report it"
                self.judged.append(_judged(rule, "not judged", reason))
                continue
            self.findings += found
            self.judged.append(_judged(rule, "finding" if found else "passed"))

    @contextmanager
    def _timed(self, stage: str) -> Generator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - began

    @contextmanager
    def _broken_at(self, what: str) -> Generator[None]:
        try:
            yield
        except ARTError as error:
            self.broken = f"to {what}: {error}"
        except Exception as error:  # noqa: BLE001  The user's code, which is what is examined.
            self.broken = f"to {what}: {type(error).__name__}: {error}"


def told(setup: Setup, diagnosing: _Diagnosing) -> Diagnosis:
    """The causes in order, with the symptoms that they explain."""
    ranked = sorted(diagnosing.findings, key=lambda one: (_ORDER[one.severity], not one.confirmed_by, one.code))
    explains = {rule.code: frozenset(rule.symptoms) for rule in rules()}
    explained: dict[
        str, str
    ] = {}  # the cause of a symptom, by code; a symptom explains nothing, nor what is worse than it
    for cause in ranked:
        if cause.code not in explained:
            mine = [one.code for one in ranked if one.code in explains[cause.code] and one.code != cause.code]
            worse = {one.code for one in ranked if _ORDER[one.severity] < _ORDER[cause.severity]}
            explained |= {code: cause.code for code in mine if code not in worse and code not in explained.values()}
    causes = [one for one in ranked if one.code not in explained]
    symptoms = {
        cause.code: tuple(one for one in ranked if explained.get(one.code) == cause.code)
        for cause in causes
        if cause.code in explained.values()
    }
    return Diagnosis(
        subject=_name(setup.model),
        findings=tuple(causes),
        symptoms=symptoms,
        judged=tuple(sorted(diagnosing.judged, key=lambda one: one.code)),
        stages=diagnosing.stages,
        broken=diagnosing.broken,
    )


def _judged(rule: Rule, state: State, reason: str = "") -> Judged:
    return Judged(rule.code, rule.name, state, reason, matters=rule.severity is Severity.ERROR)


def _unwatched(position: Position) -> None:
    """Nobody is told how far a pass is."""
    del position


def _on_cpu(observation: BatchObservation) -> BatchObservation:
    return replace(
        observation,
        batch=detached(observation.batch),
        returned=detached(observation.returned),
        losses=tuple(
            replace(one, prediction=one.prediction.cpu(), target=one.target.cpu(), value=one.value.cpu())
            for one in observation.losses
        ),
    )


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or type(model).__name__


def _require_known(ignored: Mapping[str, str]) -> None:
    known = [rule.code for rule in rules()]
    for code in ignored:
        if code not in known:
            raise SetupError(f"ignore has {code!r}, which is no rule; see `art rules`")
