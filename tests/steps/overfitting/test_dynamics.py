"""The course of predictions is kept, look by look, also over a kill."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from art_training.records import Split
from art_training.setup.observation import BatchObservation
from art_training.setup.task import Task, TaskKind
from art_training.steps.overfitting.dynamics import Dynamics


class Memory:
    """What `Dynamics` asks of a bench."""

    def __init__(self, kind: TaskKind = TaskKind.CLASSIFICATION) -> None:
        self.task = Task(kind, loss="cross_entropy", activation="none", declared=("activation",))
        self.setup = SimpleNamespace(outputs=lambda batch, returned: returned)
        self.kept: dict[str, Any] = {}

    def remember(self, key: str, value: Any) -> None:
        import copy

        self.kept[key] = copy.deepcopy(value)

    def recall(self, key: str) -> Any:
        return self.kept.get(key)


def seen(probability: float, index: int = 0) -> BatchObservation:
    predictions = torch.tensor([[1 - probability, probability]] * 3)
    targets = torch.tensor([1, 0, 1])
    return BatchObservation(Split.TRAIN, None, index, targets, (predictions, targets), weight=3)


def rows(dynamics: Dynamics) -> list[dict[str, Any]]:
    return dynamics._rows()


def test_each_look_leaves_a_row_an_example() -> None:
    dynamics = Dynamics(Memory(), 2)  # type: ignore[arg-type]
    for epochs, probability in enumerate([0.3, 0.6, 0.9]):
        dynamics.see(epochs, seen(probability))
        dynamics.see(epochs, seen(0.0, index=1))  # a later batch of the same look
    found = rows(dynamics)
    assert [(row["epochs"], row["example"], row["label"], row["predicted"]) for row in found] == [
        (0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 1, 1), (1, 1, 0, 1), (2, 0, 1, 1), (2, 1, 0, 1),
    ]  # fmt: skip
    assert found[-1]["numbers"] == pytest.approx([0.1, 0.9])


@pytest.mark.parametrize(("killed", "resumed"), [(1, 0), (4, 2), (6, 5), (20, 16)])
def test_a_training_that_goes_on_after_a_kill_has_the_course_of_one_without(killed: int, resumed: int) -> None:
    memory = Memory()
    before = Dynamics(memory, 1)  # type: ignore[arg-type]
    for at in range(killed):
        before.see(at, seen(at / 20))
        if at == resumed > 0:  # it is looked at, and then the checkpoint is written
            before.remember()
    after = Dynamics(memory, 1)  # type: ignore[arg-type]
    for at in range(resumed, 20):
        after.see(at, seen(at / 20))
    whole = Dynamics(Memory(), 1)  # type: ignore[arg-type]
    for at in range(20):
        whole.see(at, seen(at / 20))
    assert rows(after) == rows(whole)
    assert after.looks == tuple(range(20))


def test_nothing_is_remembered_of_a_training_that_was_not_looked_at() -> None:
    memory = Memory()
    Dynamics(memory, 1).remember()  # type: ignore[arg-type]
    assert memory.kept == {}


def test_values_are_followed_toward_their_targets() -> None:
    dynamics = Dynamics(Memory(TaskKind.REGRESSION), 2)  # type: ignore[arg-type]
    targets = torch.tensor([1.0, -2.0])
    for epochs in range(2):
        given = targets * epochs
        dynamics.see(epochs, BatchObservation(Split.TRAIN, None, 0, targets, (given, targets), weight=2))
    assert [row["numbers"] for row in rows(dynamics)] == [[0.0], [0.0], [1.0], [-2.0]]
    assert [row["label"] for row in rows(dynamics)] == [1.0, -2.0, 1.0, -2.0]


def test_a_single_look_is_no_course() -> None:
    dynamics = Dynamics(Memory(), 2)  # type: ignore[arg-type]
    dynamics.see(0, seen(0.5))
    assert dynamics.results() == ([], [])


def test_few_looks_are_a_table_and_no_picture(tmp_path: Path) -> None:
    memory = Memory()
    memory.folder, memory.keep = tmp_path, lambda path, **told: told["name"]  # type: ignore[attr-defined]
    dynamics = Dynamics(memory, 2)  # type: ignore[arg-type]
    for at in range(2):
        dynamics.see(at, seen(0.5))
    (reading,), artifacts = dynamics.results()
    assert artifacts == ["dynamics.csv"]
    assert (
        "2 looks, in dynamics.csv; too few for a picture, which takes 5: train longer, or give a larger share"
        in reading.note
    )
    for at in range(2, 5):
        dynamics.see(at, seen(0.5))
    (reading,), artifacts = dynamics.results()
    assert artifacts == ["dynamics.csv", "dynamics.png"]
