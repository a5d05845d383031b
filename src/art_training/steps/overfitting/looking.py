"""What is looked at while a model overfits: how its predictions move, and what it forgets."""

from collections.abc import Callable, Mapping

from art_training.engines import FitResult, Look, Position
from art_training.records import Artifact, Plain, Reading
from art_training.setup.observation import BatchObservation
from art_training.steps.bench import Bench
from art_training.steps.forgetting import Forgetting, Forgotten
from art_training.steps.overfitting.dynamics import Dynamics

READING = "looks"
_BATCHES = 4  # of which the first is followed closely, and all are watched for being forgotten
_TIMES = 32  # looks, before which more batches are looked at than one

Stop = Callable[[Position], str | None]


class Looking:
    """One look that serves all who want to see something, so that each batch passes once."""

    def __init__(self, bench: Bench, followed: int, *, forgetting: bool, share: float, label: str = "") -> None:
        self._dynamics = Dynamics(bench, followed) if followed else None
        self._forgetting = Forgetting(bench, label) if forgetting else None
        self._share = share

    @property
    def looks(self) -> tuple[Look, ...]:
        """For the training."""
        if not self._share or not self._watching:
            return ()
        most = _BATCHES if self._forgetting is not None else 1
        return (Look(self._see, batches=most, share=self._share, times=_TIMES, least=1),)

    def stop(self, stop: Stop) -> Stop:
        """What a training asks whether to end: it lets be remembered what belongs to a checkpoint."""

        def remembering(position: Position) -> str | None:
            if position.checkpoint is not None:
                self.remember()
            return stop(position)

        return remembering

    def remember(self) -> None:
        """Keep what was seen for a training that goes on after a kill."""
        for one in self._watching:
            one.remember()

    def forgotten(self, result: FitResult) -> Forgotten | None:
        """What was forgotten; None where it cannot be told."""
        found = None if self._forgetting is None or not _told(result) else self._forgetting.result()
        return None if found is None or len(found.looks) < 2 else found

    def results(self, result: FitResult) -> tuple[list[Reading], list[Artifact]]:
        """When was looked, and how predictions have moved."""
        told = _told(result)
        if not told:
            return [], []
        readings, artifacts = self._dynamics.results() if self._dynamics is not None else ([], [])
        return [self._reading(told[0]), *readings], artifacts

    def _reading(self, told: Mapping[str, Plain]) -> Reading:
        seen = [list[Plain](one.looks) for one in self._watching if one.looks]
        epochs, within = seen[0] if seen else told["epochs"], f"within {self._share:.3g} of the training"
        if epochs == []:
            note = f"its batches are too few for looks {within}; train longer, or give a larger share"
        else:
            what = "the first batch was" if told["batches"] == 1 else f"the first {told['batches']} batches were"
            note = f"epochs after which {what} looked at, {within}"
        return Reading(READING, epochs, note=note)

    @property
    def _watching(self) -> list[Dynamics | Forgetting]:
        return [one for one in (self._dynamics, self._forgetting) if one is not None]

    def _see(self, epochs: int, observation: BatchObservation) -> None:
        for one in self._watching:
            one.see(epochs, observation)


def _told(result: FitResult) -> list[dict[str, Plain]]:
    """What the engine says of its looks."""
    return result.parameters.get("looks", [])
