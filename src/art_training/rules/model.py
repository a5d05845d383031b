"""Rules on what a model computes of what."""

from art_training.probes.dependence import mixing
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART311",
    "examples of a batch see each other",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "In evaluation mode the prediction of an example changes when another example of its batch is exchanged, by more "
        "than ten times what two identical passes differ by. A change counts as a share of how much predictions of the "
        "batch differ."
    ),
    why="A prediction that depends on who else is in the batch is another one in production; a loss can be met by looking across.",
    wrong="h = h.view(-1, batch_size).t()",
    right="h = h.view(batch_size, -1)",
    source="https://karpathy.github.io/2019/04/25/recipe/ (use backprop to chart dependencies)",
    settles=("couples_examples",),
)
def examples_mix(laboratory: Laboratory) -> Found | None:
    """A dependence that must not exist."""
    if laboratory.declarations.get("couples_examples"):
        return None
    found = laboratory.ask(mixing)
    if found is None:
        raise NotMeasured("what the model predicts of each example is not known")
    if not found.changed:
        return None
    return Found(
        f"exchanging one example of a batch changed the predictions of {found.changed} of the {found.of} others, by up to "
        f"{found.others:.2g} of how much predictions differ",
        {"changed": found.changed, "of": found.of, "largest": found.others, "noise": found.noise},
        "look for a view, reshape, transpose, softmax or norm over the batch dimension; where it is meant, as in contrastive "
        "learning, declare couples_examples=True",
        confirmed_by=f"without an exchange they differ by {found.noise:.2g}",
    )
