import dataclasses

import pytest

from art_training.errors import UnknownMetric, UsageError
from art_training.records import Artifact, Candidate, Interval, Metric, Outcome, Reading, Score, Split

OUTCOME = Outcome(
    scores={"validation/accuracy": Score(0.9), "train/loss": Score(0.1)},
    readings=(Reading("rows", 10),),
    candidates=(Candidate("linear", {"validation/accuracy": Score(0.8)}),),
    artifacts=(Artifact("last.ckpt", "checkpoint", "ab", 3),),
    seconds={"fit": 3.0},
    summary="It went well.",
)


def test_a_score_is_found_by_its_address() -> None:
    assert OUTCOME.score("validation/accuracy").value == 0.9
    assert OUTCOME.score(Metric("loss", Split.TRAIN)).value == 0.1


def test_a_missing_metric_names_those_that_exist() -> None:
    with pytest.raises(UnknownMetric) as raised:
        OUTCOME.score("test/acc")
    assert str(raised.value) == "no metric 'test/acc' in this outcome; it has: validation/accuracy, train/loss"
    with pytest.raises(KeyError, match="it has: none"):
        Outcome().score("loss")


def test_parts_are_found_by_name() -> None:
    assert OUTCOME.reading("rows") == Reading("rows", 10)
    assert OUTCOME.candidate("linear") is OUTCOME.candidates[0]
    assert OUTCOME.artifact("last.ckpt") is OUTCOME.artifacts[0]
    assert OUTCOME.reading("no") is OUTCOME.candidate("no") is OUTCOME.artifact("no") is None


def test_nothing_of_it_can_be_set() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OUTCOME.summary = "other"  # type: ignore[misc]


def test_the_digest_covers_what_was_measured_and_not_how_long_it_took() -> None:
    assert dataclasses.replace(OUTCOME, seconds={"fit": 9.0}, summary="Other words.").digest == OUTCOME.digest
    assert dataclasses.replace(OUTCOME, scores={"train/loss": Score(0.2)}).digest != OUTCOME.digest
    assert dataclasses.replace(OUTCOME, artifacts=()).digest != OUTCOME.digest
    assert dataclasses.replace(OUTCOME, stopped="interrupted").digest != OUTCOME.digest


@pytest.mark.parametrize(("value", "low", "high"), [(-0.4789, 0.0, -0.4162), (1.0284, 0.959, 1.0)])
def test_a_score_whose_interval_does_not_hold_it_cannot_be(value: float, low: float, high: float) -> None:
    with pytest.raises(UsageError, match="does not hold its value"):
        Score(value, Interval(low, high))
    with pytest.raises(UsageError):
        dataclasses.replace(Score(low, Interval(low, max(low, high))), value=value)


def test_an_interval_is_widened_by_as_little_as_holds_a_value() -> None:
    between = Interval(0.2, 0.4, 0.9, "percentiles")
    assert between.holding(0.3) is between
    assert between.holding(0.1) == Interval(0.1, 0.4, 0.9, "percentiles")
    assert between.holding(0.5) == Interval(0.2, 0.5, 0.9, "percentiles")
