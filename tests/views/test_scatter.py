"""Runs against axes."""

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from art_training.errors import UsageError
from art_training.records import RunStatus, StepState
from art_training.stores import Store, Where
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views import scatter
from art_training.views.scatter import parallel_of, scatter_of
from art_training.views.table import TableQuery

LR, OPT, ACCURACY = "parameter:hparams.lr", "parameter:hparams.opt", "score:validation/accuracy"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Six runs whose rates lie decades apart; one has no score, one a score that is none, one was killed."""
    with closing(SqlStore(tmp_path / "art.db")) as store:
        for number in range(6):
            value = math.nan if number == 4 else number / 10
            keep_run(
                store,
                "Overfit",
                minute=number,
                parameters={"hparams.lr": 10.0**-number, "hparams.opt": "adam" if number % 2 else None, "same": 1},
                scores={} if number == 3 else {"validation/accuracy": value},
                status=RunStatus.RUNNING if number == 0 else RunStatus.COMPLETED,
            )
        yield store


def test_a_metric_is_drawn_against_a_parameter(store: Store) -> None:
    """Runs that lack one of the two, or whose number cannot be drawn, are counted and left out."""
    seen = scatter_of(store, TableQuery("toy", "Overfit"), LR, ACCURACY, color=OPT)
    assert [line.values for line in seen.lines] == [(1e-5, 0.5, "adam"), (0.01, 0.2, None), (0.1, 0.1, "adam")]
    assert (seen.total, seen.incomplete, seen.sampled) == (6, 3, False)
    rate, accuracy, optimiser = seen.axes
    assert (rate.logarithmic, rate.lowest, rate.highest) == (True, 1e-5, 0.1)
    assert (accuracy.logarithmic, accuracy.levels) == (False, ())
    assert optimiser.levels == ("adam",)


def test_lines_go_over_what_tells_runs_apart(store: Store) -> None:
    """No line is left out for a value that is missing; a run whose process died is interrupted."""
    seen = parallel_of(store, TableQuery("toy", "Overfit", descending=False))
    assert [axis.key for axis in seen.axes] == [LR, OPT, ACCURACY]
    assert len(seen.lines) == 6
    assert seen.lines[0].state is StepState.INTERRUPTED
    assert seen.lines[3].values == (0.001, "adam", None)
    narrowed = TableQuery("toy", "Overfit", where=(Where.parse(f"{OPT} = adam"),), page=3)
    assert parallel_of(store, narrowed, [LR]).total == 3


def test_very_many_runs_are_sampled_by_the_seed_and_said_to_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatter, "MOST_LINES", 3)
    views = [parallel_of(store, TableQuery("toy"), [LR], seed=seed) for seed in (1, 1, *range(2, 12))]
    assert views[0] == views[1]
    assert all((view.sampled, view.total, len(view.lines)) == (True, 6, 3) for view in views)
    assert len({tuple(line.run for line in view.lines) for view in views}) > 3


def test_too_many_axes_and_keys_that_are_none_are_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="13 axes are too many"):
        parallel_of(store, TableQuery("toy"), [LR] * 13)
    with pytest.raises(UsageError, match="no field of a run"):
        scatter_of(store, TableQuery("toy"), "lr", ACCURACY)
