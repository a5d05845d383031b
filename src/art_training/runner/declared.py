"""What a project declares, as the runner needs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from art_training.records import Event
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.steps.step import Step
from art_training.stores import Store
from art_training.trackers.tracker import Tracker

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
        left_out: steps and questions that the project could have, by name, and what each would need.
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
    left_out: Mapping[str, str]
    trackers: tuple[Tracker | Listener, ...] = ()

    @property
    def continuing(self) -> tuple[str, ...]:
        """Names of the steps behind which the project goes on though they did not pass."""
        return tuple(step.name for step in self.steps if step.continue_on_failure)
