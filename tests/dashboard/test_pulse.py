"""Pages are told of what changes, each as often as it can bear."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from art_training.dashboard.pulse import Pulse
from art_training.dashboard.source import Source
from art_training.stores.memory import MemoryStore


@pytest.fixture
def clock():
    """Hands that the test turns."""
    return [100.0]


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def watched(store, clock):
    source = Source(lambda: store, "here")
    yield Pulse(source, clock=lambda: clock[0])
    source.close()


def listening(told: list[float], clock: list[float], takes: float) -> Callable[[], Awaitable[None]]:
    async def listener() -> None:
        told.append(clock[0])
        clock[0] += takes

    return listener


def change(store: MemoryStore, n: int) -> None:
    store.remember("changed", n)


def looked(pulse: Pulse, store: MemoryStore, clock: list[float], every: float, times: int, *, changes: bool = True):
    for n in range(times):
        clock[0] += every
        if changes:
            change(store, n)
        asyncio.run(pulse.look())


def test_a_page_is_told_of_each_change(store, watched, clock):
    told: list[float] = []
    watched.listen("page", listening(told, clock, 0.0))
    looked(watched, store, clock, 0.5, 6)
    assert len(told) == 6


def test_and_of_none_where_nothing_changed_but_now_and_then(store, watched, clock):
    told: list[float] = []
    asyncio.run(watched.look())
    watched.listen("page", listening(told, clock, 0.0))
    looked(watched, store, clock, 0.5, 22, changes=False)
    assert len(told) == 2  # a process that died changes nothing in its store


def test_a_page_that_takes_long_leaves_the_server_most_of_its_time(store, watched, clock):
    told: list[float] = []
    watched.listen("page", listening(told, clock, 1.0))
    looked(watched, store, clock, 0.5, 60)
    assert len(told) <= 1 + (clock[0] - 100.0) / 5


def test_what_changed_while_a_page_was_left_alone_is_told_when_it_is_called_next(store, watched, clock):
    told: list[float] = []
    watched.listen("page", listening(told, clock, 1.0))
    looked(watched, store, clock, 0.5, 1)
    change(store, 77)
    clock[0] += 1.0
    asyncio.run(watched.look())
    assert len(told) == 1
    looked(watched, store, clock, 3.5, 1, changes=False)
    assert len(told) == 2


def test_others_are_told_meanwhile(store, watched, clock):
    slow, quick = [], []
    watched.listen("slow", listening(slow, clock, 1.0))
    watched.listen("quick", listening(quick, clock, 0.0))
    looked(watched, store, clock, 0.5, 8)
    assert len(quick) == 8
    assert len(slow) < 4


def test_one_that_raises_hurts_no_other(store, watched, clock, caplog):
    told: list[float] = []

    async def broken() -> None:
        raise ValueError("no page")

    watched.listen("broken", broken)
    watched.listen("page", listening(told, clock, 0.0))
    looked(watched, store, clock, 0.5, 2)
    assert len(told) == 2
    assert "could not be drawn again" in caplog.text


def test_who_has_left_is_told_nothing(store, watched, clock):
    told: list[float] = []
    watched.listen("page", listening(told, clock, 0.0))
    watched.leave("page")
    looked(watched, store, clock, 0.5, 3)
    assert told == []


def test_a_store_that_is_gone_before_the_first_look_is_a_change(clock):
    told: list[float] = []
    source = Source(lambda: None, "here")
    pulse = Pulse(source, clock=lambda: clock[0])
    pulse.listen("page", listening(told, clock, 0.0))
    clock[0] += 0.5
    asyncio.run(pulse.look())
    source.close()
    assert len(told) == 1
