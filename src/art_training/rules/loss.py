"""Rules on losses: what enters them, and what they make of it."""

from art_training.probes.losses import observed, with_input
from art_training.probes.one_batch import OneBatch, course, learned
from art_training.probes.specimen import Specimen
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_TINY = 1e-30


@rule(
    "ART402",
    "softmax before a cross entropy",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "What enters cross_entropy is already a probability: in every batch that was looked at all values lie in 0..1 and "
        "those of an example sum to 1. Logits do so only by chance. Confirmed where one batch is learned further when the "
        "loss is computed of the logarithm, which undoes the softmax."
    ),
    why=(
        "cross_entropy takes logits and applies a softmax itself. Of probabilities the second softmax makes almost uniform "
        "ones: with 10 classes the loss cannot fall below 1.46, gradients are small, and the model learns slowly and badly."
    ),
    wrong="F.cross_entropy(torch.softmax(self.net(x), dim=1), y)",
    right="F.cross_entropy(self.net(x), y)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (input: unnormalized logits)",
)
def softmax_before_cross_entropy(laboratory: Laboratory) -> Found | None:
    """Probabilities where logits are expected."""
    calls = [call for one in laboratory.ask(observed) for call in one.losses if call.name == "cross_entropy"]
    if not calls:
        return None
    for call in calls:
        values = call.prediction.double()
        if values.ndim < 2 or values.shape[1] < 2:
            return None
        sums = values.sum(1)
        if not (bool((values >= 0).all()) and bool((sums - 1).abs().max() < 1e-3)):
            return None
    classes = calls[0].prediction.shape[1]
    as_it_is = laboratory.ask(course)
    without = laboratory.ask(_without_softmax)
    confirmed = ""
    if as_it_is is not None and without is not None and without.floor < as_it_is.floor:
        confirmed = (
            f"without the softmax the loss of one batch fell to {without.floor:.3g} in as many steps, and with it to "
            f"{as_it_is.floor:.3g}"
        )
    return Found(
        f"what enters cross_entropy are probabilities of {classes} classes that sum to 1, and not logits",
        {"classes": classes, "batches": len(calls), "largest": float(max(call.prediction.max() for call in calls))},
        "remove the softmax in front of the loss (cross_entropy applies its own), or use nll_loss of the log_softmax",
        confirmed_by=confirmed,
    )


def _without_softmax(specimen: Specimen) -> OneBatch | None:
    return learned(specimen, around=lambda: with_input("cross_entropy", lambda one: one.clamp_min(_TINY).log()))


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
)
def one_batch_stays(laboratory: Laboratory) -> Found | None:
    """A loss that does not fall on one batch."""
    found = laboratory.ask(course)
    if found is None:
        raise NotMeasured("the step returns no loss that one batch could be learned by")
    if found.floor <= 0.9 * found.first or found.first <= 0:
        return None
    return Found(
        f"the loss of one batch went from {found.first:.4g} to no less than {found.floor:.4g} in {len(found.losses)} steps",
        {"first": found.first, "floor": found.floor, "steps": len(found.losses)},
        "look at what the loss is computed of, and at which parameters get a gradient",
    )
