"""What is shown while a project runs. On a terminal a line that moves; elsewhere plain lines, now and then."""

import sys
import time
from typing import TYPE_CHECKING, Any

from art_training.cli.output import STYLES, console, duration
from art_training.cli.tables import plan_table, verdict_line
from art_training.records import (
    Action,
    CheckJudged,
    Event,
    Plan,
    PlannedStep,
    ProjectEnded,
    ProjectStarted,
    StepEnded,
    StepProgress,
    StepStarted,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_PLAIN_LINES = 20.0


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

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case ProjectStarted():
                self._start(event.plan)
            case StepStarted():
                self._head(event.planned.step, event.planned)
            case StepProgress():
                self._head(event.step)
                self._progress(event)
            case CheckJudged():
                self._head(event.step)
                self._console.print("   ", verdict_line(event.verdict, self._console))
            case StepEnded():
                self._head(event.run.step)
                self._end(event)
            case ProjectEnded():
                self.close()
                self.next = event.next

    def close(self) -> None:
        """Take the moving line away."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None

    def _start(self, plan: Plan) -> None:
        self._planned = {step.step: step for step in plan.steps}
        about = f", about {duration(plan.seconds)}" if plan.seconds else ""
        working = sum(step.action in {Action.RUN, Action.RESUME} for step in plan.steps)
        self._console.print(f"Project {plan.project}: {working} of {len(plan.steps)} steps to run{about}", style="bold")
        self._console.print(plan_table(plan))
        self._console.print()

    def _head(self, step: str, planned: PlannedStep | None = None) -> None:
        """The step's own line, when it is first heard of."""
        if step == self._headed:
            return
        self.close()
        self._headed = step
        self._said = time.monotonic()
        planned = planned or self._planned.get(step)
        does = f": {planned.action.value}, {planned.reason}" if planned else ""
        self._console.print(f"{step}{does}")

    def _end(self, event: StepEnded) -> None:
        from rich.text import Text

        self.close()
        took = "recalled" if event.recalled else f"in {duration(event.run.seconds)}"
        state = Text(event.run.state.value, STYLES[event.run.state])
        self._console.print("   ", state, Text("stale, kept" if event.stale else took))

    def _progress(self, event: StepProgress) -> None:
        if self._console.is_terminal:
            self._move(event)
        elif time.monotonic() - self._said >= _SECONDS_BETWEEN_PLAIN_LINES:
            self._said = time.monotonic()
            left = f", about {duration(event.seconds_left)} left" if event.seconds_left is not None else ""
            self._console.print(f"    {', '.join([event.phase, *_parts(event)])}{left}")

    def _move(self, event: StepProgress) -> None:
        fraction = _fraction(event)
        if self._bar is None:
            self._bar = _bar(self._console)
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        assert self._task is not None
        left = f"{duration(event.seconds_left)} left" if event.seconds_left is not None else ""
        self._bar.update(
            self._task,
            description=event.phase,
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            said=", ".join(_parts(event)),
            left=left,
        )


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


def _parts(event: StepProgress) -> list[str]:
    """Epoch, batch and the newest numbers, as far as they are known."""
    parts: list[str] = []
    if event.epoch is not None:
        parts.append(f"epoch {event.epoch + 1}" + (f"/{event.epochs}" if event.epochs else ""))
    if event.batch is not None:
        parts.append(f"batch {event.batch}" + (f"/{event.batches}" if event.batches else ""))
    return [*parts, *(f"{name} {value:.4g}" for name, value in event.values.items())]


def _fraction(event: StepProgress) -> float | None:
    """Of the whole phase, from epochs and batches where nobody says it."""
    if event.fraction is not None:
        return event.fraction
    of_epoch = event.batch / event.batches if event.batch is not None and event.batches else None
    if event.epoch is None or not event.epochs:
        return of_epoch
    return (event.epoch + (of_epoch or 0.0)) / event.epochs
