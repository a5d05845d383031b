"""Tables of runs."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from art_training.errors import UsageError
from art_training.records import ProcessId, RunStatus, StepState
from art_training.stores import Store, Where
from art_training.stores.memory import MemoryStore
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run, verdict
from art_training.views.rows import RunRow
from art_training.views.status import status_of
from art_training.views.table import MOST_GROUPS, TableQuery, table_of


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with closing(SqlStore(tmp_path / "art.db") if request.param == "sqlite" else MemoryStore()) as store:
        yield store


def keep_search(store: Store, runs: int = 7) -> None:
    """Runs of one step that differ in their rate and optimiser; the third failed."""
    for number in range(runs):
        keep_run(
            store,
            "Overfit",
            minute=number,
            seconds=10.0 + number % 4,
            parameters={
                "hparams.lr": 10.0**-number,
                "hparams.width": 16,
                "model": "net.Net",
                "hparams.opt": "adam" if number % 2 else "sgd",
            },
            scores={"validation/accuracy": 0.5 + number / 100},
            verdicts=[verdict("good", "failed" if number == 2 else "passed")],
        )


def test_columns_that_tell_runs_apart_come_first(store: Store) -> None:
    keep_search(store)
    keep_run(store, "Explore", minute=60, parameters={"other": 1})
    table = table_of(store, TableQuery("toy", "Overfit"))
    assert [column.key for column in table.columns] == [
        "state",
        "started",
        "seconds",
        "parameter:hparams.lr",
        "parameter:hparams.opt",
        "score:validation/accuracy",
        "parameter:hparams.width",
        "parameter:model",
    ]
    rate = table.columns[3]
    assert (rate.numeric, rate.runs, rate.lowest, rate.highest) == (True, 7, 1e-6, 1.0)
    row = table.rows[0]
    assert [row.value(column) for column in table.columns] == [
        "passed",
        row.run.started,
        12.0,
        1e-6,
        "sgd",
        0.56,
        16,
        "net.Net",
    ]
    everything = table_of(store, TableQuery("toy"))
    assert "step" in [column.key for column in everything.columns]
    assert everything.total == 8


def test_a_table_is_sorted_by_any_column_and_paged(store: Store) -> None:
    keep_search(store)
    keys = [column.key for column in table_of(store, TableQuery("toy", "Overfit")).columns]
    for key in keys:
        pages = [table_of(store, TableQuery("toy", "Overfit", sort=key, page=page, size=3)) for page in range(4)]
        assert [len(page.rows) for page in pages] == [3, 3, 1, 0]
        assert [page.total for page in pages] == [7, 7, 7, 7]
        column = next(one for one in pages[0].columns if one.key == key)
        values = [row.value(column) for page in pages for row in page.rows]
        assert values == sorted(values, reverse=True)  # type: ignore[type-var]


def test_a_table_is_filtered_searched_and_grouped(store: Store) -> None:
    keep_search(store)
    slow = table_of(
        store,
        TableQuery(
            "toy",
            "Overfit",
            states=(StepState.PASSED,),
            where=(Where.parse("parameter:hparams.lr >= 0.001"),),
            group_by="parameter:hparams.opt",
        ),
    )
    assert slow.total == len(slow.rows) == 3
    assert [(one.value, one.runs, one.passed) for one in slow.groups] == [("adam", 2, 2), ("sgd", 1, 1)]
    of_group = table_of(store, TableQuery("toy", "Overfit", where=(slow.groups[0].where,)))
    assert {row.parameters["hparams.opt"] for row in of_group.rows} == {"adam"}
    assert table_of(store, TableQuery("toy", search="SGD")).total == 4
    assert table_of(store, TableQuery("toy", search="%")).total == 0


def test_a_run_whose_process_died_is_no_running_one(store: Store) -> None:
    keep_run(store, "Overfit", status=RunStatus.RUNNING, process="elsewhere|1|")
    here = str(ProcessId.current())
    keep_run(store, "Overfit", minute=1, status=RunStatus.RUNNING, process=here)
    running = table_of(store, TableQuery("toy", states=(StepState.RUNNING,)))
    assert [row.run.started.minute for row in running.rows] == [1]
    dead = table_of(store, TableQuery("toy", states=(StepState.INTERRUPTED,), group_by="state"))
    assert [row.run.state for row in dead.rows] == [StepState.INTERRUPTED]
    assert [(one.value, one.runs) for one in dead.groups] == [("interrupted", 1)]


def test_very_many_groups_are_cut_and_counted(store: Store) -> None:
    keep_search(store, runs=MOST_GROUPS + 3)
    table = table_of(store, TableQuery("toy", group_by="started", size=1))
    assert (len(table.groups), table.groups_left_out) == (MOST_GROUPS, 3)


def test_new_scores_are_new_columns(store: Store) -> None:
    keep_search(store)
    table_of(store, TableQuery("toy"))
    keep_run(store, "Overfit", minute=30, scores={"test/loss": 0.1}, parameters={"hparams.new": 1})
    keys = [column.key for column in table_of(store, TableQuery("toy")).columns]
    assert {"score:test/loss", "parameter:hparams.new"} <= set(keys)


@pytest.mark.parametrize("wrong", [{"sort": "lr"}, {"group_by": "nothing"}, {"page": -1}, {"size": 0}, {"size": 5000}])
def test_wrong_use_is_refused_when_a_query_is_made(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        TableQuery("toy", **wrong)  # type: ignore[arg-type]


def test_a_project_without_runs_has_an_empty_table(store: Store) -> None:
    table = table_of(store, TableQuery("none", group_by="state"))
    assert (table.rows, table.total, table.groups) == ((), 0, ())


def test_a_run_that_went_on_from_another_is_as_long_in_a_table_as_everywhere(store: Store) -> None:
    record = keep_run(store, "Overfit", project="resumed", seconds=15.0, verdicts=[verdict("a")])
    store.write(replace(record, resumed="before", seconds_before=65.0))
    table = table_of(store, TableQuery("resumed", where=(Where.parse("seconds > 79"),)))
    (step,) = status_of(store, "resumed").steps
    whole = RunRow.of(store.run(record.id))
    assert [row.run.seconds for row in table.rows] == [step.seconds] == [whole.seconds] == [80.0]
