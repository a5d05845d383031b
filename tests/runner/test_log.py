"""The log of a run says what happened when, and keeps every warning that the user saw."""

import logging
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


def test_each_phase_and_each_epoch_is_one_line_with_its_numbers(store, log) -> None:
    for epoch in (0, 0, 1):
        log.follow(StepProgress("a", "fit", epoch=epoch, epochs=2, values={"train/loss": 0.5}))
    log.follow(StepProgress("a", "evaluate train"))
    lines = [line.split(" ", 2)[2] for line in store.log("1")]
    assert lines == ["fit, epoch 1/2, train/loss 0.5", "fit, epoch 2/2, train/loss 0.5", "evaluate train"]


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
