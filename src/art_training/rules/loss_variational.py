"""Rules on variational objectives: whether something holds the spread of a code, and what it is weighed against."""

from art_training.probes.balance import Balance, balance
from art_training.probes.codes import Carried, carried
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
_OTHER_POWER = 0.5  # of the number of examples: between a sum and a mean lies 1
_ALIKE = 2e-3  # of a factor that is one over a number of things
_MANY = 16  # numbers of an example, over which a mean makes an error so many times smaller
_ONCE = {
    "squared": (1.0, 0.5),
    "squared sigmoid": (1.0, 0.5),
    "logits": (1.0,),
    "probabilities": (1.0,),
    "absolute": (1.0,),
}
_LOST = 0.002  # of what examples differ by: a few millionths of their variance
_MUCH = 0.1
_FALLING = 0.7  # over half of the training
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
    symptoms=("ART334", "ART423", "ART450", "ART455", "ART911"),
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


@rule(
    "ART455",
    "an error and what is added to it are out of balance",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Of an objective that gives inputs again and adds a divergence to the error: by their gradients, of a batch and of a quarter of it, "
        "one of the two is a sum over the examples and the other a mean. A warning where the error is exactly a mean over 16 or more "
        "numbers of an example and the divergence a sum over those of its code, or the other way round; a divergence that is one over their number "
        "times its sum is told where nobody would write that number as a weight (at most two digits). A warning, of anything that is added, where "
        "predictions follow inputs at first and, after 300 steps of Adam on the loss of the step, by less than 0.2 % of what inputs change, and ever "
        "less, while as many steps on the error alone leave more than 10 %."
    ),
    why=(
        "A divergence that counts many times too much empties the code, and the mean of the data is given for every example; one that "
        "counts for nothing leaves an autoencoder, from whose prior nothing can be drawn. And the balance changes with the batch size."
    ),
    wrong="loss = F.mse_loss(x_hat, x, reduction='sum') + kl.mean()",
    right="loss = (F.mse_loss(x_hat, x, reduction='sum') + kl.sum()) / len(x)",
    source="https://arxiv.org/abs/1911.02469 (Lucas et al., Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse, 2019)",
    symptoms=("ART334", "ART405", "ART450"),
    trains=True,
)
def out_of_balance(laboratory: Laboratory) -> Found | None:
    """Terms that are counted otherwise, or a term that leaves nothing of the other."""
    seen = laboratory.ask(balance)
    by_count = None if seen is None else _by_count(seen)
    if by_count is not None:
        return by_count
    found = laboratory.ask(carried)
    if seen is None and found is None:
        raise NotApplicable("the step does not compare what it computes with its own input, or optimises by itself")
    return None if found is None else _emptied(found)


def _by_count(seen: Balance) -> Found | None:
    evidence = {
        "divergence": seen.divergence, "error": seen.error, "by_rows": seen.by_rows, "error_by_rows": seen.error_by_rows,
        "examples": seen.examples, "numbers": seen.numbers, "code": seen.code,
    }  # fmt: skip
    if abs(seen.by_rows - seen.error_by_rows) > _OTHER_POWER:
        times = seen.examples ** round(abs(seen.by_rows - seen.error_by_rows))
        larger, smaller = ("error", "divergence") if seen.by_rows > seen.error_by_rows else ("divergence", "error")
        return Found(
            f"the {larger} is a sum over the {seen.examples} examples of a batch and the {smaller} a mean: the {smaller} counts "
            f"{times} times too little, and other batch sizes have another balance",
            evidence,
            "reduce both alike: sum over the numbers of an example and over those of its code, and take the mean of both over examples",
            where=seen.where,
            confirmed_by=(
                f"with a quarter of the batch the gradient of the divergence by one number grows by {4**seen.by_rows:.3g}, and that of "
                f"the error by {4**seen.error_by_rows:.3g}"
            ),
        )
    if seen.error is None:
        return None
    rows = seen.examples ** float(round(seen.by_rows))
    divergence, error = seen.divergence * rows, seen.error * rows
    summed = any(_is(error, one) for one in _ONCE[seen.form])
    averaged = any(_is(error * seen.numbers, one) for one in _ONCE[seen.form])
    if averaged and not summed and _is(divergence, 1.0) and seen.numbers >= _MANY:
        of, over, other = (
            "error",
            f"{seen.numbers} numbers of an example",
            f"divergence a sum over the {seen.code} of its code",
        )
        times = seen.numbers
    elif summed and _is(divergence * seen.code, 1.0) and not _is_short(1 / seen.code):
        of, over, other = (
            "divergence",
            f"{seen.code} numbers of a code",
            f"error a sum over the {seen.numbers} of an example",
        )
        times = seen.code
    else:
        return None
    return Found(
        f"the {of} is a mean over the {over} and the {other}: it counts {times} times too little",
        evidence,
        "sum both over the numbers of an example, and take the mean over examples; a weight that is meant is better written as one",
        where=seen.where,
        confirmed_by=(
            f"by its gradient an example's {of} is {error if of == 'error' else divergence:.3g} of the sum over its numbers, which is "
            f"1 / {times}{' of what it should be' if of == 'error' else ''}"
        ),
        severity=Severity.WARNING,
    )


def _is(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= _ALIKE * wanted


def _is_short(value: float) -> bool:
    """Whether a number has at most two digits that are not zeros at its ends, as weights that people choose."""
    return float(f"{value:.1e}") == value


def _emptied(found: Carried) -> Found | None:
    lost = not found.never and not found.cut and found.after <= _LOST and found.after <= _FALLING * found.middle
    if not lost or found.alone is None or found.alone < _MUCH:
        return None
    return Found(
        f"after {found.steps} steps exchanging batch[{found.path}] among the examples changes what is given for them by {found.after:.2g} "
        f"of what the inputs change, after half of them by {found.middle:.2g}, and before by {found.begun:.2g}",
        {
            "begun": found.begun,
            "middle": found.middle,
            "after": found.after,
            "alone": found.alone,
            "steps": found.steps,
        },
        "make what is added to the loss smaller, or sum both parts over the same: a divergence summed over latents goes with an error "
        "summed over pixels, both averaged over examples",
        confirmed_by=f"as many steps on {found.name} alone leave {found.alone:.2g}, and with what is added to it {found.after:.2g}",
        severity=Severity.WARNING,
    )
