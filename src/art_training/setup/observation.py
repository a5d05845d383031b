"""What an engine sees while a batch passes through a model; the same for every engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from art_training.records import Split

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LossCall:
    """One call of a loss function of torch, functional or through a module.

    Attributes:
        name: `cross_entropy`, `mse_loss`, ...
        prediction: what was passed first, detached.
        target: what it was compared with, detached.
        options: every other argument (weights as tensors, `reduction`, `ignore_index`, ...).
        value: what the call returned, detached.
    """

    name: str
    prediction: "Tensor"
    target: "Tensor"
    options: Mapping[str, Any]
    value: "Tensor"


@dataclass(frozen=True)
class Entering:
    """What of a batch was seen to enter a step.

    Attributes:
        step: paths of the entries that what the step computed depends on.
        predictions: those that what was compared with targets depends on.
    """

    step: frozenset[str]
    predictions: frozenset[str]


@dataclass(frozen=True)
class Comparison:
    """A prediction that a step's own code compared, element by element, with an entry of its batch.

    Attributes:
        path: of the entry that the target was made of, and nothing else.
        prediction: what depends on the parameters of the model, detached.
        target: of the same shape, detached.
        equal: whether it was asked where both are equal; else one was subtracted from the other.
        classes: how many scores a prediction is the place of the largest of; None where it is none.
    """

    path: str
    prediction: "Tensor"
    target: "Tensor"
    equal: bool
    classes: int | None = None


@dataclass(frozen=True)
class BatchObservation:
    """One batch on its way through a model's step, in evaluation.

    Tensors are detached and live on the device of the model; whoever keeps them moves them.

    Attributes:
        split: which split the batch is of.
        loader: name of its loader; None where the split has one loader only.
        index: the batch's number in its loader, from 0.
        batch: what the model's step received.
        returned: what the step returned.
        losses: calls of loss functions, in order.
        metric_inputs: arguments of calls of torchmetrics objects: (class name, arguments).
        logged: what the step logged in this batch, by name, before any averaging.
        weight: how many examples the batch holds.
        entering: which entries entered what the step computed; None where they were not followed.
        compared: what the step's own code compared with entries; empty where they were not followed.
    """

    split: Split
    loader: str | None
    index: int
    batch: Any
    returned: Any = None
    losses: tuple[LossCall, ...] = ()
    metric_inputs: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    logged: Mapping[str, float] = field(default_factory=dict[str, float])
    weight: int = 0
    entering: Entering | None = None
    compared: tuple[Comparison, ...] = ()


See: TypeAlias = Callable[[BatchObservation], None]
