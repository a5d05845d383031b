"""Whether ART's numbers agree with the module's own, and whether all rows of the data were evaluated."""

import re
from collections.abc import Iterator, Mapping

from art_training.records import Finding, Metric, Score, Severity, Split

_PREFIXES = {
    Split.TRAIN: r"(?:train|training|trn|tr)",
    Split.VALIDATION: r"(?:validation|valid|val|dev|eval)",
    Split.TEST: r"(?:test|tst)",
}
_SAME = ({"accuracy", "acc"}, {"f1", "f1score", "f1_score"}, {"auroc", "auc", "roc_auc"})
_BY_BATCHES = "the module's number is a mean over batches, or is defined otherwise"
_BY_EXAMPLES = (
    "weighted by what the loss divides by (class weights, positions that are not masked); in the module's number every "
    "batch counts by its examples"
)
_LOG_THE_OBJECT = (
    "log the metric object itself (self.log(name, self.metric)), one object a split, so that it is computed once over "
    "the epoch; ART's number is the one that checks use"
)
_NOTHING_TO_DO = (
    "nothing needs to change; ART's number is the one that checks use, and does not depend on the batch size"
)
_RELATIVE = 1e-3  # single precision, summed in another order
_ABSOLUTE = 1e-5


def with_rows(at: Metric, evaluated: int, rows: Mapping[str, int | None]) -> Iterator[Finding]:
    """ART702: other rows were evaluated than the dataset has.

    Args:
        at: split and loader.
        evaluated: examples that went through the model.
        rows: examples of each loader as its dataset counts them.
    """
    place = str(at).rpartition("/")[0]
    there = rows.get(place)
    if there is None or there == evaluated:
        return
    more = "some were seen twice" if evaluated > there else "the rest was left out"
    yield Finding(
        code="ART702",
        category="evaluation",
        severity=Severity.WARNING,
        message=f"{place}: {evaluated} examples were evaluated where the dataset has {there}: {more}",
        evidence={"evaluated": evaluated, "dataset": there},
        remedy="look for drop_last=True, a sampler that pads or draws, or a batch whose examples ART counts wrongly",
        where=place,
    )


def with_logged(
    split: Split, scores: Mapping[str, Score], logged: Mapping[str, float], by_examples: float | None = None
) -> Iterator[Finding]:
    """ART701: the module logged another number than ART computed.

    Args:
        split: whose scores these are.
        scores: ART's, of the split as a whole, by name.
        logged: the module's, as the engine reduced them.
        by_examples: the loss where every batch counts by its examples; a module that logs this has a loss that divides
            by something else, and is not wrong.
    """
    for name, score in scores.items():
        known = logged_as(name, split, logged)
        if known is None or score.source.startswith("logged") or "an example's share" in score.note:
            continue
        theirs = logged[known]
        if _agree(score.value, theirs):
            continue
        usual = name == "loss" and by_examples is not None and _agree(by_examples, theirs)
        why = _BY_EXAMPLES if usual else _BY_BATCHES
        yield Finding(
            code="ART701",
            category="metrics",
            severity=Severity.INFO if usual else Severity.WARNING,
            message=f"the module logged {known} = {theirs:.6g} where {split}/{name} is {score.value:.6g}: ART computes "
            f"it once over all {score.rows} examples, {why}",
            evidence={"logged": theirs, "computed": score.value, "logged as": known, "rows": score.rows},
            remedy=_NOTHING_TO_DO if usual else _LOG_THE_OBJECT,
            where=known,
        )


def logged_as(name: str, split: Split | None, logged: Mapping[str, float]) -> str | None:
    """The name under which the module logged a metric on a split; None where it did not."""
    if split is None:
        return None
    names = next((same for same in _SAME if name.lower() in same), {name.lower()})
    wanted = "|".join(re.escape(one) for one in sorted(names))
    prefixed = re.compile(rf"{_PREFIXES[split]}[\W_]*(?:{wanted})(?:_epoch)?", re.IGNORECASE)
    bare = re.compile(rf"(?:{wanted})(?:_epoch)?", re.IGNORECASE)
    for pattern in (prefixed, bare):
        found = [key for key in logged if pattern.fullmatch(key)]
        if found:
            return found[0]
    return None


def _agree(mine: float, theirs: float) -> bool:
    if mine != mine or theirs != theirs:  # noqa: PLR0124  NaN is the only number that differs from itself.
        return (mine != mine) == (theirs != theirs)  # noqa: PLR0124
    return abs(mine - theirs) <= _ABSOLUTE + _RELATIVE * max(abs(mine), abs(theirs))
