"""What connectionist temporal classification should lose before training.

The loss of a target is -ln of the summed probability of all paths that collapse to it (Graves et al., Connectionist
Temporal Classification, ICML 2006, equations 3 and 8). Where every frame is uniform over C classes, each of the paths of T
frames has the probability C^-T, so that only their number counts. A path of T frames that collapses to U labels, R of
them equal to the one before, is made of U runs of labels with blanks around them, and of at least one blank at each of
the R places: there are binom(T + U - R, 2 U) of them.
"""

import math
from typing import TYPE_CHECKING

from art_training.setup.observation import LossCall
from art_training.setup.scores.expectation import Expected, unknown
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor


def lengths_of(call: LossCall) -> "Tensor":
    """(examples, 4): frames, labels, labels that repeat the one before, and classes with the blank."""
    import torch

    frames = torch.as_tensor(call.options["input_lengths"]).reshape(-1).cpu()
    labels = torch.as_tensor(call.options["target_lengths"]).reshape(-1).cpu()
    targets = call.target.detach().cpu()
    together = targets.ndim < 2  # one after another, or of one example
    rows = targets.split(labels.tolist()) if together else [row[:n] for row, n in zip(targets, labels, strict=True)]
    repeats = torch.tensor([int((row[1:] == row[:-1]).sum()) for row in rows])
    return torch.stack([frames, labels, repeats, torch.full_like(frames, call.prediction.shape[-1])], 1)


def ctc(lengths: "Tensor", task: Task) -> Expected:
    """T ln C - ln binom(T + U - R, 2 U), over U where the loss is a mean.

    Args:
        lengths: as of `lengths_of`.
        task: the loss's options.
    """
    if lengths.ndim != 2 or lengths.shape[1] != 4:
        return unknown("the lengths of frames and labels are not known")
    frames, labels, repeats, classes = lengths.double().unbind(1)
    free = frames - labels - repeats
    impossible = free < 0
    if bool(impossible.any()) and not task.loss_options.get("zero_infinity"):
        count = int(impossible.sum())
        return unknown(f"{count} example(s) have fewer frames than their labels need, so that their loss is infinite")
    ways = (free + 2 * labels + 1).lgamma() - (2 * labels + 1).lgamma() - (free.clamp(min=0) + 1).lgamma()
    losses = (frames * classes.log() - ways).where(~impossible, 0.0)
    if task.loss_options.get("reduction", "mean") == "mean":
        losses /= labels.clamp(min=1)
    value = float(losses.mean())
    return Expected(value if math.isfinite(value) else None, None, "the best constant of alignments has no closed form")
