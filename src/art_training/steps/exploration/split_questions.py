"""Questions about what the splits have in common, and in what they differ."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from art_training.records import Finding, Plain, Reading, Score, Severity, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.answers import Answers, Surveys, examples_told, listed, of_hashed
from art_training.steps.exploration.chance import COPIED, FEW_INPUTS, beyond, chance_told
from art_training.steps.exploration.survey import SHOWN, Survey

LEAKED_MUCH = 0.01  # share of a split that is also in another
DRIFT_PROBABILITY, DRIFT_DISTANCE = 0.001, 0.05
LISTED_CLASSES = 100
_DEVIATIONS = 4.0
_AT_MOST_OF_NONE = 3.0  # of rows none of which is equal, so many may be by chance, at 95 %


def leaks(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Does a split hold inputs of another one?"""
    train = [survey for survey in surveys if survey.split is Split.TRAIN]
    others = [survey for survey in surveys if survey.split is not Split.TRAIN]
    worst = 0.0
    for survey in others:
        worst = max(worst, _leak(survey, train, "train", answers))
        if survey.split is Split.TEST:
            validations = [one for one in others if one.split is Split.VALIDATION]
            if validations:
                _leak(survey, validations, "validation", answers)
    note = (
        "the largest share of an evaluation split that the training split holds too, beyond what chance brings about"
        if others
        else "there is no other split"
    )
    answers.scores["leaked_share"] = Score(worst, direction="minimize", note=note)


def class_priors(surveys: Surveys, task: Task, answers: Answers) -> None:
    """How often does each class occur, and is it as often in validation as in training?"""
    counted = [survey for survey in surveys if survey.labels]
    if not counted:
        return
    together = {label: sum(survey.labels[label] for survey in counted) for label in _labels(counted)}
    shown = sorted(sorted(together, key=lambda label: -together[label])[:LISTED_CLASSES])
    note = "" if len(shown) == len(together) else f"the {len(shown)} most frequent of {len(together)}"
    table = {"class": shown} | {survey.place: [survey.labels[label] for label in shown] for survey in counted}
    answers.readings.append(Reading("class counts", table, "labels", note))
    answers.tables["classes.csv"] = (
        _rows(counted, sorted(together), task),
        "how often each class occurs in each split",
    )
    train = [survey for survey in counted if survey.split is Split.TRAIN]
    if not train:
        return
    known = {label for survey in train for label in +survey.labels}
    unseen = {label for survey in counted for label in +survey.labels} - known
    answers.scores["unseen_classes"] = Score(
        float(len(unseen)), direction="minimize", note="classes of validation that training never shows"
    )
    for survey in counted:
        answers.neutral("classes", len(+survey.labels), survey)
        if survey.split is not Split.TRAIN:
            _compare_priors(train, survey, task, answers)


def _leak(survey: Survey, others: Surveys, where: str, answers: Answers) -> float:
    """Note which examples of `survey` are also in `where`, which is `others`; returns their share beyond chance."""
    import numpy as np

    limit = min(survey.hashed.limit, *(one.hashed.limit for one in others))
    mine, theirs = survey.hashed.below(limit), [one.hashed.below(limit) for one in others]
    hashes, known = mine.inputs, np.concatenate([one.inputs for one in theirs])
    places_of_known = np.concatenate([one.indices for one in theirs])
    if not len(known) or not len(hashes):
        return 0.0
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known[order], hashes), len(known) - 1)
    leaked = np.flatnonzero(known[order][places] == hashes)
    count, share, note = of_hashed(len(leaked), mine, survey)
    answers.fewer_is_better(f"also_in_{where}", count, survey, note)
    answers.fewer_is_better(f"also_in_{where}_share", share, survey, note)
    if not count:
        return 0.0
    by_chance, most = (
        1 - math.prod(1 - one.chance.share(one.examples, most=largest) for one in others) for largest in (False, True)
    )
    more, told = beyond(share, max(by_chance, most), len(hashes)), ""
    own = _repeated_in(known)
    if not more and (more := _beyond_own(share, own, by_chance, len(hashes), len(known))):
        told = f", where {own:.2%} of those of {where} are there twice"
    told = told or chance_told(share, by_chance, most, len(hashes), does="be there", unknown=COPIED)
    answers.found("ART101", survey, mine.indices[leaked])
    pairs = [[int(mine.indices[at]), int(places_of_known[order[places[at]]])] for at in leaked[:SHOWN]]
    remedy = f"remove them from {survey.place} or from {where}, and split by what the examples have in common"
    answers.findings.append(
        Finding(
            "ART101",
            "split",
            Severity.ERROR if more > LEAKED_MUCH else Severity.WARNING if more else Severity.INFO,
            f"{count} of {survey.examples} examples of {survey.place} ({share:.2%}) are also in {where}{told}",
            {"count": count, "share": share, "by_chance": by_chance, "at_most": most, "own": own, "pairs": pairs},
            remedy if more else FEW_INPUTS,
            f"{examples_told(survey, (pair[0] for pair in pairs), count)}; {where}: {listed(pair[1] for pair in pairs)}",
        )
    )
    return more


def _repeated_in(hashes: Any) -> float:
    """The share of rows that another row equals."""
    import numpy as np

    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return float((counts[inverse] > 1).mean())


def _beyond_own(share: float, own: float, by_chance: float, mine: int, theirs: int) -> float:
    """What of an observed share is more than the other split's own examples find there, beyond doubt.

    Of examples that were divided at random, those of either split find an equal one in it as often, whatever depends on
    whatever. Where the split's own find fewer than chance alone lets them, it was cleared of repeated ones, and says nothing.

    Args:
        share: of examples that the other split holds too.
        own: of the other split's examples that another one of it equals.
        by_chance: what independent parts would bring about.
        mine: how many examples are looked for.
        theirs: how many they are looked for among.
    """
    if by_chance - own > _DEVIATIONS * (by_chance * (1 - by_chance) / max(1, theirs)) ** 0.5:
        return 0.0
    own = max(own, _AT_MOST_OF_NONE / max(1, theirs))
    error = (
        own * (1 - own) * (1 / max(1, mine) + 2 / max(1, theirs))
    ) ** 0.5  # two rows that are equal are counted twice
    return max(0.0, share - own - _DEVIATIONS * error)


def _compare_priors(train: Surveys, survey: Survey, task: Task, answers: Answers) -> None:
    """A class that training never shows, and shares of classes that differ by more than chance."""
    before = {label: sum(one.labels[label] for one in train) for label in _labels([*train, survey])}
    missing = [label for label in sorted(survey.labels) if survey.labels[label] and not before[label]]
    if missing:
        count = sum(survey.labels[label] for label in missing)
        answers.findings.append(
            Finding(
                "ART106",
                "split",
                # A token or a tag that is rare may well be in one split alone; a class of whole examples may not.
                Severity.WARNING if task.kind is TaskKind.SEQUENCE else Severity.ERROR,
                f"{survey.place} has {count} labels of classes that train never shows: {listed(missing[:SHOWN])}",
                {"classes": missing[:SHOWN], "count": count},
                "split so that every class is in the training split, e.g. stratified",
                survey.place,
            )
        )
    labels = sorted(before)
    mine, theirs = [survey.labels[label] for label in labels], [before[label] for label in labels]
    distance, association, probability = _drift(mine, theirs)
    note = "total variation: half the sum of the differences of the shares"
    answers.fewer_is_better("class_prior_distance", distance, survey, note)
    told = {"total variation": distance, "cramers v": association, "p": probability}
    answers.readings.append(Reading(f"{survey.place} classes against train", told, note="p: by chi-squared"))
    if distance > DRIFT_DISTANCE and probability < DRIFT_PROBABILITY:
        shares = {
            label: [_share(after, mine), _share(was, theirs)]
            for label, after, was in zip(labels, mine, theirs, strict=True)
        }
        worst = max(labels, key=lambda label: abs(shares[label][0] - shares[label][1]))
        answers.findings.append(
            Finding(
                "ART104",
                "split",
                Severity.WARNING,
                f"classes are not as frequent in {survey.place} as in train: class {worst} has a share of "
                f"{shares[worst][0]:.1%} there and {shares[worst][1]:.1%} in train (total variation {distance:.3f})",
                {
                    "distance": distance,
                    "cramers_v": association,
                    "p": probability,
                    "class": worst,
                    "shares": shares[worst],
                },
                "split stratified by class, or shuffle before splitting, unless the difference is meant",
                survey.place,
            )
        )


def _drift(mine: Sequence[int], theirs: Sequence[int]) -> tuple[float, float, float]:
    """Total variation distance of two priors, Cramer's V, and the chance of such a difference in equal ones.

    V is the root of chi-squared over the number of examples, because one side of the table has two rows (Cramer,
    Mathematical Methods of Statistics, 1946, section 21.9); the chance is that of chi-squared.
    """
    from scipy.stats import chi2_contingency

    kept = [(a, b) for a, b in zip(mine, theirs, strict=True) if a or b]
    distance = sum(abs(_share(a, mine) - _share(b, theirs)) for a, b in kept) / 2
    if len(kept) < 2 or not any(a for a, _ in kept) or not any(b for _, b in kept):
        return distance, 0.0, 1.0
    tested: Any = chi2_contingency([[a for a, _ in kept], [b for _, b in kept]], correction=False)
    return distance, (float(tested.statistic) / (sum(mine) + sum(theirs))) ** 0.5, float(tested.pvalue)


def _rows(counted: Surveys, labels: Sequence[int], task: Task) -> list[dict[str, Plain]]:
    """A row a class. Where an example has several labels, shares are of examples, else of labels."""
    rows: list[dict[str, Plain]] = []
    many = task.kind is TaskKind.MULTI_LABEL
    totals = {one.place: max(1, one.examples if many else one.labels.total()) for one in counted}
    for label in labels:
        row: dict[str, Plain] = {"class": label}
        for survey in counted:
            count = survey.labels[label]
            row |= {survey.place: count, f"{survey.place} share": round(count / totals[survey.place], 6)}
        rows.append(row)
    return rows


def _share(count: int, counts: Sequence[int]) -> float:
    return count / sum(counts) if sum(counts) else 0.0


def _labels(surveys: Iterable[Survey]) -> set[int]:
    return {label for survey in surveys for label in survey.labels}
