"""What a job may add to a training: looks at it, parts that train otherwise, a schedule, an average, a teacher."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.observation import BatchObservation

if TYPE_CHECKING:
    from torch import Tensor

Change: TypeAlias = Callable[[Any], Any]
"""A batch as it would enter the model -> the batch that enters instead; must not change what it is given."""

Teacher: TypeAlias = "Callable[[Any], Tensor]"
"""A batch as it enters the model -> what the model's predictions shall come near to, of their shape: probabilities where
the task's loss is one of classes or labels, values elsewhere."""


@dataclass(frozen=True)
class Look:
    """Batches that pass through the weights in evaluation mode before training and at the end of its epochs.

    Training is not disturbed: modes, buffers and random states are as they were. When it is looked at is counted in
    batches and never timed, so that it is the same each time. Over a training of known length, looks take at most their
    share of its batches, the first (before training) and the last (at its end) among them; a batch that only passes
    forward counts a third of one that trains, and what surrounds a look two more. Where the share does not allow a look
    after every epoch, the gaps between looks grow evenly; where it does not allow two, none is taken. A training of unknown length is looked at before it begins, and
    after every doubling as far as the share allows. One that ends before its time is looked at then; its early looks may
    have been more than their share of it. What was looked at is in `FitResult.parameters["looks"]`.

    A training that is resumed has the looks that it would have had; the one that it goes on from is taken again.

    Attributes:
        see: called with the number of completed epochs (0: before training) and each batch.
        split: of which split; in the order of its dataset, without augmentation.
        batches: the first so many of each loader; None: all.
        share: of the batches of training that this look may take.
        times: looks at most; None: as many as the share allows.
        least: batches of each loader that are enough where the share does not allow all of them in `times` looks or after
            every epoch; None: no fewer.
    """

    see: Callable[[int, BatchObservation], None]
    split: Split = Split.TRAIN
    batches: int | None = 1
    share: float = 0.01
    times: int | None = None
    least: int | None = None

    def __post_init__(self) -> None:
        for name in ("batches", "times", "least"):
            value = getattr(self, name)
            if value is not None and value < 1:
                remedy = "; give None for all" if name == "batches" else ""
                raise SetupError(f"{name}={value} of a look must be at least 1{remedy}")
        if self.least is not None and self.batches is not None and self.least > self.batches:
            raise SetupError(f"least={self.least} of a look must not be more than batches={self.batches}")
        if not (math.isfinite(self.share) and self.share >= 0):
            raise SetupError(f"share={self.share} of a look must be a number of at least 0; 0 takes no look")


@dataclass(frozen=True)
class Parts:
    """Which parameters train, and how fast. Patterns are those of `fnmatch`, on the names of parameters (`backbone.*`).

    A module all of whose parameters are frozen stays in evaluation mode, so that its batch norms keep their statistics. A
    batch norm without parameters goes with the module around it or, where part of that trains, with the layer before it.

    Attributes:
        frozen: parameters that do not train.
        thaw: by epoch (from 0) at whose beginning they do, the patterns that are frozen no more.
        rates: factors on the learning rate of the parameters that match, by pattern; the first that matches counts.
    """

    frozen: tuple[str, ...] = ()
    thaw: Mapping[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    rates: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        early = [epoch for epoch in self.thaw if epoch < 0]
        if early:
            raise SetupError(f"thaw has epoch {early[0]} of parts; epochs count from 0")
        for pattern, factor in self.rates.items():
            if not (math.isfinite(factor) and factor > 0):
                raise SetupError(
                    f"rates has the factor {factor} for {pattern!r}; it must be above 0 (what shall not train is frozen)"
                )


@dataclass(frozen=True)
class Averaging:
    """An average of the weights over training, which the training ends with.

    Attributes:
        kind: `ema`, an exponential moving average; `swa`, the mean of the weights at the ends of epochs, with the
            statistics of batch norms that belong to it.
        decay: of `ema`, a step.
        first_epoch: the epoch (from 0) from which on weights are averaged.
    """

    kind: Literal["ema", "swa"]
    decay: float = 0.999
    first_epoch: int = 0

    def __post_init__(self) -> None:
        if self.kind not in {"ema", "swa"}:
            raise SetupError(f"kind={self.kind!r} of averaging is unknown; it is 'ema' or 'swa'")
        if not 0 < self.decay < 1:
            raise SetupError(f"decay={self.decay} of averaging must lie between 0 and 1")
        if self.first_epoch < 0:
            raise SetupError(f"first_epoch={self.first_epoch} of averaging must not be negative; epochs count from 0")


@dataclass(frozen=True)
class Teaching:
    """A model that is taught by another: distillation.

    Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, 2015 (arXiv:1503.02531).

    Attributes:
        teacher: gives what the predictions shall come near to.
        share: of the loss that is the teacher's; the rest is the model's own.
        temperature: softens both sides where predictions are of classes.
    """

    teacher: Teacher
    share: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise SetupError(f"share={self.share} of teaching must be above 0 and at most 1")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise SetupError(f"temperature={self.temperature} of teaching must be above 0")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    Attributes:
        name: as in `named_parameters`.
        shape: of the tensor.
        trains: whether the model itself wants it trained.
        also: its other names, where layers are tied.
    """

    name: str
    shape: tuple[int, ...]
    trains: bool = True
    also: tuple[str, ...] = ()
