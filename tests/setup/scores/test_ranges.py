"""What metrics cannot leave, and intervals that hold their values whatever these are."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics import classification, clustering, regression, text

from art_training.records import Score
from art_training.setup.scores import intervals, metric_intervals
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metric_intervals import of_metric
from art_training.setup.scores.ranges import best_of, direction_of, range_of

OF_CLASSES = [
    getattr(classification, f"Multiclass{name}")
    for name in (
        "Accuracy",
        "AUROC",
        "CalibrationError",
        "CohenKappa",
        "F1Score",
        "HingeLoss",
        "JaccardIndex",
        "MatthewsCorrCoef",
    )
]
OF_VALUES = [
    regression.ConcordanceCorrCoef,
    regression.ExplainedVariance,
    regression.KendallRankCorrCoef,
    regression.MeanAbsoluteError,
    regression.MeanSquaredError,
    regression.PearsonCorrCoef,
    regression.R2Score,
    regression.RelativeSquaredError,
    regression.SpearmanCorrCoef,
    regression.SymmetricMeanAbsolutePercentageError,
]


def classes(seed: int, right: float) -> Pool:
    """Predictions of three classes, from always wrong to always right."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(3, (20,), generator=generator)
    chance = torch.rand(20, generator=generator) >= right
    shown = torch.where(chance, (targets + 1) % 3, targets)
    logits = torch.nn.functional.one_hot(shown, 3) * 3.0 + torch.randn(20, 3, generator=generator)
    return Pool(logits.softmax(1), targets)


def values(seed: int, right: float) -> Pool:
    """Predictions of one number, from its opposite to itself."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randn(20, generator=generator)
    return Pool((2 * right - 1) * targets + 0.3 * torch.randn(20, generator=generator), targets)


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metric_intervals, "_RESAMPLES", 220)
        patch.setattr(intervals, "RECOMPUTED", 220)
        yield


@pytest.mark.filterwarnings("ignore:Metric `SpearmanCorrcoef`")  # that it keeps what it is given
@pytest.mark.parametrize(
    ("kind", "pool"),
    [(kind, classes) for kind in OF_CLASSES] + [(kind, values) for kind in OF_VALUES],
)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31), right=st.floats(0, 1))
def test_an_interval_holds_its_value_and_stays_in_its_range(kind, pool, seed, right):
    metric = kind(num_classes=3) if pool is classes else kind()
    pooled = pool(seed, right)
    value = float(metric.clone()(pooled.predictions, pooled.targets))
    low, high = range_of(metric)
    assert low - 1e-5 <= value <= high + 1e-5
    between = of_metric(metric, value, pooled, seed=seed).interval
    Score(value, between)  # refuses any other
    assert between is None or low - 1e-5 <= between.low <= value <= between.high <= high + 1e-5


@pytest.mark.parametrize("value", [-0.6, 1.4])
def test_a_value_that_torchmetrics_would_not_draw_is_inside_of_its_interval(value):
    for metric in (regression.R2Score(), regression.ExplainedVariance(), regression.MeanAbsoluteError()):
        low, high = range_of(metric)
        if low <= value <= high:
            between = intervals.of_values(
                iter([value - 0.1, value, value + 0.1] * 80), value, 100, bounds=(low, high)
            ).interval
            assert between is not None
            assert between.low < value < between.high


def test_a_class_of_the_users_own_has_no_known_limits():
    class Points(classification.BinaryAccuracy):
        """In points of a hundred."""

    assert range_of(Points()) == (-math.inf, math.inf)
    assert range_of(classification.BinaryAccuracy()) == (0.0, 1.0)
    assert range_of(None) == (-math.inf, math.inf)


def test_a_similarity_is_bounded_as_a_mean_and_not_as_a_sum():
    assert range_of(regression.CosineSimilarity()) == (-math.inf, math.inf)
    assert range_of(regression.CosineSimilarity(reduction="mean")) == (-1.0, 1.0)
    assert range_of(regression.CosineSimilarity(reduction="none")) == (-1.0, 1.0)
    assert range_of(regression.JensenShannonDivergence(reduction="sum")) == (-math.inf, math.inf)
    assert best_of(regression.CosineSimilarity()) is None
    assert best_of(regression.CosineSimilarity(reduction="mean")) == 1.0


@pytest.mark.parametrize(
    ("metric", "way", "best"),
    [
        (classification.BinaryEER(), "minimize", 0.0),
        (classification.MulticlassCohenKappa(3), "maximize", 1.0),
        (classification.MulticlassConfusionMatrix(3), None, None),
        (clustering.DaviesBouldinScore(), "minimize", 0.0),
        (clustering.CalinskiHarabaszScore(), "maximize", None),
        (regression.PearsonCorrCoef(), "maximize", 1.0),
        (regression.MeanSquaredError(), "minimize", 0.0),
        (text.WordInfoPreserved(), "maximize", 1.0),
        (text.Perplexity(), "minimize", 1.0),
    ],
)
def test_the_best_is_the_end_of_the_range_on_the_better_side(metric, way, best):
    assert direction_of(metric) == way
    assert best_of(metric) == best


def test_the_better_clustering_has_the_smaller_davies_bouldin_score():
    x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    good, bad = (clustering.DaviesBouldinScore()(x, torch.tensor(one)) for one in ([0, 0, 1, 1], [0, 1, 0, 1]))
    assert good < bad


def test_more_words_are_preserved_of_the_better_sentence():
    good, bad = (text.WordInfoPreserved()([one], ["a b c d"]) for one in ("a b c d", "a x y d"))
    assert good > bad
