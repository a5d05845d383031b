"""Rules on what a part from elsewhere is given."""

import numpy as np

from art_training.probes.first_statistics import first_statistics
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_LEARNS = 0.8  # of the loss, that it falls to with inputs on the scale of the statistics


@rule(
    "ART823",
    "inputs on another scale than the pretrained part knows",
    category="transfer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "What enters the first batch norm, whose weights were loaded or are declared pretrained, is not what its statistics were "
        "collected of: in a typical channel the deviation is less than half or more than twice, or the mean lies more than a deviation away. And one "
        "factor and one offset of all inputs bring four fifths of the channels to their statistics (within a factor of 1.5 and half a deviation), which "
        "images of another kind do not. Confirmed where a few steps of training on inputs changed so bring the loss to 0.8 of what it is "
        "otherwise. Where they do not, as where the batch norm adapts, it is a warning if normalising is all that lies between both: one "
        "are numbers from 0 on, and the others are standardised (a mean within 0.75 of 0 and a deviation of 0.5 to 2); else an information. "
        "A batch norm that has seen 20 batches when the model is made is pretrained, too."
    ),
    why="Frozen features of such inputs are those of nearly black or burnt-out pictures: most of what was learned is lost.",
    wrong="x = image / 255  # for weights that were trained on (image / 255 - mean) / std",
    right="x = weights.transforms()(image)",
    source="https://docs.pytorch.org/vision/stable/models.html (preprocessing of pretrained weights)",
    symptoms=("ART405", "ART522"),
)
def other_statistics(laboratory: Laboratory) -> Found | None:
    """A normalisation that was forgotten."""
    task, declared = laboratory.task, laboratory.declarations.get("pretrained")
    if task is None or not task.inputs:
        raise NotApplicable("what enters the model is not known")
    names = laboratory.declared("pretrained") or (("*",) if declared else ())
    seen = laboratory.ask(first_statistics(task.inputs, names, laboratory.called))
    if seen is None:
        raise NotApplicable("no batch norm has statistics from elsewhere, or inputs are no numbers of floating point")
    if not seen.explained or seen.met is None:
        return None
    one, other = seen.as_it_is, seen.changed
    confirmed = one is not None and other is not None and np.isfinite(other.last) and other.last < _LEARNS * one.last
    return Found(
        f"what enters {seen.layer} differs from its statistics by a factor of {np.exp(seen.found.scale[0]):.2g} in deviation and {seen.found.shift[0]:.2g} "
        f"deviations in mean; with all inputs x become {seen.factor:.3g} x {'+' if seen.offset >= 0 else '-'} {abs(seen.offset):.3g} it is "
        f"{np.exp(seen.met.scale[0]):.2g} and {seen.met.shift[0]:.2g}",
        {
            "scale": float(np.exp(seen.found.scale[0])), "shift": seen.found.shift[0], "factor": seen.factor, "offset": seen.offset,
            "scale_met": float(np.exp(seen.met.scale[0])), "shift_met": seen.met.shift[0],
        },
        "normalise the inputs as the pretrained part was trained: the same range, mean and deviation",
        where=seen.layer,
        confirmed_by=(
            f"on inputs changed so the loss came to {other.last:.3g} in {other.steps} steps, and on these to {one.last:.3g}"
            if confirmed and one is not None and other is not None
            else f"inputs changed by this one factor and offset have the statistics of {seen.layer} in most channels, and these have not"
            if seen.forgotten
            else ""
        ),
        severity=None if confirmed else Severity.WARNING if seen.forgotten else Severity.INFO,
    )  # fmt: skip
