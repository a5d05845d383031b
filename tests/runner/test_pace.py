"""What is left of a phase is told by its batches after the first."""

import pytest

from art_training.runner.pace import Pace


def test_the_first_batch_which_holds_the_start_of_workers_tells_nothing() -> None:
    pace = Pace()
    assert pace.left("evaluate train", None, 0.0) is None
    assert pace.left("evaluate train", 0.1, 77.0) is None
    assert pace.left("evaluate train", 0.4, 80.0) == pytest.approx(6.0)


def test_a_phase_that_begins_anew_is_estimated_anew() -> None:
    pace = Pace()
    assert pace.left("fit", 0.9, 10.0) is None
    assert pace.left("fit", 0.1, 20.0) is None
    assert pace.left("fit", 0.2, 22.0) == pytest.approx(16.0)


def test_less_than_a_second_is_no_pace() -> None:
    pace = Pace()
    pace.left("fit", 0.1, 0.0)
    assert pace.left("fit", 0.2, 0.5) is None
