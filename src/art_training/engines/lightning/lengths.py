"""How long a training is."""

import math
from typing import Any

from art_training.engines.timetable import Length


def batches_of(trainer: Any) -> int | None:
    """Batches in an epoch of training; None where nobody knows."""
    count = trainer.num_training_batches
    return int(count) if math.isfinite(count) else None


def epochs_of(trainer: Any) -> int | None:
    """Epochs that a training will have, as far as its settings tell; None where they do not."""
    limits: list[int] = []
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        limits.append(trainer.max_epochs)
    batches = batches_of(trainer)
    if trainer.max_steps >= 0 and batches:
        limits.append(math.ceil(trainer.max_steps / math.ceil(batches / trainer.accumulate_grad_batches)))
    return min(limits) if limits else None


def length_of(trainer: Any) -> Length:
    """How long a training will be that has begun or goes on, from its very beginning."""
    epochs, batches = epochs_of(trainer), batches_of(trainer)
    if epochs is None or batches is None:
        return Length(epochs, None)
    most = epochs * batches
    return Length(
        epochs, most if trainer.max_steps < 0 else min(most, trainer.max_steps * trainer.accumulate_grad_batches)
    )
