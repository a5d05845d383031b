"""One execution of one step: whatever happens, what was measured is in the store before anything is judged."""

import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from art_training.engines import Engine
from art_training.errors import OutOfMemory, ProjectError, StoreError, Unfinished
from art_training.probes.attached import Probe
from art_training.records import CurvesGrew, Event, Outcome, Probed, RunRecord, RunStatus, StepProgress, StepState, Use
from art_training.runner.bench import RunnerBench
from art_training.runner.curves import thinned
from art_training.runner.declared import Declared
from art_training.runner.following import Following
from art_training.runner.heartbeat import heartbeat
from art_training.runner.log import RunLog
from art_training.runner.probing import Probing
from art_training.runner.terminating import is_interruption
from art_training.setup.frames import users_lines
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.step import Earlier, Step
from art_training.stores.workspaces import memory_folder, same_work, step_folder


@dataclass
class Execution:
    """Lets one step work.

    Attributes:
        project: what was declared.
        step: the step.
        setup: resolved for it.
        record: of this run; moves on as the run does.
        outcomes: of earlier steps by name.
        engine: the setup's.
        task: infers what the setup is for.
        announce: tells events.
        earlier: the steps before it that have an outcome.
        anew: whether the step shall find nothing that an earlier run remembered.
        probes: look at its trainings.
        outcome: what there is of it.
    """

    project: Declared
    step: Step
    setup: Setup
    record: RunRecord
    outcomes: Mapping[str, Outcome]
    engine: Engine
    task: Callable[[], Task]
    announce: Callable[[Event], None]
    earlier: tuple[Earlier, ...] = ()
    anew: bool = False
    probes: tuple[Probe, ...] = ()
    outcome: Outcome | None = None

    def begin(self) -> None:
        """Note that the run begins.

        Raises:
            StoreError: its folder cannot be made, or the store cannot be written.
        """
        folder = self._folder
        try:
            if not self.record.resumed:
                shutil.rmtree(folder, ignore_errors=True)
            if self.anew and self._memory is not None:
                shutil.rmtree(self._memory, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder {folder} for what a step writes while it runs cannot be made: {error.strerror}; "
                "choose another place with store= or ART_STORE"
            ) from error
        self.project.store.write(self.record)

    def work(self) -> tuple[RunRecord, Outcome]:
        """Run the step and keep what comes of it.

        Raises:
            KeyboardInterrupt: the user stopped it.
            Exception: whatever the step raised, or StoreError where its outcome cannot be kept; recorded before.
        """
        store, log = self.project.store, RunLog(self.project.store, self.record.id)
        bench = self._bench(log)
        try:
            with heartbeat(store, self.record.id), log.listening():
                outcome = self._outcome(bench)
            curves = thinned(store.curves(self.record.id)) | dict(outcome.curves)
            outcome = replace(outcome, curves=curves)
            record = replace(self.record, status=RunStatus.COMPLETED, ended=datetime.now(UTC))
            store.write(record, outcome)
        except BaseException as error:
            self._broken(bench, log, error)
            if isinstance(error, Exception) and is_interruption(error):  # to whoever started the run it is what it was
                raise KeyboardInterrupt(str(error)) from None
            raise
        self.record, self.outcome = record, outcome
        log.say(f"ended: {outcome.stopped or outcome.summary or 'done'}")
        shutil.rmtree(self._folder, ignore_errors=True)
        return record, outcome

    def _outcome(self, bench: RunnerBench) -> Outcome:
        outcome = self.step.run(bench)
        if not isinstance(outcome, Outcome):
            raise ProjectError(
                f"step {self.step.name!r} returned {outcome!r}; "
                "run(bench) must return an Outcome, e.g. Outcome(scores=...)"
            )
        readings, findings = bench.health
        return replace(
            outcome,
            readings=(*outcome.readings, *readings),
            findings=(*outcome.findings, *findings),
            artifacts=(*outcome.artifacts, *bench.probing.artifacts),
        )

    def _broken(self, bench: RunnerBench, log: RunLog, error: BaseException) -> None:
        """Record a step that did not come to its end, with what it had measured.

        Where the store fails too, as on a full disk, the step's own error is what the user must see.
        """
        interrupted = is_interruption(error)
        goes_on = interrupted or isinstance(error, Unfinished)
        stopped = "interrupted" if interrupted else "out of memory" if isinstance(error, OutOfMemory) else "raised"
        self.record = replace(
            self.record,
            status=RunStatus.INTERRUPTED if goes_on else RunStatus.ERRORED,
            ended=datetime.now(UTC),
            error="" if interrupted else f"{type(error).__name__}: {error}",
            traceback="" if interrupted else "".join(traceback.format_exception(error)),
            state=StepState.INTERRUPTED if goes_on else StepState.ERRORED,
        )
        self.outcome = bench.measured.outcome(stopped)
        try:
            bench.close()
            self.outcome = replace(self.outcome, curves=thinned(self.project.store.curves(self.record.id)))
            self.project.store.write(self.record, self.outcome)
        except StoreError as unkept:
            error.add_note(f"This could not be recorded: {unkept}")
        with suppress(StoreError):  # a line of the log, when all that counts was kept or could not be
            log.say("\n".join([f"ended: {type(error).__name__}: {error}", *(f"  {one}" for one in users_lines(error))]))

    def _bench(self, log: RunLog) -> RunnerBench:
        following = Following(self.project.store, self.project.name, self.record.id)

        def tell(progress: StepProgress) -> None:
            log.follow(progress)
            following.follow(progress)
            self.announce(progress)

        def said(probe: Probe, text: str) -> None:
            if "log" in probe.to:
                log.say(f"{probe.name}: {text}")
            if "console" in probe.to:
                self.announce(Probed(self.step.name, probe.name, text))

        return RunnerBench(
            step=self.step.name,
            run=self.record.id,
            setup=self.setup,
            task=self.task,
            metrics=self.project.metrics.without(self.step.skip_metrics),
            seed=self.record.seed,
            folder=self._folder,
            outcomes=self.outcomes,
            engine=self.engine,
            store=self.project.store,
            announce=tell,
            resumed=self.record.resumed,
            may_test=self.step.may_test,
            data_seed=self.project.seed,
            tested=self._tested,
            earlier=self.earlier,
            memory=self._memory,
            probing=Probing(self.probes, said),
            grew=lambda points: self.announce(CurvesGrew(self.step.name, tuple(points))),
        )

    def _tested(self) -> Sequence[Use]:
        return self.project.store.uses(self.project.name)

    @property
    def _folder(self) -> Path:
        return step_folder(self.project.workspace, self.step.name, self.record.fingerprint.digest)

    @property
    def _memory(self) -> Path | None:
        """Where a step remembers what a run that asks for more of the same work can use; None: with its checkpoints."""
        if not self.step.amounts:
            return None
        work = same_work(self.record.fingerprint, self.step.amounts)
        return memory_folder(self.project.workspace, self.step.name, work.digest)
