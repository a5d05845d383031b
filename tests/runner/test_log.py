"""The log of a run says what happened when, and keeps every warning that the user saw."""

import logging
import time
import warnings
from datetime import UTC, datetime

import pytest

from art_training.records import Fingerprint, RunRecord, StepProgress
from art_training.runner.log import RunLog
from art_training.stores.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.write(RunRecord("1", "p", "a", "Overfit", Fingerprint(), 0, datetime.now(UTC)))
    return store


@pytest.fixture
def log(store: MemoryStore) -> RunLog:
    return RunLog(store, "1")


def test_a_phase_is_one_line_at_its_beginning_and_one_now_and_then(store, log, monkeypatch) -> None:
    for epoch in (0, 1):
        log.follow(StepProgress("a", "fit", epoch=epoch, epochs=20, values={"train/loss": 0.5, "lr/0": 0.1}))
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    log.follow(StepProgress("a", "fit", epoch=9, epochs=20, values={"train/loss": 0.25}))
    log.follow(StepProgress("a", "evaluate train"))
    lines = [line.split(" ", 2)[2] for line in store.log("1")]
    assert lines == ["fit, epoch 1/20, train/loss 0.5", "fit, epoch 10/20, train/loss 0.25", "evaluate train"]


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({"epoch": 0, "epochs": 8, "batch": 0}, "fit, epoch 1/8"),
        ({"epoch": 1, "epochs": 8, "batch": 0}, "fit, after epoch 1/8"),
        ({"epoch": 1, "epochs": 8, "batch": 3}, "fit, epoch 2/8"),
        ({"epoch": 8, "epochs": 8, "batch": 0}, "fit, after epoch 8/8"),
        ({"epoch": 8, "epochs": 8}, "fit, after epoch 8/8"),
        ({"epoch": 8, "epochs": -1, "batch": 0}, "fit, after epoch 8"),
        ({}, "fit"),
    ],
)
def test_a_line_names_the_epoch_that_its_losses_are_of(store, log, progress, told) -> None:
    log.follow(StepProgress("a", "fit", **progress))
    assert store.log("1")[0].split(" ", 2)[2] == told


def test_warnings_are_kept_and_still_shown(store, log) -> None:
    with pytest.warns(UserWarning, match="look here") as shown, log.listening():
        warnings.warn("look here", stacklevel=1)
    assert len(shown) == 1 or "look here" in "\n".join(store.log("1"))


def test_what_loggers_warn_of_is_kept_and_their_handlers_are_left_as_they_were(store, log) -> None:
    before = list(logging.getLogger().handlers)
    with log.listening():
        logging.getLogger("theirs").warning("the learning rate is %s", 0.0)
        logging.getLogger("theirs").info("nothing to see")
    assert logging.getLogger().handlers == before
    assert [line.split(" ", 2)[2] for line in store.log("1")] == ["warning of theirs: the learning rate is 0.0"]


def test_warnings_shown_outside_are_shown_as_before(log) -> None:
    shown = warnings.showwarning
    with log.listening():
        assert warnings.showwarning is not shown
    assert warnings.showwarning is shown
