"""The flow: plan, recall or execute, record, judge, announce. The one place where the layers meet."""

import shutil
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import uuid4

from art_training.checks import Evidence, judge_all
from art_training.errors import Interrupted, OutOfMemory, ProjectError, StoreError
from art_training.records import (
    Action,
    CheckJudged,
    Event,
    Fingerprint,
    Judgement,
    Outcome,
    Plan,
    PlannedStep,
    ProcessId,
    ProjectEnded,
    ProjectStarted,
    Provenance,
    RunRecord,
    RunStatus,
    StepEnded,
    StepProgress,
    StepStarted,
    StepState,
    Verdict,
    plain,
    state_of,
)
from art_training.runner.advice import next_sentence
from art_training.runner.bench import RunnerBench
from art_training.runner.curves import thinned
from art_training.runner.folding import described, fold
from art_training.runner.heartbeat import heartbeat
from art_training.runner.identity import Identity
from art_training.runner.log import RunLog
from art_training.runner.planning import Wish, consumed, plan_step, skipped
from art_training.runner.redefined import redefined
from art_training.runner.result import ProjectResult, StepResult
from art_training.setup.metrics import MetricCalculator
from art_training.setup.provenance import collect
from art_training.setup.secrets import mask_mapping
from art_training.setup.setup import Setup
from art_training.steps.step import Step
from art_training.stores import RunQuery, Store
from art_training.stores.codec import dumps

Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Declared:
    """What a project declares, as the runner needs it.

    Attributes:
        name: scopes the project's records.
        setup: the project's.
        metrics: the project's.
        steps: in order.
        seed: the project's; each step derives its own.
        store: where records are kept.
        workspace: local folder for what is written while steps run.
        folder: the project's folder, for provenance.
        trackers: told every event; their failure is a warning.
    """

    name: str
    setup: Setup
    metrics: MetricCalculator
    steps: tuple[Step, ...]
    seed: int
    store: Store
    workspace: Path
    folder: Path
    trackers: tuple[Listener, ...] = ()


def make_plan(project: Declared, wish: Wish) -> Plan:
    """Say what a run would do, without doing it."""
    return _Run(project, wish, ()).plan()


def run_project(project: Declared, wish: Wish, listen: Sequence[Listener] = ()) -> ProjectResult:
    """Run a project's steps in order until one does not pass.

    Raises:
        ProjectLocked: another process runs this project now.
        KeyboardInterrupt: the user stopped it; what was measured is kept, and the next run goes on from there.
        Exception: whatever a step raised, recorded before.
    """
    with project.store.lock(project.name):
        _bury(project)
        return _Run(project, wish, listen).go()


def _bury(project: Declared) -> None:
    """Mark runs whose process died. Whoever holds the lock knows that nothing recorded as running still runs."""
    for summary in project.store.runs(RunQuery(project=project.name, status=RunStatus.RUNNING)):
        record = project.store.run(summary.id)
        if record is not None:
            ended = record.heartbeat or record.started
            project.store.write(replace(record, status=RunStatus.KILLED, ended=ended), None)


@dataclass
class _Run:
    """One run of a project: what has come of each step so far."""

    project: Declared
    wish: Wish
    listen: Sequence[Listener]
    results: dict[str, StepResult] = field(default_factory=dict[str, StepResult])
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    runs: dict[str, str] = field(default_factory=dict[str, str])  # that the outcomes are of, by step

    def __post_init__(self) -> None:
        self.store = self.project.store
        self.identity = Identity(self.project.store, self.project.seed)
        self.kinds = {step.name: type(step).__name__ for step in self.project.steps}
        self._provenance: Provenance | None = None

    def go(self) -> ProjectResult:
        for sentence in redefined(self.project.setup, self.project.steps):
            warnings.warn(sentence, stacklevel=4)  # the line that called project.run()
        self.announce(ProjectStarted(self.plan()))
        self.outcomes, self.runs = {}, {}
        for index, step in enumerate(self.project.steps):
            if self.asked(index):
                self.results[step.name] = self.one(step)
                if self.results[step.name].state is not StepState.PASSED and not step.continue_on_failure:
                    break
            else:
                self.remember(step)
        result = self.result()
        self.announce(ProjectEnded({step.name: step.state for step in result.steps}, result.next))
        return result

    def plan(self) -> Plan:
        steps: list[PlannedStep] = []
        for index, step in enumerate(self.project.steps):
            if not self.asked(index):
                steps.append(skipped(step, self.reason_to_skip(step)))
                self.remember(step)
                continue
            planned = plan_step(self.store, self.project.name, step, self.fingerprint(step), self.wish)
            if planned.action in {Action.RECALL, Action.KEEP} and planned.run:
                outcome = self.store.outcome(planned.run)
                if outcome is not None:
                    planned = self.foreseen(step, planned, outcome)
                    self.outcomes[step.name] = outcome
            steps.append(planned)
        return Plan(self.project.name, tuple(steps))

    def foreseen(self, step: Step, planned: PlannedStep, outcome: Outcome) -> PlannedStep:
        """Say so where the checks of a step that is recalled will answer otherwise than they did."""
        before = self.store.judgements(planned.run or "")
        if not before or _same(before[-1].verdicts, self.verdicts(step, outcome)):
            return planned
        reason = planned.reason.replace("nothing changed", "nothing changed but how it is judged", 1)
        return replace(planned, judge_again=True, reason=reason)

    def verdicts(self, step: Step, outcome: Outcome) -> tuple[Verdict, ...]:
        """What the step's checks answer now."""
        metrics = self.project.metrics.without(step.skip_metrics)
        checks = step.all_checks(self.identity.task(step.resolve(self.project.setup)), metrics.names)
        return judge_all(checks, Evidence(step.name, outcome, dict(self.outcomes)))

    def one(self, step: Step) -> StepResult:
        """Recall or execute one step, and judge it."""
        fingerprint = self.fingerprint(step)
        planned = plan_step(self.store, self.project.name, step, fingerprint, self.wish)
        if planned.action in {Action.RECALL, Action.KEEP} and planned.run:
            record, outcome = self.store.run(planned.run), self.store.outcome(planned.run)
            if record is not None and outcome is not None:
                return self.judged(step, record, outcome, planned)
        setup = step.resolve(self.project.setup)
        seed = self.identity.seed(step)
        record = RunRecord(
            id=f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid4().hex[:6]}",
            project=self.project.name,
            step=step.name,
            kind=type(step).__name__,
            fingerprint=fingerprint,
            seed=seed,
            started=datetime.now(UTC),
            heartbeat=datetime.now(UTC),
            process=str(ProcessId.current()),
            parameters=mask_mapping({**setup.described(), **{f"step.{k}": plain(v) for k, v in _fields(step)}}),
            consumes=self.consumed_runs(step),
            provenance=self.provenance(setup, {"project": self.project.seed, "step": seed}),
            resumed=planned.run or "" if planned.action is Action.RESUME else "",
        )
        self.store.write(record)
        self.announce(StepStarted(planned, record))
        log = RunLog(self.store, record.id)
        log.say(f"{planned.action.value}: {planned.reason}")
        record, outcome = self.execute(step, setup, record, log)
        return self.judged(step, record, outcome, planned)

    def execute(self, step: Step, setup: Setup, record: RunRecord, log: RunLog) -> tuple[RunRecord, Outcome]:
        """Let the step work; whatever happens, what was measured is in the store before anything is judged."""
        folder = self.workspace(record)
        if not record.resumed:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        bench = RunnerBench(
            step=step.name,
            run=record.id,
            setup=setup,
            task=lambda: self.identity.task(setup),
            metrics=self.project.metrics.without(step.skip_metrics),
            seed=record.seed,
            folder=folder,
            outcomes=self.outcomes,
            engine=self.identity.engine(setup),
            store=self.store,
            announce=lambda progress: self.progress(progress, log),
            resumed=record.resumed,
            may_test=step.may_test,
        )
        try:
            with heartbeat(self.store, record.id), log.listening():
                outcome = _outcome_of(step, bench)
        except BaseException as error:
            self.broken(step, record, bench, error)
            log.say(f"ended: {type(error).__name__}: {error}")
            fold(error)
            if isinstance(error, Interrupted):  # to whoever started the run it is what it was: Ctrl-C
                raise KeyboardInterrupt(str(error)) from None
            raise
        outcome = replace(outcome, curves=thinned(self.store.curves(record.id)) | dict(outcome.curves))
        record = replace(record, status=RunStatus.COMPLETED, ended=datetime.now(UTC))
        try:
            self.store.write(record, outcome)
        except StoreError as error:  # e.g. a score that is none: what the bench measured is kept all the same
            self.broken(step, record, bench, error)
            raise
        log.say(f"ended: {outcome.stopped or outcome.summary or 'done'}")
        shutil.rmtree(folder, ignore_errors=True)
        return record, outcome

    def broken(self, step: Step, record: RunRecord, bench: RunnerBench, error: BaseException) -> None:
        """Record a step that did not come to its end, with what it had measured."""
        interrupted = isinstance(error, Interrupted | KeyboardInterrupt)
        stopped = "interrupted" if interrupted else "out of memory" if isinstance(error, OutOfMemory) else "raised"
        bench.close()
        outcome = replace(bench.measured.outcome(stopped), curves=thinned(self.store.curves(record.id)))
        record = replace(
            record,
            status=RunStatus.INTERRUPTED if interrupted else RunStatus.ERRORED,
            ended=datetime.now(UTC),
            error="" if interrupted else f"{type(error).__name__}: {error}",
            traceback="" if interrupted else described(error),
            state=StepState.INTERRUPTED if interrupted else StepState.ERRORED,
        )
        self.store.write(record, outcome)
        self.results[step.name] = StepResult(step.name, record.kind, record.state, record, outcome)
        self.announce(StepEnded(record, outcome, None))
        result = self.result()
        self.announce(ProjectEnded({one.name: one.state for one in result.steps}, result.next))

    def judged(self, step: Step, record: RunRecord, outcome: Outcome, planned: PlannedStep) -> StepResult:
        """Ask the step's checks. The answer is appended to the run unless it is what was answered last."""
        verdicts = self.verdicts(step, outcome)
        for verdict in verdicts:
            self.announce(CheckJudged(step.name, verdict))
        before = self.store.judgements(record.id)
        if before and _same(before[-1].verdicts, verdicts):
            judgement = before[-1]
        else:
            judgement = Judgement(verdicts, datetime.now(UTC), state_of(verdicts))
            self.store.judge(record.id, judgement)
            RunLog(self.store, record.id).say("\n".join(f"{v.state.value}: {v.reason}" for v in verdicts))
        record = replace(record, state=judgement.state)
        recalled, stale = planned.action is Action.RECALL, planned.action is Action.KEEP
        self.outcomes[step.name], self.runs[step.name] = outcome, record.id
        self.announce(StepEnded(record, outcome, judgement, recalled=recalled or stale, stale=stale))
        note = f"not known: {'; '.join(planned.unknown)}" if planned.unknown else ""
        return StepResult(
            name=step.name,
            kind=record.kind,
            state=judgement.state,
            run=record,
            outcome=outcome,
            judgement=judgement,
            recalled=recalled or stale,
            stale=stale,
            judged_again=bool(before) and judgement is not before[-1],
            note=note,
        )

    def remember(self, step: Step) -> None:
        """Lay out the newest completed outcome of a step that was not asked for, as evidence for those that are."""
        query = RunQuery(project=self.project.name, step=step.name, status=RunStatus.COMPLETED, limit=1)
        for summary in self.store.runs(query):
            outcome = self.store.outcome(summary.id)
            if outcome is not None:
                self.outcomes[step.name], self.runs[step.name] = outcome, summary.id

    def result(self) -> ProjectResult:
        steps = tuple(
            self.results.get(step.name, StepResult(step.name, type(step).__name__, StepState.NOT_RUN))
            for step in self.project.steps
        )
        return ProjectResult(self.project.name, steps, next_sentence(self.project.name, steps))

    def asked(self, index: int) -> bool:
        """Whether the user wants this step."""
        names = [step.name for step in self.project.steps]
        if self.wish.only:
            return names[index] in self.wish.only
        return not self.wish.until or index <= names.index(self.wish.until)

    def reason_to_skip(self, step: Step) -> str:
        return f"only {', '.join(sorted(self.wish.only))}" if self.wish.only else f"after {self.wish.until}"

    def fingerprint(self, step: Step) -> Fingerprint:
        earlier = dict(takewhile(lambda item: item[0] != step.name, self.kinds.items()))
        digests = {name: outcome.digest for name, outcome in self.outcomes.items()}
        return self.identity.fingerprint(
            step,
            step.resolve(self.project.setup),
            self.project.metrics.without(step.skip_metrics),
            consumed(step, earlier, digests),
        )

    def consumed_runs(self, step: Step) -> dict[str, str]:
        """The runs whose outcomes the step's work uses."""
        return {name: run for name, run in self.runs.items() if self.kinds[name] in step.needs}

    def workspace(self, record: RunRecord) -> Path:
        """The folder of one step with one fingerprint, so that whoever goes on from a dead run finds it."""
        return self.project.workspace / f"{record.step}-{record.fingerprint.digest[:16]}"

    def provenance(self, setup: Setup, seeds: Mapping[str, int]) -> Provenance:
        if self._provenance is None:
            self._provenance = collect(folder=self.project.folder)
        return replace(self._provenance, data_digest=self.identity.data(setup).value, seeds=dict(seeds))

    def progress(self, event: StepProgress, log: RunLog) -> None:
        log.follow(event)
        self.announce(event)

    def announce(self, event: Event) -> None:
        for listener in self.listen:
            listener(event)
        for tracker in self.project.trackers:
            try:
                tracker(event)
            except Exception:  # noqa: BLE001  A tracker mirrors; whatever it raises must not hurt the run.
                warnings.warn(f"the tracker {tracker!r} raised:\n{traceback.format_exc()}", stacklevel=2)


def _same(before: Sequence[Verdict], now: Sequence[Verdict]) -> bool:
    """Whether two judgings answer the same, as they are stored: NaN is the same as NaN."""
    return dumps(tuple(before)) == dumps(tuple(now))


def _outcome_of(step: Step, bench: RunnerBench) -> Outcome:
    outcome = step.run(bench)
    if not isinstance(outcome, Outcome):
        raise ProjectError(
            f"step {step.name!r} returned {outcome!r}; run(bench) must return an Outcome, e.g. Outcome(scores=...)"
        )
    return outcome


def _fields(step: Step) -> list[tuple[str, Any]]:
    return [*step.configuration().items(), ("name", step.name)]
