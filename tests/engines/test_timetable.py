"""When a training is looked at follows from its length alone, and costs no more than its share."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.engines import Look
from art_training.engines.timetable import Length, timetable

SIZES = st.integers(1, 200)
SHARES = st.sampled_from([0.001, 0.01, 0.05, 0.3, 1.0, 1e9])


def look(**settings):
    return Look(lambda epochs, batch: None, **settings)


def charged(table):
    return table.cost / 3 + 2


@given(SIZES, SIZES, SHARES, st.lists(SIZES, min_size=1, max_size=3), st.data())
def test_looks_never_count_more_than_their_share(epochs, batches, share, loaders, data):
    count = data.draw(st.none() | st.integers(1, 9))
    least = data.draw(st.none() | st.integers(1, count or 9))
    times = data.draw(st.none() | st.integers(1, 50))
    asked = look(share=share, batches=count, least=least, times=times)
    table = timetable(asked, Length(epochs, epochs * batches), loaders)
    at = table.epochs
    assert len(at) * charged(table) <= share * epochs * batches * (1 + 1e-9) + 1e-6
    assert at == tuple(sorted(set(at)))
    assert len(at) <= (times or epochs + 1)
    assert at == () or (at[0], at[-1]) == (0, epochs)
    assert table.cost == sum(min(table.batches or one, one) for one in loaders)
    if least is not None:
        assert table.batches >= min(least, *loaders)
    # One more would be too many, or more than were asked for, or than there are epochs, or alone.
    more = len(at) + 1
    assert more > min(times or epochs + 1, epochs + 1) or more * charged(table) > share * epochs * batches or more == 1


@given(st.integers(2, 500), SIZES, SHARES)
def test_gaps_grow_evenly_from_the_early_epochs_on(epochs, batches, share):
    table = timetable(look(share=share), Length(epochs, epochs * batches), [50])
    gaps = [b - a for a, b in itertools.pairwise(table.epochs)]
    assert all(b >= a - 1 for a, b in itertools.pairwise(gaps))  # but for what rounding does
    assert max(gaps, default=0) <= 2 * epochs / max(len(gaps), 1) + 1


def test_a_training_is_looked_at_in_the_places_that_its_length_allows():
    def places(epochs, length, **settings):
        table = timetable(look(**settings), Length(epochs, epochs * length), [length])
        return table.batches, table.epochs

    assert places(15, 44) == (1, (0, 15))
    assert places(4, 4) == (1, ())
    assert places(4, 4, share=1.0) == (1, (0, 1, 2, 3, 4))
    assert places(100, 1000, batches=4, least=1, times=32)[0] == 4
    assert places(100, 44, batches=4, least=1, times=32) == places(100, 44, batches=1, times=32)
    assert places(3, 1000, batches=None) == (None, ())
    assert places(3, 1000, batches=None, least=1) == (16, (0, 1, 2, 3))


@given(st.integers(1, 300), SIZES, SHARES, st.integers(1, 5))
def test_a_training_of_unknown_length_is_looked_at_after_every_doubling_that_the_share_allows(
    epochs, batches, share, count
):
    table = timetable(look(share=share, batches=count), Length(None, None), [None])
    assert table.epochs is None
    at = [epoch for epoch in range(epochs + 1) if table.is_due(epoch, epoch * batches)]
    assert at[0] == 0
    for number, epoch in enumerate(at[1:], start=2):
        assert number * charged(table) <= share * epoch * batches + 1e-6
    assert all(b >= 2 * a for a, b in itertools.pairwise(at))
    assert at == [epoch for epoch in at if table.is_due(epoch, epoch * batches)]  # asked again, it answers the same
    ended = table.is_due(epochs, epochs * batches, ended=True)
    assert ended == (epochs in at or (len(at) + 1) * charged(table) <= share * epochs * batches)


def test_a_training_that_ends_before_its_time_is_looked_at_then():
    table = timetable(look(share=1.0), Length(4, 16), [4])
    assert table.is_due(2, 9, ended=True)
    few = timetable(look(share=0.4), Length(20, 20), [4])
    assert few.epochs == (0, 5, 20)
    assert not few.is_due(3, 3)
    assert few.is_due(3, 3, ended=True)
    assert not timetable(look(), Length(4, 16), [4]).is_due(2, 9, ended=True)


def test_what_a_look_costs_that_nobody_knows_is_known_when_it_has_been_taken():
    table = timetable(look(batches=None), Length(10, 1000), [None])
    assert (table.cost, table.epochs) == (None, None)
    assert table.is_due(0, 0)
    assert table.is_due(3, 300)
    assert not timetable(look(batches=None, share=0.0), Length(10, 1000), [None]).is_due(0, 0)


@pytest.mark.parametrize(("length", "when"), [(Length(2, 900), [0, 1, 2]), (Length(None, None), "every doubling")])
def test_it_is_told_as_plain_data(length, when):
    told = timetable(look(), length, [450]).told()
    assert told == {"split": "train", "batches": 1, "epochs": told["epochs"], "share": 0.01}
    assert told["epochs"] == when or when in told["epochs"]
