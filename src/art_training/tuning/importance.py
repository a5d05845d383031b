"""Which dimensions of a space decide about the result."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from art_training.tuning.dimension import Dimension, Integer, Uniform
from art_training.tuning.space import Space
from art_training.tuning.trial import Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 15
"""Finished trials below which nothing is said: with 12, one run of a search in two names the wrong dimension."""

_TREES = 100
_SHUFFLES = 10


def importances(space: Space, trials: Sequence[Trial], *, seed: int) -> dict[str, float]:
    """The share of each dimension in what a random forest tells of the ranks of finished trials; largest first.

    A dimension's importance is by how much the forest's squared error grows when its column is shuffled: Breiman, Random
    forests, Machine Learning 45 (2001). Ranks, because one diverged trial would outweigh all others. Real numbers on a
    logarithmic scale enter as logarithms. Where a condition leaves a dimension out, it has the median of the others: that it
    is left out is what another dimension decided.

    Raises:
        ValueError: there are too few finished trials, or they do not differ.
    """
    import numpy as np
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor
    from threadpoolctl import threadpool_limits

    finished = [trial for trial in trials if trial.state == "finished"]
    if len(finished) < FEWEST:
        raise ValueError(f"{len(finished)} finished trials are too few, it takes {FEWEST}")
    ranks = rankdata([trial.value for trial in finished])
    if np.ptp(ranks) == 0:
        raise ValueError("all finished trials reached the same value")
    table = np.array(
        [[_number(one, trial.point.get(name)) for name, one in space.dimensions.items()] for trial in finished]
    )
    for column in table.T:
        known = column[~np.isnan(column)]
        column[np.isnan(column)] = np.median(known) if len(known) else 0.0
    generator = np.random.default_rng(seed)
    with threadpool_limits(1):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed % 2**32, n_jobs=1).fit(
            table, ranks
        )
        whole = _error(forest, table, ranks)
        rises = [
            float(np.mean([_error(forest, _shuffled(table, column, generator), ranks) for _ in range(_SHUFFLES)]))
            - whole
            for column in range(table.shape[1])
        ]
    rises = [max(0.0, rise) for rise in rises]
    if sum(rises) == 0:
        raise ValueError("no dimension tells anything about the result")
    shares = {name: rise / sum(rises) for name, rise in zip(space.dimensions, rises, strict=True)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _number(dimension: Dimension, value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(dimension, Uniform | Integer):
        return math.log(value) if dimension.log else float(value)
    return float(list(dimension.values() or ()).index(value))


def _shuffled(table: "NDArray[Any]", column: int, generator: Any) -> "NDArray[Any]":
    shuffled = table.copy()
    shuffled[:, column] = generator.permutation(shuffled[:, column])
    return shuffled


def _error(forest: Any, table: "NDArray[Any]", ranks: "NDArray[Any]") -> float:
    return float(((forest.predict(table) - ranks) ** 2).mean())
