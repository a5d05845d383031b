"""Rules on variational objectives: whether something holds the spread of a code."""

from art_training.probes.left_out import speaks_of_time
from art_training.probes.serving import plan
from art_training.probes.specimen import Specimen
from art_training.probes.spread import Spread, spread
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_NOTHING = 1e-5  # of what noise does to the loss
_FITS = 0.99
_NARROWED = (
    0.5  # of the spread on fresh weights; what is held by a divergence stays, or widens where the code is not needed
)
_LIBRARIES = ("lightning.", "pytorch_lightning.", "torch.", "art_training.")


@rule(
    "ART453",
    "nothing holds the spread of a code",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Noise is multiplied with a spread that the model computes of its input. An error where the gradient of the loss by that spread, "
        "apart from what comes through the noise, is that of a divergence from N(0, 1) with a weight below 0 (it explains 99 % of it). An "
        "error too where there is none at all, at spreads narrowed to about a third and a fiftieth, all of the noise goes through one part of the model, "
        "no other entry of the batch than inputs counts, and 200 steps narrow the spread to less than half. Information where the model "
        "or a callback asks for the epoch or the step, since a weight may begin with 0."
    ),
    why=(
        "Without a divergence the noise of a variational autoencoder is learned away, and codes drawn from the prior give nothing that "
        "resembles data. One of the wrong sign drives codes from the prior, and the loss to minus infinity."
    ),
    wrong="loss = reconstruction + 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()",
    right="loss = reconstruction - 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()",
    source="https://arxiv.org/abs/1312.6114 (Kingma and Welling, Auto-Encoding Variational Bayes, 2014: equation 10)",
    symptoms=("ART334", "ART423", "ART450", "ART911"),
    trains=True,
)
def nothing_holds(laboratory: Laboratory) -> Found | None:
    """A divergence that is missing, or has another sign."""
    found = laboratory.ask(spread)
    if found is None:
        raise NotApplicable("no noise is multiplied with what the model computes, or the step does not learn one loss")
    severity = Severity.INFO if laboratory.ask(_may_come) else None
    evidence = {
        "others": found.others, "weight": found.weight, "fit": found.fit, "before": found.before, "after": found.after,
    }  # fmt: skip
    if found.fit > _FITS and found.weight < 0 and found.others > _NOTHING:
        return Found(
            f"the divergence of the code has a weight below 0 ({found.weight:.2g} for each number): the loss falls as the code leaves "
            "its prior",
            evidence,
            "turn the sign of the divergence: -0.5 * (1 + logvar - mu**2 - logvar.exp()) is added to the loss",
            where=found.where,
            confirmed_by=(
                f"what the loss does to the spread apart from its noise is {found.weight:.3g} times the gradient of a divergence from "
                f"N(0, 1), which explains {found.fit:.1%} of it"
            ),
            severity=severity,
        )
    if not _is_free(found) or found.after is None or found.after > _NARROWED * found.before:
        return None
    return Found(
        f"noise is multiplied with a learned spread that no term of the loss keeps from vanishing: {found.steps} steps narrow it from "
        f"{found.before:.3g} to {found.after:.3g}",
        evidence,
        "add the divergence from the prior to the loss, -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean() for N(0, 1), with a "
        "weight above 0",
        where=found.where,
        confirmed_by=(
            f"the gradient of the loss by the spread is that which comes through the noise, and {found.others:.1g} of it beside; "
            f"{found.steps} steps took the spread to {found.after / found.before:.0%}"
        ),
        severity=severity,
    )


def _is_free(found: Spread) -> bool:
    return found.others <= _NOTHING and found.passes and found.alone


def _may_come(specimen: Specimen) -> bool:
    """Whether a weight may change in training: the model asks for the time, or a callback of the user's does something."""
    own = [one for one in plan(specimen).callbacks if not type(one).__module__.startswith(_LIBRARIES)]
    return bool(own) or speaks_of_time(specimen.module)
