"""Rules on what a model keeps from one batch to the next."""

from art_training.probes.coverage import drawn
from art_training.probes.memory import Memory, memory
from art_training.probes.places import place_of
from art_training.probes.specimen import Specimen
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART329",
    "predictions depend on the batch before",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "With the same weights, buffers and random numbers, in evaluation mode, what a layer gives for a batch behind another one "
        "differs from what it gives behind the same one by more than a thousandth of its deviation, and a hundred times as much as "
        "in two passes behind the same one. Only where a loader gives training rows in random order: with rows in order, as parts of one text, a state that "
        "is carried on is meant."
    ),
    why="A state that is left over belongs to other examples: scores depend on the order of evaluation and on the batch size.",
    wrong="states, self.state = self.gru(x, self.state)",
    right="states, _ = self.gru(x)",
    source="https://discuss.pytorch.org/t/when-to-initialize-lstm-hidden-state/2323",
    settles=("couples_examples",),
)
def remembered(laboratory: Laboratory) -> Found | None:
    """A state that nobody resets."""
    laboratory.settled("couples_examples")
    loaders = laboratory.ask(drawn)
    if not loaders:
        raise NotMeasured("the order in which rows are drawn is not known")
    if any(one.in_order for one in loaders):
        raise NotApplicable("rows are drawn in order")
    found, where = laboratory.ask(_memory)
    if found is None:
        raise NotMeasured("there are not two batches of one size, or no layer gives the same shape for both")
    if not found.remembers:
        return None
    return Found(
        f"what {found.layer} gives for {found.rows} examples differs by up to {found.moved:.2g} of its deviation when another "
        "batch was passed before",
        {"layer": found.layer, "moved": found.moved, "noise": found.noise, "rows": found.rows},
        "begin every batch from a state of its own; what is to be carried on needs rows in order",
        where=where,
        confirmed_by=f"behind the same batch it differs by {found.noise:.1g}, behind another by {found.moved:.2g}",
    )


def _memory(specimen: Specimen) -> tuple[Memory | None, str]:
    return memory(specimen), place_of(type(specimen.module))
