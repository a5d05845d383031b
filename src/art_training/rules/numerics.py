"""Rules on numbers that are none: NaN and infinity, and where they come from."""

import math

from art_training.probes import Rows
from art_training.probes.finiteness import Origin, origin
from art_training.probes.health import Health
from art_training.probes.missing import planted
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_MOST_OF = 0.5  # of the steps that were looked at; a loss scaler skips a few at the beginning, and none later
_FEWEST = 8

_CLAMP = {
    "log": "clamp what enters the logarithm, or compute it from logits: log_softmax, logsigmoid, log1p",
    "sqrt": "add a small number under the root: sqrt(x + 1e-12); its derivative at 0 is infinite",
    "norm": "add a small number: (x.square().sum(-1) + 1e-12).sqrt(); the derivative of a norm at 0 is not defined",
    "pow": "keep the base above 0, as with clamp(min=1e-6)",
    "div": "add a small number to the denominator",
    "exp": "subtract the largest value before exp, or use softmax, logsumexp or softplus",
    "softmax": "let no row of a mask be hidden wholly: a softmax of -inf alone is NaN",
}


@rule(
    "ART910",
    "a loss or gradient that is no number on fresh weights",
    category="numerics",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "On fresh weights the loss of a batch is NaN or infinite, or it is finite and a gradient is not. Every operation of that "
        "batch is then looked at; what is told is the first whose result has NaN or infinity though everything that entered "
        "it was finite. Where it was computed in half precision, it is repeated in single precision. Masks that hold -inf do "
        "not count where loss and gradients are finite."
    ),
    why="One NaN in a gradient makes every weight NaN in one step; from then on nothing is learned, and nothing is raised.",
    wrong="loss = -torch.log(probability).mean()  # of a probability that may be 0",
    right="loss = F.nll_loss(F.log_softmax(logits, dim=1), y)",
    source="https://docs.pytorch.org/docs/stable/notes/autograd.html (undefined gradients and NaN)",
    symptoms=("ART911", "ART912"),
)
def arises(laboratory: Laboratory) -> Found | None:
    """NaN and infinity have a place where they arise."""
    found = laboratory.ask(origin)
    if found is None:
        return None
    evidence = {"batch": found.batch, "batches": found.of, "concerned": found.concerned, "loss": found.loss}
    said = f"in {found.concerned} of {found.of} batches" if found.of > 1 else "in the first batch"
    if found.kind == "input":
        return Found(
            f"the entry {found.name!r} of batch {found.batch} holds NaN or infinity, and the loss is {found.loss} ({said})",
            evidence,
            "fill or remove missing values before training: torch.nan_to_num, an imputer fitted on training rows, or a mask",
            where=f"batch {found.batch}",
            confirmed_by=f"of {found.of - found.concerned} batches without them the loss is finite"
            if found.concerned < found.of
            else "",
        )
    if found.overflow is not None:
        return Found(
            f"{found.name} overflows in half precision, which ends at 65504, and the loss is {found.loss} ({said})",
            {**evidence, "largest": found.overflow},
            "compute it in single precision (x.float(), or torch.autocast(enabled=False) around it), scale what enters it, or "
            "use precision='bf16-mixed', whose range is that of single precision",
            where=found.where,
            confirmed_by=f"in single precision the same operation gives at most {found.overflow:.3g}",
        )
    return Found(_told(found, said), evidence, _remedy(found), where=found.where)


def _told(found: Origin, said: str) -> str:
    if found.kind == "gradient":
        return f"the loss is {found.loss:.4g}, and the derivative of {found.name} is NaN or infinite ({said})"
    if found.kind == "operation":
        return f"{found.name} gives NaN or infinity of finite numbers, and the loss is {found.loss} ({said})"
    return f"the loss of fresh weights is {found.loss} ({said})"


def _remedy(found: Origin) -> str:
    name = found.name.lower().strip("_")
    for part, remedy in _CLAMP.items():
        if part in name:
            return remedy
    return "look at what enters the operation: a division by zero, a logarithm or root of zero, an overflow"


@rule(
    "ART911",
    "the loss becomes NaN or infinite",
    category="numerics",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds="The loss of a training batch is NaN or infinite. Every loss of the training is looked at.",
    why="After one step with such a loss all weights are NaN, and nothing is learned any more.",
    wrong="torch.optim.SGD(self.parameters(), lr=100.0)",
    right="torch.optim.SGD(self.parameters(), lr=0.1)",
    source="https://karpathy.github.io/2019/04/25/recipe/",
    watches=(Health,),
)
def loss_is_no_number(laboratory: Laboratory) -> Found | None:
    """The course of the loss."""
    seen = laboratory.get(Health)
    if not seen.losses:
        raise NotMeasured("the step returns no loss")
    if seen.loss is None:
        return None
    before = seen.gradient is not None and seen.gradient.step <= seen.loss.step
    cause = f"; the gradients were no numbers already in {seen.gradient}" if before else ""
    return Found(
        f"the loss was {seen.loss.value} in {seen.loss}, after {seen.loss.step} optimiser steps{cause}",
        {"step": seen.loss.step, "epoch": seen.loss.epoch, "batch": seen.loss.index, "losses": seen.losses},
        "lower the learning rate or clip gradients where the loss grew before; else look for a logarithm, root or division of "
        "zero in that batch (torch.autograd.set_detect_anomaly(True) names it)",
        where=str(seen.loss),
    )


@rule(
    "ART912",
    "gradients are NaN or infinite while the loss is finite",
    category="numerics",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "The gradient of an optimiser step is not finite though the loss of its batch is, and weights are not finite at the "
        f"end, or the loss is not later, or it is so in more than half of at least {_FEWEST} steps that were looked at. Single "
        "steps after which the weights stay finite are an information: a loss scaler skips them."
    ),
    why="The derivative of a root, a norm or a division at zero is infinite: the loss looks well, and the weights are lost.",
    wrong="distance = (a - b).square().sum(1).sqrt()",
    right="distance = ((a - b).square().sum(1) + 1e-12).sqrt()",
    source="https://docs.pytorch.org/docs/stable/notes/autograd.html (gradients for non-differentiable functions)",
    symptoms=("ART911",),
    watches=(Health,),
)
def gradient_is_no_number(laboratory: Laboratory) -> Found | None:
    """The gradients as they are applied."""
    seen = laboratory.get(Health)
    if not seen.gradients:
        raise NotMeasured("no gradients were looked at")
    if seen.gradient is None or (seen.loss_at_gradient is not None and not math.isfinite(seen.loss_at_gradient)):
        return None
    lost = bool(seen.weights) or (seen.loss is not None and seen.loss.step >= seen.gradient.step)
    most = seen.gradients >= _FEWEST and seen.bad_gradients > _MOST_OF * seen.gradients
    last = seen.gradient_names[-1] if seen.gradient_names else ""
    loss = "" if seen.loss_at_gradient is None else f", where the loss was {seen.loss_at_gradient:.4g}"
    return Found(
        f"the gradients of {len(seen.gradient_names)} parameters were no numbers in {seen.gradient}{loss}"
        + (f"; {len(seen.weights)} parameters are none at the end" if seen.weights else ""),
        {
            "step": seen.gradient.step,
            "parameters": len(seen.gradient_names),
            "bad steps": seen.bad_gradients,
            "steps": seen.gradients,
            "lost weights": len(seen.weights),
        },
        "add a small number where a root, a norm or a division meets zero (torch.autograd.set_detect_anomaly(True) names the "
        "operation), and clip gradients with error_if_nonfinite=True to be told",
        where=last,
        severity=None if lost or most else Severity.INFO,
    )


@rule(
    "ART915",
    "rows with NaN or infinity spoil the loss",
    category="numerics",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Inputs of rows, as they enter the model without augmentation, hold NaN or infinity, and a NaN that is planted into one "
        "input of a batch makes its loss NaN. An information where it does not: the model then knows of missing values."
    ),
    why="The first batch with such a row makes every weight NaN; in validation it makes the score NaN, which is never the best.",
    wrong="x = torch.tensor(frame.values, dtype=torch.float32)",
    right="x = torch.tensor(frame.fillna(frame[train].mean()).values, dtype=torch.float32)",
    source="https://scikit-learn.org/stable/modules/impute.html",
    symptoms=("ART910", "ART911", "ART912"),
)
def missing_numbers(laboratory: Laboratory) -> Found | None:
    """Every row that was read."""
    splits = {split: one.missing for split, one in laboratory.get(Rows).splits.items() if one.missing is not None}
    if not splits:
        laboratory.task_of(*TaskKind)  # of a task that could not be told no inputs are known
        raise NotMeasured("the inputs are no numbers")
    counts = {split: int(missing.sum()) for split, missing in splits.items() if missing.any()}
    first = next((f"{split} row {int(splits[split].argmax())}" for split in counts), "")
    if not counts:
        return None
    told = ", ".join(f"{count} of {len(splits[split])} {split.value} rows" for split, count in counts.items())
    try:
        experiment = laboratory.ask(planted)
    except NotMeasured:
        experiment = None
    spreads = experiment is not None and (experiment.spreads or not math.isfinite(experiment.before))
    shown = (
        ""
        if experiment is None or not experiment.spreads
        else (f"with one NaN planted into a batch its loss went from {experiment.before:.4g} to {experiment.after}")
    )
    return Found(
        f"inputs of {told} hold NaN or infinity",
        {split.value: count for split, count in counts.items()},
        "fill or remove missing values before training, with an imputer that is fitted on training rows, or a mask",
        where=first,
        confirmed_by=shown,
        severity=None if spreads else Severity.INFO,
    )
