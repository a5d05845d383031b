import pytest

from art_training.records import Action, Plan, PlannedStep


def planned(action: Action, seconds: float | None) -> PlannedStep:
    return PlannedStep("A", "A", action, "new", seconds=seconds)


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ([], 0.0),
        ([(Action.RUN, 3.0), (Action.RESUME, 4.0)], 7.0),
        ([(Action.RUN, 3.0), (Action.RECALL, 100.0), (Action.KEEP, None), (Action.SKIP, None)], 3.0),
        ([(Action.RUN, 3.0), (Action.RUN, None)], None),
    ],
)
def test_a_plan_takes_as_long_as_the_steps_that_run(
    steps: list[tuple[Action, float | None]], seconds: float | None
) -> None:
    assert Plan("p", tuple(planned(*step) for step in steps)).seconds == seconds
