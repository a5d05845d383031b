"""What wrong decisions, wrong axes and wrong denominators make of a metric."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from art_training.probes.counted import Values
from art_training.probes.recomputed import Batch, Candidate, averages, classes_of, decided, is_decision
from art_training.rules.metric_values import RANKINGS, RATES, SO_FAR, as_classes, made, of_decisions, of_scores, ranked

_AT_HALF, _AT_ZERO = "logits cut at 0.5", "probabilities cut at 0"
_ONE_OUTPUT, _PAIRS = "the argmax of a single output", "all pairs of predictions and targets of a batch"
_ONE_LABEL = "the argmax of outputs of which several may be right"
_COMPETING = "a softmax over outputs of which several may be right"
_ACROSS, _ALONG = "a softmax over the examples of a batch", "a softmax over positions in place of classes"
_ROUNDED, _SECOND = "logits rounded to whole numbers", "the second of two logits cut at 0.5"
_LEAST, _SIZE = "the argmin of the scores", "the argmax of the sizes of scores, without their signs"
_TURNED, _BATCH = "a cut from below, which says no for yes", "a softmax over the examples of a batch, cut at 0.5"
_IGNORED, _LAST = "positions that the loss ignores counted as wrong", "the last batch alone"
_BY_SIZE, _HARD = "right answers over batches times batch size", "a ranking of decisions, which have two values only"
REMEDIES = {
    _AT_HALF: "cut logits at 0, or take their sigmoid first",
    _AT_ZERO: "cut probabilities at 0.5",
    _ONE_OUTPUT: "cut the single output at its threshold (0 for a logit) in place of argmax",
    _ONE_LABEL: "cut each output at its own threshold (0 for a logit) in place of argmax",
    _COMPETING: "take the sigmoid of each output in place of a softmax over them",
    _ACROSS: "take the softmax over the classes (dim=1), or none: the largest score is that of the largest probability",
    _ALONG: "take the softmax over the classes (dim=1), or none: the largest score is that of the largest probability",
    _ROUNDED: "cut logits at 0, or take their sigmoid first",
    _SECOND: "take the argmax of both, or cut their difference at 0",
    _LEAST: "take the argmax of the scores",
    _SIZE: "take the argmax of the scores as they are",
    _TURNED: "say yes where the logit is above 0",
    _BATCH: "take the sigmoid of each logit, which needs no other example",
    _PAIRS: "give predictions and targets one shape before they are compared",
    _IGNORED: "leave out the positions that the loss ignores",
    _LAST: "collect over the whole epoch, and set back only when it begins",
    _BY_SIZE: "divide by the number of rows that were counted",
    _HARD: "give the ranking metric probabilities or logits",
}
"""What to change, by the mistake."""
_NEAR = (0.6, 0.65)  # probabilities that somebody may cut at on purpose, on both sides of a logit of 0.5


def of_mistakes(family: str, batches: Sequence[Batch], *, every: bool = False) -> list[Candidate]:
    """What mistakes make of a metric of this name.

    Args:
        family: of the metric.
        batches: of a validation.
        every: also those whose value a decision that is meant would have too.
    """
    rightly = made(family, batches)
    found = [replace(one, mistake=_LAST) for one in rightly.last] if len(batches) > 1 else []
    if family not in RATES.keys() | RANKINGS.keys() or not all(map(is_decision, batches)):
        return found
    if family in RANKINGS:
        hard = of_scores(lambda one: dict(ranked(family, _spread(one), one)), batches)
        return [*found, *_named(_HARD, hard.whole, rightly.whole), *_named(_HARD, hard.averaged, rightly.averaged)]
    for how, chosen in _choices(batches, every=every):
        wrongly = of_decisions(family, batches, chosen)
        found += _named(how, wrongly.whole, rightly.whole)
        found += _named(how, wrongly.averaged, rightly.averaged)
    if family == "accuracy" and batches[0].targets.ndim == 1 and rightly.right:
        found += _of_shapes(batches, next(iter(rightly.right.values())))
    return found


def _choices(batches: Sequence[Batch], *, every: bool) -> Iterator[tuple[str, list[Values]]]:
    """Decisions as they are made by mistake, of all batches."""
    first = batches[0]
    several = first.targets.ndim == 2
    if first.predictions.ndim > 1 and not several:
        for axis in first.crossed:
            chosen = [one.crossed[axis] for one in batches if axis in one.crossed]
            if len(chosen) == len(batches):
                yield _ALONG if axis else _ACROSS, chosen
        yield from _of_scores(batches)
        return
    raw = [one.raw for one in batches if one.raw is not None]
    if len(raw) == len(batches):
        if every or _known_from_others(raw):
            yield _AT_HALF, [(one > 0.5).astype(np.float64) for one in raw]
        yield _AT_ZERO, [np.ones_like(one) for one in raw]
        yield _TURNED, [(one < 0).astype(np.float64) for one in raw]
        if not several:
            yield from _of_one_column(batches, raw)
    if not several:
        yield _ONE_OUTPUT, [np.zeros_like(one.targets) for one in batches]
    if not several or as_classes(batches) is not None:
        return
    labels = np.arange(first.targets.shape[1])
    yield _ONE_LABEL, [(one.predictions.argmax(1)[:, None] == labels).astype(np.float64) for one in batches]
    if len(raw) == len(batches):
        yield _COMPETING, [_softmax_cut(one) for one in raw]


def _of_one_column(batches: Sequence[Batch], raw: Sequence[Values]) -> Iterator[tuple[str, list[Values]]]:
    """Of one logit a row; left out where they decide as another mistake does, of which it is then."""
    across = [_across(one) for one in raw]
    if any(one.any() for one in across):
        yield _BATCH, across
    # Rounded they may be classes that there are none of, which are wrong whatever the target is.
    if any((np.round(one) > 1).any() or (np.round(one) < 0).any() for one in raw):
        rounded = [np.round(one) for one in raw]
        wrong = [1 - one.targets for one in batches]
        yield _ROUNDED, [np.where(np.isin(one, (0, 1)), one, other) for one, other in zip(rounded, wrong, strict=True)]


def _of_scores(batches: Sequence[Batch]) -> Iterator[tuple[str, list[Values]]]:
    """Of classes that exclude each other, by what entered the loss for them."""
    scores = [one.scores for one in batches if one.scores is not None]
    if len(scores) < len(batches):
        return
    yield _LEAST, [one.argmin(1).astype(np.float64) for one in scores]
    if any((one < 0).any() for one in scores):
        yield _SIZE, [np.abs(one).argmax(1).astype(np.float64) for one in scores]
    if scores[0].shape[1] == 2:
        yield _SECOND, [(one[:, 1] > 0.5).astype(np.float64) for one in scores]


def _across(raw: Values) -> Values:
    shares = np.exp(raw - raw.max())
    return (shares / shares.sum() > 0.5).astype(np.float64)


def _known_from_others(raw: Sequence[Values]) -> bool:
    """Whether a cut of logits at 0.5 decides otherwise than cuts of probabilities that may be meant."""
    cuts = [float(np.log(one / (1 - one))) for one in _NEAR]
    return all(any(((one > 0.5) != (one > cut)).any() for one in raw) for cut in cuts)


def _softmax_cut(raw: Values) -> Values:
    shares = np.exp(raw - raw.max(1, keepdims=True))
    return (shares / shares.sum(1, keepdims=True) > 0.5).astype(np.float64)


def _of_shapes(batches: Sequence[Batch], right: float) -> Iterator[Candidate]:
    """Accuracies of predictions and targets that are not compared one by one, or are divided by a number not theirs."""
    chosen = [decided(one) for one in batches]
    hits = [float((a == one.targets).sum()) for a, one in zip(chosen, batches, strict=True)]
    if all(one.predictions.ndim == 1 and one.owners is None for one in batches):
        yield from _meant(_PAIRS, [_pairs(a, one) for a, one in zip(chosen, batches, strict=True)], batches, right)
    every = sum(one.all_rows for one in batches)
    if every > sum(len(one.targets) for one in batches):
        yield Candidate(_IGNORED, sum(hits) / every, right, mistake=_IGNORED)
        yield from _meant(_IGNORED, [a / one.all_rows for a, one in zip(hits, batches, strict=True)], batches, right)
    if len(batches) > 1:
        yield Candidate(_BY_SIZE, sum(hits) / (len(batches) * len(batches[0].targets)), right, mistake=_BY_SIZE)


def _pairs(chosen: Values, batch: Batch) -> float:
    """The share of equal ones among all pairs, from how often each value occurs."""
    classes = classes_of(batch)
    a, b = (np.bincount(one.astype(np.int64), minlength=classes) for one in (chosen, batch.targets))
    return float((a * b).sum()) / len(chosen) ** 2


def _meant(how: str, by_batch: list[float], batches: Sequence[Batch], right: float) -> Iterator[Candidate]:
    for _, mean in averages(by_batch, batches):
        yield Candidate(how, mean, right, tuple(by_batch), how)


def _named(how: str, wrongly: Sequence[Candidate], rightly: Sequence[Candidate]) -> Iterator[Candidate]:
    """The same candidates with decisions made wrongly, and with those made rightly."""
    right = {one.how: one.right for one in rightly}
    for one in wrongly:
        if one.how in right and one.mistake != SO_FAR:
            article = "" if one.mistake else "the "
            yield replace(one, how=f"{article}{one.how} with {how}", right=right[one.how], mistake=how)


def _spread(batch: Batch) -> Values:
    """Decisions in place of scores, of the shape that scores have."""
    chosen = decided(batch)
    if batch.targets.ndim == 1 and batch.predictions.ndim == 2 and batch.predictions.shape[1] > 1:
        return (chosen[:, None] == np.arange(batch.predictions.shape[1])).astype(np.float64)
    return chosen
