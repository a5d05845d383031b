"""Rules on inputs that a model takes and does not use."""

from collections.abc import Iterable

from art_training.probes.taken import taken
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART328",
    "an input of the model does nothing",
    category="model",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "An entry of the batch of floating point, different among the examples, is passed to a module as an argument, and with "
        "weights moved a little nothing that is compared and no loss changes when its rows are exchanged or made all alike, in evaluation "
        "mode and in training mode. Entries that no module is given are told by ART421, and what a weight of 0 keeps out of the loss is no finding."
    ),
    why="What was meant to help does not arrive: the score is that of a model without this input, and nothing says so.",
    wrong="def forward(self, image, age): return self.head(self.body(image))",
    right="def forward(self, image, age): return self.head(torch.cat([self.body(image), age], 1))",
    source="https://karpathy.github.io/2019/04/25/recipe/ (verify what enters the network)",
    symptoms=("ART421",),
)
def ignored_input(laboratory: Laboratory) -> Iterable[Found]:
    """An argument that is dropped on the way."""
    found = laboratory.ask(taken)
    if found is None:
        raise NotMeasured("no loss was seen that an entry of the batch could change")
    for one in found:
        yield Found(
            f"batch[{one.path}] is passed to {one.module}, and changes neither a prediction nor the loss",
            {"entry": one.path, "module": one.module, "changed": one.changed, "others": one.others, "noise": one.noise},
            "use it in forward, or do not pass it",
            where=one.where,
            confirmed_by=(
                f"exchanged among the examples and made all alike it changes the loss by {one.changed:.2g}, and another entry changes it "
                f"by {one.others:.3g}"
            ),
        )  # fmt: skip
