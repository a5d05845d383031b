"""Rules on what the weights of a loss do to what is learned with it."""

from art_training.probes.positive_weights import positive_weights
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_HARDLY = 0.1  # of the positives are found
_MANY = 3.0  # times as many without the weights, and at least a third of them
_THIRD = 1 / 3


@rule(
    "ART447",
    "rare positives are weighted down",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The `pos_weight` of two labels in three, or more, takes the odds of their positives to their square or below, as the "
        "inverse of the weight that balances them does, and to a quarter or below; and a short training with these weights finds at "
        "most a tenth of the positives of its own batches, where the same training without them finds a third or more, and three "
        "times as many. A weight below one that leaves decisions, as for the sake of precision, is no finding."
    ),
    why="The loss is lowest where the model says no to everything; it falls nicely, and accuracy looks high.",
    wrong="F.binary_cross_entropy_with_logits(logits, y, pos_weight=positives / negatives)",
    right="F.binary_cross_entropy_with_logits(logits, y, pos_weight=negatives / positives)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html (pos_weight)",
    symptoms=("ART405",),
)
def weighted_down(laboratory: Laboratory) -> Found | None:
    """Weights that make what is rare count less."""
    seen = laboratory.ask(positive_weights)
    if seen is None:
        raise NotApplicable("no loss weights its positives by pos_weight")
    if not seen.suspect:
        return None
    if seen.weighted is None or seen.plain is None:
        raise NotMeasured("the step optimises by itself, or its loss could not be trained without the weights")
    weighted, plain = seen.weighted, seen.plain
    if weighted.found > _HARDLY or plain.found < max(_THIRD, _MANY * weighted.found):
        return None
    weight, share = sum(seen.weights) / len(seen.weights), sum(seen.shares) / len(seen.shares)
    return Found(
        f"positives are {share:.0%} of the targets and count {weight:.2g} times, on average, where {(1 - share) / share:.2g} times "
        "would balance them",
        {"weights": list(seen.weights), "shares": list(seen.shares), "steps": seen.steps},
        "give pos_weight the number of negatives over that of positives, or leave it out",
        where="pos_weight",
        confirmed_by=f"after {seen.steps} steps {weighted.found:.1%} of the positives are found, and {plain.found:.0%} without "
        "the weights",
    )
