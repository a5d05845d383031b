"""Rules on what enters a loss: logits where logits are expected, along the axis that they are expected along."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import torch

from art_training.probes.losses import with_input
from art_training.probes.one_batch import FALLEN, STEPS, OneBatch, course, learned, stuck
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, steps
from art_training.probes.undone import without_first
from art_training.probes.unmoved import unmoved
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_TINY = 1e-30
# Sums of probabilities in half precision are off by up to 256 roundings of 2^-9.
_OFF = 1e-2


@rule(
    "ART402",
    "softmax before a cross entropy",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "What enters cross_entropy is already a probability: the graph of the loss shows that a softmax or a sigmoid made "
        "it, or in every batch all values lie in 0..1 and those of an example sum to 1, which logits do only by chance. "
        "Confirmed where one batch is learned further when the loss is computed of the logits, which undoes it."
    ),
    why=(
        "cross_entropy takes logits and applies a softmax itself. Of probabilities the second softmax makes almost uniform "
        "ones: with 10 classes the loss cannot fall below 1.46, gradients are small, and the model learns slowly and badly."
    ),
    wrong="F.cross_entropy(torch.softmax(self.net(x), dim=1), y)",
    right="F.cross_entropy(self.net(x), y)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (input: unnormalized logits)",
    symptoms=("ART405",),
)
def softmax_before_cross_entropy(laboratory: Laboratory) -> Found | None:
    """Probabilities where logits are expected."""
    calls = _calls_of(laboratory, "cross_entropy")
    kinds = {_probability(call) for call in calls}
    if len(kinds) != 1 or None in kinds:
        return None
    kind = str(kinds.pop())
    classes = calls[0].prediction.shape[1]
    confirmed, severity = confirmed_floor(
        laboratory, without_first, f"without the {kind} the loss of one batch fell to"
    )
    told = "that sum to 1" if kind == "softmax" else "that a sigmoid made"
    return Found(
        f"what enters cross_entropy are probabilities of {classes} classes {told}, and not logits",
        {"classes": classes, "batches": len(calls), "largest": float(max(call.prediction.max() for call in calls))},
        f"remove the {kind} in front of the loss (cross_entropy applies its own), or use nll_loss of the log_softmax",
        where=calls[0].where,
        confirmed_by=confirmed,
        severity=severity,
    )


@rule(
    "ART405",
    "one batch cannot be learned",
    category="loss",
    severity=Severity.INFO,
    stage=Stage.PROBE,
    finds="The loss of one batch falls by less than a tenth while it is learned by heart for 80 steps of Adam.",
    why="A network that cannot learn one batch by heart does not compute what it is meant to, or is not told what to learn.",
    wrong="logits = torch.relu(self.head(x))  # a negative logit cannot be",
    right="logits = self.head(x)",
    source="https://karpathy.github.io/2019/04/25/recipe/ (overfit one batch)",
    trains=True,
)
def one_batch_stays(laboratory: Laboratory) -> Found | None:
    """A loss that does not fall on one batch."""
    found = laboratory.ask(stuck)
    if found is None:
        raise NotMeasured("the step returns no loss that one batch could be learned by")
    if found.floor <= FALLEN * found.first or found.first <= 0:
        return None
    if len(found.losses) < STEPS // 2:
        raise NotMeasured(f"a step takes so long that one batch was learned for {len(found.losses)} steps only")
    return Found(
        f"the loss of one batch went from {found.first:.4g} to no less than {found.floor:.4g} in {len(found.losses)} steps",
        {"first": found.first, "floor": found.floor, "steps": len(found.losses)},
        "look at what the loss is computed of, and at which parameters get a gradient",
    )


@rule(
    "ART410",
    "sigmoid before a loss that applies its own",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Between the last layer and the loss a sigmoid or softmax is fed by another: the graph of the loss shows both, with "
        "nothing but views between. Confirmed where one batch is learned further with the first of them undone."
    ),
    why=(
        "A sigmoid of a probability lies between 0.5 and 0.73: no example can be called negative, and the loss stays far "
        "above what the data allow."
    ),
    wrong="F.binary_cross_entropy_with_logits(torch.sigmoid(self.net(x)), y)",
    right="F.binary_cross_entropy_with_logits(self.net(x), y)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html (combines a sigmoid layer)",
    symptoms=("ART405",),
)
def normalised_once_too_often(laboratory: Laboratory) -> Found | None:
    """A normalisation of what is normalised already."""
    seen = laboratory.ask(steps)
    pairs = list(dict.fromkeys(pair for one in seen for pair in one.twice))
    if any(call.name == "cross_entropy" for one in seen for call in one.calls):
        pairs = [pair for pair in pairs if pair[0] != "log_softmax"]  # told by ART402
    if not pairs:
        return None
    outer, inner = pairs[0]
    confirmed, severity = confirmed_floor(
        laboratory,
        without_first,
        f"without the first {inner} the loss of one batch fell to",
    )
    name = "the loss" if outer.startswith("binary") else f"a {outer}"
    calls = [call.where for one in seen for call in one.calls]
    return Found(
        f"{name} ({outer}) is given what a {inner} has made: it is normalised twice",
        {"outer": outer, "inner": inner},
        f"remove the {inner}: {outer} wants the output of the last layer as it is",
        where=calls[0] if calls else "",
        confirmed_by=confirmed,
        severity=severity,
    )


@rule(
    "ART412",
    "no log-probabilities where the loss wants them",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "nll_loss and kl_div take log-probabilities, whose exponentials sum to 1. In every batch those of some example sum to "
        "more than 1.05. Confirmed where the loss of one batch falls below 0, which a negative log-likelihood cannot, and "
        "stays above it when it is computed of log-probabilities."
    ),
    why=(
        "nll_loss applies no logarithm: of probabilities it is minus the mean probability, negative, and nearly without "
        "gradient for examples that are wrong; of logits it falls without end."
    ),
    wrong="F.nll_loss(torch.softmax(self.net(x), dim=1), y)",
    right="F.nll_loss(torch.log_softmax(self.net(x), dim=1), y)",
    source="https://discuss.pytorch.org/t/cnn-results-negative-when-using-log-softmax-and-nll-loss/16839",
    symptoms=("ART405",),
)
def no_log_probabilities(laboratory: Laboratory) -> Iterable[Found]:
    """A logarithm that is missing."""
    _calls_of(laboratory, "nll_loss", "kl_div")
    for name in ("nll_loss", "kl_div"):
        calls = _calls(laboratory, name)
        if not calls or not all(_is_no_log_probability(call) for call in calls):
            continue
        if any(call.made_by is not None and call.made_by.kind == "log_softmax" for call in calls):
            continue  # along another axis, which is told by ART414
        probabilities = all(bool((call.prediction >= 0).all()) for call in calls)
        confirmed = ""
        if name == "nll_loss":
            as_it_is = laboratory.ask(course)
            changed = laboratory.ask(_of_log if probabilities else of_log_softmax)
            if as_it_is is not None and changed is not None and as_it_is.floor < 0 <= min(changed.losses) + 1e-4:
                confirmed = (
                    f"the loss of one batch fell to {as_it_is.floor:.3g}, below 0, and of log-probabilities to "
                    f"{changed.floor:.3g}"
                )
        what = "probabilities" if probabilities else "numbers that are not normalised"
        yield Found(
            f"what enters {name} are {what}, and not log-probabilities",
            {"largest": float(max(call.prediction.max() for call in calls)), "loss": float(calls[0].value.sum())},
            f"give {name} the log_softmax of the logits" + (", or use cross_entropy" if name == "nll_loss" else ""),
            where=calls[0].where,
            confirmed_by=confirmed,
        )


@rule(
    "ART413",
    "a loss that can only be zero",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "cross_entropy of a single class, whose softmax is always 1, so that the loss is 0 whatever the model says. Confirmed "
        "where the loss stays exactly 0 when other numbers are put in the place of the logits. And any loss, written by hand "
        "or not, every gradient of which is exactly 0 and which stays the same number (to 1e-6) for three draws of other weights."
    ),
    why="A loss that is a constant has no gradient: nothing is learned, and a constant of 0 looks like a perfect curve.",
    wrong="nn.Linear(32, 1)  # with F.cross_entropy",
    right="nn.Linear(32, 2)  # or one output with F.binary_cross_entropy_with_logits",
    source="https://stackoverflow.com/questions/33969059",
    symptoms=("ART405",),
)
def one_class(laboratory: Laboratory) -> Found | None:
    """A softmax over one number, or whatever else makes a constant of a loss."""
    calls = _calls(laboratory, "cross_entropy")
    single = [call for call in calls if call.prediction.ndim > 1 and call.prediction.shape[1] == 1]
    if not single or len(single) != len(calls) or single[0].target.is_floating_point():
        return _constant(laboratory)
    other = laboratory.ask(_of_other_numbers)
    confirmed = f"with other numbers in place of the logits the loss is {other:.3g} too" if other == 0 else ""
    return Found(
        "cross_entropy is given one class only: its softmax is always 1, and the loss exactly 0",
        {"classes": 1, "loss": float(single[0].value.sum())},
        "give the last layer one output a class, or use binary_cross_entropy_with_logits with one",
        where=single[0].where,
        confirmed_by=confirmed,
    )


def _constant(laboratory: Laboratory) -> Found | None:
    """A loss that no weight moves."""
    value = laboratory.ask(unmoved)
    if value is None:
        return None
    seen = laboratory.ask(steps)
    return Found(
        f"the loss of a batch is {value:.4g} whatever the weights are: no prediction changes it",
        {"loss": value},
        "look at what the last layer's outputs become in the loss: a softmax over one of them is always 1, and a mask of "
        "nothing but zeros leaves no term",
        where=next((call.where for one in seen for call in one.calls), ""),
        confirmed_by=f"three draws of other weights left it at {value:.4g}, and every gradient is exactly 0",
    )


def _calls(laboratory: Laboratory, name: str) -> list[SeenLoss]:
    return [call for one in laboratory.ask(steps) for call in one.calls if call.name == name]


def _calls_of(laboratory: Laboratory, *names: str) -> list[SeenLoss]:
    """The calls of losses, of which there are some."""
    found = [call for name in names for call in _calls(laboratory, name)]
    if not found:
        raise NotApplicable(f"the step calls no {' and no '.join(names)}")
    return found


def _probability(call: SeenLoss) -> str | None:
    """What made probabilities of the input of a cross entropy; None where it is logits."""
    if call.prediction.ndim < 2 or call.prediction.shape[1] < 2:
        return None
    if call.made_by is not None and call.made_by.kind in {"softmax", "sigmoid"}:
        return call.made_by.kind
    values = call.prediction.double()
    # Two rows could by chance; many cannot.
    if call.made_by is not None or len(values) < 4 or not bool((values >= 0).all()):
        return None
    return "softmax" if bool((values.sum(1) - 1).abs().max() < 1e-3) else None


def _is_no_log_probability(call: SeenLoss) -> bool:
    values = call.prediction.double()
    if values.ndim < 2:
        return False
    axes = {1} if call.name == "nll_loss" else set(range(1, values.ndim))
    return all(bool((values.logsumexp(axis).exp() > 1 + 5 * _OFF).any()) for axis in axes)


def confirmed_floor(
    laboratory: Laboratory, changed: Callable[[Specimen], OneBatch | None], said: str
) -> tuple[str, Severity | None]:
    """The experiment in words; what it does not confirm is a warning at most, and where it cannot be made nothing is said."""
    as_it_is = other = None
    with suppress(NotMeasured):
        as_it_is, other = laboratory.ask(course), laboratory.ask(changed)
    if as_it_is is None or other is None:
        return "", None
    # The noise of a floor: two courses of one network differ by less.
    if other.floor < as_it_is.floor - 0.02 * abs(as_it_is.floor):
        return f"{said} {other.floor:.3g} in as many steps, and as it is to {as_it_is.floor:.3g}", None
    return "", Severity.WARNING


def _of_log(specimen: Specimen) -> OneBatch | None:
    return learned(specimen, around=lambda: with_input("nll_loss", lambda one: one.clamp_min(_TINY).log()))


def of_log_softmax(specimen: Specimen) -> OneBatch | None:
    """The course of one batch where nll_loss is given log-probabilities of classes."""
    return learned(specimen, around=lambda: with_input("nll_loss", lambda one: one.log_softmax(1)))


def _of_other_numbers(specimen: Specimen) -> float | None:
    with with_input("cross_entropy", lambda one: torch.randn_like(one) * 10):
        loss = specimen.loss(specimen.batches[0])
    return None if loss is None else float(loss.detach())
