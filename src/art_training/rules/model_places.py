"""Rules on places: of examples in their batch, and of tokens in their sequence."""

from art_training.probes.dependence import mixing
from art_training.probes.kept_order import order_free, reordered_words
from art_training.probes.order_matters import order_matters
from art_training.probes.place_in_batch import placed
from art_training.records import Severity, Split
from art_training.rules.labelled import labelled
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_SEES = 1e-4  # of how much predictions differ: single precision leaves 1e-6
_MANY = 0.9  # of rows


@rule(
    "ART335",
    "a prediction depends on its place in the batch",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "In evaluation mode all examples of a batch go on by one place, and predictions do not go with them: at least half of them change by "
        "more than single precision leaves, and by ten times what other random numbers change. Where examples see each other, ART311 judges, "
        "and what pairs examples by their places is no finding."
    ),
    why=(
        "An example is another one in another batch. What was to number the positions of a sequence numbers the examples: positions are not "
        "known, and noise is added in their place."
    ),
    wrong="x = x + self.encoding[: x.size(0)]  # (positions, 1, features), and x is (examples, positions, features)",
    right="x = x + self.encoding[: x.size(1)].transpose(0, 1)",
    source="https://docs.pytorch.org/tutorials/beginner/transformer_tutorial.html (positions come first there)",
    settles=("couples_examples",),
    symptoms=("ART405",),
)
def place_counts(laboratory: Laboratory) -> Found | None:
    """What belongs to positions, given to examples."""
    laboratory.settled("couples_examples")
    seen = laboratory.ask(mixing)
    if seen is None:
        raise NotApplicable("what the model predicts of each example is not known, which ART311 tells")
    if seen.changed or seen.random:
        raise NotApplicable("examples of a batch see each other, or are mixed at random")
    found = laboratory.ask(placed)
    if found is None or found.examples * 2 < found.of:
        return None
    return Found(
        f"predictions of {found.examples} of {found.of} examples change by up to {found.moved:.2g} of how much they differ when all examples of "
        "the batch go on by one place",
        {"moved": found.moved, "noise": found.noise, "examples": found.examples, "of": found.of},
        "look for what is indexed by the first dimension, which is that of the examples: an encoding of positions belongs to the second one "
        "with batch_first=True",
        confirmed_by=f"in the order that they came in they differ by {found.noise:.2g} from one pass to the next",
    )


@rule(
    "ART336",
    "the order of tokens is lost",
    category="model",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "Turning tokens round leaves what is predicted of their sequence as it is, up to single precision, and labels follow the order: a linear "
        "model that knows places and neighbours makes at most half the mistakes of one that knows the tokens alone, by five standard errors, "
        "each row judged by a model of all others. Or the dataset holds the texts, and in nine rows of ten words that occur once come into "
        "the batch in another order, though it is read as a sequence."
    ),
    why="What differs by the order of its words alone is one and the same to the model: the best it can do is guess.",
    wrong="self.encoder(self.words(x)).mean(1)  # attention knows no places",
    right="self.encoder(self.words(x) + self.positions(torch.arange(x.shape[1]))).mean(1)",
    source="https://arxiv.org/abs/1706.03762 (Attention Is All You Need, section 3.5)",
    settles=("unordered",),
)
def order_lost(laboratory: Laboratory) -> Found | None:
    """A text that is read as a bag."""
    laboratory.settled("unordered")
    task = laboratory.task
    if task is None or len(task.inputs) == 0:
        raise NotApplicable("the inputs are no sequences of tokens")
    seen = laboratory.ask(order_free(task.inputs[0]))
    if seen is None:
        raise NotApplicable("there are no sequences of tokens of which one thing is predicted")
    if seen.moved > max(_SEES, 10 * seen.noise):
        return _on_the_way(laboratory)
    train = labelled(laboratory).get(Split.TRAIN)
    found = None if train is None else order_matters(train, seen.token)
    if found is None or not found.beyond_doubt:
        return None
    return Found(
        f"predictions are the same in any order of the tokens, and the order tells labels: {found.ordered:.0%} of them to a linear model that "
        f"knows it, {found.bag:.0%} to one that knows the tokens alone",
        {"moved": seen.moved, "ordered": found.ordered, "bag": found.bag, "guess": found.guess, "rows": found.rows},
        "add an encoding of positions before attention, or read tokens with a layer that knows their order; where the order is left out on "
        "purpose, declare unordered=True",
        where=f"batch[{task.inputs[0]}]",
        confirmed_by=f"tokens turned round move predictions by {seen.moved:.1g} of how much they differ",
    )


def _on_the_way(laboratory: Laboratory) -> Found | None:
    """Words that the dataset sorts, or puts into a set."""
    found = laboratory.ask(reordered_words)
    if found is None or found.other < _MANY * found.rows:
        return None
    return Found(
        f"in {found.other} of {found.rows} rows the words of {found.source} come into the batch in another order, and the model reads a sequence",
        {"rows": found.rows, "other": found.other, "source": found.source},
        "look for set(), sorted() and unique() between the text and its numbers; where the order is left out on purpose, declare unordered=True",
        where=f"{found.source} of the training dataset",
        confirmed_by=f"only {found.rows - found.other} of {found.rows} rows have the order of their text",
    )
