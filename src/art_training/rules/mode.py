"""Rules on training and evaluation mode: what is on when it should be off, and off when it should be on."""

from collections.abc import Iterable

from art_training.probes import Evaluation
from art_training.probes.batch_norms import lag
from art_training.probes.modes import ModesWatch
from art_training.probes.randomness import differ, forced, modal, sticky
from art_training.probes.updates import Updates
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, require_validation
from art_training.rules.rule import Found, Stage, rule

_USUAL = 0.1  # torch's momentum of a batch norm


@rule(
    "ART611",
    "validation runs in training mode",
    category="mode",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "When a validation begins or ends, dropouts with a share above 0 or norms that keep statistics are in training mode. "
        "Confirmed where statistics changed during a validation, or where passes in training mode differ."
    ),
    why=(
        "Dropout makes the score of a validation random and too low, and a batch norm in training mode learns from the rows "
        "that it is to be judged by."
    ),
    wrong="def on_validation_model_eval(self): pass",
    right="model.eval() before a validation, model.train() after it; trainers do both",
    source="https://docs.pytorch.org/docs/stable/notes/autograd.html (evaluation mode)",
    settles=("stochastic_eval",),
    symptoms=("ART311", "ART612"),
    watches=(ModesWatch,),
    asks=(sticky,),
)
def validation_in_training_mode(laboratory: Laboratory) -> Found | None:
    """Modes at the validation."""
    laboratory.settled("stochastic_eval")
    watched = laboratory.get(ModesWatch)
    if watched.evaluated is None:
        require_validation(laboratory)
        raise NotMeasured("no validation was seen")
    training = watched.evaluated.training
    if not training and not watched.evaluated.evaluating:
        raise NotApplicable("the model has no dropout and no batch norm")
    if not training:
        return None
    learned = [name for name, one in watched.statistics.items() if one.in_validation]
    confirmed = ""
    if learned:
        confirmed = f"the statistics of {_some(learned)} changed during the validation"
    else:
        try:
            known = laboratory.ask(sticky)
        except NotMeasured:
            known = None
        if known is not None and known.before > 0:
            confirmed = f"in training mode the loss of one batch differs by {known.before:.2g} between passes"
    return Found(
        f"{len(training)} of {len(training) + len(watched.evaluated.evaluating)} dropouts and batch norms are in training mode "
        f"during validation: {_some(training)}",
        {"training": len(training), "modules": list(training[:10]), "statistics_changed": len(learned)},
        "call model.eval() before validation and model.train() after it; where it is meant, declare stochastic_eval=True",
        where=training[0],
        confirmed_by=confirmed,
    )


@rule(
    "ART612",
    "dropout that no mode switches off",
    category="mode",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "In evaluation mode a function of dropout (or attention with dropout_p) is called with dropout switched on, or what is "
        "computed is multiplied by a random mask of its units, elsewhere than in the training step itself, and two evaluations of the same rows with the same weights differ. Confirmed where "
        "the loss differs less between passes without these calls. Without a second evaluation it is an information."
    ),
    why="What a model predicts is random, scores are too low, and averaging hides both.",
    wrong="h = nn.Dropout(0.5)(h)  # in forward: a new module, which trains",
    right="self.dropout = nn.Dropout(0.5)  # in __init__; or F.dropout(h, 0.5, training=self.training)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html (training=True by default)",
    settles=("stochastic_eval",),
    symptoms=("ART616",),
    asks=(forced,),
)
def dropout_always_on(laboratory: Laboratory) -> Found | None:
    """Randomness where there must be none."""
    laboratory.settled("stochastic_eval")
    found = laboratory.ask(forced)
    if found is None:
        raise NotMeasured("the step computes no loss that is seen")
    places = [place for name, place in found.calls if name != "training_step"]
    if not places:
        return None
    try:
        passes = laboratory.get(Evaluation)
    except NotMeasured:
        difference = None
    else:
        first, again = (
            [call.value for one in many for call in one.losses] for many in (passes.observations, passes.again)
        )
        difference = differ(first, again)
        if difference == 0:  # what the validation computes is not random: the call is of training alone
            return None
    confirmed = ""
    if found.without < found.spread:
        confirmed = (
            f"between passes from different seeds the loss of one batch differs by {found.spread:.2g}, and by {found.without:.2g} "
            "without these calls"
        )
    return Found(
        f"in evaluation mode dropout is applied {_some(places)}",
        {"calls": places[:5], "spread": found.spread, "without": found.without, "evaluations_differ": difference},
        "make dropout a module in __init__, or pass training=self.training (dropout_p=p if self.training else 0.0)",
        where=places[0],
        confirmed_by=confirmed,
        severity=Severity.INFO if difference is None else None,
    )


@rule(
    "ART613",
    "a part of the model evaluates while it trains",
    category="mode",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "When the first batch enters, a module is in evaluation mode with everything in it, optimiser steps move its "
        "parameters, and it holds dropout, or norms whose statistics are those that they were made with. Norms alone that are "
        "held in evaluation, and frozen parts, are meant; a part with collected statistics and no dropout is an information."
    ),
    why=(
        "Dropout does not act and batch norms do not learn the data's statistics: the network trains without what was to "
        "regularise it, or is judged by statistics that it never gathered."
    ),
    wrong="model.eval(); trainer.fit(model)",
    right="model.train(); trainer.fit(model)",
    source="https://github.com/Lightning-AI/pytorch-lightning/issues/20573",
    settles=("frozen",),
    watches=(ModesWatch, Updates),
    asks=(modal,),
)
def evaluates_while_training(laboratory: Laboratory) -> Iterable[Found]:
    """Modes at the first batch."""
    watched, updates = laboratory.get(ModesWatch), laboratory.get(Updates)
    for name, inside in watched.whole.items():
        stepped = [one for one in updates.parameters if not name or one.startswith(f"{name}.")]
        if not stepped or (name and laboratory.names(name, "frozen")):
            continue
        norms = [one for one in inside if one in watched.statistics]
        dropouts = [one for one in inside if one not in watched.statistics]
        meant = not dropouts and not any(watched.statistics[one].initial for one in norms)
        confirmed = ""
        try:
            known = laboratory.ask(modal)
        except NotMeasured:
            known = None
        if known is not None and known.training > known.standing:
            confirmed = (
                f"between passes the loss of one batch differs by {known.standing:.2g} as the model stands, and by "
                f"{known.training:.2g} after train()"
            )
        elif known is not None and known.statistics[1] > known.statistics[0]:
            confirmed = f"{known.statistics[0]} batch norms collect statistics as the model stands, and {known.statistics[1]} after train()"
        yield Found(
            f"{name or 'the model'} is in evaluation mode while it trains, with {len(dropouts)} dropouts and {len(norms)} norms "
            "in it",
            {"dropouts": len(dropouts), "norms": len(norms), "stepped": len(stepped)},
            f"call {name + '.' if name else 'model.'}train() before training; where it is meant, declare what is frozen",
            where=name,
            confirmed_by=confirmed,
            severity=Severity.INFO if meant else None,
        )


@rule(
    "ART614",
    "training goes on in evaluation mode after a validation",
    category="mode",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "Dropouts or norms that were in training mode when the first batch entered are in evaluation mode when a batch enters "
        "after a validation. Norms alone, of a model that itself trains, may be frozen on purpose: an information."
    ),
    why="From the second epoch on dropout is off and statistics stand still, and nothing says so.",
    wrong="def on_validation_model_train(self): pass",
    right="leave the hook to the trainer, or call self.train() in it",
    source="https://lightning.ai/docs/pytorch/stable/common/lightning_module.html (on_validation_model_train)",
    watches=(ModesWatch,),
)
def stuck_in_evaluation(laboratory: Laboratory) -> Found | None:
    """Modes after a validation."""
    watched = laboratory.get(ModesWatch)
    if not watched.stuck:
        return None
    meant = not watched.stuck_whole and all(one in watched.statistics for one in watched.stuck)
    return Found(
        f"{len(watched.stuck)} dropouts and batch norms that trained before the first validation evaluate after it: "
        f"{_some(watched.stuck)}",
        {"stuck": len(watched.stuck), "modules": list(watched.stuck[:10])},
        "call self.train() after what calls self.eval()",
        where=watched.stuck[0],
        confirmed_by=f"the modes of {len(watched.stuck)} modules were read before and after the validation",
        severity=Severity.INFO if meant else None,
    )


@rule(
    "ART615",
    "the first evaluation ends what is random in training",
    category="mode",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "In training mode the loss of one batch differs between passes from different seeds; after one pass in evaluation mode "
        "and back in training mode it is the same to the last bit."
    ),
    why="Dropout acts until the first validation and never again, so that the network overfits from then on.",
    wrong="if not self.training: self.p = 0.0",
    right="p = self.p if self.training else 0.0",
    source="https://github.com/NVIDIA/Megatron-LM/pull/411",
)
def evaluation_sticks(laboratory: Laboratory) -> Found | None:
    """A switch that is turned once."""
    found = laboratory.ask(sticky)
    if found is None:
        raise NotMeasured("the step computes no loss that is seen")
    if not found.before:
        raise NotApplicable("nothing is random in training mode")
    if found.after:
        return None
    changed = [f"{name} from {before!r} to {after!r}" for name, before, after in found.changed[:3]]
    return Found(
        "after one pass in evaluation mode nothing is random in training mode any more"
        + (f"; the pass changed {', '.join(changed)}" if changed else ""),
        {"before": found.before, "after": found.after, "changed": [name for name, *_ in found.changed[:10]]},
        "decide by self.training in each forward, and do not keep the decision in the module",
        where=found.changed[0][0] if found.changed else "",
        confirmed_by=(
            f"in training mode passes differ by {found.before:.2g} before the model has evaluated, and by {found.after:.2g} after"
        ),
    )


@rule(
    "ART616",
    "batch norms never learn the statistics of the data",
    category="mode",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A batch norm in training mode begins with mean 0 and variance 1, and after all batches of the whole training more than "
        "half of that is left: (1 - momentum) to the power of the batches. A warning where torch's momentum of 0.1 would not "
        "do either, because there are few batches (fewer than 7)."
    ),
    why=(
        "In training the batch's own statistics are used, in evaluation the collected ones: the validation judges another "
        "network than the one that was trained."
    ),
    wrong="nn.BatchNorm2d(64, momentum=0.0)",
    right="nn.BatchNorm2d(64)  # momentum=0.1; or momentum=None, which averages all batches",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html (momentum)",
    settles=("few_updates",),
)
def statistics_lag(laboratory: Laboratory) -> Found | None:
    """Statistics that stay what they were made with."""
    laboratory.settled("few_updates")
    found = laboratory.ask(lag)
    if found is None:
        raise NotMeasured("how long the training goes on is not known")
    if not found.batches:
        raise NotApplicable("the model has no batch norm")
    if not found.names:
        return None
    few = (1 - _USUAL) ** found.batches > 0.5
    gains = found.collected is not None and found.true is not None and found.true != found.collected
    return Found(
        f"after the {found.batches} batches of the whole training {found.left:.0%} of the statistics of {_some(found.names)} are "
        "still those that they were made with",
        {"norms": len(found.names), "left": found.left, "batches": found.batches},
        "train for longer, or set momentum=None"
        if few
        else "set the momentum to 0.1, or to None, which averages all batches",
        where=found.names[0],
        confirmed_by=(
            f"after a few batches the loss in evaluation mode is {found.collected:.4g} with the collected statistics, and "
            f"{found.true:.4g} with their true averages"
            if gains
            else ""
        ),
        severity=Severity.WARNING if few else None,
    )


@rule(
    "ART617",
    "frozen batch norms go on collecting statistics",
    category="mode",
    severity=Severity.INFO,
    stage=Stage.TRAIN,
    finds=(
        "The parameters of a batch norm do not train, and its running statistics change in training. An error where the user "
        "declared it frozen."
    ),
    why="A backbone whose statistics drift is not frozen: its features change, and with small batches they get worse.",
    wrong="backbone.requires_grad_(False)",
    right="backbone.requires_grad_(False); backbone.eval()  # again in train()",
    source="https://keras.io/guides/transfer_learning/ (batch norm layers and fine-tuning)",
    settles=("frozen",),
    watches=(ModesWatch,),
)
def frozen_statistics_move(laboratory: Laboratory) -> Found | None:
    """Buffers that move."""
    watched = laboratory.get(ModesWatch)
    if not watched.statistics:
        raise NotApplicable("the model has no batch norm that keeps statistics")
    moving = [name for name, one in watched.statistics.items() if one.frozen and one.moved]
    declared = [name for name, one in watched.statistics.items() if one.moved and laboratory.names(name, "frozen")]
    found = declared or moving
    if not found:
        return None
    return Found(
        f"the statistics of {_some(found)} change in training, though {'declared' if declared else 'parameters beside them are'} frozen",
        {"norms": len(found), "declared": len(declared)},
        "put the frozen part into evaluation mode where it is made, since a trainer need not call train() before the first step, and "
        "again in train()",
        where=found[0],
        confirmed_by="running means were compared before and after training steps",
        severity=Severity.ERROR if declared else None,
    )


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
