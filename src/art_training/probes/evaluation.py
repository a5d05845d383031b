"""What a pass over the validation split with trained weights showed, and whether another pass shows the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from art_training.setup.observation import BatchObservation


@dataclass(frozen=True)
class Evaluation:
    """Two passes over the validation split with the weights that the short training ended with.

    Attributes:
        observations: every batch of the first pass, on the CPU.
        again: the first batches of the second pass.
        logged: what the module logged over the first pass, as the engine reduced it, by name.
        rows: examples that the loaders' datasets hold; None where they cannot be counted.
        learned: the batches of the first pass through the training step in evaluation mode, which compares predictions
            with targets where the step of validation does not; empty where that was not needed, or could not be done.
        in_training: the last values that the module had logged in its own validation with the same weights, by name.
        logged_again: what the module logged over the second pass, which leaves out one batch or more where there are several.
    """

    observations: tuple[BatchObservation, ...]
    again: tuple[BatchObservation, ...]
    logged: Mapping[str, float] = field(default_factory=dict[str, float])
    rows: int | None = None
    learned: tuple[BatchObservation, ...] = ()
    in_training: Mapping[str, float] = field(default_factory=dict[str, float])
    logged_again: Mapping[str, float] = field(default_factory=dict[str, float])

    def fewer(self) -> "Evaluation":
        """The second pass, as the first."""
        return replace(
            self, observations=self.again, logged=self.logged_again, learned=self.learned[: len(self.again)], again=()
        )
