"""Which metric a logged name stands for."""

import re

_FAMILIES = {
    "accuracy": {"acc", "accuracy", "top1", "acc1", "exact", "subset"},
    "error": {"err", "error", "hamming"},
    "f1": {"f1", "f1score", "fscore"},
    "dice": {"dice", "dsc", "dicescore"},
    "iou": {"iou", "miou", "jaccard"},
    "precision": {"precision", "prec"},
    "recall": {"recall", "sensitivity", "tpr"},
    "specificity": {"specificity", "tnr"},
    "auroc": {"auc", "auroc", "rocauc"},
    "average precision": {"ap", "auprc"},
    "mae": {"mae"},
    "mse": {"mse"},
    "rmse": {"rmse"},
    "r2": {"r2"},
    "correlation": {"pearson", "spearman", "correlation", "corr"},
    "perplexity": {"ppl", "perplexity"},
    "loss": {"loss"},
}
# Several words that are one metric, of which each alone may be another.
_TOGETHER = (
    ("mean_absolute_error", "mae"),
    ("root_mean_squared_error", "rmse"),
    ("mean_squared_error", "mse"),
    ("average_precision", "auprc"),
    ("precision_recall_auc", "auprc"),
    ("pr_auc", "auprc"),
    ("roc_auc", "auroc"),
    ("io_u", "iou"),
    ("f1_score", "f1"),
    ("top_1", "top1"),
)
_OTHERS = {
    "best", "max", "min", "ema", "running", "total", "sum", "count", "train", "training", "step", "std", "var",
    "baseline", "majority", "chance", "dummy", "constant", "random", "gap", "diff", "delta", "relative", "weight",
}  # fmt: skip
"""A name with one of these is not that of the metric of one pass."""
_OVER_TIME = {"avg", "mean", "average", "smoothed"}  # of batches, or of epochs
SHARES = frozenset(
    {"accuracy", "error", "f1", "dice", "iou", "precision", "recall", "specificity", "auroc", "average precision"}
)
"""Families whose values lie between 0 and 1."""


def family_of(name: str) -> str | None:
    """The family of metrics that a name stands for; None where it stands for none, or for several."""
    words = _words(name)
    families = [family for family, names in _FAMILIES.items() if words & names]
    return families[0] if len(families) == 1 and not words & _OTHERS else None


def says_nothing(name: str) -> bool:
    """Whether a name says neither which metric it is nor that it is another number than that of one pass."""
    words = _words(name)
    return not words & (set[str]().union(*_FAMILIES.values()) | _OTHERS | _OVER_TIME)


def is_over_time(name: str) -> bool:
    """Whether a name says that it is an average, which may be one of several epochs."""
    return bool(_words(name) & _OVER_TIME)


def _words(name: str) -> set[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    parted = re.sub(r"[^a-z0-9]+", "_", parted)
    for several, one in _TOGETHER:
        parted = parted.replace(several, one)
    return {one for one in parted.split("_") if one}
