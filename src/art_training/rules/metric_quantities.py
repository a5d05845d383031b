"""Logged metrics that are another quantity than their name says."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np

from art_training.probes.counted import Values
from art_training.probes.evaluation import Evaluation
from art_training.probes.recomputed import Batch, Candidate, averages, decided, is_decision, pooled
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory
from art_training.rules.metric_logged import Known, Logged, batches_in, is_right, known_metrics, same, some_logged
from art_training.rules.metric_mistakes import of_mistakes
from art_training.rules.metric_names import SHARES
from art_training.rules.metric_values import ERRORS, RANKINGS, RATES
from art_training.rules.rule import Found, Stage, rule

_SURE = 1e-5  # of what is to be known for another quantity: a tenth of what counts as right
_FEWEST = 3  # values that differ: as many coincidences are none
_CALLED_SO = {
    "accuracy": {
        "recall",
        "specificity",
        "precision",
        "f1",
        "dice",
    },  # balanced accuracy, and what it is of several classes
    "f1": {"accuracy", "dice"},
    "dice": {"f1", "accuracy"},
    "precision": {"accuracy"},
    "recall": {"accuracy", "specificity"},
    "specificity": {"accuracy", "recall"},
    "iou": {"accuracy"},
}
"""Families that somebody may call by the name of another, or that are one by some averaging."""
_FAMILIES = (*(one for one in RATES if one != "error"), *RANKINGS, *ERRORS, "loss", "perplexity")
_OF_ANYTHING = {"loss", "error"}  # names that stand for whatever is to become small


@rule(
    "ART713",
    "a metric is another quantity than its name says",
    category="metrics",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "A number that a validation logs under the name of a metric is none of those that this metric comes to of the predictions, and "
        "is, to single precision, another quantity of them: another metric, the loss or something made of it, the mean probability of the "
        "class that is chosen or that is right, the same of the first rows of each batch alone, right answers over a number that is no "
        "number of rows. It must be so batch by batch, with three different values, or in a second validation of fewer batches too."
    ),
    why="Models are chosen, compared and reported by it; what it says of them is not what everybody reads.",
    wrong="self.log('val_rmse', F.mse_loss(prediction, y))",
    right="self.log('val_rmse', self.rmse)  # torchmetrics.MeanSquaredError(squared=False)",
    source="https://doi.org/10.1145/3377811.3380395 (Humbatova et al., 2020: wrong metric)",
)
def another_quantity(laboratory: Laboratory) -> Iterable[Found]:
    """A name and a number that do not go together."""
    known, evaluation = known_metrics(laboratory), laboratory.get(Evaluation)
    fewer = batches_in(evaluation.fewer(), laboratory.task)
    again = None if fewer is None or len(fewer) == len(known.batches) else Known(fewer)
    for logged in some_logged(evaluation):
        right = known.right(logged)
        if not logged.family or logged.family in _OF_ANYTHING or not right or _is_known(logged, known):
            continue
        found = _quantity(logged, known, again, evaluation.logged_again.get(logged.name))
        if found is not None:
            rightly = _rightly(known, logged.family, found.how)
            yield Found(
                f"{logged.name} = {logged.value:.4g} is {found.how}; the {logged.family} is {rightly:.4g}",
                {"logged": logged.value, "as logged": found.value, "recomputed": rightly},
                f"log the {logged.family} under this name, or call what is logged by its own",
                where=logged.name,
                confirmed_by=f"computed again it is {rightly:.5g}, and {found.how} {found.value:.5g}, which is what was logged",
            )


def _rightly(known: Known, family: str, how: str) -> float:
    """What should be logged: of all that the name may stand for, what is made as the other quantity is."""
    right = {words: value for words, value in known.of(family).right.items() if np.isfinite(value)}
    likest = max(right, key=lambda words: SequenceMatcher(None, words, how).ratio(), default="")
    return right.get(likest, float("nan"))


def _is_known(logged: Logged, known: Known) -> bool:
    """Whether a value is right, or wrong in a way that another rule tells, in percent too."""
    others = (*known.of(logged.family).averaged, *of_mistakes(logged.family, known.batches))
    values = [*known.right(logged), *(one.value for one in others)]
    percent = logged.family in SHARES and is_right(logged.value / 100, values)
    return percent or is_right(logged.value, values) or (logged.family in SHARES and logged.value in {0.0, 1.0})


def _quantity(logged: Logged, known: Known, again: Known | None, second: float | None) -> Candidate | None:
    """What a value is, where it is so more than once."""
    several = len(set(logged.by_batch)) >= _FEWEST
    for one in _quantities(logged, known):
        if not same(logged.value, one.value, _SURE):
            continue
        if several:
            if len(one.by_batch) == len(logged.by_batch) and all(
                same(a, b, _SURE) for a, b in zip(logged.by_batch, one.by_batch, strict=True)
            ):
                return one
        elif again is not None and second is not None:
            others = [each.value for each in _quantities(logged, again) if each.how == one.how]
            if any(same(second, other, _SURE) and not same(other, one.value) for other in others):
                return one
    return None


def _quantities(logged: Logged, known: Known) -> Iterator[Candidate]:
    for family in _FAMILIES:
        if family != logged.family and family not in _CALLED_SO.get(logged.family, set()):
            given = known.of(family)
            yield from (replace(one, how=f"the {one.how}") for one in given.whole)
            yield from given.averaged
            yield from (Candidate(f"the {family}", value, value) for value in given.right.values())
    yield from _of_loss(known.batches)
    if logged.family == "accuracy":
        yield from _of_rows(known.batches)
    if logged.family == "r2":
        yield from _of_squares(known.batches)
    if logged.family in {"f1", "dice"}:
        yield from _of_two(known)


def _meant(how: str, values: Sequence[float], batches: Sequence[Batch]) -> Iterator[Candidate]:
    for _, mean in averages(values, batches):
        yield Candidate(how, mean, mean, tuple(values))


def _of_loss(batches: Sequence[Batch]) -> Iterator[Candidate]:
    losses = [one.loss for one in batches if one.loss is not None]
    if len(losses) < len(batches):
        return
    values = np.asarray(losses)
    with np.errstate(over="ignore"):
        for how, made in (
            ("the loss", values),
            ("minus the loss", -values),
            ("one minus the loss", 1 - values),
            ("exp of minus the loss", np.exp(-values)),
            ("2 to the power of the loss", np.exp2(values)),
        ):
            yield from _meant(how, made.tolist(), batches)
        for by in ([one.weight for one in batches], None):
            mean = float(np.average(values, weights=by))
            for how, value in (("exp of minus the loss", np.exp(-mean)), ("2 to the power of the loss", np.exp2(mean))):
                yield Candidate(how, float(value), float(value))


def _of_rows(batches: Sequence[Batch]) -> Iterator[Candidate]:
    """What may be taken for a share of right answers."""
    if not all(map(is_decision, batches)) or batches[0].targets.ndim != 1:
        return
    hits = [(decided(one) == one.targets).astype(np.float64) for one in batches]
    chances = [_chances(one) for one in batches]
    yield from _meant(
        "the mean probability of the class that is chosen", [float(one.max(1).mean()) for one in chances], batches
    )
    own = [one[np.arange(len(one)), each.targets.astype(np.int64)] for one, each in zip(chances, batches, strict=True)]
    yield from _meant("the mean probability of the right class", [float(one.mean()) for one in own], batches)
    for how, values in (
        ("the mean probability of the class that is chosen", [one.max(1) for one in chances]),
        ("the mean probability of the right class", own),
    ):
        mean = float(np.concatenate(values).mean())
        yield Candidate(how, mean, mean)
    most = max(len(one) for one in hits)
    for rows in range(1, most):
        how = f"the accuracy of the first {rows} rows of each batch alone"
        yield from _meant(how, [float(one[:rows].mean()) for one in hits], batches)
    for rows in (one for one in (2**power for power in range(2, 13)) if one < most):
        how = f"the number of right answers over {rows}, which is no number of rows"
        yield from _meant(how, [float(one.sum()) / rows for one in hits], batches)


def _chances(batch: Batch) -> Values:
    if batch.predictions.ndim == 2 and batch.predictions.shape[1] > 1:
        return batch.predictions
    yes = batch.predictions.reshape(-1)
    return np.stack([1 - yes, yes], 1)


def _of_squares(batches: Sequence[Batch]) -> Iterator[Candidate]:
    """What may be taken for explained variance."""
    if any(one.predictions.shape != one.targets.shape for one in batches):
        return
    whole = pooled(batches)
    given, wanted = whole.predictions.reshape(-1), whole.targets.reshape(-1)
    error = float(np.square(given - wanted).sum())
    for how, value in (
        ("one minus the mean squared error", 1 - error / len(wanted)),
        (
            "one minus the error over the spread of the predictions",
            1 - error / max(float(np.square(given - given.mean()).sum()), 1e-30),
        ),
        (
            "the square of the correlation",
            float(np.corrcoef(given, wanted)[0, 1]) ** 2 if given.std() > 0 < wanted.std() else np.nan,
        ),
    ):
        yield Candidate(how, value, value)


def _of_two(known: Known) -> Iterator[Candidate]:
    """What may be taken for a harmonic mean."""
    precision, recall = known.of("precision").right, known.of("recall").right
    for words, one in precision.items():
        other = recall.get(words.replace("precision", "recall"))
        if other is not None and one != other:
            yield Candidate("half the sum of precision and recall", (one + other) / 2, (one + other) / 2)
            harmonic = one * other / max(one + other, 1e-30)
            yield Candidate("half the harmonic mean of precision and recall", harmonic, harmonic)
