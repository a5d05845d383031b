"""What a run of a project gave, as a person reads it."""

import html
from dataclasses import dataclass

from art_training.records import Judgement, Outcome, RunRecord, StepState
from art_training.records.table import html_table, terminal_width, text_table, wrap


@dataclass(frozen=True, repr=False)
class StepResult:
    """Where one step stands after a run of its project.

    Attributes:
        name: the step's name.
        kind: its class.
        state: where it stands.
        run: its record; None where it has never run.
        outcome: what it produced, if anything.
        judgement: its verdicts, if it was judged.
        recalled: whether a stored outcome was used.
        stale: whether that outcome is outdated and was kept on the user's wish.
        judged_again: whether a stored outcome got new verdicts in this run.
        note: what a reader must know besides, e.g. that the data could not be digested.
        asked: whether the run was asked for this step (`only`, `until`).
    """

    name: str
    kind: str
    state: StepState
    run: RunRecord | None = None
    outcome: Outcome | None = None
    judgement: Judgement | None = None
    recalled: bool = False
    stale: bool = False
    judged_again: bool = False
    note: str = ""
    asked: bool = True

    def __repr__(self) -> str:
        return f"StepResult({self.name!r}, {self.state.value!r})"

    @property
    def seconds(self) -> float | None:
        """How long its execution took, whenever that was."""
        return None if self.run is None else self.run.seconds


@dataclass(frozen=True, repr=False)
class ProjectResult:
    """What a run of a project gave. Prints as a table, at a prompt too.

    Attributes:
        project: the project's name.
        steps: where each step stands, in order.
        next: one sentence: what to do now.
    """

    project: str
    steps: tuple[StepResult, ...]
    next: str

    @property
    def passed(self) -> bool:
        """Whether there are steps that the run was asked for, and every one of them passed."""
        return self.state is StepState.PASSED

    @property
    def state(self) -> StepState:
        """The first state that is not `passed`, of the steps that the run was asked for; `unchecked` where none was."""
        states = [step.state for step in self.steps if step.state is not StepState.NOT_RUN]
        otherwise = StepState.PASSED if states else StepState.UNCHECKED
        return next((state for state in states if state is not StepState.PASSED), otherwise)

    def __getitem__(self, step: str) -> StepResult:
        """The step called `step`.

        Raises:
            KeyError: there is none; the message names those that exist.
        """
        for result in self.steps:
            if result.name == step:
                return result
        raise KeyError(f"no step {step!r} in this result; it has: {', '.join(result.name for result in self.steps)}")

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table: step, verdict, check with its numbers, time. A step's further checks have empty first cells."""
        rows: list[tuple[str, str, str, str]] = []
        for step in self.steps:
            verdicts = step.judgement.verdicts if step.judgement else ()
            lines = [f"{_MARK[verdict.state]} {verdict.told}" for verdict in verdicts]
            if not lines and step.run is not None and step.run.error:
                lines = [step.run.error]
            lines += step.note.splitlines()
            state = step.state.value + (" (stale)" if step.stale else "")
            again = " (judged again)" if step.judged_again else " (recalled)" if step.recalled else ""
            time = "" if step.seconds is None else f"{step.seconds:.1f} s{again}"
            for index, line in enumerate(lines or [""]):
                rows.append((step.name, state, line, time) if index == 0 else ("", "", line, ""))
        return rows

    def __str__(self) -> str:
        return "\n".join([text_table(_HEAD, self.rows()), "", *wrap(self.next, terminal_width())])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"{html_table(_HEAD, self.rows())}<p>{html.escape(self.next)}</p>"


_HEAD = ("step", "verdict", "checks", "time")
_MARK = {"passed": "✓", "failed": "✗", "errored": "!", "not judged": "?"}
