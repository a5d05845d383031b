"""What is announced while a project runs. Trackers and the command line listen; nobody answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from art_training.records.outcome import Outcome
from art_training.records.plan import Plan, PlannedStep
from art_training.records.run import RunRecord
from art_training.records.verdict import Judgement, StepState, Verdict


@dataclass(frozen=True)
class ProjectStarted:
    """The plan is made and the project begins."""

    plan: Plan


@dataclass(frozen=True)
class StepStarted:
    """A step begins to work; `planned` says why."""

    planned: PlannedStep
    run: RunRecord


@dataclass(frozen=True)
class StepProgress:
    """How far a step is. Sent a few times a second at most.

    Attributes:
        step: the step's name.
        phase: what it does now, e.g. `fit`, `evaluate validation`.
        epoch: from 0; None where there are none.
        epochs: how many there will be, if known.
        batch: batches done in this epoch.
        batches: batches in an epoch, if known.
        fraction: share of the phase that is done, in 0..1, if known.
        seconds_left: estimate for the phase, if known.
        values: the newest numbers by name, e.g. `{"train/loss": 0.31}`.
    """

    step: str
    phase: str
    epoch: int | None = None
    epochs: int | None = None
    batch: int | None = None
    batches: int | None = None
    fraction: float | None = None
    seconds_left: float | None = None
    values: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class CurvesGrew:
    """Points of learning curves are in the store. Sent about once a second while a step trains.

    Attributes:
        step: the step's name.
        points: name, optimiser step, epoch (from 0) and value of each; of each curve in ascending order.
    """

    step: str
    points: tuple[tuple[str, int, int, float], ...]


@dataclass(frozen=True)
class Probed:
    """A probe that was attached to the run has seen something.

    Attributes:
        step: the step's name.
        probe: the probe's, e.g. `batches`.
        text: one line.
    """

    step: str
    probe: str
    text: str


@dataclass(frozen=True)
class CheckJudged:
    """One check has answered."""

    step: str
    verdict: Verdict


@dataclass(frozen=True)
class StepEnded:
    """A step has an outcome, or has ended without one.

    Attributes:
        run: its record as stored.
        outcome: what it produced; None where it raised before it had anything.
        judgement: the verdicts; None where it raised.
        recalled: whether nothing was executed.
        stale: whether an outdated outcome was kept on the user's wish.
        judged_again: whether it was judged before, and came out differently now.
    """

    run: RunRecord
    outcome: Outcome | None
    judgement: Judgement | None
    recalled: bool = False
    stale: bool = False
    judged_again: bool = False


@dataclass(frozen=True)
class ProjectEnded:
    """The project stopped: all steps done, or one that did not pass.

    Attributes:
        states: where each step stands, in order.
        next: one sentence: what to do now.
    """

    states: Mapping[str, StepState]
    next: str


Event = ProjectStarted | StepStarted | StepProgress | CurvesGrew | Probed | CheckJudged | StepEnded | ProjectEnded
