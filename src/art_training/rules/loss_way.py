"""Rules on what becomes of targets between the batch and the loss."""

from collections.abc import Iterable

from art_training.probes.on_the_way import lossy
from art_training.probes.paired import paired
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_OPEN = 0.01  # of the variance
_FEWEST = 4  # pairs
_MOST = 0.75  # of the pairs; of targets in another order those match that happen to be equal


@rule(
    "ART427",
    "targets are cut to whole numbers in the step",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A squared or absolute error is told one target an example, which is an entry of the batch cut or rounded to whole numbers, with at most half of its "
        "different values; a line through them leaves more than a hundredth of the entry's variance open, which no model can then explain. "
        "Information where it leaves less, and where targets are held within limits or put into steps, which is often meant: a cap on remaining "
        "life, grades. Losses of classes, for which numbers are put into classes, are not judged."
    ),
    why="Examples that differ have the same target: the error cannot fall below that of the cut, and validation asks for what training hides.",
    wrong="F.mse_loss(self(x), y.long().float())",
    right="F.mse_loss(self(x), y)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.Tensor.long.html (truncates towards zero)",
    symptoms=("ART405",),
)
def cut_on_the_way(laboratory: Laboratory) -> Iterable[Found]:
    """Numbers that the loss is not told."""
    seen = laboratory.ask(lossy)
    if seen is None:
        raise NotApplicable("no loss of numbers is told one an example")
    for one in seen:
        whole = one.kind == "whole"
        yield Found(
            f"the targets of {one.loss} are batch[{one.path}] {one.how}: {one.after} different numbers of {one.before}, and "
            f"{one.lost:.2%} of its variance is lost" + ("" if whole else f"; {one.limited:.0%} of them stand at the lowest or the highest"),
            {
                "entry": one.path, "different": one.after, "of": one.before, "lost": one.lost, "limited": one.limited, "rows": one.rows,
            },
            "give the loss the targets as they are: look for long, int, round or an integer dtype in the step"
            if whole
            else "give the loss the targets as they are, unless this is meant",
            where=one.where,
            confirmed_by=(
                f"in {one.rows} rows the best line through what the loss is told leaves {one.lost:.2%} of the variance open, and with "
                f"batch[{one.path}] itself 0%"
            ),
            severity=None if whole and one.lost > _OPEN else Severity.INFO,
        )  # fmt: skip


@rule(
    "ART428",
    "predictions are compared with targets of other examples",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The targets of a loss are the numbers of an entry of the batch, one an example, in whatever order. The inputs of two examples with different "
        "targets are exchanged: the two predictions that move by it are compared with other targets than those of the two, in a quarter of up to 8 pairs "
        "or more. Where a prediction is compared twice, as with both labels of a mixture, one of them may be another's; where more than two "
        "predictions move, examples are mixed, and nothing is judged."
    ),
    why="The labels are as good as drawn: what is learned is how frequent they are, and training accuracy stays where a guess is.",
    wrong="x = x[torch.randperm(len(x))]; loss = F.cross_entropy(self(x), y)",
    right="order = torch.randperm(len(x)); loss = F.cross_entropy(self(x[order]), y[order])",
    source="https://karpathy.github.io/2019/04/25/recipe/ (use backprop to chart dependencies)",
    symptoms=("ART405", "ART522"),
)
def compared_with_others(laboratory: Laboratory) -> Iterable[Found]:
    """An order that only one of two has."""
    seen = [one for one in laboratory.ask(paired) if one.tested >= _FEWEST]
    if not seen:
        raise NotApplicable(
            "no loss is told one target an example that the batch has, for predictions that each depend on one input"
        )
    for one in seen:
        if one.matched > _MOST * one.tested:
            continue
        apart = one.tested - one.matched
        order = (
            "in the order of the batch, in which its predictions are not"
            if one.in_order
            else "in another order than the batch"
        )
        yield Found(
            f"{one.loss} compares predictions with the targets of other examples in {apart} of {one.tested} pairs: it is told batch[{one.path}] {order}",
            {"entry": one.path, "pairs": one.tested, "apart": apart, "in order": one.in_order},
            "permute, sort or draw inputs and targets by the same indices, and bring what was sorted back before it is compared",
            confirmed_by=(
                f"with the inputs of two examples exchanged two predictions move, and in {one.matched} of {one.tested} pairs it is their targets "
                "that these are compared with"
            ),
        )  # fmt: skip
