"""What steps find by themselves, by its code. What the rules of a diagnosis find stands with the rules."""

from collections.abc import Mapping
from typing import Any, NamedTuple

OWN_PREFIX = "ART"  # codes of others begin with other letters


class Seen(NamedTuple):
    """What a code stands for.

    Attributes:
        severities: that it can have, the worst first.
        what: was seen.
        told_by: the step, or what else tells it.
    """

    severities: tuple[str, ...]
    what: str
    told_by: str


CODES: Mapping[str, Seen] = {
    "ART101": Seen(
        ("error", "warning", "info"),
        "examples of a split are also in another one",
        "ExploreData",
    ),
    "ART102": Seen(
        ("warning", "info"),
        "equal inputs have different labels",
        "ExploreData",
    ),
    "ART103": Seen(("error",), "NaN or infinity in an input or a target", "ExploreData"),
    "ART104": Seen(("warning",), "classes are not as frequent in a split as in training", "ExploreData"),
    "ART105": Seen(
        ("warning", "info"),
        "an input holds one and the same value everywhere",
        "ExploreData",
    ),
    "ART106": Seen(("error", "warning"), "a split has classes that training never shows", "ExploreData"),
    "ART107": Seen(("warning",), "an entry of the batch has another type in another split", "ExploreData"),
    "ART108": Seen(
        ("warning", "info"),
        "a split holds an input more than once",
        "ExploreData",
    ),
    "ART109": Seen(
        ("warning", "info"),
        "an example is nearly the same as another one, of its split or of training",
        "ExploreData",
    ),
    "ART110": Seen(("warning",), "features are distributed in validation otherwise than in training", "ExploreData"),
    "ART111": Seen(
        ("warning",),
        "the numbers that are learned are distributed in validation otherwise than in training",
        "ExploreData",
    ),
    "ART112": Seen(
        ("warning", "info"),
        "a class is rare beside another; or all of training is of one class",
        "ExploreData",
    ),
    "ART113": Seen(("error",), "a target is the same number in every example", "ExploreData"),
    "ART114": Seen(("info",), "many examples have exactly the lowest or the highest target", "ExploreData"),
    "ART115": Seen(("warning",), "images have most of their pixels at an end of the range", "ExploreData"),
    "ART116": Seen(("info",), "many examples have exactly the lowest or the highest value of a feature", "ExploreData"),
    "ART117": Seen(("warning",), "more labels are probably wrong than there should be", "ExploreData"),
    "ART118": Seen(
        ("warning",), "many sequences are as long as the longest allowed, and were probably cut", "ExploreData"
    ),
    "ART119": Seen(("warning",), "sequences are empty", "ExploreData"),
    "ART120": Seen(("warning",), "a few examples lie far out of all others", "ExploreData"),
    "ART121": Seen(("info",), "most positions of the sequences are padding", "ExploreData"),
    "ART122": Seen(
        ("warning", "info"),
        "many tokens of validation never occur in training",
        "ExploreData",
    ),
    "ART123": Seen(("info",), "the numbers that are learned are far from what fresh weights predict", "ExploreData"),
    "ART301": Seen(
        ("info",),
        "hooks went on changing batches in a training that asked for data without augmentation",
        "a training without augmentation",
    ),
    "ART601": Seen(("warning",), "training ended before the averaging of its weights began", "a training"),
    "ART602": Seen(
        ("warning",),
        "no learning rate was found that `use_found=True` could use, and the declared one was used",
        "Overfit",
    ),
    "ART701": Seen(("warning",), "the module logged another number than ART computed", "any step that scores a model"),
    "ART702": Seen(("warning",), "other rows were evaluated than the data set has", "any step that scores a model"),
    "ART703": Seen(
        ("error",),
        "a metric could not be computed; `NoNaN` fails until it is replaced, or left out with `skip_metrics`",
        "any step that scores a model",
    ),
    "ART704": Seen(
        ("error",),
        "a baseline of the user's own raised, or predicted what cannot be compared; the others are scored",
        "EvaluateBaseline",
    ),
    "ART741": Seen(("info",), "a candidate of Regularize varies several things at once", "Regularize"),
    "ART742": Seen(
        ("warning",),
        "a candidate of Regularize, or a choice of Tune, could not be trained or compared",
        "Regularize and Tune",
    ),
    "ART751": Seen(("warning",), "the result was not exported, or no other process can load the export", "Squeeze"),
    "ART752": Seen(("warning",), "the result of a squeeze is worse than the single model", "Squeeze"),
    "ART753": Seen(
        ("warning",), "the export predicts of no batch without its targets, which new data has not", "Squeeze"
    ),
    "ART801": Seen(("warning",), "the test split was used for several models", "FinalTest"),
    "ART802": Seen(("warning",), "test examples are in the training or the validation split too", "FinalTest"),
    "ART803": Seen(("warning",), "a score is worse on test than on validation, beyond its interval", "FinalTest"),
    "ART804": Seen(
        ("warning",), "on test the model is worse than the best baseline, or not surely better", "FinalTest"
    ),
}


def spelled(code: Any) -> str:
    """A code as it is written: `ART402`, of `art402` or `402` too; `LAB101` of `lab101`."""
    text = str(code).strip().upper()
    return f"{OWN_PREFIX}{text}" if text[:1].isdigit() else text
