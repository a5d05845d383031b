"""What metrics cannot leave, so that no interval ends where none of their values can be, and which end is the best.

By definition, for the classes of torchmetrics alone. Its `plot_lower_bound` and `plot_upper_bound` are no such limits: they
say how far axes are drawn, and a kappa or a coefficient of determination that is drawn from 0 to 1 may well be negative.
Nor is its `higher_is_better` always there or right.
"""

import math
import re
from typing import Any, TypeAlias

from art_training.records import Direction

Bounds: TypeAlias = tuple[float, float]

UNBOUNDED: Bounds = (-math.inf, math.inf)
POSITIVE: Bounds = (0.0, math.inf)
SHARE: Bounds = (0.0, 1.0)
CORRELATION: Bounds = (-1.0, 1.0)
AT_MOST_ONE: Bounds = (-math.inf, 1.0)

# By the name without Binary, Multiclass or Multilabel. A metric that is not here has no known limits.
_RANGES: dict[Bounds, str] = {
    SHARE: """
        AUROC Accuracy AveragePrecision BLEUScore CHRFScore CalibrationError ClusterAccuracy CompletenessScore CramersV
        CriticalSuccessIndex DiceScore EER ExactMatch F1Score FBetaScore FowlkesMallowsIndex GeneralizedDiceScore
        HammingDistance HomogeneityScore JaccardIndex LogAUC MatchErrorRate NegativePredictiveValue NormalizedMutualInfoScore
        PanopticQuality PearsonsContingencyCoefficient Precision ProcrustesDisparity RandScore RankingAveragePrecision
        RankingLoss Recall RetrievalAUROC RetrievalFallOut RetrievalHitRate RetrievalMAP RetrievalMRR
        RetrievalNormalizedDCG RetrievalPrecision RetrievalRPrecision RetrievalRecall SacreBLEUScore Specificity TheilsU
        VMeasureScore WordInfoLost WordInfoPreserved
    """,
    # Kappa, weighted too, is never below -1: observed disagreement is at most twice that of independent labels.
    CORRELATION: """
        CohenKappa ConcordanceCorrCoef CosineSimilarity KendallRankCorrCoef MatthewsCorrCoef PearsonCorrCoef
        SpearmanCorrCoef StructuralSimilarityIndexMeasure UniversalImageQualityIndex
    """,
    # A mean IoU is -1 for a class that is not there.
    AT_MOST_ONE: "AdjustedMutualInfoScore AdjustedRandScore ExplainedVariance FleissKappa MeanIoU R2Score",
    POSITIVE: """
        CharErrorRate CoverageError DaviesBouldinScore EditDistance HausdorffDistance HingeLoss LogCoshError
        MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogError MinkowskiDistance
        RelativeSquaredError TranslationEditRate WeightedMeanAbsolutePercentageError WordErrorRate
    """,
    (0.0, 2.0): "SymmetricMeanAbsolutePercentageError",
    (1.0, math.inf): "Perplexity",
}
# Where torchmetrics says nothing, or (at the first two and the last) the opposite of what it computes.
_BETTER: dict[Direction, str] = {
    "minimize": "DaviesBouldinScore SpectralDistortionIndex EER",
    "maximize": """
        AdjustedMutualInfoScore AdjustedRandScore KendallRankCorrCoef NegativePredictiveValue NormalizedMutualInfoScore
        PearsonCorrCoef RandScore WordInfoPreserved
    """,
}
_WAYS: dict[str, Direction] = {name: way for way, names in _BETTER.items() for name in names.split()}
_OF = {name: bounds for bounds, names in _RANGES.items() for name in names.split()}
_TASK = re.compile("^(Binary|Multiclass|Multilabel)")


def range_of(metric: Any) -> Bounds:
    """The lowest and the highest value that a metric can have, infinite where none is known.

    A class of the user's that inherits one of torchmetrics may compute something else, and has no known limits.
    """
    low, high = _OF.get(_name(metric), UNBOUNDED)
    if getattr(metric, "reduction", None) == "sum":  # over examples, as that of a cosine similarity is by default
        return (0.0 if low == 0 else -math.inf, 0.0 if high == 0 else math.inf)
    return low, high


def direction_of(metric: Any) -> Direction | None:
    """Which way is better, by what it computes where that is known, else by `higher_is_better`; None where neither is."""
    name, higher = _name(metric), getattr(metric, "higher_is_better", None)
    if name in _WAYS:
        return _WAYS[name]
    return None if higher is None else "maximize" if higher else "minimize"


def best_of(metric: Any) -> float | None:
    """The best value that a metric can have: the end of its range; None where it has none there, or no way is better."""
    low, high = range_of(metric)
    best = {"minimize": low, "maximize": high}.get(direction_of(metric) or "", math.inf)
    return best if math.isfinite(best) else None


def name_of(metric: Any) -> str:
    """The name of a class of torchmetrics' own; none of a class of the user's, whatever it is called or inherits."""
    kind = type(metric)
    return kind.__name__ if kind.__module__.partition(".")[0] == "torchmetrics" else ""


def _name(metric: Any) -> str:
    return _TASK.sub("", name_of(metric))
