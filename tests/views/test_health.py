"""What is told of layers and trainings."""

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from art_training.checks.healthy import HEALTH
from art_training.records import Outcome, Reading, RunStatus
from art_training.stores import Store
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views.health import HealthView, Verdict, health_from, health_of, not_followed
from art_training.views.points import PointsRow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def health(store: Store, **curves: list[float]) -> HealthView:
    named = {name.replace("__", "/"): values for name, values in curves.items()}
    return health_of(store, keep_run(store, "Overfit", status=RunStatus.RUNNING, curves=named).id)


def test_gradients_that_the_module_logs_are_told_by_layer(store: Store) -> None:
    """As Lightning's `grad_norm` names them; learning curves are of no layer."""
    norms = {f"logged/grad_2.0_norm/{name}": [1.0, 0.5, 0.8] for name in ("a.weight", "b.weight", "head.weight")}
    other = {"train/loss": [1.0], "logged/val_loss": [1.0], "lr/0": [0.1], "logged/grad_2.0_norm_total": [2.0, 1.0]}
    view = health_of(store, keep_run(store, "Overfit", curves=norms | other).id)
    assert {row.layer for row in view.layers} == {"a.weight", "b.weight", "head.weight", "all layers"}
    row = next(row for row in view.layers if row.layer == "a.weight")
    assert (row.statistic, row.first, row.last, row.worst, row.verdict) == (
        "grad_2.0_norm",
        1.0,
        0.8,
        1.0,
        Verdict.GOOD,
    )


def test_a_gradient_that_hardly_arrives_or_jumps_is_told_first(store: Store) -> None:
    view = health(
        store,
        logged__grad_norm__a=[1.0, 1.0, 1.0],
        logged__grad_norm__b=[1.0, 1.1, 1.0],
        logged__grad_norm__c=[1.0, 0.9, 500.0],
        logged__grad_norm__deep=[1e-5, 1e-5, 1e-5],
        logged__grad_norm__none=[0.0, 0.0],
        logged__grad_norm__nan=[1.0, math.nan, 1.0],
    )
    told = {row.layer: (row.verdict, row.reason) for row in view.layers}
    assert told["none"] == (Verdict.BAD, "no gradient ever arrived")
    assert told["nan"] == (Verdict.BAD, "one of its values is nan")
    assert told["deep"][0] is told["c"][0] is Verdict.WATCH
    assert "jumped to 500" in told["c"][1]
    assert told["a"] == (Verdict.GOOD, "")
    assert [row.verdict for row in view.layers[:4]] == [Verdict.BAD, Verdict.BAD, Verdict.WATCH, Verdict.WATCH]


def test_updates_and_dead_units_are_judged_and_others_only_told(store: Store) -> None:
    view = health(
        store,
        logged__update_ratio__a=[1e-3, 2e-3],
        logged__update_ratio__slow=[1e-7, 1e-7],
        logged__update_ratio__fast=[1e-3, 0.5],
        logged__dead_share__a=[0.1, 0.7],
        logged__activation_mean__a=[0.0, 5.0, 0.1],
    )
    told = {(row.statistic, row.layer): row.verdict for row in view.layers}
    assert told["update_ratio", "a"] is Verdict.GOOD
    assert told["update_ratio", "slow"] is told["update_ratio", "fast"] is told["dead_share", "a"] is Verdict.WATCH
    assert told["activation_mean", "a"] is Verdict.UNKNOWN


def test_trainings_of_a_step_are_told_apart(store: Store) -> None:
    named = {f"trial {number}/logged/grad_norm/head": [float(number)] for number in (0, 1)}
    labels = {f"{label}/logged/train_loss": [1.0] for label in ("weight decay, seed 1", "weight_decay", "dead/grad")}
    view = health_of(store, keep_run(store, "Tune", curves=named | labels).id)
    assert {(row.training, row.layer, row.verdict) for row in view.layers} == {
        ("trial 0", "head", Verdict.BAD),
        ("trial 1", "head", Verdict.GOOD),
    }


def test_trainings_whose_layers_nobody_looked_at_are_named(store: Store) -> None:
    names = [f"{label}/train/loss" for label in ("trial 10", "trial 9", "trial 2")]
    seen = {"trial 2/layers/grad_norm/head": [1.0]}
    view = health_of(store, keep_run(store, "Tune", curves=seen).id)
    assert not_followed(view.layers, [*names, *seen, "learning rates"]) == ("trial 9", "trial 10")
    assert not_followed((), names) == ()


def test_what_rules_said_of_each_training_is_told(store: Store) -> None:
    found = {"ART911": {"severity": "error", "message": "the loss is nan", "remedy": "a smaller rate"}}
    told = {"training": {"passed": ["ART912"], "found": found, "not judged": {"ART913": "too short"}, "broken": ""}}
    record = keep_run(store, "Overfit", verdicts=None)
    store.write(record, Outcome(readings=(Reading(HEALTH, told),)))
    (row,) = health_of(store, record.id).trainings
    assert (row.training, row.passed, row.not_judged) == ("training", ("ART912",), {"ART913": "too short"})
    assert [(one.code, one.severity.value, one.remedy) for one in row.found] == [("ART911", "error", "a smaller rate")]
    assert health_of(store, "run-none") == HealthView((), ())


def test_a_median_is_over_the_steps_and_not_over_the_points_that_were_kept_of_them(store: Store) -> None:
    """What came last is read point by point, what was before it is thinned out."""
    steps = (*range(0, 10_000, 100), *range(10_000, 10_200))
    values = (1.0,) * 100 + (1e-7,) * 200
    row = PointsRow("logged/update_ratio/a", "", "", None, "", steps, values, (), 10_200, truncated=True)
    (found,) = health_from(None, [row]).layers
    assert (found.worst, found.reason[:25]) == (1.0, "a step changes 1 of the w")
