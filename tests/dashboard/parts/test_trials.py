import math
from dataclasses import replace
from datetime import UTC, datetime

from art_training.dashboard.parts.trials import MOST, trial_rows
from art_training.records import RunStatus, StepState
from art_training.views import RunRow
from art_training.views.search import SearchView, TrialRow

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
)


def test_the_newest_trials_stand_first_or_the_best() -> None:
    newest, best = (trial_rows(VIEW, best_first=one) for one in (False, True))
    assert newest.head == ("trial", "state", LOSS, "lr", "act", "epochs", "took", "note")
    assert [row.cells[0] for row in newest.rows] == ["3", "2", "1", "0"]
    assert [row.cells[0] for row in best.rows][:2] == ["2", "0"]
    assert best.rows[1].cells == ("0", "finished", "0.5 [0.4, 0.6]", "0.1", "relu", "", "2.0 s", "")
    assert newest.rows[0].cells[2] == "1.9 so far"
    higher = replace(VIEW, direction="maximize")
    assert [row.cells[0] for row in trial_rows(higher, best_first=True).rows][:2] == ["0", "2"]


def test_a_long_search_shows_its_newest_trials_or_its_best_and_says_how_many_are_left_out() -> None:
    trials = tuple(TrialRow(at, "finished", {}, float(at)) for at in range(MOST + 5))
    for best_first, first in ((True, "0"), (False, str(MOST + 4))):
        shown = trial_rows(replace(VIEW, trials=trials), best_first=best_first)
        assert (shown.rows[0].cells[0], len(shown.rows), shown.left_out) == (first, MOST, 5)


def test_the_trial_that_won_is_marked_though_another_was_better_in_the_search() -> None:
    rows = trial_rows(replace(VIEW, winner="trial 0"), best_first=True).rows
    assert [row.cells[0] for row in rows if row.won] == ["0"]
    assert not any(row.won for row in trial_rows(VIEW, best_first=True).rows)
