"""What enters a model."""

import pytest
import torch

from art_training.errors import UsageError
from art_training.probes.attached import Batches
from art_training.setup.called import Called


@pytest.fixture
def seen(net, train, hooks):
    def look(probe, steps: int = 3, **how):
        told: list[str] = []
        model = net()
        watch = probe.watch(told.append, Called())
        train(model, watch, steps, **how)
        assert hooks(model) == 0
        assert not watch.failure
        return told, watch.left()

    return look


def test_the_batch_and_what_the_first_layer_is_given_of_it_are_told(seen):
    told, left = seen(Batches())
    assert [line.partition(": ")[0] for line in told] == [
        "step 0, batch[0]",
        "step 0, batch[1]",
        "step 0, enters body.0",
        "validation, batch[0]",
        "validation, batch[1]",
        "validation, enters body.0",
    ]
    assert [one.name for one in left] == ["step-0", "validation"]


def test_what_is_kept_is_exactly_what_entered_and_not_what_was_loaded(seen):
    x = torch.arange(128.0).reshape(32, 4)
    _, left = seen(Batches(examples=5), batch=x)
    assert left[0].examples is not None
    assert torch.equal(left[0].examples, ((x - 1) / 2)[:5])


def test_it_looks_as_often_as_is_asked(seen):
    told, _ = seen(Batches(every=2), steps=5)
    assert [line for line in told if "enters" in line and line.startswith("step")] == [
        line for line in told if line.startswith(("step 0, enters", "step 2, enters", "step 4, enters"))
    ]
    assert sum("enters" in line for line in told) == 4


def test_rows_can_be_told_in_words(seen):
    told, _ = seen(Batches(decode=lambda row: f"row of {len(row)}"))
    assert told.count("step 0, decoded: row of 4") == 4


def test_a_decoder_that_raises_ends_the_watch_and_not_the_training(net, train, hooks):
    def decode(row):
        raise KeyError("no such token")

    model, told = net(), []
    watch = Batches(decode=decode).watch(told.append, Called())
    with pytest.warns(UserWarning, match="looks no further: it raised KeyError"):
        train(model, watch, 3)
    assert hooks(model) == 0
    assert "KeyError" in watch.failure


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"every": 0}, "every=0 of batches must be a number of optimiser steps"),
        ({"examples": 0}, "examples=0 of batches must be 1 or more"),
        ({"to": ("lgo",)}, "to='lgo' of batches is no place .did you mean 'log'"),
    ],
)
def test_wrong_settings_are_told(wrong, said):
    with pytest.raises(UsageError, match=said):
        Batches(**wrong)
