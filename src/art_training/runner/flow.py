"""The flow: plan, recall or execute, record, judge, announce. The one place where the layers meet."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from art_training.checks.evidence import NOT_COMPUTED
from art_training.errors import StoreError
from art_training.probes.attached import Probe
from art_training.records import (
    Action,
    CheckJudged,
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
    StepStarted,
    StepState,
    Verdict,
    plain,
    state_of,
)
from art_training.runner.advice import next_sentence
from art_training.runner.announcing import Announcer
from art_training.runner.attaching import Attached, print_probed
from art_training.runner.declared import Declared, Listener
from art_training.runner.execution import Execution
from art_training.runner.handed import Handed
from art_training.runner.identity import Identity
from art_training.runner.log import RunLog
from art_training.runner.planning import Wish, skipped, unplanned, waiting
from art_training.runner.redefined import redefined
from art_training.runner.result import ProjectResult, StepResult
from art_training.runner.terminating import ending_on_sigterm
from art_training.runner.unpassed import require_passed
from art_training.runner.validating import Validation
from art_training.runner.views import View, Views, same
from art_training.setup.identity.provenance import collect
from art_training.setup.identity.secrets import mask_mapping
from art_training.setup.setup import Setup
from art_training.steps.step import Step
from art_training.stores import RunQuery
from art_training.stores.planned import keep_plan

NOTHING_SEEN = (
    "no probe looked at anything: no step that they are attached to had anything to run; "
    "give force=True, or --force, to run these steps again"
)


def make_plan(project: Declared, wish: Wish, *, lenient: bool = False) -> Plan:
    """Say what a run would do, without doing it.

    Args:
        project: what was declared.
        wish: what is wanted.
        lenient: for who only wants to know where a project stands: a setup that cannot be trained is not refused.

    Raises:
        SetupError: a step that is going to run cannot, as far as can be told without reading data.
        ProjectError: one that uses the test split is asked for behind a step that did not pass.
    """
    plan = _Run(project, wish, (), lenient=lenient).plan()
    if wish == Wish():  # what is asked for with `force` or `only` would be done is not where the project stands
        keep_plan(project.store, plan, project.continuing)
    return plan


def run_project(
    project: Declared, wish: Wish, listen: Sequence[Listener] = (), probes: Attached | None = None
) -> ProjectResult:
    """Run a project's steps in order until one does not pass.

    Raises:
        ProjectLocked: another process runs this project now.
        KeyboardInterrupt: the user stopped it; what was measured is kept, and the next run goes on from there.
        SystemExit: with 143: so did SIGTERM.
        Exception: whatever a step raised, recorded before.
    """
    with ending_on_sigterm(told=any(one is not print_probed for one in listen)), project.store.lock(project.name):
        _bury(project)
        return _Run(project, wish, listen, probes=probes or {}).go()


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
    lenient: bool = False
    probes: Attached = field(default_factory=dict[str, tuple[Probe, ...]])
    results: dict[str, StepResult] = field(default_factory=dict[str, StepResult])
    stood: dict[str, StepState] = field(default_factory=dict[str, StepState])  # steps that are not asked for
    views: dict[str, View] = field(default_factory=dict[str, View])  # what was planned, by step
    unseen: bool = True  # whether no step has run that probes look at

    def __post_init__(self) -> None:
        self.store = self.project.store
        self.announce = Announcer(self.listen, self.project.trackers, self.store)
        self.identity = Identity(self.project.store, self.project.seed)
        self.valid = Validation()
        self.handed = Handed(self.project)
        self.look = Views(self.project, self.wish, self.identity, self.handed, self.valid)
        self._provenance: Provenance | None = None

    def go(self) -> ProjectResult:
        for sentence in redefined(self.project.setup, self.project.steps):
            warnings.warn(sentence, stacklevel=4)  # the line that called project.run()
        plan = self.plan()
        self.keep_standing(plan)
        with closing(self.announce):
            return self.steps(plan)

    def steps(self, plan: Plan) -> ProjectResult:
        """Take the steps one by one, as planned."""
        self.announce(ProjectStarted(plan))
        foreseen = dict(self.views)
        self.handed.forget()
        for step in self.project.steps:
            if not self.asked(step):
                self.remember(step)
                continue
            # What was foreseen holds until a step has run: what comes after it may use what it found.
            view = foreseen.get(step.name) or self.look.of(step)
            if view.found is None:
                foreseen = {}
                self.identity.forget()
            self.results[step.name] = self.one(step, view)
            if self.results[step.name].state is not StepState.PASSED and not step.continue_on_failure:
                break
        if self.probes and self.unseen:
            warnings.warn(NOTHING_SEEN, stacklevel=6)  # the line that called project.run()
        if self.wish != Wish():  # what ran may have made stale what was left out
            self.keep_standing(plan)
        result = self.result()
        self.announce(ProjectEnded({step.name: step.state for step in result.steps}, result.next))
        return result

    def keep_standing(self, plan: Plan) -> None:
        """Remember where the project stands: what a run of all of it would do, whatever this one was asked for."""
        if self.wish != Wish():  # a plan with `force`, `only` or `until` says nothing of the steps that they leave out
            plan = _Run(self.project, Wish(), (), lenient=True).plan()
        keep_plan(self.store, plan, self.project.continuing)

    def plan(self) -> Plan:
        steps: list[PlannedStep] = []
        barrier: tuple[str, StepState] | None = None  # the first step that is known not to pass
        for step in self.project.steps:
            if not self.asked(step):
                steps.append(skipped(step, self.wish))
                self.remember(step)
                continue
            try:
                view = self.views[step.name] = self.look.of(step)
            except StoreError:
                raise
            except Exception as error:  # whatever the user's code raises, where it is asked what the setup is for
                if not self.lenient:
                    raise
                steps.append(unplanned(step, error))
                self.remember(step)  # what it left before still is evidence for those behind it
                continue
            steps.append(view.planned if barrier is None else waiting(view.planned, *barrier))
            if view.found is not None:
                self.handed.add(step.name, *view.found)
                state = state_of(view.verdicts)
                if barrier is None and state is not StepState.PASSED and not step.continue_on_failure:
                    barrier = step.name, state
            elif barrier is None and not self.lenient:
                self.valid.require(step, self.look.prospect(step))
                if step.may_test:
                    require_passed(step, self.project, self.wish, self.look)
        return Plan(self.project.name, tuple(steps), dict(self.project.left_out))

    def one(self, step: Step, view: View) -> StepResult:
        """Recall or execute one step, and judge it."""
        if view.found is not None:
            return self.judged(step, *view.found, view.planned, view.verdicts)
        record, outcome = self.executed(step, view.planned, view.fingerprint)
        return self.judged(step, record, outcome, view.planned, self.look.verdicts(step, outcome))

    def executed(self, step: Step, planned: PlannedStep, fingerprint: Fingerprint) -> tuple[RunRecord, Outcome]:
        """Let a step work, and keep what comes of it."""
        setup = self.handed.setup(step)
        seed = self.identity.seed(step)
        resumed = planned.run or "" if planned.action is Action.RESUME else ""
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
            consumes=self.used_runs(step),
            provenance=self.provenance(setup, {"project": self.project.seed, "step": seed}),
            resumed=resumed,
            seconds_before=self.seconds_of(resumed),
        )
        execution = Execution(
            project=self.project,
            step=step,
            setup=setup,
            record=record,
            outcomes=self.handed.outcomes,
            engine=self.identity.engine(setup),
            task=lambda: self.identity.task(setup),
            announce=self.announce,
            earlier=self.handed.earlier(step),
            anew=self.wish.forces(step.name),
            probes=self.probes.get(step.name, ()),
        )
        self.unseen = self.unseen and not execution.probes
        execution.begin()
        self.announce(StepStarted(planned, record))
        RunLog(self.store, record.id).say(f"{planned.action.value}: {planned.reason}")
        try:
            return execution.work()
        except BaseException:
            self.broke(execution)
            raise

    def broke(self, execution: Execution) -> None:
        """Tell the end of a run whose step did not come to its own."""
        record, outcome = execution.record, execution.outcome
        self.results[record.step] = StepResult(record.step, record.kind, record.state, record, outcome)
        self.announce(StepEnded(record, outcome, None))
        result = self.result()
        self.announce(ProjectEnded({one.name: one.state for one in result.steps}, result.next))

    def judged(
        self, step: Step, record: RunRecord, outcome: Outcome, planned: PlannedStep, verdicts: tuple[Verdict, ...]
    ) -> StepResult:
        """Keep what the step's checks answer: appended to the run, unless it is what was answered last."""
        for verdict in verdicts:
            self.announce(CheckJudged(step.name, verdict))
        before = self.store.judgements(record.id)
        if before and same(before[-1].verdicts, verdicts):
            judgement = before[-1]
        else:
            judgement = Judgement(verdicts, datetime.now(UTC), state_of(verdicts))
            self.store.judge(record.id, judgement)
            told = ["judged again"] if before else []
            RunLog(self.store, record.id).say("\n".join([*told, *(f"{v.state.value}: {v.told}" for v in verdicts)]))
        record = replace(record, state=judgement.state)
        recalled, stale = planned.action is Action.RECALL, planned.action is Action.KEEP
        self.handed.add(step.name, record, outcome)
        judged_again = bool(before) and judgement is not before[-1]
        self.announce(
            StepEnded(record, outcome, judgement, recalled=recalled or stale, stale=stale, judged_again=judged_again)
        )
        return StepResult(
            name=step.name,
            kind=record.kind,
            state=judgement.state,
            run=record,
            outcome=outcome,
            judgement=judgement,
            recalled=recalled or stale,
            stale=stale,
            judged_again=judged_again,
            note=_note(planned, outcome, verdicts),
        )

    def remember(self, step: Step) -> None:
        """Lay out the newest completed outcome of a step that was not asked for, as evidence for those that are."""
        query = RunQuery(project=self.project.name, step=step.name, status=RunStatus.COMPLETED, limit=1)
        for summary in self.store.runs(query):
            outcome = self.store.outcome(summary.id)
            if outcome is not None:
                self.handed.add(step.name, summary, outcome)
                self.stood[step.name] = summary.state

    def result(self) -> ProjectResult:
        steps = tuple(self.results.get(step.name) or self.not_run(step) for step in self.project.steps)
        return ProjectResult(self.project.name, steps, next_sentence(self.project.name, steps))

    def not_run(self, step: Step) -> StepResult:
        """A step that was not asked for, with how it stood before; or one behind a step that did not pass."""
        asked = self.asked(step)
        before = f" ({self.stood[step.name].ended} before)" if step.name in self.stood else ""
        note = "" if asked else f"not asked for{before}"
        return StepResult(step.name, type(step).__name__, StepState.NOT_RUN, note=note, asked=asked)

    def asked(self, step: Step) -> bool:
        """Whether the user wants this step."""
        return self.wish.asks_for(step.name, [one.name for one in self.project.steps])

    def used_runs(self, step: Step) -> dict[str, str]:
        """The runs whose outcomes the step's work uses."""
        used = self.handed.used(step)
        return {name: run for name, run in self.handed.runs.items() if name in used}

    def seconds_of(self, run: str) -> float:
        """How long a run took that is gone on from, those before it included."""
        record = self.store.run(run) if run else None
        return 0.0 if record is None else record.seconds or 0.0

    def provenance(self, setup: Setup, seeds: Mapping[str, int]) -> Provenance:
        if self._provenance is None:
            self._provenance = collect(folder=self.project.folder)
        data = self.identity.data(setup)
        return replace(self._provenance, data_digest=data.value, data_note=data.note, seeds=dict(seeds))


def _note(planned: PlannedStep, outcome: Outcome, verdicts: Sequence[Verdict]) -> str:
    """What a reader must know beside the verdicts, a line each."""
    notes = [f"not known: {'; '.join(planned.unknown)}"] if planned.unknown else []
    told = " ".join(verdict.reason for verdict in verdicts)
    missed = list(dict.fromkeys(one.message.partition(":")[0] for one in outcome.findings if one.code == NOT_COMPUTED))
    if missed and not any(what in told for what in missed):
        notes.append(f"{'; '.join(missed)}; `art show {planned.step}` says why")
    return "\n".join(notes)


def _fields(step: Step) -> list[tuple[str, Any]]:
    return [*step.configuration().items(), ("name", step.name)]
