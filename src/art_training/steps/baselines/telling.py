"""What is told of baselines: each with its scores, the best of them, and all of them as a table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from art_training.checks.baseline import HUMAN, NOT_TO_BEAT
from art_training.checks.values import number, with_interval
from art_training.records import Artifact, Candidate, Finding, Metric, Plain, Reading, Score, Split
from art_training.setup.scores.metrics import MetricCalculator
from art_training.steps.bench import Bench
from art_training.steps.overfitting.tables import keep_table

SOURCE = "source"
TABLE = "baselines.csv"


def of_people(declared: Mapping[str, Any], metrics: MetricCalculator) -> Candidate:
    """What people reach, as it was declared."""
    source = declared[SOURCE]
    scores = {
        str(Metric(name, Split.VALIDATION)): Score(
            float(value), direction=metrics.direction(name), source=source, note="declared, not measured"
        )
        for name, value in declared.items()
        if name != SOURCE
    }
    return Candidate(HUMAN, scores, {"kind": HUMAN, SOURCE: source}, f"declared: {source}")


def uncomputed(scores: Mapping[str, Mapping[str, Score]]) -> tuple[Finding, ...]:
    """Metrics that no baseline's predictions could be used for: the fault is the metric's, and better known now."""
    from art_training.setup.scores.scoring import not_computed

    found: list[Finding] = []
    for address, mine in _by_address(scores).items():
        if not any(math.isfinite(score.value) for score in mine):
            raised = next((score.note for score in mine if " raised " in score.note), "")
            found.append(not_computed(Metric.parse(address), raised or f"it is {mine[0].value} for every baseline"))
    return tuple(found)


def of_best(best: str, scores: Mapping[str, Mapping[str, Score]]) -> tuple[dict[str, Score], list[Reading]]:
    """The scores of the best baseline that are numbers, and a reading for each that is one for other baselines alone.

    A correlation with predictions that are all alike is not defined, and that is no fault of the metric's. One that is no
    number for any baseline is a finding, see `uncomputed`.
    """
    top, undefined = dict(scores.get(best, {})), list[Reading]()
    by_address = _by_address(scores)
    for address, score in list(top.items()):
        others = [one for one in by_address[address] if math.isfinite(one.value)]
        if math.isfinite(score.value):
            continue
        del top[address]
        if others:
            note = f"it is {score.value} for {best}, the best baseline, and a number for {len(others)} of the others"
            undefined.append(Reading(address, None, note=note))
    return top, undefined


def _by_address(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, list[Score]]:
    addresses = dict.fromkeys(address for each in scores.values() for address in each)
    return {address: [each[address] for each in scores.values() if address in each] for address in addresses}


def best_of(scores: Mapping[str, Mapping[str, Score]]) -> tuple[str, str, int]:
    """The best baseline, by which number, and how many have that number."""
    addresses = list(dict.fromkeys(address for each in scores.values() for address in each))
    for address in addresses:
        reached = {
            name: each[address]
            for name, each in scores.items()
            if address in each and math.isfinite(each[address].value)
        }
        directions = {score.direction for score in reached.values()} - {None}
        if reached and directions:
            choose = max if "maximize" in directions else min
            return choose(reached, key=lambda name: reached[name].value), address, len(reached)
    return "", "", 0


def table_of(candidates: Sequence[Candidate], bench: Bench) -> tuple[Artifact, ...]:
    """All scores of all candidates, a row each, as a file; none where there are no scores."""
    rows: list[dict[str, Plain]] = []
    for one in candidates:
        for address, score in one.scores.items():
            between = score.interval
            row: dict[str, Plain] = {
                "baseline": one.name,
                "score": address,
                "value": score.value,
                "low": None if between is None else between.low,
                "high": None if between is None else between.high,
                "level": None if between is None else between.level,
                "examples": score.rows,
                "to beat": _to_beat(one),
                "note": "; ".join(filter(None, (one.note, score.note))),
            }
            rows.append(row)
    note = "every score of every baseline, with intervals"
    return (keep_table(bench, rows, TABLE, note),) if rows else ()


def readings_of(candidates: Sequence[Candidate]) -> list[Reading]:
    """All that have a score on the whole split, the best first, each with its interval; a reading a score."""
    addresses = dict.fromkeys(address for one in candidates for address in one.scores)
    found: list[Reading] = []
    for address in addresses:
        if Metric.parse(address).loader is not None:
            continue
        reached = [(one, one.scores[address]) for one in candidates if address in one.scores]
        reached = [(one, score) for one, score in reached if math.isfinite(score.value)]
        down = not any(score.direction == "maximize" for _, score in reached)
        reached.sort(key=lambda pair: pair[1].value if down else -pair[1].value)
        told = [f"{one.name} {with_interval(score)}" for one, score in reached]
        if told:
            found.append(Reading(f"baselines by {address}", ", ".join(told), note="the best first, 95 % intervals"))
    return found


def summary_of(best: str, by: str, candidates: Sequence[Candidate]) -> str:
    """What each reached by the score that decides, and who is best; or why there are none."""
    if not best:
        return "no baseline could be scored: " + "; ".join(f"{one.name}: {one.note}" for one in candidates if one.note)
    reached = [(one.name, one.scores[by].value) for one in candidates if by in one.scores]
    return (
        f"{by}: " + ", ".join(f"{name} {number(value)}" for name, value in reached) + f"; the best baseline is {best}"
    )


def _to_beat(one: Candidate) -> bool:
    return one.parameters.get("kind") not in NOT_TO_BEAT
