"""How many labels are wrong, and which: confident learning on out-of-fold predictions of a cheap model.

Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70 (2021). A label is
suspicious where the model, which did not learn from this example, is as sure of another class as it usually is of
examples that have that other label (equation 1 there). What the model cannot tell apart counts as noise too, so that the
estimate is as good as the model.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Interval, Plain, Reading, Score, Severity, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.models import BOOSTING, LINEAR, Baseline, choose
from art_training.steps.exploration.answers import Answers, Surveys, listed
from art_training.steps.exploration.survey import SHOWN, Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIKELY = 0.05  # a rate that is higher for certain is worth a warning
KINDS = (LINEAR, BOOSTING)
LEAST_SKILL = 1 / 3  # of what the most frequent label gets wrong, that a model must get right before it judges labels
_FOLDS = 5
_RESAMPLES = 200
_LEVEL = 0.95
_LISTED = 1_000


@dataclass(frozen=True)
class Noise:
    """An estimate of how many labels are wrong.

    Attributes:
        rate: share of the labels.
        interval: over examples; of the estimate, not of the model's own mistakes.
        suspicious: rows whose label is probably wrong, the most suspicious first.
        suggested: (rows,) the class that each row would rather have, suspicious or not.
        margins: (rows,) probability of the label less that of the best other class.
        accuracy: of the model on what it did not learn from.
        labels: (rows,) that each row has, 0..classes-1.
        rows: (rows,) their places in what they were taken from.
        classes: (classes,) what the labels stand for.
    """

    rate: float
    interval: Interval
    suspicious: "NDArray[Any]"
    suggested: "NDArray[Any]"
    margins: "NDArray[Any]"
    accuracy: float
    labels: "NDArray[Any]"
    rows: "NDArray[Any]"
    classes: "NDArray[Any]"


def label_noise(surveys: Surveys, task: Task, answers: Answers, *, kind: str, seed: int) -> "Noise | None":
    """Which labels of the training split are probably wrong, and how many?"""
    import numpy as np

    survey = next((one for one in surveys if one.split is Split.TRAIN and len(one.sampled)), None)
    why_not = _why_not(survey, task)
    if survey is None or why_not:
        answers.readings.append(Reading("train/label_noise", None, note=why_not or "there is no training split"))
        return None
    table, labels, places = _table(survey)
    classes, numbered, counts = _numbered(labels)
    kept = counts[numbered] >= _FOLDS
    if len(set(numbered[kept].tolist())) < 2:
        note = f"each class needs at least {_FOLDS} examples, and fewer than two classes have them"
        answers.readings.append(Reading("train/label_noise", None, note=note))
        return None
    rows = kept.nonzero()[0]
    present, own, _ = _numbered(numbered[rows])
    model = _model(kind, task, len(present), len(rows), seed)
    estimated = estimate(out_of_fold(model, table[rows], own, seed), own, seed=seed)
    noise = replace(estimated, rows=places[rows], classes=classes[present])
    majority = float(np.bincount(own).max() / len(own))
    if noise.accuracy < majority + LEAST_SKILL * (1 - majority):
        note = (
            f"a {model.name} model that did not learn from an example is right in {noise.accuracy:.1%}, and the most "
            f"frequent label in {majority:.1%}: it cannot tell wrong labels from hard examples"
        )
        answers.readings.append(Reading("train/label_noise", None, note=note))
        return None
    note = (
        f"confident learning on {_FOLDS}-fold predictions of a {model.name} model with accuracy {noise.accuracy:.1%}, whose own "
        "mistakes count too"
    )
    note = "; ".join(part for part in (note, survey.sampled.note) if part)
    _tell(noise, survey, note, answers)
    return noise


def out_of_fold(model: Baseline, table: "NDArray[Any]", labels: "NDArray[Any]", seed: int) -> "NDArray[Any]":
    """(rows, classes) probabilities of each row by a model that learned from the other folds."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    found = np.zeros((len(table), int(labels.max()) + 1))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed % 2**32)
    for learned, held in folds.split(table, labels):
        model.learn(table[learned], labels[learned])
        found[held] = model.predict(table[held])
    return found


def estimate(probabilities: "NDArray[Any]", labels: "NDArray[Any]", *, seed: int) -> Noise:
    """Confident learning.

    Args:
        probabilities: (rows, classes) of each class, by a model that did not learn from the row.
        labels: (rows,) 0..classes-1, each of which occurs.
        seed: of the resamples.
    """
    import numpy as np

    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1
    margins = probabilities[rows, labels] - others.max(1)
    confident = _confident(probabilities, labels)
    suspicious = np.flatnonzero((confident >= 0) & (confident != labels))
    generator = np.random.default_rng(seed)
    rates = np.empty(_RESAMPLES)
    for number in range(_RESAMPLES):
        drawn = generator.integers(len(labels), size=len(labels))
        rates[number] = _rate(probabilities[drawn], labels[drawn])
    low, high = np.quantile(rates, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
    rate = _rate(probabilities, labels)
    method = f"bootstrap, {_RESAMPLES} resamples of {len(labels)} examples"
    return Noise(
        rate=rate,
        interval=Interval(float(low), float(high), _LEVEL, method).holding(rate),
        suspicious=suspicious[np.argsort(margins[suspicious], kind="stable")],
        suggested=others.argmax(1),
        margins=margins,
        accuracy=float((margins > 0).mean()),
        labels=labels,
        rows=rows,
        classes=np.arange(probabilities.shape[1]),
    )


def _confident(probabilities: "NDArray[Any]", labels: "NDArray[Any]") -> "NDArray[Any]":
    """(rows,) the class that the model is sure of, by the mean of its certainty where that is the label; -1: of none."""
    import numpy as np

    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], minlength=classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    sure = np.where(probabilities >= thresholds - 1e-12, probabilities, -1.0)
    return np.where(sure.max(1) >= 0, sure.argmax(1), -1)


def _rate(probabilities: "NDArray[Any]", labels: "NDArray[Any]") -> float:
    """One less the share of the diagonal of the joint distribution of labels and true classes (equation 3)."""
    import numpy as np

    classes = probabilities.shape[1]
    confident = _confident(probabilities, labels)
    known = confident >= 0
    joint = np.bincount(labels[known] * classes + confident[known], minlength=classes**2).reshape(classes, classes)
    sums = joint.sum(1)
    right = np.where(sums > 0, joint.diagonal() / np.maximum(sums, 1), 1.0)
    return float(1 - (right * np.bincount(labels, minlength=classes)).sum() / max(1, len(labels)))


def _why_not(survey: Survey | None, task: Task) -> str:
    if task.kind is not TaskKind.CLASSIFICATION:
        return f"it is estimated for classes, and the task is {task.kind.value}"
    if survey is None or survey.targets is None or survey.targets.reshape(len(survey.targets), -1).shape[1] != 1:
        return "there is no one label an example"
    if not any(source is not None for source in survey.axes.sources) and not survey.tokens:
        return "there are no inputs that a cheap model could learn from"
    return ""


def _table(survey: Survey) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """(rows, features) of the sample, its missing values as NaN, (rows,) labels, and (rows,) their places in the sample.

    Of sequences it holds how often each of the most frequent tokens occurs.
    """
    import numpy as np

    assert survey.targets is not None
    columns = [survey.axes.values]
    for tokens in survey.tokens.values():
        values, counts = np.unique(tokens.ids[tokens.real], return_counts=True)
        if not len(values):
            continue
        frequent = np.sort(values[np.argsort(-counts, kind="stable")][:_LISTED])
        place = np.minimum(np.searchsorted(frequent, tokens.ids), len(frequent) - 1)
        known = tokens.real & (frequent[place] == tokens.ids)
        bags = np.zeros((len(tokens.ids), len(frequent)))
        np.add.at(bags, (known.nonzero()[0], place[known]), 1.0)
        columns.append(np.log1p(bags))
    labels = survey.targets.reshape(-1)
    rows = np.flatnonzero(np.isfinite(labels))
    table = np.concatenate(columns, 1)[rows]
    # Squares of what is larger are not finite, and no model takes them.
    return np.where(np.abs(table) < np.finfo(np.float32).max, table, np.nan), labels[rows].astype(np.int64), rows


def _numbered(labels: "NDArray[Any]") -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """The different labels, which of them each row has, and how many rows have each."""
    import numpy as np

    classes, numbered, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return classes, numbered.reshape(-1), counts


def _model(kind: str, task: Task, classes: int, rows: int, seed: int) -> Baseline:
    chosen = choose(task, flat="", classes=classes, outputs=1, seed=seed, rows=rows)
    by_name = {one.name: one for one in chosen.baselines}
    return by_name[kind] if kind in by_name else by_name[LINEAR]


def _tell(noise: Noise, survey: Survey, note: str, answers: Answers) -> None:
    rows, classes = noise.rows, noise.classes
    score = Score(noise.rate, noise.interval, len(rows), "minimize", note=note)
    answers.scores[f"{survey.place}/label_noise"] = score
    table: list[dict[str, Plain]] = [
        {
            "example": int(survey.sampled.indices[rows[at]]),
            "label": int(classes[noise.labels[at]]),
            "suggested": int(classes[noise.suggested[at]]),
            "margin": float(f"{noise.margins[at]:.4g}"),
        }
        for at in noise.suspicious[:_LISTED]
    ]
    told = f"{len(noise.suspicious):,} of {len(rows):,} labels, the most suspicious first; margin: probability of the label"
    told += " less that of the suggested one"
    answers.readings.append(Reading("suspicious labels", table[: 2 * SHOWN], note=told))
    if table:
        answers.tables["suspicious-labels.csv"] = (table, told)
    if noise.interval.low > LIKELY:
        first = [row["example"] for row in table[:SHOWN]]
        answers.findings.append(
            Finding(
                "ART117",
                "labels",
                Severity.WARNING,
                f"{noise.rate:.1%} of the labels of {survey.place} ({noise.interval.low:.1%} to {noise.interval.high:.1%}) look "
                f"wrong to a model that did not learn from them: they are, or these examples are too hard for it; {note}",
                {"rate": noise.rate, "low": noise.interval.low, "high": noise.interval.high, "examples": first},
                "look at these examples in suspicious-labels.csv, and settle their labels",
                f"{survey.place}: examples {listed(first)}",
            )
        )
