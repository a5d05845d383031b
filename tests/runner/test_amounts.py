"""A step that is asked for more of the same work goes on from what it remembered."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

import art_training as art
from art_training.project import ArtProject
from art_training.records import Outcome, Split
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.retention import collect
from art_training.stores.sql import SqlStore

MODEL = art.from_torch(lambda hidden=2: nn.Linear(2, hidden), loss=nn.CrossEntropyLoss, lr=0.1)
DATA = art.data(train=(torch.eye(2), torch.tensor([0, 1])))


@dataclass(frozen=True)
class Counts(Step):
    """Does what it has not done before, and leaves how much that was."""

    times: int = 1
    by: int = 1

    amounts: ClassVar[frozenset[str]] = frozenset({"times"})

    def run(self, bench: Bench) -> Outcome:
        new = [number for number in range(self.times) if bench.recall(f"work {number}") is None]
        for number in new:
            bench.remember(f"work {number}", self.by)
        return Outcome(parameters={"new": len(new)})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def new(store: SqlStore, *, hidden: int = 2, force: bool = False, **fields: int) -> object:
    setup = Setup(MODEL, DATA, hparams={"hidden": hidden}, trainer={"accelerator": "cpu"})
    result = ArtProject("p", setup, steps=[Counts(**fields)], store=store).run(force=force)
    outcome = result["Counts"].outcome
    assert outcome is not None
    return outcome.parameters["new"]


def test_more_of_the_same_work_begins_with_what_is_there(store: SqlStore) -> None:
    assert new(store, times=3) == 3
    assert new(store, times=5) == 2
    assert new(store, times=4) == 0


def test_other_work_begins_with_nothing(store: SqlStore) -> None:
    assert new(store, times=3) == 3
    assert new(store, times=4, by=2) == 4
    assert new(store, times=4, hidden=3) == 4


def test_a_forced_run_begins_with_nothing(store: SqlStore) -> None:
    assert new(store, times=3) == 3
    assert new(store, times=3, force=True) == 3
    assert new(store, times=4) == 1


def test_freeing_room_keeps_the_newest_memory_of_a_step(store: SqlStore) -> None:
    assert new(store, times=3) == 3
    assert new(store, times=3, hidden=3) == 3
    collect(store)
    assert new(store, times=4, hidden=3) == 1
    assert new(store, times=4) == 4


def test_files_of_a_training_are_deleted_when_they_are_not_wanted_any_more(store: SqlStore) -> None:
    @dataclass(frozen=True)
    class Trains(Step):
        def run(self, bench: Bench) -> Outcome:
            kept, lost = (bench.fit(label=label, max_steps=1).last for label in ("kept", "lost"))
            assert kept is not None
            assert lost is not None
            bench.discard("lost")
            bench.evaluate(Split.TRAIN, weights=kept)
            return Outcome(parameters={"kept": kept.exists(), "lost": lost.exists()})

    setup = Setup(MODEL, DATA, trainer={"accelerator": "cpu"})
    outcome = ArtProject("p", setup, steps=[Trains()], store=store).run()["Trains"].outcome
    assert outcome is not None
    assert outcome.parameters == {"kept": True, "lost": False}
