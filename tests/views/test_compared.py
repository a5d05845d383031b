"""Runs side by side."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from art_training.errors import ProjectError
from art_training.records import Interval, Provenance, RunRecord, Score
from art_training.stores import Store
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run, verdict
from art_training.views.compared import compared_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def keep(
    store: Store, minute: int, rate: float, accuracy: float, width: float = 0.01, **components: object
) -> RunRecord:
    return keep_run(
        store,
        "Overfit",
        minute=minute,
        scores={
            "validation/accuracy": Score(accuracy, Interval(accuracy - width, accuracy + width), 360, "maximize"),
            "expected_loss": 2.3,
        },
        curves={"train/loss": [2.0, accuracy], **({"lr/0": [rate]} if minute else {})},
        verdicts=[verdict("good", "passed" if accuracy > 0.5 else "failed"), verdict("no NaN")],
        components={"step": "Overfit", "hparams.lr": rate, "model: Net.forward": {"digest": f"{minute:x}" * 64}}
        | components,
        parameters={
            "hparams.lr": rate,
            "hparams.width": 16,
            "model": {"__repr__": f"net.Net{minute}", "__type__": "type"},
        },
        provenance=Provenance(
            host="lovelace",
            python="3.11.2",
            versions={"torch": "2.13.0", "numpy": f"2.{minute}"},
            hardware={"cores": 2},
            git_commit="1f3a" * 10,
            git_diff=f"diff --git a/net.py b/net.py\n+x = {minute}\n" if minute else "",
        ),
    )


def test_what_tells_runs_apart_is_told_and_what_they_share_is_counted(store: Store) -> None:
    view = compared_of(store, [keep(store, minute, 0.1**minute, 0.3 + minute / 4) for minute in range(3)])
    told = {section.title: {row.name: row.values for row in section.rows} for section in view.sections}
    assert told["hyper-parameters"] == {"hparams.lr": ("1.0", "0.1", "0.010000000000000002")}
    assert told["versions"] == {"numpy": ("2.0", "2.1", "2.2")}
    assert told["code"]["model: Net.forward"] == ("0" * 12, "1" * 12, "2" * 12)
    assert told["code"]["model"] == ("net.Net0", "net.Net1", "net.Net2")
    assert "git commit" not in told["code"]
    assert "environment" not in told
    assert view.shared >= 6
    assert [(one.name, one.patches[0], "+x = 2" in one.patches[2]) for one in view.files] == [("net.py", "", True)]


def test_the_best_run_of_each_score_is_named_with_its_certainty(store: Store) -> None:
    runs = [keep(store, minute, 0.1, accuracy) for minute, accuracy in enumerate([0.5, 0.9, 0.7])]
    accuracy, expected = compared_of(store, runs).scores
    assert (accuracy.metric, accuracy.best, accuracy.apart) == ("validation/accuracy", 1, True)
    assert (expected.best, expected.apart) == (None, None)  # nobody knows which way it is better
    wide = keep(store, 3, 0.1, 0.91, width=0.2)
    assert compared_of(store, [*runs, wide]).scores[0].best == 3
    assert compared_of(store, [*runs, wide]).scores[0].apart is False
    tie = keep(store, 4, 0.1, 0.9)
    assert compared_of(store, [*runs, tie]).scores[0].best is None


def test_numbers_on_other_data_are_not_compared(store: Store) -> None:
    one = keep(store, 0, 0.1, 0.5, **{"data digest": {"digest": "a" * 64}})
    two = keep(store, 1, 0.1, 0.9, **{"data digest": {"digest": "b" * 64}})
    view = compared_of(store, [one, two])
    assert view.scores[0].unlike == ("", "on other data")
    assert view.scores[0].best is None
    assert "data" in [section.title for section in view.sections]
    bare = keep_run(store, "Overfit", minute=2, components={"data digest": {"digest": "a" * 64}})
    later = compared_of(store, [bare, two, keep(store, 3, 0.1, 0.7, **{"data digest": {"digest": "b" * 64}})]).scores[0]
    assert (later.unlike, later.best) == (("", "", ""), 1)  # the first of them has no such score


def test_checks_are_told_where_their_answers_differ_and_curves_of_all_runs(store: Store) -> None:
    view = compared_of(store, [keep(store, 0, 0.1, 0.4), keep(store, 1, 0.1, 0.9)], limit=100)
    assert [one.check for one in view.checks] == ["good"]
    loss, rate = sorted(view.curves, key=lambda one: one.panel != "loss")
    assert (loss.name, loss.panel, [row and row.values for row in loss.runs]) == (
        "train/loss",
        "loss",
        [(2.0, 0.4), (2.0, 0.9)],
    )
    assert rate.runs[0] is None
    assert compared_of(store, [keep(store, 2, 0.1, 0.4), keep(store, 3, 0.1, 0.9)], names=[]).curves == ()


def test_too_few_too_many_and_the_same_run_twice_are_refused(store: Store) -> None:
    run = keep(store, 0, 0.1, 0.4)
    for runs, said in (
        ([run], "1 run cannot be compared; give 2 to 10"),
        ([run] * 2, "is given twice"),
        ([run] * 11, "11"),
    ):
        with pytest.raises(ProjectError, match=said):
            compared_of(store, runs)


def test_scores_that_are_called_as_no_metric_is_are_compared_all_the_same(store: Store) -> None:
    records = [keep_run(store, "A", minute=n, scores={"recall/class 7": 0.5, "": 1.0}) for n in (0, 1)]
    assert [score.metric for score in compared_of(store, records).scores] == ["recall/class 7", ""]
