"""What entered the loss over a pass, and what theory makes of it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from art_training.setup.observation import BatchObservation
from art_training.setup.scores.expected_loss import Expected, expected_at_init
from art_training.setup.task import Task
from art_training.steps.bench import Bench

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import BatchOutputs

_MOST_TARGETS = 20_000_000  # numbers that are kept for the label prior


class LossTargets:
    """Collects what entered the loss: the targets, and what the step adds to the loss besides; `bench.observe` shows it."""

    def __init__(self, bench: Bench) -> None:
        self._task = bench.task
        self._adapter = bench.setup.outputs
        self._targets: list[Tensor] = []
        self._numbers = 0
        self._examples = 0
        self._parts: list[tuple[float, float, float]] = []
        self._sampled = False

    def see(self, observation: BatchObservation) -> None:
        """Take in a batch."""
        from art_training.setup.scores.outputs import read_outputs

        outputs = read_outputs(observation, self._task, self._adapter)
        call = outputs.call
        if call is None or call.name != self._task.loss:
            return
        self._see_parts(outputs)
        if self._numbers > _MOST_TARGETS:
            self._sampled = True
            return
        self._numbers += call.target.numel()
        self._examples += observation.weight
        self._targets.append(call.target.cpu())

    def see_beside(self, observation: BatchObservation) -> None:
        """Take in what the step makes of its call's loss, and nothing else: one batch cannot tell a factor from a summand."""
        from art_training.setup.scores.outputs import read_loss

        outputs = read_loss(observation, self._task)
        if outputs.call is not None and outputs.call.name == self._task.loss:
            self._see_parts(outputs)

    def _see_parts(self, outputs: "BatchOutputs") -> None:
        if outputs.loss is not None and outputs.call_loss is not None and outputs.loss_weight > 0:
            self._parts.append((outputs.loss, outputs.call_loss, outputs.loss_weight))

    def expected(self) -> Expected:
        """The theory's values, with what the step's loss holds besides the call of the loss function."""
        if not self._targets:
            return Expected(None, None, _why_unseen(self._task))
        try:
            targets = _pooled(self._targets)
        except RuntimeError:
            return Expected(None, None, "targets of different shapes cannot be pooled")
        found = expected_at_init(self._task, targets, self._examples)
        if self._sampled and not found.reason_if_none:
            found = replace(found, reason_if_none=f"the label prior is that of the first {self._examples} examples")
        factor, added = self.beside
        return found if (factor, added) == (1.0, 0.0) else _moved(found, factor, added)

    @property
    def beside(self) -> tuple[float, float]:
        """By what the step multiplies the call's loss, and what it adds to it; the latter does not depend on labels."""
        weight = sum(part[2] for part in self._parts)
        if weight == 0:
            return 1.0, 0.0
        rest = sum((whole - part) * own for whole, part, own in self._parts) / weight
        usual = sum(abs(part) * own for _, part, own in self._parts) / weight
        if abs(rest) <= 1e-4 * usual:
            return 1.0, 0.0
        factors = [whole / part for whole, part, _ in self._parts if part]
        if len(factors) == len(self._parts) > 1 and max(factors) - min(factors) <= 1e-3 * abs(factors[0]):
            return factors[0], 0.0
        return 1.0, rest

    def mean_and_deviation(self) -> tuple[float, float] | None:
        """Mean and standard deviation of all targets; None where there are none."""
        if not self._targets:
            return None
        numbers = _pooled([target.double().reshape(-1) for target in self._targets])
        return float(numbers.mean()), float(numbers.std(correction=0))


def _pooled(targets: "list[Tensor]") -> "Tensor":
    import torch

    return torch.cat([target.reshape(1) if target.ndim == 0 else target for target in targets])


def _moved(found: Expected, factor: float, rest: float) -> Expected:
    return replace(
        found,
        uniform=None if found.uniform is None else found.uniform * factor + rest,
        prior=None if found.prior is None else found.prior * factor + rest,
    )


def _why_unseen(task: Task) -> str:
    if not task.loss:
        return "no loss function of torch was called; declare Setup(task={'loss': ...}) if it is one written by hand"
    return f"no call of {task.loss} was seen over the training split"
