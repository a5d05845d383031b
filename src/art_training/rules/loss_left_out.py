"""Rules on losses that are computed and not learned."""

from collections.abc import Iterable

from art_training.probes.left_out import LeftOut, left_out
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART429",
    "a loss is computed and not learned",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A loss of torch that the training step computes, or a value with a graph that it logs, is no part of the loss that it returns in 16 "
        "passes over batches: no gradient comes back to it, or one that is exactly zero while the returned loss stays finite where this one is "
        "NaN, which it would not with a weight of 0. It reaches parameters of an optimiser that the returned loss does not "
        "reach, weights moved a little first. A metric of outputs that are learned otherwise is none. Information "
        "where the model's code asks for the epoch or the step, since the loss may join in later."
    ),
    why="A part of the model keeps its random weights while its loss is logged beside the others as if it were learned.",
    wrong="self.log('train/age', age_loss); return species_loss",
    right="self.log('train/age', age_loss); return species_loss + age_loss",
    source="https://arxiv.org/abs/1706.05098 (Ruder, An overview of multi-task learning: the sum of the losses)",
    settles=("unused", "frozen"),
    symptoms=("ART421",),
)
def not_learned(laboratory: Laboratory) -> Iterable[Found]:
    """A term that is missing in the sum."""
    found = laboratory.ask(left_out)
    if found is None:
        raise NotMeasured("the step optimises by itself, or returns no loss")
    for one in found:
        if not all(laboratory.names(module, "frozen", "unused") for module in one.modules):
            yield _told(one)


def _told(one: LeftOut) -> Found:
    named = f"{one.name} of {one.value:.4g}" + (
        f", logged as {one.logged}," if one.logged not in {"", one.name} else ""
    )
    modules = ", ".join(one.modules[:4]) + (" and others" if len(one.modules) > 4 else "")
    return Found(
        f"{named} is computed and is no part of the loss that is returned: {modules} with {one.parameters:,} parameters get no gradient",
        {"loss": one.name, "logged": one.logged, "value": one.value, "parameters": one.parameters, "gradient": one.gradient},
        "add it to the loss that training_step returns; where it is only watched, compute it under torch.no_grad(), or declare "
        "unused=[...]",
        where=one.where or ", ".join(one.modules[:1]),
        confirmed_by=f"added to the loss it gives {modules} a gradient of norm {one.gradient:.2g}, and as it is they get none",
        severity=Severity.INFO if one.later else None,
    )  # fmt: skip
