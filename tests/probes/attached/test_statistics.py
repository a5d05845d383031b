"""Statistics of what goes in and comes out."""

import math

import pytest
import torch

from art_training.errors import UsageError
from art_training.probes.attached import Statistics
from art_training.setup.called import Called


@pytest.fixture
def seen(net, train, hooks):
    def look(probe, steps: int = 2, **how):
        told: list[str] = []
        model = net()
        watch = probe.watch(told.append, Called())
        train(model, watch, steps, **how)
        assert hooks(model) == 0
        assert "prepare" not in vars(model)
        return told, watch

    return look


def names(told):
    return {line.partition(", ")[2].partition(":")[0] for line in told}


def test_of_named_modules_and_patterns(seen):
    assert names(seen(Statistics(of=["head"]))[0]) == {"head in", "head out"}
    assert names(seen(Statistics(of="body.*"))[0]) == {"body.0 in", "body.0 out", "body.1 in", "body.1 out"}
    assert names(seen(Statistics(of=["body"]))[0]) == {"body in", "body out"}


def test_of_a_stage(seen):
    told, _ = seen(Statistics(of=["prepare"]))
    assert names(told) == {"prepare in", "prepare out"}


def test_of_every_layer_where_none_is_named(seen):
    assert names(seen(Statistics())[0]) == {
        f"{one} {way}" for one in ("body.0", "body.1", "head") for way in ("in", "out")
    }


def test_what_is_told_is_kept_as_rows(seen):
    _, watch = seen(Statistics(of=["head"]), batch=torch.full((32, 4), math.nan))
    (left,) = watch.left()
    assert [(row["step"], row["tensor"]) for row in left.rows] == [
        (0, "head in"),
        (0, "head out"),
        (1, "head in"),
        (1, "head out"),
    ]
    assert all(row["NaN"] == 1 for row in left.rows)


def test_a_name_that_there_is_not_ends_the_watch_with_what_there_is(net, train, hooks):
    model = net()
    watch = Statistics(of=["haed"]).watch(lambda _: None, Called())
    with pytest.warns(UserWarning, match=r"no module or stage 'haed' \(did you mean 'head'\?\); its modules are: body"):
        train(model, watch, 2)
    assert hooks(model) == 0


def test_a_name_must_be_one():
    with pytest.raises(UsageError, match="is no name of a module or stage"):
        Statistics(of=[3])
