"""What a run of a project would do, said before it does it."""

from dataclasses import dataclass
from enum import StrEnum

from art_training.records.fingerprint import Change


class Action(StrEnum):
    """What will happen to a step."""

    RUN = "run"
    RESUME = "resume"  # an earlier execution died or was interrupted; training goes on from its last checkpoint
    RECALL = "recall"
    KEEP = "keep"  # stale, and the user wants it left so
    SKIP = "skip"  # not asked for (only=, until=)


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
    """

    step: str
    kind: str
    action: Action
    reason: str
    changes: tuple[Change, ...] = ()
    run: str | None = None
    seconds: float | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a run of a project would do.

    Attributes:
        project: its name.
        steps: in order.
    """

    project: str
    steps: tuple[PlannedStep, ...]

    @property
    def seconds(self) -> float | None:
        """How long the whole is expected to take; None where a step that runs was never timed."""
        waiting = [step.seconds for step in self.steps if step.action in {Action.RUN, Action.RESUME}]
        return None if any(seconds is None for seconds in waiting) else sum(seconds or 0.0 for seconds in waiting)
