"""Rules on rows that were divided in an order, or of which a part is in one split only."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, hypergeom, spearmanr

from art_training.probes.rows import Rows, SplitRows
from art_training.probes.windows import between
from art_training.records import Severity, Split
from art_training.rules.labelled import counts_of, reserved, with_labels
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, lacking
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_CHANCE = 1e-6
_DIVISIONS = 200
_FEWEST = 10  # rows of a split
_DISTINCT = 30  # targets: sorted by chance in one of 30 factorial
_IN_ORDER = 0.9  # rank correlation with the place; what rises with the rows may be time
_ALIKE = 1e-3
_OTHERS = 3


@rule(
    "ART154",
    "rows were sorted before they were divided",
    category="split",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "Training and validation are the two parts of rows sorted by what is to be predicted. Read one after the other without "
        "shuffling they have one run of rows for each class; or, with four classes or more, every class of one split has a number "
        "at least as large as every class of the other. The targets of a regression (30 different ones or more) rise or fall from the "
        "first row of one split to the last of the other, while no input does (rank correlation with the place below 0.9), which would be time. "
        "Windows of a series, and splits by a declared `time`, are left out. Confirmed by 200 random divisions of the same rows."
    ),
    why="Validation asks for what training never showed; the score is far too low, or says nothing, and the best epoch is any.",
    wrong="train, valid = rows[:800], rows[800:]  # of a file that is sorted by class",
    right="train, valid = train_test_split(rows, stratify=rows.label, shuffle=True)",
    source="https://scikit-learn.org/stable/modules/cross_validation.html#a-note-on-shuffling",
    settles=("imbalance_expected", "time"),
    symptoms=("ART131", "ART136", "ART138", "ART161", "ART211"),
)
def divided_in_order(laboratory: Laboratory) -> Found | None:
    """A cut through sorted rows."""
    laboratory.settled("imbalance_expected", "time")
    task = laboratory.task_of(TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
    train, validation = _both(laboratory)
    assert train.labels is not None
    assert validation.labels is not None
    if not (train.whole and validation.whole) and (_in_order(train.labels) or _in_order(validation.labels)):
        raise NotMeasured("there was no time to read all rows, and the first ones are sorted")
    shares = any(one.dtype.kind == "f" and bool((one % 1 != 0).any()) for one in (train.labels, validation.labels))
    if task.kind is TaskKind.CLASSIFICATION and not shares:  # of a yes or no a target may be the probability, too
        return _cut_by_class(train.labels, validation.labels, task.classes)
    return _cut_by_number(train, validation)


@rule(
    "ART138",
    "classes that validation lacks",
    category="data",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "A class of training is not in validation, or has less than a tenth of its share there, with a chance below 1e-6 if rows had been "
        "divided at random (hypergeometric, times the number of classes), while the splits agree on all others, of which there "
        "are three or more (chi-squared, p above 0.001). Validation whose classes are as frequent as in use, beside training that was "
        "balanced, differs in all classes and is no finding."
    ),
    why="What the model does with these rows is never seen: a filter or a loading error that drops rows leaves no other trace.",
    wrong="valid = valid[valid.label < 8]  # left over from a trial",
    right="train, valid = train_test_split(rows, stratify=rows.label)",
    source="https://doi.org/10.1145/3377811.3380395 (Humbatova et al., Taxonomy of real faults)",
    settles=("imbalance_expected", "reserved_classes"),
)
def lost_in_validation(laboratory: Laboratory) -> Found | None:
    """Classes that training has and validation lacks."""
    laboratory.settled("imbalance_expected")
    laboratory.task_of(TaskKind.CLASSIFICATION)
    train, rows = _both(laboratory)
    if not rows.whole:
        raise NotMeasured("there was no time to read all validation rows")
    assert train.labels is not None
    assert rows.labels is not None
    classes = np.union1d(train.labels, rows.labels)
    classes = classes[~np.isin(classes, reserved(laboratory))]
    mine, theirs = counts_of(train.labels, classes), counts_of(rows.labels, classes)
    n, m = int(mine.sum()), int(theirs.sum())
    if not n or not m:
        return None
    chances = hypergeom.cdf(theirs, n + m, mine + theirs, m) * len(classes)
    lost = (theirs / m < mine / n / 10) & (chances < _CHANCE)
    left = ~lost & (mine + theirs > 0)
    if not lost.any() or int(left.sum()) < max(_OTHERS, int(lost.sum())):
        return None
    others = np.stack([mine[left], theirs[left]])
    alike = float(cast("Any", chi2_contingency(others))[1]) if (others.sum(1) > 0).all() else 0.0
    if alike < _ALIKE:
        return None
    worst = int(np.flatnonzero(lost)[mine[lost].argmax()])
    names = ", ".join(f"{one:g}" for one in classes[lost][:8])
    expected = (mine[worst] + theirs[worst]) * m / (n + m)
    return Found(
        f"class {names} {'has' if lost.sum() == 1 else 'have'} {int(mine[lost].sum())} of {n} training rows and "
        f"{int(theirs[lost].sum())} of {m} validation rows, while the splits agree on the other {int(left.sum())} classes",
        {"lost": classes[lost].tolist()[:20], "train": mine[lost].tolist()[:20], "validation": theirs[lost].tolist()[:20], "alike": alike},
        "look at what selects the validation rows; where it is meant, declare imbalance_expected=True",
        where=f"validation: classes {names}",
        confirmed_by=f"divided at random, validation would have {expected:.0f} rows of class {classes[worst]:g}, and it has {theirs[worst]}",
    )  # fmt: skip


def _both(laboratory: Laboratory) -> tuple[SplitRows, SplitRows]:
    """Training and validation, each with its targets."""
    rows = laboratory.get(Rows)
    splits = with_labels(laboratory)
    train, validation = splits.get(Split.TRAIN), splits.get(Split.VALIDATION)
    if train is None or validation is None:
        raise lacking(rows, "there are not both a training and a validation split")
    if train.labels is None or validation.labels is None:
        raise NotApplicable("the targets of both splits are not one number a row")
    if min(len(train.labels), len(validation.labels)) < _FEWEST:
        raise NotApplicable(f"a split has fewer than {_FEWEST} rows")
    return train, validation


def _in_order(targets: NDArray[Any]) -> bool:
    """Whether equal targets stand together, as in rows that are sorted by them."""
    return 1 + int((np.diff(targets) != 0).sum()) == len(np.unique(targets)) < len(targets) or _is_sorted(targets)


def _cut_by_class(train: NDArray[Any], validation: NDArray[Any], outputs: int | None) -> Found | None:
    classes = np.union1d(train, validation)
    if len(classes) < 2 or len(np.unique(train)) < 2:  # training on one class is meant: the other one is the anomaly
        return None
    runs = min(
        1 + int((np.diff(np.concatenate(pair)) != 0).sum()) for pair in ((train, validation), (validation, train))
    )
    apart = train.max() <= validation.min() or validation.max() <= train.min()
    if runs > len(classes) and not (apart and len(classes) > _OTHERS):
        return None
    if outputs is not None and not np.isin(classes, train).all() and classes.max() >= outputs > train.max():
        return None  # a head for the classes of training alone: others are meant to be new
    shared = np.intersect1d(train, validation)
    distance, usual = _distances(train, validation, classes)
    return Found(
        f"training has classes {_span(train)} and validation {_span(validation)}, with {len(shared)} in common: rows were sorted by class "
        "when they were divided",
        {"train": np.unique(train).tolist()[:50], "validation": np.unique(validation).tolist()[:50], "common": shared.tolist(), "runs": runs},
        "mix the rows before they are divided, or divide them with train_test_split(..., stratify=labels)",
        where="validation",
        confirmed_by=(
            f"in {_DIVISIONS} random divisions of the same rows {usual:.0%} of the shares of classes differ at most, and here {distance:.0%}"
        ),
    )  # fmt: skip


def _cut_by_number(train: SplitRows, validation: SplitRows) -> Found | None:
    assert train.labels is not None
    assert validation.labels is not None
    for first, second in ((train, validation), (validation, train)):
        joined = np.concatenate([_numbers(first), _numbers(second)])
        if _is_sorted(joined) and len(np.unique(joined)) >= _DISTINCT:
            break
    else:
        return None
    if _rises_by_itself(first, second) is not False:
        return None
    distance, usual = _shifts(_numbers(train), _numbers(validation))
    low, high = float(train.labels.min()), float(train.labels.max())
    return Found(
        f"targets of training go from {low:.4g} to {high:.4g} and those of validation from {validation.labels.min():.4g} to "
        f"{validation.labels.max():.4g}: rows were sorted by the target when they were divided",
        {"train": [low, high], "validation": [float(validation.labels.min()), float(validation.labels.max())]},
        "mix the rows before they are divided, as train_test_split does",
        where="validation",
        confirmed_by=(
            f"in {_DIVISIONS} random divisions of the same rows the means lie {usual:.2f} deviations apart at most, and here {distance:.2f}"
        ),
    )


def _rises_by_itself(first: SplitRows, second: SplitRows) -> bool | None:
    """Whether an input goes through the rows in an order of its own, as time does; None where inputs are no numbers."""
    if first.values is None or second.values is None or first.values.shape[1] != second.values.shape[1]:
        return None
    if len(first.values) < len(first) or len(second.values) < len(second):
        return None
    if any((found := between(one, one)) is not None and found.both > found.of / 2 for one in (first, second)):
        return True
    table = np.concatenate([first.values, second.values])
    place = np.arange(len(table))
    varies = [column for column in table.T if column.std() > 0]
    return any(abs(float(cast("Any", spearmanr(column, place))[0])) > _IN_ORDER for column in varies)


def _numbers(rows: SplitRows) -> NDArray[np.float64]:
    assert rows.labels is not None
    return rows.labels.astype(np.float64)


def _is_sorted(numbers: NDArray[Any]) -> bool:
    steps = np.diff(numbers)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _distances(train: NDArray[Any], validation: NDArray[Any], classes: NDArray[Any]) -> tuple[float, float]:
    """Half the sum of the differences of the shares of classes; as it is, and the largest of random divisions."""
    rows = np.searchsorted(classes, np.concatenate([train, validation]))
    generator = np.random.default_rng(0)

    def distance(order: NDArray[np.int64]) -> float:
        parts = order[: len(train)], order[len(train) :]
        one, other = (np.bincount(rows[part], minlength=len(classes)) / len(part) for part in parts)
        return float(np.abs(one - other).sum() / 2)

    usual = max(distance(generator.permutation(len(rows))) for _ in range(_DIVISIONS))
    return distance(np.arange(len(rows))), usual


def _shifts(train: NDArray[np.float64], validation: NDArray[np.float64]) -> tuple[float, float]:
    """How far the means are apart, in deviations of all; as it is, and the largest of random divisions."""
    rows = np.concatenate([train, validation])
    generator = np.random.default_rng(0)

    def shift(order: NDArray[np.int64]) -> float:
        return float(abs(rows[order[: len(train)]].mean() - rows[order[len(train) :]].mean()) / rows.std())

    usual = max(shift(generator.permutation(len(rows))) for _ in range(_DIVISIONS))
    return shift(np.arange(len(rows))), usual


def _span(labels: NDArray[Any]) -> str:
    classes = np.unique(labels)
    return f"{classes[0]:g} to {classes[-1]:g}" if len(classes) > 1 else f"{classes[0]:g} alone"
