"""Rules on metrics: what a module logs against what its predictions give."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from art_training.probes.evaluation import Evaluation
from art_training.probes.recomputed import (
    Batch,
    Candidate,
    batches_of,
)
from art_training.probes.serving import plan
from art_training.probes.validations import Validations
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.metric_values import REMEDIES, of_each_batch, of_mistakes, right_values
from art_training.rules.rule import Found, Stage, rule

_RELATIVE, _ABSOLUTE = 1e-4, 2e-6  # single precision, summed in another order
_MATERIAL = 0.005  # of a rate, or of the value: less is told as information
_FAMILIES = {
    "accuracy": {"acc", "accuracy", "top1", "acc1"},
    "f1": {"f1", "f1score"},
    "auroc": {"auc", "auroc", "rocauc"},
    "mae": {"mae"},
    "mse": {"mse"},
    "rmse": {"rmse"},
    "r2": {"r2"},
    "loss": {"loss"},
}
# A best value so far, a running average and the like are not those of one pass.
_OVER_TIME = {
    "best",
    "max",
    "min",
    "ema",
    "running",
    "avg",
    "mean",
    "total",
    "sum",
    "count",
    "train",
    "training",
    "step",
}


@dataclass(frozen=True)
class _Logged:
    name: str
    family: str
    value: float
    by_batch: tuple[float, ...]


@dataclass(frozen=True)
class _Compared:
    """A logged value with what it should be, and what it is."""

    logged: _Logged
    right: float
    is_what: Candidate


@rule(
    "ART710",
    "a mean over batches stands for the whole",
    category="metrics",
    severity=Severity.WARNING,
    stage=Stage.EVALUATE,
    finds=(
        "What the module logs for a validation is, to single precision, a mean of values of batches, and differs from the "
        "metric of all predictions: batches of another size count alike, or the metric is no mean of batches at all (F1, AUC, "
        "RMSE, R2). Less than half a percent of difference is told as information. Confirmed by computing both."
    ),
    why="The number depends on the batch size, and a short last batch of a few rows counts as much as any other.",
    wrong="self.log('val_acc', torch.stack(self.batch_accuracies).mean())",
    right="self.log('val_acc', self.correct / self.count)  # or log a metric object",
    source="https://github.com/udacity/deep-learning-v2-pytorch/pull/74",
)
def mean_of_batches(laboratory: Laboratory) -> Iterable[Found]:
    """A metric that is averaged over batches."""
    for one in _compared(laboratory, of_each_batch):
        off = abs(one.logged.value - one.right)
        small = off <= _MATERIAL * max(1.0 if one.logged.family in {"accuracy", "f1", "auroc"} else 0.0, abs(one.right))
        yield Found(
            f"{one.logged.name} = {one.logged.value:.4g} is {one.is_what.how}; over all predictions it is {one.right:.4g}",
            {"logged": one.logged.value, "pooled": one.right, "mean of batches": one.is_what.value},
            "sum what is counted and divide once at the end of the epoch, or log a torchmetrics object",
            where=one.logged.name,
            confirmed_by=f"computed again from all predictions it is {one.right:.5g}, and as {one.is_what.how} "
            f"{one.is_what.value:.5g}, which is what was logged",
            severity=Severity.INFO if small else None,
        )


@rule(
    "ART711",
    "a validation logs what is not of it alone",
    category="metrics",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "The last validation of the short training logged another value than a validation alone of the same weights, and the "
        "latter is what its predictions give. Not judged where weights differ, where a second pass gives another value, where "
        "batches were left out, and for names of a best or running value. Where a metric object held updates as the "
        "validation began, it is named."
    ),
    why=(
        "A metric object that training and validation share, or counters that are never set back, mix training batches or "
        "earlier epochs into the validation score."
    ),
    wrong="self.acc(logits, y)  # in training_step and in validation_step",
    right="self.train_acc, self.val_acc = Accuracy(...), Accuracy(...)",
    source="https://github.com/Lightning-AI/torchmetrics/issues/637",
    watches=(Validations,),
    asks=(plan,),
)
def not_of_it_alone(laboratory: Laboratory) -> Iterable[Found]:
    """A score that something else has gone into."""
    watched, evaluation = laboratory.get(Validations), laboratory.get(Evaluation)
    batches = _batches(laboratory)
    if not watched.seen or watched.weights is None:
        raise NotMeasured("the short training did not come to a validation and its end")
    last = watched.seen[-1]
    if last.weights != watched.weights:
        raise NotMeasured("the weights at the end are not those of the last validation")
    if laboratory.ask(plan).validations != len(evaluation.observations) or not _repeats(evaluation):
        raise NotMeasured("a validation alone has other batches, or gives another value each time")
    for logged in _some_logged(evaluation):
        before = last.logged.get(logged.name)
        if before is None or _same(before, logged.value):
            continue
        right = right_values(logged.family, batches)
        if not any(_same(logged.value, one) for one in right):
            continue
        held = ", ".join(f"{name} ({updates} updates)" for name, updates in watched.held.items())
        yield Found(
            f"{logged.name} = {before:.4g} in the validation of the training, and {logged.value:.4g} of the same weights in a "
            "validation alone" + (f"; held as it began: {held}" if held else ""),
            {"in training": before, "alone": logged.value, "held": dict(watched.held), "epochs": watched.epochs},
            "give training and validation a metric object each"
            if held
            else "set counters and lists back when a validation begins, and do not share them with training",
            where=next(iter(watched.held), logged.name),
            confirmed_by=f"computed again from the predictions it is {logged.value:.5g}, which a validation alone logs, and "
            f"not {before:.5g}",
        )


@rule(
    "ART712",
    "a metric makes its decisions wrongly",
    category="metrics",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "A logged accuracy is none of those that the predictions give (of rows, of classes, among the best few), and is to "
        "single precision what one of the usual mistakes gives: logits cut at 0.5, probabilities at 0, argmax of one output, "
        "all pairs of a column and a row, ignored positions counted as wrong, the last batch alone. Confirmed by computing "
        "both. AUC of decisions in place of scores is judged likewise."
    ),
    why="The score that models are chosen by is not the one that its name says.",
    wrong="accuracy = ((logits > 0.5) == y).float().mean()",
    right="accuracy = ((logits > 0) == y).float().mean()",
    source="https://discuss.pytorch.org/t/when-do-i-turn-prediction-numbers-into-1-and-0-for-binary-classification/130075",
)
def wrong_decisions(laboratory: Laboratory) -> Iterable[Found]:
    """A threshold, an axis or a denominator that is not the metric's."""
    averaged = {one.logged.name for one in _compared(laboratory, of_each_batch)}  # told by ART710
    for one in _compared(laboratory, of_mistakes):
        if one.logged.name in averaged:
            continue
        yield Found(
            f"{one.logged.name} = {one.logged.value:.4g} is {one.is_what.how}; it should be {one.right:.4g}",
            {"logged": one.logged.value, "recomputed": one.right, "as logged": one.is_what.value},
            REMEDIES.get(one.is_what.how, "compute the metric of the predictions that the loss is computed of"),
            where=one.logged.name,
            confirmed_by=f"computed again it is {one.right:.5g}, and with {one.is_what.how} {one.is_what.value:.5g}, which is "
            "what was logged",
        )


def _compared(laboratory: Laboratory, wrong: Callable[[str, Sequence[Batch]], list[Candidate]]) -> Iterable[_Compared]:
    """Logged values that are none of the right ones, and are one of the wrong ones."""
    evaluation, batches = laboratory.get(Evaluation), _batches(laboratory)
    for logged in _some_logged(evaluation):
        right = right_values(logged.family, batches)
        if not right or any(_same(logged.value, one) for one in right if np.isfinite(one)):
            continue
        for candidate in wrong(logged.family, batches):
            if _same(logged.value, candidate.value) and _fits(logged, candidate):
                yield _Compared(logged, right[0], candidate)
                break


def _fits(logged: _Logged, candidate: Candidate) -> bool:
    """Whether what was logged batch by batch is what the candidate has; a coincidence ends here."""
    if not logged.by_batch or not candidate.by_batch or len(logged.by_batch) != len(candidate.by_batch):
        return True
    return all(_same(a, b) for a, b in zip(logged.by_batch, candidate.by_batch, strict=True))


def _batches(laboratory: Laboratory) -> tuple[Batch, ...]:
    evaluation = laboratory.get(Evaluation)
    if len({one.loader for one in evaluation.observations}) > 1:
        raise NotMeasured("there are several validation loaders")
    evaluated = sum(one.weight for one in evaluation.observations)
    if evaluation.rows is not None and evaluated < evaluation.rows:
        raise NotMeasured(f"{evaluated} of {evaluation.rows} rows were evaluated")
    found = batches_of(evaluation, laboratory.task)
    if found is None:
        raise NotMeasured("predictions and targets of a validation are not known")
    if (
        not all(len(one.targets) for one in found)
        or len({(one.predictions.shape[1:], one.targets.shape[1:]) for one in found}) > 1
    ):
        raise NotMeasured("batches of a validation have predictions of several shapes")
    return found


def _logged(evaluation: Evaluation) -> list[_Logged]:
    found: list[_Logged] = []
    for name, value in evaluation.logged.items():
        words = {one for one in re.split(r"[^a-z0-9]+", name.lower()) if one}
        families = [family for family, names in _FAMILIES.items() if words & names]
        if len(families) != 1 or words & _OVER_TIME or not np.isfinite(value):
            continue
        by_batch = [one.logged[name] for one in evaluation.observations if name in one.logged]
        whole = tuple(by_batch) if len(by_batch) == len(evaluation.observations) else ()
        found.append(_Logged(name, families[0], value, whole))
    return found


def _some_logged(evaluation: Evaluation) -> list[_Logged]:
    found = _logged(evaluation)
    if not found:
        raise NotApplicable("the validation logs nothing whose name says which metric it is")
    return found


def _repeats(evaluation: Evaluation) -> bool:
    """Whether the first batches of a second pass logged and lost the same."""
    for one, other in zip(evaluation.observations, evaluation.again, strict=False):
        if [float(call.value.sum()) for call in one.losses] != [float(call.value.sum()) for call in other.losses]:
            return False
    return True


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _ABSOLUTE + _RELATIVE * abs(other)
