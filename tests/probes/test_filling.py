"""What fills sequences up, told by the batches alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.probes.filling import filled_up, filler, tells_lengths


def put_together(lengths, *, at_end=True, token=0, seed=0):
    """A batch of rows of these lengths, as long as the longest."""
    drawn, width = np.random.default_rng(seed), max(lengths)
    table = np.full((len(lengths), width), token)
    for row, length in zip(table, lengths, strict=True):
        row[slice(0, length) if at_end else slice(width - length, width)] = drawn.integers(1, 9, length)
    return table


@given(
    st.lists(st.lists(st.integers(1, 12), min_size=3, max_size=6), min_size=2, max_size=4),
    st.booleans(),
    st.integers(0, 99),
)
def test_what_fills_rows_up_is_found_at_either_end_or_not_at_all(batches, at_end, seed):
    tables = [put_together(lengths, at_end=at_end, seed=seed) for lengths in batches]
    found = filler(tables)
    runs = {max(lengths) - length for lengths in batches for length in lengths} - {0}
    if len({max(lengths) for lengths in batches}) > 1 and len(runs) >= 3:
        assert (found.token, found.at_end) == (0, at_end)
        assert filled_up(tables).shape == (sum(map(len, batches)), max(map(max, batches)))
    else:
        assert found is None or found.token != 0 or len(runs) < 3


@pytest.mark.parametrize(
    "tables",
    [
        [put_together([3, 5, 9]), put_together([4, 6, 9])],  # batches of one width, whose end may be a state that stays
        [np.arange(12).reshape(3, 4), np.arange(15).reshape(3, 5)],
        [put_together([3, 5, 9, 9]) * 0, put_together([4, 6, 8, 1]) * 0],  # nothing else
    ],
)
def test_nothing_is_told_where_it_may_be_a_token(tables):
    assert filler(tables) is None
    assert filled_up(tables) is None


def test_a_token_that_also_stands_between_others_fills_nothing_up():
    tables = [put_together([3, 5, 9]), put_together([4, 6, 8])]
    tables[0][2, 4] = 0
    assert filler(tables) is None


def test_lengths_are_told_from_labels_of_the_same_size():
    table = put_together([3, 5, 9])
    assert tells_lengths(np.array([3, 5, 9]), table)
    assert not tells_lengths(np.array([2, 5, 9]), table)
    assert not tells_lengths(np.array([0, 1, 1]), table)
