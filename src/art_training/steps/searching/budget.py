"""How much a search may cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from art_training.errors import ProjectError
from art_training.tuning.trial import Trial

FIRST_FAILURES = 10
"""Failed trials after which a search gives up that has had no other."""


@dataclass(frozen=True)
class Budget:
    """What all trials of a search may cost together; the first limit that is reached ends it.

    Attributes:
        trials: so many, whatever becomes of them.
        seconds: no trial begins after so many; one that runs then comes to its end.
        epochs: likewise.
    """

    trials: int | None = None
    seconds: float | None = None
    epochs: int | None = None

    def check(self, step: str) -> None:
        """Raise where the budget is none.

        Raises:
            ProjectError: nothing is limited, or a limit allows nothing.
        """
        if self.trials is None and self.seconds is None and self.epochs is None:
            raise ProjectError(
                f"step {step!r} has no budget and would search for ever; give trials=20, seconds=600 or epochs=200"
            )
        for name in ("trials", "epochs"):
            value: Any = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ProjectError(f"{name}={value!r} of step {step!r} is no budget; give a whole number of at least 1")
        seconds: Any = self.seconds
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0
        ):
            raise ProjectError(f"seconds={seconds!r} of step {step!r} is no budget; give a number above 0")

    def spent(self, trials: Sequence[Trial]) -> str:
        """Why no further trial begins; empty where one may."""
        if self.trials is not None and len(trials) >= self.trials:
            return f"all {self.trials} trials were made"
        seconds = sum(trial.seconds for trial in trials)
        if self.seconds is not None and seconds >= self.seconds:
            return f"the {self.seconds:g} seconds were spent"
        # A trial that failed before its first epoch has cost something too, or a search of such would have no end.
        epochs = sum(max(1, trial.epochs) for trial in trials)
        if self.epochs is not None and epochs >= self.epochs:
            return f"the {self.epochs} epochs were spent"
        if len(trials) >= FIRST_FAILURES and all(trial.state == "failed" for trial in trials):
            return f"the first {len(trials)} trials all failed"
        return ""

    def share(self, trials: Sequence[Trial]) -> float:
        """How much of the budget is spent, in 0..1."""
        parts = [
            len(trials) / self.trials if self.trials else 0.0,
            sum(trial.seconds for trial in trials) / self.seconds if self.seconds else 0.0,
            sum(trial.epochs for trial in trials) / self.epochs if self.epochs else 0.0,
        ]
        return min(1.0, max(parts))
