"""What a step makes of the loss that it calls: asked of the step itself, by giving it other values of that call.

A step may multiply the loss, add a penalty to it, take its root, or weigh hard examples. Whatever it does, its own code says
what it would return if its predictions lost as much as is given.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from art_training.records import Split
from art_training.setup.observation import BatchObservation, LossCall
from art_training.steps.bench import Bench

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import BatchOutputs

_SAME = 1e-4  # a share of the call's loss: what a step adds to it below that is nothing


class MadeOfLoss:
    """The step's loss on the batch that OverfitOneBatch trains on, as a function of the loss of its main call.

    Everything else is as the weights make it, penalties among it. Losses are those that ART reports: of a sum, an example's
    share.
    """

    def __init__(self, bench: Bench, weights: Path | None, seen: BatchObservation, outputs: "BatchOutputs") -> None:
        """Look at a batch that was observed.

        Args:
            bench: passes the batch through the model.
            weights: those of the observation.
            seen: the batch on its way.
            outputs: what was read of it.
        """
        self._bench, self._weights, self._examples = bench, weights, seen.weight
        self._call, self._summed = outputs.call, outputs.loss_summed
        self._at = next((at for at, call in enumerate(seen.losses) if call is outputs.call), None)
        self._known: dict[float, float] = {}
        own, whole = outputs.call_loss, outputs.loss
        self.is_the_call = (
            self._at is None or own is None or whole is None or abs(whole - own) <= _SAME * max(abs(own), abs(whole))
        )

    def of(self, loss: float) -> float:
        """The step's loss if its call lost so much on every example; NaN where the step makes no number of it."""
        if self.is_the_call:
            return loss
        if loss not in self._known:
            self._known[loss] = self._asked(loss)
        return self._known[loss]

    @property
    def takes_means(self) -> bool:
        """Whether the mean of the call is all that counts: a step that weighs examples by their own losses needs these."""
        if self.is_the_call or self._call is None or self._call.options.get("reduction") != "none":
            return True
        zero, one, two = self.of(0.0), self.of(1.0), self.of(2.0)
        return abs(two - 2 * one + zero) <= _SAME * (abs(two) + abs(zero))

    def _asked(self, loss: float) -> float:
        from art_training.setup.observer import answering
        from art_training.setup.scores.step_loss import total_loss

        totals: list[float | None] = []

        def answer(call: LossCall, before: int) -> "Tensor":
            if before != self._at:
                return call.value
            return call.value.new_full(call.value.shape, loss * self._scale(call))

        with answering(answer):
            self._bench.observe(
                Split.TRAIN,
                see=lambda seen: totals.append(total_loss(seen)),
                weights=self._weights,
                plain=True,
                one_batch=True,
            )
        total = totals[0] if totals else None
        if total is None:
            return float("nan")
        return total / self._examples if self._summed else total

    def _scale(self, call: LossCall) -> int:
        return self._examples if call.options.get("reduction") == "sum" else 1
