"""Whether everything that was measured is a number."""

import math
from dataclasses import dataclass

from art_training.checks.check import Answer, Check, failed, passed
from art_training.checks.evidence import Evidence
from art_training.records import Curve, Outcome, Score


@dataclass(frozen=True)
class NoNaN(Check):
    """No score and no end of a curve is NaN or infinite, and training did not stop because its loss was."""

    @property
    def title(self) -> str:
        """In words."""
        return "no NaN or infinity"

    def judge(self, evidence: Evidence) -> Answer:
        """Look at every score and at the last value of every curve; name what is not finite."""
        outcome = evidence.outcome
        numbers = {name: score.value for name, score in outcome.scores.items()}
        ends = {f"the end of curve {name}": curve.values[-1] for name, curve in outcome.curves.items() if curve.values}
        wrong = {name: value for name, value in {**numbers, **ends}.items() if not math.isfinite(value)}
        reasons = [f"{name} is {value}" for name, value in wrong.items()]
        if outcome.stopped == "loss is not finite":
            reasons.insert(0, "training stopped because the loss is not finite")
        if reasons:
            return failed("; ".join(reasons), **wrong)
        return passed(f"{_count(len(numbers), 'score')} and {_count(len(ends), 'curve')}, all finite")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _outcome(score: float = 1.0, end: float = 0.5, stopped: str = "") -> Evidence:
    curve = Curve(steps=(0, 1), values=(math.inf, end))
    return Evidence(
        "Overfit", Outcome(scores={"train/loss": Score(score)}, curves={"train/loss": curve}, stopped=stopped)
    )


NoNaN.PASSES = ((NoNaN(), _outcome()), (NoNaN(), _outcome(stopped="interrupted")))
NoNaN.FAILS = (
    (NoNaN(), _outcome(score=math.nan)),
    (NoNaN(), _outcome(score=math.inf)),
    (NoNaN(), _outcome(end=math.nan)),
    (NoNaN(), _outcome(stopped="loss is not finite")),
)
