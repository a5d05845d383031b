"""What a run of a project would do, said before it does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from html import escape

from art_training.records.fingerprint import Change, in_words
from art_training.records.table import html_table, text_table


class Action(StrEnum):
    """What will happen to a step."""

    RUN = "run"
    RESUME = "resume"  # an earlier execution died or was interrupted; training goes on from its last checkpoint
    RECALL = "recall"
    KEEP = "keep"  # stale, and the user wants it left so
    SKIP = "skip"  # not asked for (only=, until=)
    WAIT = "wait"  # behind a step that did not pass


@dataclass(frozen=True)
class PlannedStep:
    """What will happen to one step, and why.

    Attributes:
        step: the step's name.
        kind: its class.
        action: what will happen.
        reason: why, in words: `new`, `failed before`, `model: DigitsNet.forward changed`, ...
        changes: what changed since the stored outcome, if it is stale.
        run: id of the stored run that is recalled, resumed or kept.
        seconds: how long it is expected to take, from earlier runs; None where nothing is known.
        unknown: what of its fingerprint could not be resolved.
        judge_again: whether the checks answer otherwise than they did last, because they, or the steps before, changed.
        broken: what was raised where its setup was looked at, in one line, so that nothing of the above is known; empty where
            nothing was. Only a lenient plan has it: who only wants to know where a project stands is told of the others.
    """

    step: str
    kind: str
    action: Action
    reason: str
    changes: tuple[Change, ...] = ()
    run: str | None = None
    seconds: float | None = None
    unknown: tuple[str, ...] = ()
    judge_again: bool = False
    broken: str = ""

    @property
    def changed(self) -> str:
        """What changed since the stored outcome, in words; empty where it is not stale."""
        return in_words(self.changes)

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The step, what will happen, why, and about how long it will take, as a person reads it."""
        action = f"{self.action.value}, judge again" if self.judge_again else self.action.value
        waits = self.action in {Action.RUN, Action.RESUME} and self.seconds is not None
        return self.step, action, self.reason, f"about {self.seconds:.0f} s" if waits else ""


@dataclass(frozen=True, repr=False)
class Plan:
    """What a run of a project would do. Prints as a table.

    Attributes:
        project: its name.
        steps: in order.
        left_out: steps and questions that the project could have, by name, and what each would need.
    """

    project: str
    steps: tuple[PlannedStep, ...]
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        drawn = text_table(("step", "will", "because", ""), [step.row for step in self.steps])
        return "\n".join([drawn, *self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        drawn = html_table(("step", "will", "because", ""), [step.row for step in self.steps])
        return drawn + "".join(f"<p>{escape(note)}</p>" for note in self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out, a sentence each."""
        return tuple(f"left out: {name}, which needs {what}" for name, what in self.left_out.items())

    @property
    def seconds(self) -> float | None:
        """How long the whole is expected to take; None where a step that runs was never timed."""
        waiting = [step.seconds for step in self.steps if step.action in {Action.RUN, Action.RESUME}]
        return None if any(seconds is None for seconds in waiting) else sum(seconds or 0.0 for seconds in waiting)


@dataclass(frozen=True, repr=False, kw_only=True)
class Planned(Plan):
    """A plan of a whole project that a store remembers.

    Attributes:
        at: when it was made, in UTC.
        continuing: steps behind which the project goes on though they did not pass.
    """

    at: datetime
    continuing: tuple[str, ...] = ()
