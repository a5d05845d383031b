"""What was read once is not read again, and whatever changes is noticed all the same."""

import pytest

from art_training.records import Judgement, RunStatus, StepState
from art_training.stores.memory import MemoryStore
from art_training.testing.history import BEGINNING, keep_run, keep_toy_project, verdict
from art_training.views import status_of
from art_training.views.seen import Kept, Seen


class Counting(MemoryStore):
    """Notes which outcomes are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def outcome(self, run: str):
        self.read.append(run)
        return super().outcome(run)


@pytest.fixture
def store() -> Counting:
    return Counting()


def test_an_ended_project_is_read_once_and_looks_the_same(store):
    keep_toy_project(store)
    seen, expected = Seen(), status_of(store, "toy")
    assert status_of(store, "toy", seen=seen) == expected
    store.read.clear()
    assert status_of(store, "toy", seen=seen) == expected
    assert store.read == []


def test_a_new_judgement_is_noticed(store):
    run = keep_run(store, "A", verdicts=[verdict("a")]).id
    seen = Seen()
    assert seen.read(store, run).record.state is StepState.PASSED
    store.judge(run, Judgement((verdict("a", "failed"),), BEGINNING, StepState.FAILED))
    kept = seen.read(store, run)
    assert (kept.record, kept.judgement.state) == (store.run(run), StepState.FAILED)


def test_a_run_that_was_removed_is_gone_and_one_written_again_is_read_again(store):
    run = keep_run(store, "A", scores={"train/loss": 1.0}, verdicts=[verdict("a")]).id
    seen = Seen()
    seen.read(store, run)
    store.delete(run)
    assert seen.read(store, run) == Kept()
    keep_run(store, "A", scores={"train/loss": 2.0}, verdicts=[verdict("a")])
    assert seen.read(store, run).outcome.scores["train/loss"].value == 2.0


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.COMPLETED])
def test_a_run_that_may_still_change_is_read_again(store, status):
    run = keep_run(store, "A", status=status, verdicts=None).id
    seen = Seen()
    seen.read(store, run)
    store.read.clear()
    seen.read(store, run)
    assert store.read == [run]
