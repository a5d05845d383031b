"""Rules on how a loss responds: to its targets, to its sign, to the number of examples."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor

from art_training.probes.added_up import scale_free
from art_training.probes.arriving import arriving
from art_training.probes.cost import lighter
from art_training.probes.direction import OwnSteps, by_mean, by_sum, slopes, turned
from art_training.probes.one_batch import course
from art_training.probes.pushes import Pushes, pushes
from art_training.probes.responses import responses, scaling
from art_training.probes.serving import plan
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import steps
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.data.batch import entries, mapped, size

# Half of all examples are moved away by chance; of 8 that are, a share of 95 % means all of them, by chance in one of 256.
_NEARLY_ALL = 0.95
_ENOUGH = 8


@rule(
    "ART420",
    "predictions and targets are not paired",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The loss stays the same, to single precision, when targets are exchanged among the examples of a batch, and changes "
        "when targets or inputs are made all alike. A loss of pairs cannot. An error where an operation that made a table "
        "(N, N) of a column (N, 1) and a row (N,) was seen too; else a warning. Confirmed where the loss responds to the "
        "exchange once targets have the shape of a column."
    ),
    why=(
        "A column minus a row is a table of all pairs: each prediction is compared with every target, and the best that can be "
        "learned is the mean of the targets. The loss falls, and looks like a hard problem."
    ),
    wrong="((self.net(x) - y) ** 2).mean()  # (N, 1) against (N,)",
    right="((self.net(x).squeeze(1) - y) ** 2).mean()",
    source="https://docs.pytorch.org/docs/stable/notes/broadcasting.html",
    symptoms=("ART405",),
)
def not_paired(laboratory: Laboratory) -> Iterable[Found]:
    """A silent broadcast."""
    found = laboratory.ask(responses)
    if found is None:
        raise NotMeasured("what the targets do to the loss could not be told")
    tables = [table for one in laboratory.ask(steps) for table in one.tables]
    for one in found.entries:
        own = [table for table in tables if one.path in table.paths]
        # A fresh model may predict nearly the same of every example, and then its inputs do next to nothing.
        if not found.unpaired(one) and not (own and one.exchanged <= found.noise < one.replaced):
            continue
        column = laboratory.ask(_with_columns)
        mended = next((other for other in column.entries if other.path == one.path), None) if column else None
        confirmed = ""
        if column is not None and mended is not None and mended.exchanged > 100 * column.noise:
            confirmed = (
                f"with targets of shape (N, 1) the exchange changes the loss by {mended.exchanged:.3g}, and as it is by "
                f"{one.exchanged:.2g}"
            )
        yield Found(
            f"exchanging batch[{one.path}] among the examples leaves the loss at {found.loss:.4g}: predictions and targets are "
            "not compared example by example",
            {"loss": found.loss, "exchanged": one.exchanged, "all alike": one.replaced, "noise": found.noise},
            "give predictions and targets one shape, such as predictions.squeeze(1) or targets.unsqueeze(1)",
            where=(own or tables)[0].where if tables else "",
            confirmed_by=confirmed,
            severity=None if tables else Severity.WARNING,
        )


@rule(
    "ART421",
    "an entry of the batch does nothing",
    category="loss",
    severity=Severity.INFO,
    stage=Stage.PROBE,
    finds="Neither a layer nor the loss changes when rows of an entry of the batch are exchanged or made all alike.",
    why="A target that is not used is not learned; many batches hold entries that are not meant to be.",
    wrong="loss = F.mse_loss(prediction, prediction.detach())",
    right="loss = F.mse_loss(prediction, y)",
    source="https://karpathy.github.io/2019/04/25/recipe/ (verify what enters the network)",
)
def unused_entry(laboratory: Laboratory) -> Iterable[Found]:
    """An entry that nothing depends on."""
    found = laboratory.ask(responses)
    if found is None:
        raise NotMeasured("what entries of the batch do to the loss could not be told")
    for one in found.entries:
        if one.replaced <= found.noise and one.exchanged <= found.noise:
            yield Found(
                f"batch[{one.path}] changes neither the model nor the loss",
                {"exchanged": one.exchanged, "all alike": one.replaced, "noise": found.noise},
                "use it, or ignore this where it is not meant to be learned",
            )


@rule(
    "ART422",
    "the loss has no gradient",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds="In every batch that was looked at, no parameter that trains is reached by the gradient of the loss.",
    why="Nothing is learned: the loss was taken out of the graph (detach, item, numpy, argmax) and made a tensor again.",
    wrong="return torch.tensor(loss.item(), requires_grad=True)",
    right="return loss",
    source="https://discuss.pytorch.org/t/109524 (a tensor created in the middle of the computation)",
    symptoms=("ART405", "ART324"),
)
def no_gradient(laboratory: Laboratory) -> Found | None:
    """A loss that is a constant to the optimiser."""
    found = laboratory.ask(_reached)
    if found is None:
        raise NotMeasured("the step optimises by itself, or returns no loss")
    reached, trained = found
    if reached or not trained:
        return None
    return Found(
        f"the gradient of the loss reaches none of the {trained} parameters that train",
        {"reached": reached, "parameters": trained},
        "look for detach(), item(), numpy(), argmax, no_grad or torch.tensor(...) between the model and the loss",
        confirmed_by=f"the loss was differentiated on every batch that was looked at, and {reached} gradients arrived",
    )


@rule(
    "ART423",
    "the loss is climbed",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The only loss of the step falls as what it compares becomes worse: the derivative of the step's loss by that of torch "
        "is negative; or, of a loss written by hand, descent moves the outputs of at least 95 % of the examples away from their "
        "targets, and the loss falls below zero. Confirmed by learning one batch with both signs. A loss whose sign follows an "
        "entry of the batch, such as a reward, is not judged."
    ),
    why="The optimiser makes predictions as wrong as it can, and the loss goes to minus infinity.",
    wrong="return -F.cross_entropy(logits, y)",
    right="return F.cross_entropy(logits, y)",
    source="https://doi.org/10.1145/3377811.3380395 (Humbatova et al., Taxonomy of Real Faults in Deep Learning Systems, 2020)",
    symptoms=("ART405", "ART450"),
)
def climbed(laboratory: Laboratory) -> Found | None:
    """A sign that is turned."""
    known = laboratory.ask(slopes)
    if known is None:
        raise NotMeasured("the step optimises by itself, or returns no loss")
    found = laboratory.ask(responses)
    if found is not None and any(one.sign for one in found.entries):
        return None
    away = laboratory.ask(_pushed) if not known else None
    negative = len(known) == 1 and known[0].highest < 0
    if not negative and (away is None or away.away < _NEARLY_ALL or away.of < _ENOUGH):
        return None
    up, down = laboratory.ask(course), laboratory.ask(turned)
    if up is None or down is None:
        return None
    if not negative and min(up.losses) >= 0:  # a distance is small where a label says alike: it is learned to a floor
        return None
    confirmed = ""
    if up.floor < up.first and down.floor <= 0.95 * down.first and min(down.losses) >= 0:
        confirmed = (
            f"with its sign turned the loss of one batch fell from {down.first:.3g} to {down.floor:.3g}, and as it is from "
            f"{up.first:.3g} to {up.floor:.3g}"
        )
    name = known[0].name if known else "the distance from the targets"
    return Found(
        f"{name} is made as large as it can be: the loss of one batch is {up.first:.4g} and was learned to {up.floor:.4g}",
        {
            "first": up.first,
            "after": up.floor,
            "turned": down.floor,
            "slope": known[0].highest if known else None,
            "moved away": away.away if away is not None else None,
        },
        "turn the sign of the loss",
        confirmed_by=confirmed,
        severity=None if confirmed else Severity.WARNING,
    )


@rule(
    "ART424",
    "a sum where the learning rate wants a mean",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The loss of a batch is the sum of those of its halves, and 40 steps of the set-up's own optimiser do not lower it, "
        "while they do when the loss is divided by the number of examples. A sum that the optimiser copes with is told as "
        "information."
    ),
    why=(
        "Gradients grow with the batch: a learning rate that is meant for a mean is too large by the number of examples, and "
        "means another thing with every batch size."
    ),
    wrong="F.cross_entropy(logits, y, reduction='sum')  # SGD, lr=0.1",
    right="F.cross_entropy(logits, y)",
    source="https://github.com/pyro-ppl/pyro/issues/731",
    symptoms=("ART521", "ART911", "ART912"),
)
def sum_for_mean(laboratory: Laboratory) -> Found | None:
    """A loss that grows with the batch."""
    found = laboratory.ask(scaling)
    if found is None:
        raise NotMeasured("a batch cannot be halved, or the step optimises by itself more than once")
    if not found.sums:
        return None
    summed, mean = laboratory.ask(by_sum), laboratory.ask(by_mean)
    confirmed = ""
    if summed is not None and mean is not None and _too_large(summed, mean):
        confirmed = (
            f"40 steps at lr {summed.rate:.3g} took the loss of an example from {summed.first:.3g} to {summed.last:.3g}, and "
            f"divided by the examples to {mean.last:.3g}"
        )
    return Found(
        f"the loss is a sum over the batch: {found.whole:.4g} for {found.examples} examples, {found.first:.4g} and "
        f"{found.second:.4g} for its halves",
        {"whole": found.whole, "first half": found.first, "second half": found.second, "examples": found.examples},
        "take the mean (reduction='mean'), or divide the learning rate by the batch size",
        confirmed_by=confirmed,
        severity=None if confirmed else Severity.INFO,
    )


@rule(
    "ART425",
    "divided twice for accumulation",
    category="loss",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "The trainer accumulates gradients of k batches and divides their losses by k, and the step returns the only loss that "
        "it computes over k. Information with optimisers that do not care for the scale of a gradient (Adam and its kind)."
    ),
    why="Updates are smaller by k than those of the large batch that is meant.",
    wrong="return loss / 4  # Trainer(accumulate_grad_batches=4)",
    right="return loss  # Trainer(accumulate_grad_batches=4)",
    source="https://lightning.ai/docs/pytorch/stable/common/trainer.html (accumulate_grad_batches)",
)
def divided_twice(laboratory: Laboratory) -> Found | None:
    """A division that the trainer makes too."""
    batches = laboratory.ask(plan).accumulate
    if batches < 2:
        raise NotApplicable("gradients of several batches are not accumulated")
    known = laboratory.ask(slopes)
    if known is None or len(known) != 1 or not known[0].single:
        raise NotMeasured("the step optimises by itself, or its loss is not one call of a loss of torch")
    share = known[0].highest
    if abs(share * batches - 1) > 1e-4:
        return None
    return Found(
        f"the step returns its loss times {share:.4g}, and the trainer divides it by {batches} for accumulation once more",
        {"share": share, "accumulate": batches},
        "return the loss as it is",
        confirmed_by=f"the loss of the step has the derivative {share:.4g} by {known[0].name}, and 1 / {batches} is {1 / batches:.4g}",
        severity=Severity.INFO if laboratory.ask(scale_free) else None,
    )


def _pushed(specimen: Specimen) -> Pushes | None:
    found = responses(specimen)
    if found is None:
        return None
    return pushes(specimen, [one.path for one in found.entries if one.replaced > 100 * found.noise])


def _too_large(summed: OwnSteps, mean: OwnSteps) -> bool:
    """Whether steps on the sum learn next to nothing, where steps that are smaller by the number of examples do.

    Smaller steps that come further are only possible where the larger ones overshoot.
    """
    return summed.last >= 0.9 * summed.first and mean.last <= 0.97 * min(mean.first, summed.last)


def _reached(specimen: Specimen) -> tuple[int, int] | None:
    if not specimen.automatic:
        return None
    specimen = lighter(specimen)
    names = {name for name, one in specimen.module.named_parameters() if one.requires_grad}
    first = arriving(specimen, rows=size(specimen.batches[0]))
    if first.loss is None:
        return None
    reached = {name for name, one in first.norms.items() if one is not None}
    for batch in () if reached else specimen.batches[1:]:
        reached |= {name for name, one in specimen.gradients(batch).items() if one is not None}
        if reached:
            break
    return len(reached & names), len(names)


def _with_columns(specimen: Specimen) -> Any:
    """The responses where rows (N,) that nothing but the loss sees are columns (N, 1)."""
    found = responses(specimen)
    names = {one.path for one in found.entries if one.exchanged <= found.noise} if found is not None else set[str]()
    batch = specimen.batches[0]
    wanted = [leaf for path, leaf in entries(batch).items() if path in names]

    def column(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not any(leaf is one for one in wanted):
            return leaf
        return leaf.unsqueeze(1) if leaf.ndim == 1 else leaf.squeeze(1)

    return responses(replace(specimen, batches=(mapped(batch, column),)))
