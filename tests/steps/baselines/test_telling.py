"""What is told of baselines whose scores are not all numbers."""

import math

from art_training.records import Score
from art_training.steps.baselines.telling import of_best, uncomputed

NAN, HALF = Score(math.nan, note="no interval: the value is not finite"), Score(0.5)
ERROR, CORRELATION = "validation/mae", "validation/correlation"


def test_what_is_no_number_for_the_best_baseline_alone_is_a_reading_and_no_score() -> None:
    scores = {"dummy": {ERROR: HALF, CORRELATION: NAN}, "linear": {ERROR: HALF, CORRELATION: HALF}}
    top, readings = of_best("dummy", scores)
    assert top == {ERROR: HALF}
    assert [(one.name, one.value) for one in readings] == [(CORRELATION, None)]
    assert readings[0].note == "it is nan for dummy, the best baseline, and a number for 1 of the others"
    assert uncomputed(scores) == ()


def test_what_is_no_number_for_any_baseline_is_a_fault_of_the_metric() -> None:
    raised = Score(math.nan, note="metric 'correlation' raised ValueError on predictions (rows): no")
    scores = {"dummy": {ERROR: HALF, CORRELATION: NAN}, "linear": {ERROR: HALF, CORRELATION: NAN}}
    assert of_best("dummy", scores) == ({ERROR: HALF}, [])
    (found,) = uncomputed(scores)
    assert found.message == "validation/correlation could not be computed: it is nan for every baseline"
    (found,) = uncomputed({"dummy": {CORRELATION: raised}})
    assert "raised ValueError" in found.message
