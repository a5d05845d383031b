"""Rules on targets and predictions that a loss is not made for."""

from collections.abc import Iterable

import torch
from torch.nn import functional

from art_training.probes.losses import with_input
from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, steps
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.loss import confirmed_floor
from art_training.rules.rule import Found, Stage, rule

_YES_OR_NO = "binary_cross_entropy_with_logits"
_OF_SIGNS = {"soft_margin_loss", "hinge_embedding_loss", "cosine_embedding_loss", "margin_ranking_loss"}
_ROUNDING = 1e-4
_FAR = 30.0  # a logit: a sigmoid of it is 1 to single precision
_SMALLEST = 1e-8
_LOSSES = {_YES_OR_NO, "poisson_nll_loss", *_OF_SIGNS}


@rule(
    "ART454",
    "targets that the loss is not made for",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "binary_cross_entropy_with_logits is given targets below 0 or above 1, of which no logit is the best. soft_margin_loss, "
        "hinge_embedding_loss, cosine_embedding_loss and margin_ranking_loss are given zeros where they know -1 and 1. Or poisson_nll_loss takes its "
        "input for a logarithm (log_input=True) and is given, in all batches, none below 0, so that no rate is below 1, while a twentieth of the counts "
        "is; confirmed where one batch is learned further of its logarithm. "
        "Confirmed by what the loss is of the surest predictions, and of the zeros."
    ),
    why="The loss is computed without a word: it falls without end, or does not see some examples, or cannot reach what it is to predict.",
    wrong="F.binary_cross_entropy_with_logits(self.net(x), y)  # y: -1 or 1",
    right="F.binary_cross_entropy_with_logits(self.net(x), (y + 1) / 2)",
    source="https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions (targets between 0 and 1, or -1 and 1; log_input)",
    symptoms=("ART405", "ART423"),
)
def outside(laboratory: Laboratory) -> Iterable[Found]:
    """A domain that is left."""
    calls = [call for one in laboratory.ask(steps) for call in one.calls if call.learns and call.name in _LOSSES]
    if not calls:
        raise NotApplicable("no loss of the step is for targets of a kind of its own")
    for name in dict.fromkeys(call.name for call in calls):
        mine = [call for call in calls if call.name == name]
        if name == _YES_OR_NO:
            found = _between(mine)
        elif name in _OF_SIGNS:
            found = _signs(mine)
        else:
            found = _rates(laboratory, mine)
        if found is not None:
            yield found


def _between(calls: list[SeenLoss]) -> Found | None:
    targets = torch.cat([call.target.reshape(-1).double() for call in calls])
    outside = (targets < -_ROUNDING) | (targets > 1 + _ROUNDING)
    if not bool(outside.any()):
        return None
    lowest, highest = float(targets.min()), float(targets.max())
    surest = torch.where(targets > 0.5, _FAR, -_FAR)
    best = float(functional.binary_cross_entropy_with_logits(surest, targets))
    return Found(
        f"{int(outside.sum())} of {len(targets)} targets of {_YES_OR_NO} are not between 0 and 1, but from {lowest:.3g} to {highest:.3g}",
        {"outside": int(outside.sum()), "of": len(targets), "lowest": lowest, "highest": highest},
        "give it 0 and 1, or probabilities ((y + 1) / 2 of -1 and 1); for several classes cross_entropy, for counts poisson_nll_loss, for "
        "other numbers mse_loss",
        where=calls[0].where,
        confirmed_by=f"with logits of {_FAR:g} and -{_FAR:g} the loss of these targets is {best:.3g}, and twice as far away twice that",
    )


def _signs(calls: list[SeenLoss]) -> Found | None:
    targets = torch.cat([call.target.reshape(-1).double() for call in calls])
    zeros = targets == 0
    if not bool(zeros.any()) or not bool(((targets - targets.round()).abs() < _ROUNDING).all()):
        return None
    both = calls[0].name == "hinge_embedding_loss"
    return Found(
        f"{int(zeros.sum())} of {len(targets)} targets of {calls[0].name} are 0, where it knows -1 and 1",
        {"zeros": int(zeros.sum()), "of": len(targets)},
        "give it 2 * y - 1 of targets of 0 and 1",
        where=calls[0].where,
        confirmed_by=(
            "of a target of 0 it adds up what it is of both"
            if both
            else f"{int(zeros.sum())} examples have no gradient, whatever is predicted"
        ),
    )


def _rates(laboratory: Laboratory, calls: list[SeenLoss]) -> Found | None:
    if not all(call.options.get("log_input", True) for call in calls):
        return None
    given = torch.cat([call.prediction.reshape(-1) for call in calls])
    counts = torch.cat([call.target.reshape(-1) for call in calls])
    few = float((counts < 1).double().mean())
    if bool((given < 0).any()) or few < 1 / 20:
        return None
    confirmed, severity = confirmed_floor(laboratory, _of_log, "of its logarithm the loss of one batch fell to")
    if not confirmed:
        return None
    return Found(
        f"poisson_nll_loss takes its input for the logarithm of a rate, and none of {len(given)} is below 0: no rate is below 1, as "
        f"{few:.0%} of the counts are",
        {"predictions": len(given), "smallest": float(given.min()), "counts below 1": few},
        "give it the output of the last layer as it is, or set log_input=False where that has been made positive",
        where=calls[0].where,
        confirmed_by=confirmed,
        severity=severity,
    )


def _of_log(specimen: Specimen) -> OneBatch | None:
    return learned(specimen, around=lambda: with_input("poisson_nll_loss", lambda one: one.clamp_min(_SMALLEST).log()))
