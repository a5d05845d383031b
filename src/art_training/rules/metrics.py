"""Rules on metrics: what a module logs against what its predictions give."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from art_training.probes.evaluation import Evaluation
from art_training.probes.recomputed import (
    Batch,
    Candidate,
    Values,
    accuracies,
    accuracy,
    auroc,
    averages,
    batches_of,
    decided,
    f1_scores,
    is_decision,
    mean_absolute,
    mean_squared,
    of_batches,
    pooled,
    r_squared,
    root_mean_squared,
)
from art_training.probes.serving import plan
from art_training.probes.validations import Validations
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
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
    for one in _compared(laboratory, _of_batches):
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
        right = _right(logged.family, batches)
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
    averaged = {one.logged.name for one in _compared(laboratory, _of_batches)}  # told by ART710
    for one in _compared(laboratory, _mistakes):
        if one.logged.name in averaged:
            continue
        yield Found(
            f"{one.logged.name} = {one.logged.value:.4g} is {one.is_what.how}; it should be {one.right:.4g}",
            {"logged": one.logged.value, "recomputed": one.right, "as logged": one.is_what.value},
            _REMEDIES.get(one.is_what.how, "compute the metric of the predictions that the loss is computed of"),
            where=one.logged.name,
            confirmed_by=f"computed again it is {one.right:.5g}, and with {one.is_what.how} {one.is_what.value:.5g}, which is "
            "what was logged",
        )


_AT_HALF, _AT_ZERO = "logits cut at 0.5", "probabilities cut at 0"
_ONE_OUTPUT, _PAIRS = "the argmax of a single output", "all pairs of predictions and targets of a batch"
_IGNORED, _LAST = "positions that the loss ignores counted as wrong", "the last batch alone"
_BY_SIZE, _HARD = "right answers over batches times batch size", "a ranking of decisions, which have two values only"
_REMEDIES = {
    _AT_HALF: "cut logits at 0, or take their sigmoid first",
    _AT_ZERO: "cut probabilities at 0.5",
    _ONE_OUTPUT: "cut the single output at its threshold (0 for a logit) in place of argmax",
    _PAIRS: "give predictions and targets one shape before they are compared",
    _IGNORED: "leave out the positions that the loss ignores",
    _LAST: "collect over the whole epoch, and set back only when it begins",
    _BY_SIZE: "divide by the number of rows that were counted",
    _HARD: "give the ranking metric probabilities or logits",
}


def _of_batches(family: str, batches: Sequence[Batch]) -> list[Candidate]:
    metrics: dict[str, list[Callable[[Values, Values], float]]] = {
        "accuracy": [accuracy],
        "f1": [_f1(index) for index in range(4)],
        "auroc": [auroc],
        "mae": [mean_absolute],
        "mse": [mean_squared],
        "rmse": [root_mean_squared],
        "r2": [r_squared],
    }
    if family == "loss":
        known = [one.loss for one in batches if one.loss is not None]
        return of_batches(known, batches, weighed=False) if len(known) == len(batches) else []
    if family in {"accuracy", "f1", "auroc"} and not all(map(is_decision, batches)):
        return []
    weighed = family not in {"accuracy", "mae", "mse"}
    return [one for metric in metrics[family] for one in averages(batches, metric, weighed=weighed)]


def _mistakes(family: str, batches: Sequence[Batch]) -> list[Candidate]:
    if not all(map(is_decision, batches)):
        return []
    if family == "auroc":
        predictions, targets = pooled(batches)
        hard = decided(predictions)
        by_batch = [auroc(decided(one.predictions), one.targets) for one in batches]
        return [Candidate(_HARD, auroc(hard, targets)), *_named(_HARD, by_batch, batches)]
    if family != "accuracy":
        return []
    found: list[Candidate] = []
    right = [float((decided(one.predictions) == one.targets).sum()) for one in batches]
    if all(one.raw is not None for one in batches):
        found += _named(_AT_HALF, [_share((_raw(one) > 0.5) == one.targets) for one in batches], batches)
        found += _named(_AT_ZERO, [_share(one.targets == 1) for one in batches], batches)
    if all(one.predictions.ndim == 1 for one in batches):
        found += _named(_ONE_OUTPUT, [_share(one.targets == 0) for one in batches], batches)
        pairs = [_share(decided(one.predictions)[:, None] == one.targets[None, :]) for one in batches]
        found += _named(_PAIRS, pairs, batches)
        if all(one.raw is not None for one in batches):
            pairs = [_share((_raw(one) > 0)[:, None] == one.targets[None, :]) for one in batches]
            found += _named(_PAIRS, pairs, batches)
    every = sum(one.all_rows for one in batches)
    if every > sum(len(one.targets) for one in batches):
        found.append(Candidate(_IGNORED, sum(right) / every))
        found += _named(_IGNORED, [a / one.all_rows for a, one in zip(right, batches, strict=True)], batches)
    if len(batches) > 1:
        found.append(Candidate(_LAST, right[-1] / len(batches[-1].targets)))
        found.append(Candidate(_BY_SIZE, sum(right) / (len(batches) * len(batches[0].targets))))
    return found


def _named(how: str, by_batch: list[float], batches: Sequence[Batch]) -> list[Candidate]:
    return [Candidate(how, one.value, one.by_batch) for one in of_batches(by_batch, batches, weighed=True)]


def _right(family: str, batches: Sequence[Batch]) -> tuple[float, ...]:
    """The values that a metric of this name may rightly have."""
    predictions, targets = pooled(batches)
    if family == "loss":
        known = [one.loss for one in batches if one.loss is not None]
        weights = [[one.weight for one in batches], [len(one.targets) for one in batches]]
        return tuple(float(np.average(known, weights=by)) for by in weights) if len(known) == len(batches) else ()
    if family in {"accuracy", "f1", "auroc"}:
        if not all(map(is_decision, batches)):
            return ()
        several: dict[str, Callable[[Values, Values], tuple[float, ...]]] = {"accuracy": accuracies, "f1": f1_scores}
        return several[family](predictions, targets) if family in several else (auroc(predictions, targets),)
    if predictions.shape != targets.shape:  # an error of another head than the one whose predictions are known
        return ()
    single = {"mae": mean_absolute, "mse": mean_squared, "rmse": root_mean_squared, "r2": r_squared}
    return (single[family](predictions, targets),)


def _compared(laboratory: Laboratory, wrong: Callable[[str, Sequence[Batch]], list[Candidate]]) -> Iterable[_Compared]:
    """Logged values that are none of the right ones, and are one of the wrong ones."""
    evaluation, batches = laboratory.get(Evaluation), _batches(laboratory)
    for logged in _some_logged(evaluation):
        right = _right(logged.family, batches)
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


def _share(right: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float:
    return float(right.mean())


def _raw(batch: Batch) -> Values:
    assert batch.raw is not None
    return batch.raw


def _f1(index: int) -> Callable[[Values, Values], float]:
    return lambda predictions, targets: f1_scores(predictions, targets)[index]
