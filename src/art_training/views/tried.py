"""What a step compared, which of it was chosen, and why the others were not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from art_training.records import Candidate, Direction, Outcome
from art_training.views.rows import ScoreRow
from art_training.views.wording import score_text

_CHOICES = ("winner", "result", "best")  # names under which steps keep what they chose
_GAIN = "gain"


@dataclass(frozen=True)
class TriedRow:
    """One of several things that a step compared.

    Attributes:
        name: unique in its step.
        score: what it reached of the score by which they are compared, if it could be scored.
        gain: how much better it is than what it is compared with, on the same examples, if that was measured.
        scores: all that it reached, in the step's order.
        parameters: what it was.
        chosen: whether the step chose it.
        why: why it was chosen or not, or could not be scored; empty where its place in the order says it.
    """

    name: str
    score: ScoreRow | None
    gain: ScoreRow | None
    scores: tuple[ScoreRow, ...]
    parameters: Mapping[str, Any]
    chosen: bool
    why: str


@dataclass(frozen=True)
class Tried:
    """What a step compared, the best first; what could not be scored comes last.

    Attributes:
        by: the address of the score that decides; empty where the candidates share none.
        direction: which way is better.
        rows: what was compared.
        chosen: what was chosen; empty where the step chose nothing.
    """

    by: str
    direction: Direction | None
    rows: tuple[TriedRow, ...]
    chosen: str


def tried_of(outcome: Outcome) -> Tried:
    """What the outcome's candidates were, reached and were chosen or left for."""
    candidates = outcome.candidates
    by = _by(outcome)
    direction: Direction | None = next((one.scores[by].direction for one in candidates if by in one.scores), None)
    chosen, because = _choice(outcome)
    rows = tuple(_row(one, by, chosen, because) for one in candidates)
    return Tried(by, direction, tuple(sorted(rows, key=lambda row: _place(row, direction))), chosen)


def _by(outcome: Outcome) -> str:
    """As the step says; else the score of validation that most of them have, a metric before the loss."""
    told = str(outcome.parameters.get("by", ""))
    if any(told in one.scores for one in outcome.candidates):
        return told
    names = [name for one in outcome.candidates for name in one.scores if name.startswith("validation/")]
    if not names:
        names = [name for one in outcome.candidates for name in one.scores]
    most = max((names.count(name) for name in names), default=0)
    shared = [name for name in dict.fromkeys(names) if names.count(name) == most]
    decides = "validation/loss" if any(_GAIN in one.scores for one in outcome.candidates) else ""
    if decides in shared:
        return decides
    return next((name for name in shared if not name.endswith("/loss")), shared[0] if shared else "")


def _choice(outcome: Outcome) -> tuple[str, str]:
    """What the step chose, and in which words it said why."""
    named = [str(outcome.parameters[name]) for name in _CHOICES if outcome.parameters.get(name)]
    readings = [reading for name in _CHOICES if (reading := outcome.reading(name)) is not None]
    names = {one.name for one in outcome.candidates}
    told = [str(reading.value) for reading in readings]
    chosen = next((name for name in (*named, *told) if name in names), "")
    return chosen, next((reading.note for reading in readings), "")


def _row(one: Candidate, by: str, chosen: str, because: str) -> TriedRow:
    scores = tuple(ScoreRow.of(name, score) for name, score in one.scores.items())
    score = next((row for row in scores if row.metric == by), None)
    gain = next((row for row in scores if row.metric == _GAIN), None)
    is_chosen = bool(chosen) and one.name == chosen
    return TriedRow(
        one.name, score, gain, scores, one.parameters, is_chosen, _why(one, gain, because, chosen=is_chosen)
    )


def _why(one: Candidate, gain: ScoreRow | None, because: str, *, chosen: bool) -> str:
    if chosen:
        return "; ".join(filter(None, (because, one.note)))
    told = "" if gain is None else _of_gain(gain, one.parameters.get("by_seed"))
    return "; ".join(filter(None, (told, one.note)))


def _of_gain(gain: ScoreRow, by_seed: Any) -> str:
    """Which way it went and how sure that is; that all seeds agree is worth saying where the interval does not decide."""
    if gain.low is None or gain.high is None or math.isnan(gain.value):
        return f"gain {score_text(gain)}"
    way = "better" if gain.value > 0 else "worse" if gain.value < 0 else "neither better nor worse"
    if gain.high < 0 or gain.low > 0 or gain.value == 0:
        return f"{way}: gain {score_text(gain)}"
    seeds = cast("list[float]", by_seed) if isinstance(by_seed, list) else []
    agreed = len(seeds) > 1 and all((one > 0) == (gain.value > 0) and one != 0 for one in seeds)
    return f"{way}{' under every seed' if agreed else ''}, though not beyond doubt: gain {score_text(gain)}"


def _place(row: TriedRow, direction: Direction | None) -> tuple[bool, float]:
    value = row.score.value if row.score else math.nan
    if math.isnan(value):
        return True, 0.0
    return False, 0.0 if direction is None else value if direction == "minimize" else -value
