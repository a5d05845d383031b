"""A setup is diagnosed: probes and rules in stages, from the cheapest on."""

import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from art_training.diagnosis.evaluating import evaluated
from art_training.diagnosis.holding import data_kept
from art_training.diagnosis.ignoring import ignored_rules
from art_training.diagnosis.ranking import WORST_FIRST, ranked
from art_training.diagnosis.result import Diagnosis, Judged, State
from art_training.diagnosis.subject import name_of, place_of_model, require_declared
from art_training.engines import Engine, EvaluateJob, ExperimentJob, FitJob, FitResult, Position
from art_training.errors import ARTError, SetupError
from art_training.plugins import load
from art_training.probes import Enough, Evaluation, Monitor, RowReader, Rows, Specimen
from art_training.probes.cost import cost
from art_training.probes.glimpse import Glimpse, glimpse
from art_training.probes.rebuilt import Rebuilt, Repeated, begun, rebuilt, repeated
from art_training.records import Finding, Severity, Split
from art_training.rules import Laboratory, NotApplicable, NotMeasured, Rule, Stage, rules
from art_training.rules.registry import raised_itself
from art_training.setup.all_pairs import allowing_tables
from art_training.setup.called import Called
from art_training.setup.frames import raised, users_lines
from art_training.setup.setup import Setup
from art_training.setup.task import Task

_SHARE_OF_TRAINING = 0.5  # of what is left of the budget
_SHARE_OF_READING = 0.15
_SHARE_OF_BEGINNING = 0.05  # of the budget, that the training may take to begin for it to begin twice more
_MOST_EPOCHS = 3
_SHARE_OF_PROBING = 0.5
_SHARE_OF_EVALUATING = 0.1
_MOST_BATCHES = 200  # of the validation split, whose predictions are kept
_FEWEST_BATCHES = 8
_BATCHES_AGAIN = 8


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
        SetupError: the budget is not above 0, a rule that shall be ignored does not exist, or the setup cannot be used as
            declared, which is told before anything is tried.
    """
    if not budget > 0:
        raise SetupError(f"budget={budget!r} of a diagnosis must be above 0 seconds")
    ignored = ignored_rules(ignore)
    require_declared(setup)
    # What refuses a training elsewhere is measured here.
    with allowing_tables(), data_kept(setup.data), tempfile.TemporaryDirectory(prefix="art-") as folder:
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
    troubles: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    beginning: float = 0.0
    seen: Glimpse | None = None

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.laboratory = Laboratory(self.setup.declarations, Called.of(self.setup.model))
        self.engine: Engine = load("engines", self.setup.engine)()

    @property
    def broken(self) -> str:
        """What could not be done, and what was raised there."""
        return "; ".join(f"{' and '.join(what)}: {why}" for why, what in self.troubles.items())

    def run(self) -> Diagnosis:
        """Go through the stages; what breaks one leaves the others."""
        try:
            self.laboratory.task = self.setup.task
        except (Exception, SystemExit) as error:  # noqa: BLE001  A model whose task cannot be told may train all the same.
            self.laboratory.give_up(Task, f"what the setup is for could not be told: {raised(error)}")
            if users_lines(error):
                self._trouble("what the setup is for could not be told", error)
        self._read()
        if self._laid_open():
            self._begun_again()
            self._trained()
        self._judge_rest()
        causes, symptoms = ranked(self.findings, {rule.code: frozenset(rule.symptoms) for rule in rules()})
        return Diagnosis(
            subject=name_of(self.setup.model),
            findings=causes,
            symptoms=symptoms,
            judged=tuple(sorted(self.judged, key=lambda one: one.code)),
            stages=self.stages,
            broken=self.broken,
            place=place_of_model(self.setup.model),
            seen=self.seen,
        )

    def _read(self) -> None:
        """The rows of all splits, without any model; those of training alone where another split cannot be read."""
        with self._timed("inspect"):
            try:
                rows = self._rows(tuple(self.engine.splits(self.setup, seed=self.seed)))
            except (Exception, SystemExit) as error:  # noqa: BLE001  The user's code, which is what is examined.
                self._trouble("the splits could not be read", error)
                try:
                    rows = replace(self._rows((Split.TRAIN,)), unread=f"not all splits could be read: {raised(error)}")
                except (Exception, SystemExit) as worse:  # noqa: BLE001  As above; what needs no rows is still judged.
                    self.laboratory.give_up(Rows, f"the rows of training could not be read: {raised(worse)}")
                    return
            self.laboratory.lay_down(rows)

    def _rows(self, splits: tuple[Split, ...]) -> Rows:
        reader = RowReader(self.laboratory.task, _SHARE_OF_READING * self.budget, self.setup.declarations)
        with suppress(Enough):
            job = EvaluateJob(self.setup, self.seed, splits, plain=True, data_seed=self.seed)
            self.engine.read(job, reader.see, _unwatched)
        return reader.result()

    def _laid_open(self) -> bool:
        """The stages that need no training; returns whether one could begin."""
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
                with suppress(NotMeasured):
                    self.seen = self.laboratory.ask(glimpse)

        folder = self.folder / "experiment"
        folder.mkdir()
        try:
            self.engine.experiment(ExperimentJob(self.setup, self.seed, folder, data_seed=self.seed), run)
        except (Exception, SystemExit) as error:  # noqa: BLE001  The user's code, which is what is examined.
            self._trouble("no training could begin", error)
            return False
        finally:
            self.laboratory.lay_open(None)
            for stage in (Stage.INSPECT, Stage.PROBE):  # what needs no model is judged without one
                self._judge(stage)
        return True

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
            except (Exception, SystemExit) as error:  # noqa: BLE001  The user's code, which is what is examined.
                self.laboratory.give_up(kind, f"a second beginning raised {raised(error)}")

    def _trained(self) -> None:
        """A short training under the user's settings, stopped from outside, and a look at what came of it."""
        kinds = dict.fromkeys(kind for rule in self._rules(Stage.TRAIN, Stage.EVALUATE) for kind in rule.watches)
        monitors = list(self._made(kinds))
        folder = self.folder / "training"
        folder.mkdir()
        until = time.monotonic() + _SHARE_OF_TRAINING * (self.budget - (time.monotonic() - self.began))

        def watch(position: Position) -> str | None:
            enough = time.monotonic() > until or (position.epoch or 0) >= _MOST_EPOCHS
            return "enough was seen" if enough and position.step else None

        result = None
        job = FitJob(self.setup, self.seed, folder, monitors=tuple(monitors), data_seed=self.seed, silent=True)
        with self._timed("train"):
            try:
                result = self.engine.fit(job, watch)
            except (Exception, SystemExit) as error:  # noqa: BLE001  The user's code, which is what is examined.
                self._trouble("the training broke off", error)
        if result is not None and result.stopped == "interrupted":
            raise KeyboardInterrupt
        if result is not None and result.stopped == "out of memory":
            self.troubles.setdefault(result.message, []).append("the training broke off")
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

    def _made(self, kinds: Iterable[type[Monitor]]) -> Generator[Monitor]:
        """Fresh monitors; one of another distribution may not let itself be made."""
        for kind in kinds:
            try:
                yield kind()
            except Exception as error:  # noqa: BLE001  As with a rule: it must not silence the others.
                self.laboratory.give_up(kind, f"{kind.__name__}() raised {raised(error)}")

    def _evaluated(self, result: FitResult) -> None:
        """Pass the validation split through the trained weights twice."""
        limit = self._validated()
        job = EvaluateJob(
            self.setup, self.seed, (Split.VALIDATION,), weights=result.last, data_seed=self.seed, limit=limit
        )
        try:
            if Split.VALIDATION not in self.engine.splits(self.setup, seed=self.seed):
                raise NotApplicable("there is no validation split")  # noqa: TRY301  As one of the reasons below.
            evaluation = evaluated(self.engine, job, again=min(_BATCHES_AGAIN, limit // 2))
        except NotApplicable as reason:
            self.laboratory.give_up(Evaluation, str(reason), applies=False)
            return
        except (Exception, SystemExit) as error:  # noqa: BLE001  The user's code, which is what is examined.
            if users_lines(error) or not isinstance(error, ARTError):  # that there is nothing to evaluate is no fault
                self._trouble("the validation could not be repeated", error)
            self.laboratory.give_up(Evaluation, f"the validation raised {raised(error)}")
            return
        self.laboratory.lay_down(replace(evaluation, in_training=dict(result.logged)))

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
                reason = "the diagnosis did not come so far" if self.broken else "nothing was trained"
                self.judged.append(_judged(rule, "not judged", reason))

    def _rules(self, *stages: Stage) -> list[Rule]:
        return [rule for rule in rules() if rule.stage in stages and rule.code not in self.ignored]

    def _judge(self, stage: Stage) -> None:
        done = {one.code for one in self.judged}
        # The cheap ones first: where time runs out it is the dear ones that are not judged, the least severe of them first.
        for rule in sorted(self._rules(stage), key=lambda one: (one.trains, one.trains and WORST_FIRST[one.severity])):
            if rule.code in done:
                continue
            try:
                found = rule.findings(self.laboratory)
            except NotMeasured as reason:
                state: State = "not applicable" if isinstance(reason, NotApplicable) else "not judged"
                self.judged.append(_judged(rule, state, self.laboratory.called.told(str(reason))))
                continue
            except Exception as error:  # noqa: BLE001  A fault of one rule must not silence the others.
                self.judged.append(_judged(rule, "not judged", raised_itself(rule, error)))
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

    def _trouble(self, what: str, error: BaseException) -> None:
        """Keep what could not be done, and for what reason; two things may have one."""
        self.troubles.setdefault(raised(error), []).append(what)


def _judged(rule: Rule, state: State, reason: str = "") -> Judged:
    return Judged(rule.code, rule.name, state, reason, matters=rule.severity is Severity.ERROR)


def _unwatched(position: Position) -> None:
    """Nobody is told how far a pass is."""
    del position
