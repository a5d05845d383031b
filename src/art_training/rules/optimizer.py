"""Rules on optimisers: what they hold, and what becomes of a gradient."""

from collections.abc import Iterable

from art_training.probes.arrivals import Arrivals
from art_training.probes.ownership import ownership
from art_training.probes.updates import Updates
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_ENOUGH = 3  # steps, before which nothing is said of all steps
_MANY = 10  # batches without any step, before which a long accumulation is possible
_OPPOSED = -0.5  # cosine; gradients of unlike losses lie about 0, those of adversaries near -1
_REVERSED = -0.7


@rule(
    "ART510",
    "parameters that train are in no optimiser",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "A parameter requires a gradient and gets one, no optimiser that stepped holds it, and at the end of a short training "
        "it is bit by bit as it was. An error where an optimiser holds tensors instead that are no part of the model and get "
        "no gradient, where the parameter was unfrozen during the training, or where its weights are still distributed as "
        "initialisers draw them and one batch is learned further with it (a warning where it is not); else an information, "
        "since weights from elsewhere may be left alone on purpose."
    ),
    why=(
        "The layer keeps the weights that it was made with. It happens when a head is replaced after the optimiser was made, "
        "when layers are unfrozen later, or when only a part of the model is passed to the optimiser."
    ),
    wrong="optimizer = Adam(net.parameters()); net.head = nn.Linear(64, 10)",
    right="net.head = nn.Linear(64, 10); optimizer = Adam(net.parameters())",
    source="https://github.com/huggingface/accelerate/issues/2665",
    settles=("frozen", "unused"),
    watches=(Updates,),
    asks=(ownership,),
)
def in_no_optimizer(laboratory: Laboratory) -> Found | None:
    """A gradient that nobody applies."""
    watched = laboratory.get(Updates)
    if watched.fixed is None:
        raise NotMeasured("the short training did not come to its end")
    if not watched.groups:
        raise NotMeasured("no optimiser stepped")
    missing = [
        name for name in watched.unowned if name in watched.fixed and not laboratory.names(name, "frozen", "unused")
    ]
    if not missing:
        return None
    known = laboratory.ask(ownership)
    late = [name for name in missing if name in watched.late]
    fresh = [name for name in missing if name in known.fresh]
    gains = known.without is not None and known.with_them is not None and known.with_them < 0.9 * known.without
    told = modules_of(late or missing)
    confirmed = (
        f"in as many steps of Adam the loss of one batch fell to {known.with_them:.3g} with all that trains, and to "
        f"{known.without:.3g} with what the optimiser holds"
        if gains
        else ""
    )
    evidence = {
        "parameters": len(missing),
        "gradient": max(watched.unowned[name] for name in missing),
        "strangers": len(watched.strangers),
        "without": known.without,
        "with": known.with_them,
    }
    if watched.strangers:
        said = (
            f"the optimiser holds {len(watched.strangers)} tensors that are no part of the model and get no gradient, while "
            f"{told} gets gradients of norm {evidence['gradient']:.2g} and is in no optimiser"
        )
        remedy = "make the optimiser after the last layer was replaced, from the parameters that the model then has"
    elif late:
        said = f"{told} was unfrozen during the training and gets gradients, and is in no group of an optimiser"
        remedy = "add what is unfrozen to the optimiser (add_param_group), or let it hold all parameters from the start"
        confirmed = confirmed or "its weights stayed bit by bit as they were"
    else:
        said = (
            f"{told} gets gradients of norm {evidence['gradient']:.2g} and is in no optimiser; its weights did not move in "
            f"{max(one.steps for one in watched.groups.values())} steps"
        )
        remedy = f"pass {told} to the optimiser; where it is meant to stay as it is, requires_grad_(False) says so and saves time"
    sure = bool(watched.strangers or late or (fresh and gains))
    severity = None if sure else Severity.WARNING if fresh else Severity.INFO
    return Found(said, evidence, remedy, where=told, confirmed_by=confirmed, severity=severity)


@rule(
    "ART511",
    "gradients are gone before the step",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "At every step that an optimiser made, a backward pass had brought gradients to its parameters since the last step, "
        "and at the step there were none left."
    ),
    why="Such a step changes nothing: the loss is computed, and the model stays as it was made.",
    wrong="self.manual_backward(loss); optimizer.zero_grad(); optimizer.step()",
    right="optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
    source="https://docs.pytorch.org/docs/stable/optim.html (taking an optimization step)",
    symptoms=("ART510",),
    watches=(Arrivals, Updates),
)
def gradients_dropped(laboratory: Laboratory) -> Iterable[Found]:
    """A zero_grad between backward and step."""
    still = laboratory.get(Updates)
    for index, seen in enumerate(laboratory.get(Arrivals).optimizers):
        if seen.steps >= _ENOUGH and seen.dropped == seen.steps:
            fixed = len(still.fixed or ())
            yield Found(
                f"in all of {seen.steps} steps of optimiser {index} the gradients that had arrived were gone before the step",
                {
                    "optimizer": index, "steps": seen.steps, "dropped": seen.dropped, "arrived": seen.arrived,
                    "unchanged_parameters": fixed,
                },
                "clear gradients before the backward pass or after the step, and not between the two",
                where="training_step",
                confirmed_by=(
                    f"of gradients of norm {seen.arrived:.2g} that had arrived the step found 0"
                    + (f"; {fixed} parameters are bit by bit as they were" if fixed else "")
                ),
            )  # fmt: skip


@rule(
    "ART512",
    "gradients are not cleared between steps",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "In most steps of an optimiser the gradient that was used is the sum of what arrived since the last step and of what "
        "that step had used already. Accumulation over batches adds up before a step, and never across one."
    ),
    why=(
        "Old gradients are applied again and again, with equal weight for ever: steps grow, and the direction is that of "
        "batches long gone. It resembles a momentum of 1."
    ),
    wrong="self.manual_backward(loss); optimizer.step()",
    right="optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
    source="https://docs.pytorch.org/tutorials/recipes/recipes/zeroing_out_gradients.html",
    watches=(Arrivals,),
)
def gradients_pile_up(laboratory: Laboratory) -> Iterable[Found]:
    """A zero_grad that is missing."""
    for index, seen in enumerate(laboratory.get(Arrivals).optimizers):
        if seen.stale >= _ENOUGH and 2 * seen.stale > seen.steps:
            yield Found(
                f"in {seen.stale} of {seen.steps} steps of optimiser {index} the gradient still held what the step before had "
                f"used: a norm of {seen.carried:.2g} beside the {seen.arrived:.2g} that had arrived",
                {
                    "optimizer": index, "steps": seen.steps, "stale": seen.stale,
                    "carried": seen.carried, "arrived": seen.arrived,
                },
                "call optimizer.zero_grad() before each backward pass that begins a step",
                where="training_step",
                confirmed_by=(
                    f"what was added to the gradient since the last step, of norm {seen.arrived:.2g}, was taken apart from "
                    f"what had been there, of norm {seen.carried:.2g}"
                ),
            )  # fmt: skip


@rule(
    "ART513",
    "an optimiser applies gradients of its adversary",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "The gradient of an optimiser's steps is the sum of one part from before and one from after another optimiser's step, "
        "and the two point against each other: their cosine is below -0.5 in the middle of the steps, where parts of one loss, "
        "as of gradients that are accumulated, point the same way. Or an optimiser holds all that trains, another holds a "
        "part of it, and they step this part in turn by gradients whose cosine is below -0.7: a loss and its reverse have -1, "
        "and losses that merely compete for a part lie higher."
    ),
    why="A generator that is also stepped by the loss of its discriminator, or the other way round, works against itself.",
    wrong="d_loss = ...D(G(z))...; d_loss.backward(); opt_d.step(); g_loss.backward(); opt_g.step()",
    right="d_loss = ...D(G(z).detach())...; and zero_grad() of each optimiser before its own backward pass",
    source="https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html",
    watches=(Arrivals,),
)
def adversaries_mixed(laboratory: Laboratory) -> Iterable[Found]:
    """Gradients of one loss in the step of another."""
    watched = laboratory.get(Arrivals).optimizers
    if len(watched) < 2:
        raise NotApplicable("there are not two optimisers that step")
    one_of_many = any(not one.whole for one in watched)
    for index, seen in enumerate(watched):
        for cosines, opposed, what, remedy in (
            (
                seen.cosines,
                _OPPOSED,
                "used gradients from before another optimiser's step",
                "detach what the other's loss must not train, and clear the gradients of an optimiser before its own backward pass",
            ),
            (
                seen.clashes if one_of_many and seen.whole else [],
                _REVERSED,
                "moved parameters that another optimiser holds too, by gradients",
                "give each optimiser the parameters of its own part only, such as self.generator.parameters()",
            ),
        ):
            middle = sorted(cosines)[len(cosines) // 2] if cosines else 1.0
            if len(cosines) < max(_ENOUGH, seen.steps / 2) or middle >= opposed:
                continue
            yield Found(
                f"{len(cosines)} of {seen.steps} steps of optimiser {index} {what} that point the other way (cosine {middle:.2f})",
                {"optimizer": index, "steps": seen.steps, "mixed": len(cosines), "cosine": middle},
                remedy,
                where="training_step",
                confirmed_by=f"where both pull the same way the cosine is near 1; it is {middle:.2f} in the middle of the steps",
            )
            return


@rule(
    "ART514",
    "no optimiser steps",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "An epoch and at least 10 batches went by without a single step of an optimiser that holds parameters of the model, "
        "and all parameters that train are bit by bit as they were."
    ),
    why="Losses are computed and logged, and nothing is learned.",
    wrong="optimizer.zero_grad(); self.manual_backward(loss)",
    right="optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
    source="https://lightning.ai/docs/pytorch/stable/model/manual_optimization.html",
    watches=(Updates,),
)
def never_steps(laboratory: Laboratory) -> Found | None:
    """A step that is missing."""
    seen = laboratory.get(Updates)
    if seen.fixed is None:
        raise NotMeasured("the short training did not come to its end")
    if seen.groups or not seen.epochs or seen.batches < _MANY or not seen.fixed or len(seen.fixed) < seen.trainable:
        return None
    return Found(
        f"in {seen.batches} batches no optimiser made a step, and all {len(seen.fixed)} parameters are as they were",
        {"batches": seen.batches, "epochs": seen.epochs, "parameters": len(seen.fixed)},
        "call optimizer.step() after the backward pass",
        where="training_step",
        confirmed_by="the weights were compared bit by bit",
    )


def modules_of(names: Iterable[str]) -> str:
    """The modules that parameters are of, in a few words."""
    found = list(dict.fromkeys(one.rpartition(".")[0] or one for one in names))
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
