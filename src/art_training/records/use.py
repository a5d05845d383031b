"""A look at the test split: what must stay known of it, whatever becomes of the run that took it."""

from collections.abc import Iterable
from dataclasses import dataclass

from art_training.records.metric import Split
from art_training.records.outcome import Outcome

TESTED_MODEL = "tested weights"  # parameters of an outcome
TESTED_ROWS = "test rows"
NO_MODEL = "none"  # what a step says it tested that counts test examples and scores nothing on them

_OF_TEST = (f"{Split.TEST}/", f"{Split.TEST}:")


@dataclass(frozen=True)
class Use:
    """One use of a project's test split: a run that left a score on it.

    Attributes:
        run: its id.
        model: digest of what was scored; where the step did not say, of its outcome.
        rows: digest of the test rows; empty where the step did not say.
    """

    run: str
    model: str
    rows: str = ""

    @classmethod
    def of(cls, run: str, outcome: Outcome) -> "Use | None":
        """The use that an outcome is; None where it holds no score of a model on the test split."""
        if not any(name.startswith(_OF_TEST) for name in outcome.scores):
            return None
        if outcome.parameters.get(TESTED_MODEL) == NO_MODEL:
            return None
        model, rows = (outcome.parameters.get(name) or "" for name in (TESTED_MODEL, TESTED_ROWS))
        # A step of the user's own may not say what it scored; each of its outcomes then counts as another model.
        return cls(run, str(model or outcome.digest), str(rows))


def of_rows(uses: Iterable[Use], rows: str) -> list[Use]:
    """The uses that may have been of these rows: where one of both is not known, they may."""
    return [use for use in uses if not rows or use.rows in {rows, ""}]
