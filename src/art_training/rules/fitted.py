"""Rules on what was fitted to rows before they were divided."""

from collections.abc import Iterator

from art_training.probes.fitted import fitted_before
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART215",
    "something is fitted before rows are divided",
    category="preprocessing",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "A function that made the data fits something to rows and divides what came of it further on (train_test_split, random_split, Subset, "
        "or rows up to a place and from it on). The code is read and not run. A warning where features are chosen or made by the targets "
        "(SelectKBest, RFE, TargetEncoder and their kind, given the targets); information where it is a scaler, an imputer or a "
        "projection, which moves a score little. What is fitted to a part of the rows is no finding."
    ),
    why=(
        "Features that were chosen by validation's own targets fit them by chance: of 5000 columns of noise the best twenty predict them. "
        "The score is far too good, and cannot be had again."
    ),
    wrong="x = SelectKBest(k=20).fit_transform(x, y); train, valid = train_test_split(x)",
    right="train, valid = train_test_split(x); choose = SelectKBest(k=20).fit(train, y_train)",
    source="https://doi.org/10.1073/pnas.102102699 (Ambroise and McLachlan, selection bias)",
)
def fitted_to_all(laboratory: Laboratory) -> Iterator[Found]:
    """A choice that validation's rows took part in."""
    for one in laboratory.ask(fitted_before):
        yield Found(
            f"{one.text} sees all rows, and {one.divided} divides them afterwards",
            {
                "call": one.text,
                "fitted": one.kind,
                "targets": one.targets,
                "divided": one.divided,
                "divided_at": one.divided_where,
            },
            "divide the rows first, fit to the training part, and apply to both",
            where=one.where,
            severity=None if one.targets else Severity.INFO,
        )
