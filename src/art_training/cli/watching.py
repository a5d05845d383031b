"""What is shown while a project runs. On a terminal a line that moves; elsewhere plain lines, now and then."""

import sys
import time
from typing import TYPE_CHECKING, Any

from art_training.checks.evidence import NOT_COMPUTED
from art_training.cli.output import STYLES, console, note
from art_training.cli.tables import plan_table, verdict_line
from art_training.records import (
    Action,
    CheckJudged,
    Event,
    Plan,
    PlannedStep,
    Probed,
    ProjectEnded,
    ProjectStarted,
    StepEnded,
    StepProgress,
    StepStarted,
)
from art_training.views.wording import duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.text import Text

_SECONDS_BETWEEN_PLAIN_LINES = 20.0
_SHOWN = ("train/loss", "validation/loss")  # what fits beside the rest on 80 columns


class Watching:
    """Listens to a run and shows it on stderr, so that stdout holds results alone.

    Attributes:
        next: what to do now, once the project ended; it is told even where a step raised.
    """

    def __init__(self) -> None:
        self.next = ""
        self._console = console(sys.stderr)
        self._planned: dict[str, PlannedStep] = {}
        self._headed = ""
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._said = time.monotonic()
        self._phase = ""
        self._values: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Show one event."""
        from rich.text import Text

        match event:
            case ProjectStarted():
                self._start(event.plan)
            case StepStarted():
                self._head(event.planned.step, event.planned)
            case StepProgress():
                self._head(event.step)
                self._progress(event)
            case Probed():
                self._say(Text(f"{event.probe}: {event.text}", "cyan"), indented=True)
            case CheckJudged() if not self._is_recalled(event.step):
                self._head(event.step)
                self._say(verdict_line(event.verdict, self._console), indented=True)
            case StepEnded():
                self._end(event)
            case ProjectEnded():
                self.close()
                self.next = event.next
            case _:  # checks of a recalled step stand in the table at the end
                pass

    def close(self) -> None:
        """Take the moving line away."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None

    def _start(self, plan: Plan) -> None:
        from rich.text import Text

        self._planned = {step.step: step for step in plan.steps}
        about = f", about {duration(plan.seconds)}" if plan.seconds else ""
        working = sum(step.action in {Action.RUN, Action.RESUME} for step in plan.steps)
        self._say(Text(f"Project {plan.project}: {working} of {len(plan.steps)} steps to run{about}", "bold"))
        self._console.print(plan_table(plan))
        for told in plan.notes:
            if "which needs to be given again" in told:  # what a replaced step lost
                self._say(Text(told))
        self._console.print()

    def _head(self, step: str, planned: PlannedStep | None = None) -> None:
        """The step's own line, when it is first heard of."""
        from rich.text import Text

        if step == self._headed:
            return
        self.close()
        self._headed = step
        self._said = time.monotonic()
        self._values = {}
        planned = planned or self._planned.get(step)
        does = f": {planned.action.value}, {planned.reason}" if planned else ""
        self._say(Text(f"{step}{does}"))

    def _end(self, event: StepEnded) -> None:
        from rich.text import Text

        self.close()
        state = Text(event.run.state.value, STYLES[event.run.state])
        if event.recalled:
            does = "stale, kept" if event.stale else "recalled"
            self._say(Text.assemble(f"{event.run.step}: {does}, ", state))
        else:
            self._head(event.run.step)
            missed = [one for one in event.outcome.findings if one.code == NOT_COMPUTED] if event.outcome else []
            verdicts = event.judgement.verdicts if event.judgement else ()
            if missed and not any(missed[0].message in verdict.reason for verdict in verdicts):
                self._say(
                    Text(f"{note(self._console)} {missed[0].message}; {missed[0].remedy}", "yellow"), indented=True
                )
            before = event.run.seconds_before
            told = f", {duration(before)} of it before it was broken off" if before else ""
            self._say(Text.assemble(state, f" in {duration(event.run.seconds)}{told}"), indented=True)
            if event.outcome and event.outcome.summary:
                self._say(Text(event.outcome.summary, "dim"), indented=True)

    def _is_recalled(self, step: str) -> bool:
        planned = self._planned.get(step)
        return planned is not None and planned.action in {Action.RECALL, Action.KEEP}

    def _say(self, line: "Text", *, indented: bool = False) -> None:
        """One line; on a terminal it is folded under its beginning, in a file it stays whole."""
        from rich.padding import Padding
        from rich.text import Text

        if self._console.is_terminal:
            self._console.print(Padding(line, (0, 0, 0, 4 if indented else 0)))
        else:
            self._console.print(Text("    ").append_text(line) if indented else line, soft_wrap=True)

    def _progress(self, event: StepProgress) -> None:
        from rich.text import Text

        if event.phase != self._phase:
            self._phase, self._values = event.phase, {}
        self._values |= event.values
        if self._console.is_terminal:
            self._move(event)
        elif time.monotonic() - self._said >= _SECONDS_BETWEEN_PLAIN_LINES:
            self._said = time.monotonic()
            left = f", about {duration(event.seconds_left)} left" if event.seconds_left is not None else ""
            self._say(Text(f"{', '.join([event.phase, *self._parts(event)])}{left}"), indented=True)

    def _move(self, event: StepProgress) -> None:
        fraction = _fraction(event)
        if self._bar is None:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task("", total=None, said="", left="")
            self._bar.start()
        assert self._task is not None
        left = f"{duration(event.seconds_left)} left" if event.seconds_left is not None else ""
        self._bar.update(
            self._task,
            description=event.phase,
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            said=", ".join(self._parts(event)),
            left=left,
        )

    def _parts(self, event: StepProgress) -> list[str]:
        """Epoch, batch and the newest losses, as far as they are known."""
        parts: list[str] = []
        if event.epoch is not None:
            epoch = event.epoch + 1 if not event.epochs or event.epochs < 0 else min(event.epoch + 1, event.epochs)
            parts.append(f"epoch {epoch}" + (f"/{event.epochs}" if event.epochs else ""))
        if event.batch is not None:
            parts.append(f"batch {event.batch}" + (f"/{event.batches}" if event.batches else ""))
        names = [name for name in _SHOWN if name in self._values] or list(self._values)[:1]
        return [*parts, *(f"{name} {self._values[name]:.4g}" for name in names)]


def _bar(drawn: Any) -> "Progress":
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
    from rich.table import Column

    return Progress(
        TextColumn("   "),
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[said]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True), style="dim"),
        console=drawn,
        transient=True,
        expand=True,
        refresh_per_second=8,
    )


def _fraction(event: StepProgress) -> float | None:
    """Of the whole phase, from epochs and batches where nobody says it."""
    if event.fraction is not None:
        return event.fraction
    of_epoch = event.batch / event.batches if event.batch is not None and event.batches else None
    if event.epoch is None or not event.epochs:
        return of_epoch
    return (event.epoch + (of_epoch or 0.0)) / event.epochs
