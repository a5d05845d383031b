"""How often a test split was looked at, and how much too good that can make the best of what was seen."""

import math
from dataclasses import dataclass

from art_training.records import Finding, Score, Severity
from art_training.records.use import of_rows
from art_training.steps.bench import Bench

USES = "test_uses"
MODELS = "tested_models"


@dataclass(frozen=True)
class Uses:
    """How often a project used its test split, this time included.

    Attributes:
        count: runs that left a score on it, those that were removed since among them.
        models: different models that were scored on it.
    """

    count: int
    models: int

    @property
    def said(self) -> str:
        """In words, for a summary."""
        if self.count == 1:
            return "first use of the test split"
        models = "the same weights each time" if self.models == 1 else f"{self.models} different models"
        return f"use {self.count} of the test split, {models}"

    def scores(self) -> dict[str, Score]:
        """The two numbers as scores, so that checks can ask for them."""
        return {
            USES: Score(float(self.count), direction="minimize", note="runs of this project, this one included"),
            MODELS: Score(float(self.models), direction="minimize", note="different models, this one included"),
        }

    def findings(self, score: Score | None, name: str) -> list[Finding]:
        """A warning once another model was scored before: whoever saw both numbers may have chosen by them."""
        if self.models < 2:
            return []
        error = _standard_error(score)
        excess = expected_maximum(self.models)
        size = "" if error is None else f", here {excess * error:.2g} of {name}"
        return [
            Finding(
                code="ART801",
                category="evaluation",
                severity=Severity.WARNING,
                message=f"the test split was used {self.count} times, for {self.models} different models: the best of "
                f"{self.models} equally good ones looks {excess:.2g} standard errors too good{size}",
                evidence={"uses": self.count, "models": self.models, "standard errors": excess},
                remedy="report the first score, or judge the final model on new examples; choose by validation",
            )
        ]


def uses_of(bench: Bench, model: str, rows: str) -> Uses:
    """The uses of the test split with these rows, now that a model is scored on it.

    Args:
        bench: knows the earlier uses.
        model: digest of what is scored.
        rows: digest of the test rows; a use of other rows is none of these. Empty where it is not known: all count.
    """
    same = of_rows(bench.tested(), rows)
    return Uses(len(same) + 1, len({model, *(use.model for use in same)}))


def expected_maximum(count: int) -> float:
    """The expected maximum of so many standard normal numbers: E = ∫ x n φ(x) Φ(x)^(n-1) dx."""
    from scipy.integrate import quad
    from scipy.stats import norm

    def integrand(x: float) -> float:
        return x * count * float(norm.pdf(x)) * float(norm.cdf(x)) ** (count - 1)

    return float(quad(integrand, -10, 10)[0]) if count > 1 else 0.0


def _standard_error(score: Score | None) -> float | None:
    from scipy.stats import norm

    if score is None or score.interval is None:
        return None
    width = score.interval.high - score.interval.low
    error = width / (2 * float(norm.ppf((1 + score.interval.level) / 2)))
    return error if math.isfinite(error) else None
