"""What entered the loss over a pass, and what theory makes of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from art_training.records import Split
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.expectation import Expected, unknown
from art_training.setup.scores.expected_ctc import lengths_of
from art_training.setup.scores.expected_loss import OF_CLASSES, OF_ERRORS, expected_at_init
from art_training.setup.scores.expected_values import mirrored_share
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.own_mean import COUNTED, EXAMPLES, OwnMean, alike

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import BatchOutputs

_SLIGHTLY = 0.01  # by which a loss is changed to see how what is made of it responds
_MOST_NUMBERS = 20_000_000  # of targets, and of predictions of errors, that are kept for the label prior


class LossTargets:
    """Collects what entered the loss: the targets, and what the step adds to the loss besides; `bench.observe` shows it."""

    def __init__(self, bench: Bench, *, alone: bool = False) -> None:
        """Of a bench's task.

        Args:
            bench: the step's.
            alone: leave out what the step makes of its call's loss.
        """
        self._alone = alone
        self._task = bench.task
        self._targets: list[Tensor] = []
        self._predictions: list[Tensor] = []
        self._numbers = 0
        self._examples = 0
        self._parts: list[tuple[float, float, float]] = []
        self._own = OwnMean()
        self._sampled = False

    def see(self, observation: BatchObservation) -> None:
        """Take in a batch."""
        outputs = self._see_loss(observation)
        call = outputs.call
        if call is None or call.name != self._task.loss:
            return
        if self._numbers > _MOST_NUMBERS:
            self._sampled = True
            return
        if self._is_unreduced and outputs.loss is not None:
            self._own.see(call, observation, outputs.loss)
        self._keep(call)
        self._examples += observation.weight

    def expected(self, grouped: "Callable[[Tensor], Tensor] | None" = None) -> Expected:
        """The theory's values, with what the step's loss holds besides the call of the loss function.

        Args:
            grouped: makes (rows, outputs) of pooled targets, for who asks for one bias of several outputs.
        """
        if not self._targets:
            return unknown(_why_unseen(self._task))
        targets, task = self._pooled(), self._task
        beside = self.beside
        if self._own.parts:
            kind, everything = self._own.kind, self._own.made_of_everything
            if kind in {COUNTED, EXAMPLES}:
                task = _reducing(task, kind)
            elif kind is None and everything is None:
                task = _reducing(task, COUNTED)
                if not self._is_steady:
                    return unknown(
                        f"the step makes a mean of its own of what {task.loss} returns, and it is not known which"
                    )
            beside = (1.0, 0.0) if kind is not None else everything or beside
        found = expected_at_init(task, targets if grouped is None else grouped(targets), self._examples)
        if self._sampled and not found.reason_if_none:
            found = replace(found, reason_if_none=f"the label prior is that of the first {self._examples} examples")
        return found if beside == (1.0, 0.0) else found.times(*beside)

    @property
    def beside(self) -> tuple[float, float]:
        """By what the step multiplies the call's loss, and what it adds to it; the latter does not depend on labels."""
        weight = sum(part[2] for part in self._parts)
        if weight == 0 or self._alone:
            return 1.0, 0.0
        rest = sum((whole - part) * own for whole, part, own in self._parts) / weight
        usual = sum(abs(part) * own for _, part, own in self._parts) / weight
        if abs(rest) <= 1e-4 * usual:
            return 1.0, 0.0
        factors = [whole / part for whole, part, _ in self._parts if part]
        if len(factors) == len(self._parts) > 1 and alike(factors):
            return factors[0], 0.0
        return 1.0, rest

    def by_chance(self, measured: float) -> float | None:
        """How much of the loss of fresh outputs is due to how they happen to lie along the targets.

        The final weights of a fresh model are as likely as their negatives, and so are its outputs and the same mirrored
        about their mean: half the difference of the two losses is chance. None where it is not a loss of errors.

        Args:
            measured: the loss of these outputs.
        """
        if self._task.loss not in OF_ERRORS or len(self._predictions) != len(self._targets) or not self._targets:
            return None
        if self._task.loss_options.get("weight") is not None or self._own.masks:
            return None
        share = mirrored_share(_pooled(self._predictions, self._task), self._pooled(), self._task)
        return None if share is None or not math.isfinite(share) else (measured - self.beside[1]) * (1 - share) / 2

    def mean_and_deviation(self) -> tuple[float, float] | None:
        """Mean and standard deviation of all targets; None where there are none."""
        if not self._targets:
            return None
        numbers = _joined([target.double().reshape(-1) for target in self._targets])
        return float(numbers.mean()), float(numbers.std(correction=0))

    def _pooled(self) -> "Tensor":
        """All targets that count in the mean of the step."""
        masks = self._own.masks.get(self._own.kind or "")
        if not masks:
            return _pooled(self._targets, self._task)
        kept = [target.reshape(-1)[mask.reshape(-1)] for target, mask in zip(self._targets, masks, strict=True)]
        return _joined(kept)

    @property
    def _is_steady(self) -> bool:
        """Whether the same numbers make the step's loss of its call's in every batch."""
        if len(self._parts) < 2:
            return True  # of one batch nothing else can be said
        factors = [whole / part for whole, part, _ in self._parts if part]
        return alike(factors) or alike([whole - part for whole, part, _ in self._parts])

    @property
    def _is_unreduced(self) -> bool:
        return self._task.loss_options.get("reduction") == "none"

    def _see_loss(self, observation: BatchObservation) -> "BatchOutputs":
        from art_training.setup.scores.outputs import read_loss

        outputs = read_loss(observation, self._task)
        of_task = outputs.call is not None and outputs.call.name == self._task.loss
        if of_task and outputs.loss is not None and outputs.call_loss is not None and outputs.loss_weight > 0:
            self._parts.append((outputs.loss, outputs.call_loss, outputs.loss_weight))
        return outputs

    def _keep(self, call: LossCall) -> None:
        target = lengths_of(call) if call.name == "ctc_loss" else call.target.cpu()
        self._targets.append(target)
        self._numbers += target.numel()
        if call.name == "linear_cross_entropy":  # the one loss whose call makes the scores of classes itself
            self._task = replace(self._task, classes=len(call.options["linear_weight"]))
        if call.name in OF_ERRORS and call.prediction.shape == call.target.shape:
            self._predictions.append(call.prediction.cpu())
            self._numbers += target.numel()


@dataclass(frozen=True)
class EvenScores:
    """What a step makes of its loss where its predictions say nothing.

    Attributes:
        loss: over the training split.
        response: by how many per cent it changes where what it is made of changes by one. A focal loss over ten classes
            has 1.5, over three 2.1: whatever a fresh cross-entropy is off, it is off by so many times more.
    """

    loss: float
    response: float


def even_scores(bench: Bench) -> EvenScores | None:
    """The step's own code runs with scores of zero.

    This is for steps that make another loss of what cross-entropy returns, such as a focal one. None where the loss takes
    no scores of classes, or where a step calls it several times.
    """
    loss = _of_even_scores(bench)
    if loss is None:
        return None
    first, more = _of_even_scores(bench, limit=1), _of_even_scores(bench, limit=1, times=1 + _SLIGHTLY)
    response = (more / first - 1) / _SLIGHTLY if first and more else math.nan
    return EvenScores(loss, response if math.isfinite(response) else 1.0)


def _of_even_scores(bench: Bench, *, limit: int | None = None, times: float = 1.0) -> float | None:
    from torch.nn import functional

    from art_training.setup.observer import answering
    from art_training.setup.scores.outputs import read_loss

    if bench.task.loss != "cross_entropy" or not _is_a_plain_mean(bench):
        return None
    seen: list[tuple[float, int]] = []
    several = False

    def answer(call: LossCall, before: int) -> "Tensor":
        nonlocal several
        several = several or before > 0
        if call.name != "cross_entropy":
            return call.value
        return functional.cross_entropy(call.prediction * 0, call.target, **call.options) * times

    def see(observation: BatchObservation) -> None:
        loss = read_loss(observation, bench.task).loss
        if loss is not None:
            seen.append((loss, observation.weight))

    with answering(answer):
        bench.observe(Split.TRAIN, see=see, limit=limit)
    if several or not seen:
        return None
    return sum(loss * weight for loss, weight in seen) / sum(weight for _, weight in seen)


def _is_a_plain_mean(bench: Bench) -> bool:
    """Whether a step takes the mean over what it makes of each loss, and not, as of the hardest, of some of them."""
    from art_training.setup.observer import answering
    from art_training.setup.scores.step_loss import total_loss

    def asked(first: float, others: float) -> float:
        found: list[float | None] = []

        def answer(call: LossCall, before: int) -> "Tensor":  # noqa: ARG001  Every call gets the same.
            values = call.value.new_full(call.value.shape, others)
            values.reshape(-1)[: values.numel() // 2] = first
            return values

        with answering(answer):
            bench.observe(Split.TRAIN, see=lambda seen: found.append(total_loss(seen)), limit=1)
        return math.nan if not found or found[0] is None else found[0]

    low, high = asked(1.0, 1.0), asked(2.0, 2.0)
    both = asked(1.0, 2.0) + asked(2.0, 1.0)  # together each half has had either
    return abs(both - low - high) <= 1e-4 * abs(low + high)


def _pooled(targets: "Sequence[Tensor]", task: Task) -> "Tensor":
    """One tensor of all targets; positions of sequences of different lengths become rows."""
    if len({target.shape[1:] for target in targets}) == 1:
        return _joined(targets)
    if task.loss in OF_CLASSES:
        soft = targets[0].is_floating_point()
        return _joined([one.movedim(1, -1).reshape(-1, one.shape[1]) if soft else one.reshape(-1) for one in targets])
    return _joined([target.reshape(-1, 1) for target in targets])


def _joined(tensors: "Sequence[Tensor]") -> "Tensor":
    import torch

    return torch.cat([tensor.reshape(1) if tensor.ndim == 0 else tensor for tensor in tensors])


def _reducing(task: Task, reduction: str) -> Task:
    return replace(task, loss_options={**task.loss_options, "reduction": reduction})


def _why_unseen(task: Task) -> str:
    if not task.loss:
        return "no loss function of torch was called; declare Setup(task={'loss': ...}) if it is one written by hand"
    return f"no call of {task.loss} was seen over the training split"
