"""What goes from right to wrong is counted, look by look, also over a kill."""

import itertools
from types import SimpleNamespace
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.records import Split
from art_training.setup.observation import BatchObservation
from art_training.setup.task import Task, TaskKind
from art_training.steps.forgetting import Forgetting


class Memory:
    """What `Forgetting` asks of a bench."""

    def __init__(self, kind: TaskKind = TaskKind.CLASSIFICATION) -> None:
        self.task = Task(kind, loss="cross_entropy", activation="none", declared=("activation",))
        self.setup = SimpleNamespace(outputs=lambda batch, returned: returned)
        self.kept: dict[str, Any] = {}

    def remember(self, key: str, value: Any) -> None:
        self.kept[key] = {name: list(values) for name, values in value.items()}

    def recall(self, key: str) -> Any:
        return self.kept.get(key)


def seen(right: list[bool], index: int = 0) -> BatchObservation:
    """A batch of examples of class 1, each decided right or wrong."""
    predictions = torch.tensor([[0.1, 0.9] if one else [0.9, 0.1] for one in right])
    targets = torch.ones(len(right), dtype=torch.long)
    return BatchObservation(Split.TRAIN, None, index, targets, (predictions, targets), weight=len(right))


def counted(*looks: list[bool], memory: Memory | None = None) -> Any:
    forgetting = Forgetting(memory or Memory())  # type: ignore[arg-type]
    for epochs, right in enumerate(looks):
        forgetting.see(epochs, seen(right))
    forgetting.remember()
    return forgetting.result()


def test_only_what_was_right_can_be_forgotten() -> None:
    found = counted(
        [False, True, True, True], [False, False, True, True], [False, True, True, False], [False, False, True, True]
    )
    assert found.times == (0, 2, 0, 1)
    assert found.learned == (False, True, True, True)
    assert found.looks == (0, 1, 2, 3)


def test_batches_of_one_look_are_numbered_through() -> None:
    forgetting = Forgetting(Memory())  # type: ignore[arg-type]
    for epochs, last in enumerate([True, False]):
        forgetting.see(epochs, seen([True, True]))
        forgetting.see(epochs, seen([True, last], index=1))
    found = forgetting.result()
    assert found is not None
    assert found.times == (0, 0, 0, 1)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=6)
    )
)
def test_counts_are_those_of_a_loop(looks: list[list[bool]]) -> None:
    found = counted(*looks)
    for one in range(len(looks[0])):
        course = [look[one] for look in looks]
        assert found.times[one] == sum(a and not b for a, b in itertools.pairwise(course))
        assert found.learned[one] == any(course)


@settings(max_examples=30, deadline=None)
@given(looks=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=6), data=st.data())
def test_a_training_that_goes_on_after_a_kill_counts_what_one_without_would(
    looks: list[list[bool]], data: st.DataObject
) -> None:
    killed = data.draw(st.integers(1, len(looks)))  # looks before the kill; the last of them was not complete
    resumed = data.draw(st.integers(0, killed - 1))  # the checkpoint that it goes on from may be older
    memory = Memory()
    before = Forgetting(memory)  # type: ignore[arg-type]
    for epochs in range(killed):
        before.see(epochs, seen(looks[epochs]))
        if epochs == resumed > 0:  # it is looked at, and then the checkpoint is written
            before.remember()
    after = Forgetting(memory)  # type: ignore[arg-type]
    for epochs in range(resumed, len(looks)):
        after.see(epochs, seen(looks[epochs]))
    assert after.result() == counted(*looks)


def test_a_training_that_begins_anew_is_counted_anew() -> None:
    memory = Memory()
    counted([True], [False], [True], memory=memory)
    assert counted([True], [True], memory=memory).times == (0,)


def test_a_finished_training_that_is_found_again_still_knows() -> None:
    memory = Memory()
    first = counted([True, True], [False, True], memory=memory)
    again = Forgetting(memory).result()  # type: ignore[arg-type]
    assert again == first


def test_values_are_not_forgotten() -> None:
    forgetting = Forgetting(Memory(TaskKind.REGRESSION))  # type: ignore[arg-type]
    values = torch.tensor([0.5, 1.5])
    forgetting.see(0, BatchObservation(Split.TRAIN, None, 0, values, (values, values), weight=2))
    assert forgetting.result() is None
