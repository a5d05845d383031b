import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from art_training.steps.exploration.statistics import FeatureStatistics

FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([np.nan, np.inf, -np.inf])


def gathered(*batches: np.ndarray) -> FeatureStatistics:
    statistics = FeatureStatistics()
    for batch in batches:
        statistics.add(batch)
    return statistics


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=FLOATS), st.data())
def test_batch_by_batch_gives_what_the_whole_gives(table, data):
    cut = data.draw(st.integers(1, len(table)))
    batches = [table[:cut]] + ([table[cut:]] if cut < len(table) else [])
    statistics = gathered(*batches)
    for column in range(table.shape[1]):
        finite = table[np.isfinite(table[:, column]), column]
        assert statistics.count[column] == len(finite)
        if len(finite):
            assert statistics.mean[column] == pytest.approx(finite.mean(), abs=1e-6)
            variance = statistics.square[column] / len(finite)
            assert variance == pytest.approx(finite.var(), rel=1e-6, abs=1e-3)
            assert (statistics.low[column], statistics.high[column]) == (finite.min(), finite.max())


@given(arrays.arrays(np.float64, (6, 3), elements=st.floats(-100, 100)))
def test_all_features_together_are_the_mean_of_everything(table):
    told = gathered(table[:2], table[2:]).table()
    assert told["mean"] == pytest.approx(table.mean(), abs=1e-9)
    assert told["std"] == pytest.approx(table.std(), abs=1e-6)
    assert len(told["each"]) == 3


def test_features_that_never_vary_are_counted():
    assert gathered(np.array([[1.0, 2.0, np.nan], [1.0, 3.0, np.nan]])).constant == 1


def test_rows_of_varying_width_count_as_one_feature():
    statistics = gathered(np.ones((2, 3)), np.full((2, 5), 4.0), np.full((2, 3), 4.0))
    told = statistics.table()
    assert statistics.pooled
    assert (told["features"], told["count"], told["max"]) == (1, 22, 4.0)
    assert told["mean"] == pytest.approx((6 * 1 + 16 * 4) / 22)


def test_no_rows_give_no_table():
    assert FeatureStatistics().table() == {}


def test_many_features_are_told_together_only():
    assert "each" not in gathered(np.zeros((2, 101))).table()
