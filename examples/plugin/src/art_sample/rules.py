"""Rules: each judges what probes measured for one kind of fault. Their codes begin with the name of the entry point, SMP."""

from collections.abc import Iterator

from art_sample.probe import columns
from art_training.records import Severity
from art_training.rules import Found, Laboratory, NotApplicable, Stage, rule


@rule(
    "SMP101",
    "two columns of the inputs are the same",
    category="data",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds="A batch of a table enters the first layer with two columns that are equal in every row, and not constant.",
    why="A join or a merge has brought a feature twice: another one that was meant is missing, and the weights of both cannot be told apart.",
    wrong="x = table[['age', 'weight', 'age']]",
    right="x = table[['age', 'weight', 'height']]",
    source="https://en.wikipedia.org/wiki/Multicollinearity (perfect collinearity)",
)
def same_columns(laboratory: Laboratory) -> Iterator[Found]:
    """Columns that stand twice."""
    seen = laboratory.ask(columns)
    if not seen.count:
        raise NotApplicable("no table enters the model")
    if seen.twins:
        pairs = ", ".join(f"{one} and {other}" for one, other in seen.twins)
        yield Found(
            f"of {seen.count} columns of the inputs these are the same: {pairs}",
            {"columns": seen.count, "twins": [list(pair) for pair in seen.twins]},
            "take one of each pair out, or put in the column that was meant",
        )
