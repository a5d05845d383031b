"""Which model is the result: what each gains over the single one, and the rule by which one is taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from art_training.errors import ProjectError
from art_training.records import Score
from art_training.setup.scores.comparison import Comparison, compare, holm
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.steps.deciding import deciding_metric
from art_training.steps.delivering.predictions import Predictions
from art_training.steps.squeezing.contenders import Contender

LEVEL = 0.05


def name_by(by: str, metrics: MetricCalculator, step: str) -> str:
    """The name of the metric that decides.

    Raises:
        ProjectError: it is none of the project's, or it is not known which way it is better.
    """
    name = deciding_metric(by, step).name
    if name != LOSS and name not in metrics.names:
        known = ", ".join((LOSS, *metrics.names))
        raise ProjectError(f"by={by!r} of step {step!r} is no metric of this project; it has: {known}")
    if metrics.direction(name) is None:
        raise ProjectError(
            f"it is not known which way by={by!r} of step {step!r} is better; set higher_is_better on the metric"
        )
    return name


def value_of(predictions: Predictions, name: str, metrics: MetricCalculator) -> float:
    """The metric or the loss of predictions; no intervals are computed."""
    if name == LOSS:
        return predictions.loss()
    running = metrics.measures[name].start()
    running.update(predictions.pool.predictions, predictions.pool.targets)
    return next(iter(running.values(predictions.pool).values()))


def badness(predictions: Predictions, name: str, metrics: MetricCalculator) -> float:
    """The same, turned so that less is better."""
    value = value_of(predictions, name, metrics)
    return -value if metrics.direction(name) == "maximize" else value


def gain(metrics: MetricCalculator, name: str, ours: Predictions, theirs: Predictions, seed: int) -> Comparison:
    """How much better ours are, paired example by example; positive is better."""
    return compare(metrics, name, [ours.examples], [theirs.examples], seed=seed)


def as_score(compared: Comparison, over: str) -> Score:
    """A gain as it is recorded."""
    p = "" if compared.p_value is None else f"two-sided p = {compared.p_value:.2g}"
    note = "; ".join(
        part for part in (f"{compared.metric} against {over}, positive is better", p, compared.note) if part
    )
    return Score(compared.value, compared.interval, compared.examples, "maximize", f"paired with {over}", note)


@dataclass(frozen=True)
class Choice:
    """The contender that was taken.

    Attributes:
        taken: it.
        why: in one sentence.
    """

    taken: Contender
    why: str


def choose(
    contenders: Sequence[Contender],
    name: str,
    metrics: MetricCalculator,
    sizes: Mapping[str, int],
    *,
    prefer: str,
    seed: int,
) -> Choice:
    """Take the best, the smallest that is not significantly worse than the best, or the one that is named.

    Of several that are as small, the one with the best score is taken, however little it is better.

    Args:
        contenders: those that can be taken; the first comes first among equals.
        name: of the metric or the loss that decides.
        metrics: where it is declared.
        sizes: parameters of each by name.
        prefer: `best`, `small`, or the name of a contender that there is.
        seed: of the comparisons.
    """
    named = next((one for one in contenders if one.name == prefer), None)
    if named is not None:
        return Choice(named, f"{named.name} was asked for, whatever the others gain")
    bad = {one.name: badness(one.predictions, name, metrics) for one in contenders}
    best = min(contenders, key=lambda one: bad[one.name])
    if prefer == "best" or len(contenders) == 1:
        return Choice(best, f"{best.name} has the best validation/{name}")
    others = [one for one in contenders if one is not best]
    compared = [gain(metrics, name, best.predictions, one.predictions, seed) for one in others]
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in compared])
    # Where too few examples allow no interval, nothing is known to be worse.
    worse = {other.name: p < LEVEL for other, p in zip(others, adjusted, strict=True)}
    kept = [one for one in contenders if one is best or not worse[one.name]]
    taken = min(kept, key=lambda one: (sizes[one.name], bad[one.name]))
    tested = f"(paired, Holm over {len(others)}, level {LEVEL:g})"
    if taken is best:
        smaller = any(sizes[one.name] < sizes[best.name] for one in others)
        than = f"every smaller one is significantly worse {tested}" if smaller else "no other is smaller"
        return Choice(best, f"{best.name} has the best validation/{name}, and {than}")
    rule = (
        f"the smallest whose validation/{name} is not significantly worse than that of {best.name}, the best {tested}"
    )
    equals = [one for one in kept if sizes[one.name] == sizes[taken.name]]
    if len(equals) == 1:
        return Choice(taken, f"{taken.name} is {rule}")
    listed = ", ".join(f"{one.name} {value_of(one.predictions, name, metrics):.4g}" for one in equals)
    tied = sum(bad[one.name] == bad[taken.name] for one in equals) > 1
    last = "comes first of those with the best score" if tied else "has the best score"
    return Choice(taken, f"{taken.name} {last} of {len(equals)} as small ({listed}); they are {rule}")
