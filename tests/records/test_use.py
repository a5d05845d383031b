"""What counts as a use of the test split, and what does not."""

from art_training.records import Outcome, Score
from art_training.records.use import NO_MODEL, TESTED_MODEL, TESTED_ROWS, Use


def test_a_score_on_the_test_split_is_a_use_whether_its_step_says_of_what_or_not() -> None:
    said = Outcome({"test/accuracy": Score(0.9)}, parameters={TESTED_MODEL: "abc", TESTED_ROWS: "rows"})
    assert Use.of("run", said) == Use("run", "abc", "rows")
    unsaid = Outcome({"test:dark/accuracy": Score(0.9)})
    assert Use.of("run", unsaid) == Use("run", unsaid.digest)


def test_examples_that_were_only_counted_are_no_use() -> None:
    counted = Outcome({"test/examples": Score(90.0)}, parameters={TESTED_MODEL: NO_MODEL})
    assert Use.of("run", counted) is None
    assert Use.of("run", Outcome({"validation/accuracy": Score(0.9)})) is None
