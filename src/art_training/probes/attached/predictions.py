"""How the predictions of a fixed batch move while a model trains."""

from dataclasses import dataclass
from typing import ClassVar

from art_training.errors import UsageError
from art_training.probes.attached.probe import Probe, Tell, Watch
from art_training.setup.called import Called


@dataclass(frozen=True, kw_only=True)
class Predictions(Probe):
    """The predictions of the first batch, between epochs and in evaluation mode, as a table and a picture.

    The training is not disturbed: the engine looks through a copy of the weights. How often is a matter of `share`, so that
    `every` is not asked.

    Attributes:
        examples: of the batch that are followed.
        share: of the batches of training that the looks may take, as of `Look`.
    """

    examples: int = 16
    share: float = 0.05

    name: ClassVar[str] = "predictions"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.every is not None:
            raise UsageError("every= is not asked of predictions, which are looked at between epochs; give share=")
        if not isinstance(self.examples, int) or self.examples < 1:
            raise UsageError(f"examples={self.examples!r} of {self.name} must be 1 or more")
        if not 0 < self.share <= 1:
            raise UsageError(f"share={self.share!r} of {self.name} must be above 0 and at most 1")

    def watch(self, tell: Tell, called: Called) -> "Watch":
        return Watch(None, tell)  # the engine looks, between epochs
