"""Whether everything that was measured is a number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from art_training.checks.check import Answer, Check, failed, passed
from art_training.checks.evidence import NOT_COMPUTED, Evidence
from art_training.records import Curve, Finding, Outcome, Score, Severity


@dataclass(frozen=True)
class NoNaN(Check):
    """No score and no end of a curve is NaN or infinite, and training did not stop because its loss was.

    A metric of the project that could not be computed has no number either, and fails it. Leave the metric out of a step
    that it makes no sense in: `skip_metrics=["auroc"]`.
    """

    @property
    def title(self) -> str:
        """In words."""
        return "no NaN or infinity"

    def judge(self, evidence: Evidence) -> Answer:
        """Look at every score and at the last value of every curve; name what is not finite, and what is missing."""
        outcome = evidence.outcome
        numbers = {name: score.value for name, score in outcome.scores.items()}
        ends = {f"the end of curve {name}": curve.values[-1] for name, curve in outcome.curves.items() if curve.values}
        wrong = {name: value for name, value in {**numbers, **ends}.items() if not math.isfinite(value)}
        reasons = [f"{name} is {value}{_why(outcome.scores.get(name))}" for name, value in wrong.items()]
        if outcome.stopped == "loss is not finite":
            reasons.insert(0, "training stopped because the loss is not finite")
        reasons += _missing(outcome)
        if reasons:
            return failed("; ".join(reasons), **wrong)
        return passed(f"{_count(len(numbers), 'score')} and {_count(len(ends), 'curve')}, all finite")


def _why(score: Score | None) -> str:
    """What a score's note says of it, besides that it has no interval."""
    return f" ({score.note})" if score is not None and score.note and not score.note.startswith("no interval") else ""


def _missing(outcome: Outcome) -> list[str]:
    """A sentence for each reason why metrics could not be computed, which is mostly the same for several of them."""
    alike: dict[str, dict[str, Finding]] = {}
    for finding in outcome.findings:
        metric = str(finding.evidence.get("metric"))
        if finding.code == NOT_COMPUTED and metric not in outcome.scores:
            alike.setdefault(finding.message.partition(":")[2], {}).setdefault(metric, finding)
    return [_sentence(found) for found in alike.values()]


def _sentence(found: Mapping[str, Finding]) -> str:
    first, *others = found
    also = f" ({', '.join(others)} likewise)" if others else ""
    return f"{found[first].message}; {found[first].remedy}, or leave it out of this step with skip_metrics{also}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _outcome(score: float = 1.0, end: float = 0.5, stopped: str = "") -> Evidence:
    curve = Curve(steps=(0, 1), values=(math.inf, end))
    return Evidence(
        "Overfit", Outcome(scores={"train/loss": Score(score)}, curves={"train/loss": curve}, stopped=stopped)
    )


_MISSING = Finding(
    NOT_COMPUTED,
    "metrics",
    Severity.ERROR,
    "validation/f1 could not be computed: it raised",
    {"metric": "validation/f1"},
    "choose another",
)


NoNaN.PASSES = ((NoNaN(), _outcome()), (NoNaN(), _outcome(stopped="interrupted")))
NoNaN.FAILS = (
    (NoNaN(), _outcome(score=math.nan)),
    (NoNaN(), _outcome(score=math.inf)),
    (NoNaN(), _outcome(end=math.nan)),
    (NoNaN(), _outcome(stopped="loss is not finite")),
    (NoNaN(), Evidence("Overfit", Outcome(scores={"validation/loss": Score(1.0)}, findings=(_MISSING,)))),
)
