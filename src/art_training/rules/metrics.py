"""Rules on metrics: what a module logs against what its predictions give."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from art_training.probes.evaluation import Evaluation
from art_training.probes.recomputed import Candidate
from art_training.probes.serving import plan
from art_training.probes.validations import Validations
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.metric_logged import Known, Logged, is_right, known_metrics, same, some_logged
from art_training.rules.metric_mistakes import REMEDIES, of_mistakes
from art_training.rules.metric_names import SHARES, is_over_time
from art_training.rules.metric_values import RANKINGS
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.scores.losses import LOSSES

_SURE = 1e-5  # of what is to be known for a mistake: a tenth of what counts as right
_MATERIAL = 0.005  # of a rate, or of the value: less is told as information
_UNNAMED = ("accuracy", "f1", "iou", *RANKINGS, "rmse", "r2")
"""Families that are tried where a name says nothing."""
_TELLING = 3  # values of batches that differ: as many coincidences are none
_FEWEST = 200  # decisions, or pairs that are ranked, of which shares are fine enough to know a mistake by one number


@dataclass(frozen=True)
class _Compared:
    """A logged value with what it is."""

    logged: Logged
    is_what: Candidate


@rule(
    "ART710",
    "a mean over batches stands for the whole",
    category="metrics",
    severity=Severity.WARNING,
    stage=Stage.EVALUATE,
    finds=(
        "What the module logs for a validation is, to single precision, a mean of values of batches, and differs from the same "
        "metric of all predictions: batches of another size count alike, or the metric is no mean of batches at all (F1, overlap, "
        "AUC, RMSE, R2, perplexity), or each batch's value holds the batches before it. Metrics are computed of rows, several "
        "labels, positions and values, micro, macro, weighted and averaged over examples. Less than half a percent of difference, "
        "and any of a perplexity, is told as information. Confirmed by computing both."
    ),
    why="The number depends on the batch size, and a short last batch of a few rows counts as much as any other.",
    wrong="self.log('val_acc', torch.stack(self.batch_accuracies).mean())",
    right="self.log('val_acc', self.correct / self.count)  # or log a metric object",
    source="https://github.com/udacity/deep-learning-v2-pytorch/pull/74",
)
def mean_of_batches(laboratory: Laboratory) -> Iterable[Found]:
    """A metric that is averaged over batches."""
    for one in _compared(laboratory, averaged):
        value, right, how = one.logged.value, one.is_what.right, one.is_what.how
        small = abs(value - right) <= _MATERIAL * max(1.0 if one.logged.family in SHARES else 0.0, abs(right))
        small |= one.logged.family == "perplexity"  # which many report so, knowing it
        yield Found(
            f"{one.logged.name} = {value:.4g} is {how}; over all predictions it is {right:.4g}",
            {"logged": value, "pooled": right, "mean of batches": one.is_what.value},
            "sum what is counted and divide once at the end of the epoch, or log a torchmetrics object",
            where=one.logged.name,
            confirmed_by=f"computed again from all predictions it is {right:.5g}, and as {how} {one.is_what.value:.5g}, which is "
            "what was logged",
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
        "latter is what its predictions give. Not judged where weights differ, as where a callback puts an average in their place, where a second pass gives another value, where "
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
    known = known_metrics(laboratory)
    if not watched.seen or watched.weights is None:
        raise NotMeasured("the short training did not come to a validation and its end")
    last = watched.seen[-1]
    if last.weights != watched.weights:
        raise NotMeasured("the weights at the end are not those of the last validation")
    if laboratory.ask(plan).validations != len(evaluation.observations) or not _repeats(evaluation):
        raise NotMeasured("a validation alone has other batches, or gives another value each time")
    for logged in some_logged(evaluation):
        if is_over_time(logged.name):
            continue
        before = last.logged.get(logged.name)
        if before is None or same(before, logged.value):
            continue
        if not is_right(logged.value, known.right(logged)) or not (logged.family or watched.held):
            continue
        held = ", ".join(f"{name} ({updates} updates)" for name, updates in watched.held.items())
        yield Found(
            f"{logged.name} = {before:.4g} in the validation of the training, and {logged.value:.4g} of the same weights in a "
            "validation alone" + (f"; held as it began: {held}" if held else ""),
            {"in training": before, "alone": logged.value, "held": dict(watched.held), "epochs": watched.epochs},
            "give training and validation a metric object each"
            if watched.shared
            else f"call reset() of {next(iter(watched.held))} when a validation is over, or log the object itself"
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
        "A logged metric is none of those that the predictions give (of rows, labels, classes, examples, among the best few), and "
        "is to single precision what one of the usual mistakes gives: logits cut at 0.5, probabilities at 0, argmax or softmax of "
        "outputs that do not exclude one another, all pairs of a column and a row, ignored positions counted as wrong, a softmax over examples or positions, the last "
        "batch alone, a ranking of decisions. Confirmed by computing both. Of a step with several losses only what it logs batch "
        "by batch is judged, and likewise where there are fewer than 200 decisions, or pairs that are ranked."
    ),
    why="The score that models are chosen by is not the one that its name says.",
    wrong="accuracy = ((logits > 0.5) == y).float().mean()",
    right="accuracy = ((logits > 0) == y).float().mean()",
    source="https://discuss.pytorch.org/t/when-do-i-turn-prediction-numbers-into-1-and-0-for-binary-classification/130075",
)
def wrong_decisions(laboratory: Laboratory) -> Iterable[Found]:
    """A threshold, an axis or a denominator that is not the metric's."""
    told = {one.logged.name for one in _compared(laboratory, averaged)}  # as means of batches
    for one in _compared(laboratory, lambda known, family: of_mistakes(family, known.batches)):
        if one.logged.name in told or not _identified(laboratory, one):
            continue
        value, right = one.logged.value, one.is_what.right
        alike = _alike(laboratory, one)
        how = " or ".join(dict.fromkeys(each.how for each in alike))
        yield Found(
            f"{one.logged.name} = {value:.4g} is {how}"
            + (", which give the same here" if len(alike) > 1 else "")
            + f"; it should be {right:.4g}",
            {"logged": value, "recomputed": right, "as logged": one.is_what.value},
            "; or ".join(dict.fromkeys(REMEDIES[each.mistake] for each in alike)),
            where=one.logged.name,
            # Of two explanations of one number neither is confirmed by it.
            confirmed_by=""
            if len(alike) > 1
            else f"computed again it is {right:.5g}, and as {how} {one.is_what.value:.5g}, which is what was logged",
        )


def _alike(laboratory: Laboratory, one: _Compared) -> list[Candidate]:
    """One candidate of each mistake that explains a logged value just as well."""
    found = {one.is_what.mistake: one.is_what}
    for other in of_mistakes(one.logged.family, known_metrics(laboratory).batches, every=True):
        if (
            same(one.logged.value, other.value, _SURE)
            and not same(one.logged.value, other.right)
            and _fits(one.logged, other)
        ):
            found.setdefault(other.mistake, other)
    return list(found.values())


def averaged(known: Known, family: str) -> Iterable[Candidate]:
    """Means over batches of a metric."""
    return known.of(family).averaged


def _compared(laboratory: Laboratory, wrong: Callable[[Known, str], Iterable[Candidate]]) -> Iterable[_Compared]:
    """Logged values that are none of the right ones, and are one of the wrong ones."""
    known = known_metrics(laboratory)
    for logged in some_logged(laboratory.get(Evaluation)):
        right = known.right(logged)
        # Nothing and all is what many ways lead to, so that it tells none of them.
        shares = not logged.family or logged.family in SHARES
        if not right or is_right(logged.value, right) or (shares and logged.value in {0.0, 1.0}):
            continue
        for family in (logged.family,) if logged.family else _UNNAMED:
            candidate = next((one for one in wrong(known, family) if _explains(one, logged, family)), None)
            if candidate is not None:
                yield _Compared(replace(logged, family=family), candidate)
                break


def _explains(one: Candidate, logged: Logged, family: str) -> bool:
    """Whether a candidate is what was logged; where no name says what that is, batch by batch."""
    if not same(logged.value, one.value, _SURE) or same(logged.value, one.right) or not _fits(logged, one):
        return False
    return bool(logged.family) or family in RANKINGS or len(set(logged.by_batch)) >= _TELLING


def _fits(logged: Logged, candidate: Candidate) -> bool:
    """Whether what was logged batch by batch is what the candidate has; a coincidence ends here."""
    if len(set(logged.by_batch)) < 2:
        return True
    if len(logged.by_batch) != len(candidate.by_batch):
        return False
    pairs = list(zip(logged.by_batch, candidate.by_batch, strict=True))
    # Of a batch that has no value any may be logged.
    return not np.isnan(candidate.by_batch).all() and all(same(a, b) for a, b in pairs if not np.isnan(b))


def _identified(laboratory: Laboratory, one: _Compared) -> bool:
    """Whether the mistake is known from a metric of something else that happens to have this value."""
    if len(set(one.logged.by_batch)) > 1 and len(one.is_what.by_batch) == len(one.logged.by_batch):
        return True
    observations = laboratory.get(Evaluation).observations
    heads = max(sum(LOSSES[call.name].paired for call in seen.losses) for seen in observations)
    targets = np.concatenate([batch.targets.reshape(-1) for batch in known_metrics(laboratory).batches])
    ranks = one.logged.family in RANKINGS  # one share of all pairs of a positive and a negative
    count = int((targets == 1).sum() * (targets == 0).sum()) if ranks else targets.size
    return heads < 2 and count >= _FEWEST


def _repeats(evaluation: Evaluation) -> bool:
    """Whether the first batches of a second pass logged and lost the same."""
    for one, other in zip(evaluation.observations, evaluation.again, strict=False):
        if [float(call.value.sum()) for call in one.losses] != [float(call.value.sum()) for call in other.losses]:
            return False
    return True
