"""What metrics cannot leave, so that no interval ends where none of their values can be.

By definition, for the classes of torchmetrics alone. Its `plot_lower_bound` and `plot_upper_bound` are no such limits: they
say how far axes are drawn, and a kappa or a coefficient of determination that is drawn from 0 to 1 may well be negative.
"""

import math
import re
from typing import Any, TypeAlias

Bounds: TypeAlias = tuple[float, float]

UNBOUNDED: Bounds = (-math.inf, math.inf)
POSITIVE: Bounds = (0.0, math.inf)
SHARE: Bounds = (0.0, 1.0)
CORRELATION: Bounds = (-1.0, 1.0)
AT_MOST_ONE: Bounds = (-math.inf, 1.0)

# By the name without Binary, Multiclass or Multilabel. A metric that is not here has no known limits.
_RANGES: dict[Bounds, str] = {
    SHARE: """
        AUROC Accuracy AveragePrecision CalibrationError CriticalSuccessIndex DiceScore EER ExactMatch F1Score FBetaScore
        GeneralizedDiceScore HammingDistance JaccardIndex LogAUC MatchErrorRate NegativePredictiveValue Precision
        RankingAveragePrecision RankingLoss Recall Specificity
    """,
    # Kappa, weighted too, is never below -1: observed disagreement is at most twice that of independent labels.
    CORRELATION: """
        CohenKappa ConcordanceCorrCoef CosineSimilarity KendallRankCorrCoef MatthewsCorrCoef PearsonCorrCoef
        SpearmanCorrCoef
    """,
    AT_MOST_ONE: "ExplainedVariance R2Score",
    POSITIVE: """
        CharErrorRate CoverageError HingeLoss LogCoshError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError
        MeanSquaredLogError MinkowskiDistance RelativeSquaredError WeightedMeanAbsolutePercentageError WordErrorRate
    """,
    (0.0, 2.0): "SymmetricMeanAbsolutePercentageError",
    (1.0, math.inf): "Perplexity",
}
_OF = {name: bounds for bounds, names in _RANGES.items() for name in names.split()}
_TASK = re.compile("^(Binary|Multiclass|Multilabel)")


def range_of(metric: Any) -> Bounds:
    """The lowest and the highest value that a metric can have, infinite where none is known.

    A class of the user's that inherits one of torchmetrics may compute something else, and has no known limits.
    """
    kind = type(metric)
    if kind.__module__.partition(".")[0] != "torchmetrics":
        return UNBOUNDED
    name = _TASK.sub("", kind.__name__)
    if name == "CosineSimilarity" and metric.reduction != "mean":  # by default it is the sum over examples
        return UNBOUNDED
    return _OF.get(name, UNBOUNDED)
