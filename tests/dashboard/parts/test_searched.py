import math
from dataclasses import replace
from datetime import UTC, datetime

from art_training.dashboard.parts.searched import importance_plot, progress_plot, slice_plot
from art_training.records import RunStatus, StepState
from art_training.views import RunRow
from art_training.views.search import BestRow, SearchView, SliceRow, TrialRow

LOSS = "validation/loss"
AT = datetime(2026, 5, 4, tzinfo=UTC)
VIEW = SearchView(
    run=RunRow("r", "toy", "Tune", "Tune", StepState.RUNNING, RunStatus.RUNNING, AT, None, None),
    by=LOSS,
    direction="minimize",
    live=True,
    budget={"trials": 9.0},
    trials=(
        TrialRow(0, "finished", {"lr": 0.1, "act": "relu"}, 0.5, 0.4, 0.6, seconds=2.0),
        TrialRow(1, "failed", {"lr": 0.3, "act": "tanh"}, math.nan, note="nan"),
        TrialRow(2, "finished", {"lr": 0.2, "act": "relu"}, 0.25),
        TrialRow(3, "running", {}, newest=1.9, epochs=2, planned=5),
    ),
    best=(BestRow(0, 0.5), BestRow(2, 0.25)),
    importance=(("lr", 0.75), ("act", 0.25)),
)


def test_the_pictures_hold_what_was_reached() -> None:
    reached, best = progress_plot(VIEW).series
    assert [point.x for point in reached.points] == [0, 1, 2]
    assert [(point.x, point.y) for point in best.points] == [(0, 0.5), (2, 0.25), (3, 0.25)]
    assert [point.y for point in importance_plot(VIEW).series[0].points] == [0.75, 0.25]


def test_dimensions_stand_on_the_scale_that_they_are_searched_on() -> None:
    rate = slice_plot(VIEW, SliceRow("lr", 0.001, 1.0, True, (), ((0, 0.1, 0.5), (2, 0.2, 0.25))))
    assert (rate.x.log, rate.x.low, rate.x.high) == (True, 0.001, 1.0)
    assert [(point.x, point.y) for point in rate.series[0].points] == [(0.1, 0.5), (0.2, 0.25)]
    choice = slice_plot(VIEW, SliceRow("act", None, None, False, ("relu", "tanh"), ((0, "tanh", 0.5),)))
    assert (choice.x.labels, choice.series[0].points[0].x) == (("relu", "tanh"), 1)
    shown = slice_plot(VIEW, SliceRow("width", None, None, False, ("small", "wide"), ((0, 64, 0.5), (1, True, 0.4))))
    assert (shown.x.labels, [point.x for point in shown.series[0].points]) == (("64", "true"), [0, 1])


def test_the_trial_that_won_has_a_mark_of_its_own() -> None:
    view = replace(VIEW, winner="trial 0")
    won = progress_plot(view).series[-1]
    assert (won.name, won.mark, [(point.x, point.y) for point in won.points]) == ("the winner", "triangle", [(0, 0.5)])
    rate = slice_plot(view, SliceRow("lr", 0.001, 1.0, True, (), ((0, 0.1, 0.5), (2, 0.2, 0.25))))
    assert [(point.x, point.y) for point in rate.series[-1].points] == [(0.1, 0.5)]
