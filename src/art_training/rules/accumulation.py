"""Rules on gradients that are added up over several batches."""

from art_training.probes.added_up import added_up, scale_free
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART526",
    "gradients of several batches are added and not averaged",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A step that optimises by itself differentiates the mean loss of each batch, or of each part of one, as it is, and its only optimiser, to which the scale of "
        "a gradient counts, steps on the sum of those of k batches. An error where the optimiser's own steps do not lower the loss (0.9 of the "
        "first or more), and do with the same gradients divided by k: smaller steps come further only where larger ones overshoot. "
        "Information where they do not: then it is a choice of the learning rate. Gradients that are cut are not judged."
    ),
    why="The steps are those of k times the learning rate, and change their size with the number of batches that are added up.",
    wrong="self.manual_backward(loss)  # and optimizer.step() after every eighth batch",
    right="self.manual_backward(loss / 8)  # and optimizer.step() after every eighth batch",
    source="https://github.com/Deci-AI/super-gradients/issues/1713",
    symptoms=("ART521", "ART911", "ART912"),
    trains=True,
)
def not_averaged(laboratory: Laboratory) -> Found | None:
    """A division that is missing."""
    if laboratory.ask(scale_free):
        raise NotApplicable("the optimiser makes steps of one size whatever the scale of a gradient")
    found = laboratory.ask(added_up)
    if found is None:
        raise NotApplicable("no plain sum of gradients of several batches is stepped on")
    k = found.batches
    harms = found.too_large
    told = "" if found.steps else ", for which there was no time"
    return Found(
        f"the optimiser steps on the sum of the gradients of {k} batches, each of a mean loss: at lr {found.rate:.3g} as with {k * found.rate:.3g} "
        f"on their mean" + ("" if harms else f", which is a choice of the learning rate unless it was meant for a mean{told}"),
        {"batches": k, "rate": found.rate, "first": found.first, "last": found.last, "divided": found.divided, "steps": found.steps},
        f"divide the loss by {k} before it is differentiated, and the learning rate holds for any number of batches",
        confirmed_by=(
            f"{found.steps} steps took the loss of a batch from {found.first:.3g} to {found.last:.3g}, and with gradients divided by {k} to "
            f"{found.divided:.3g}"
            if harms
            else ""
        ),
        severity=None if harms else Severity.INFO,
    )  # fmt: skip
