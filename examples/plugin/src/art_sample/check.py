"""A check: pure, and judged on evidence alone."""

from dataclasses import dataclass

from art_training.checks import Answer, Check, Evidence, failed, not_judged, passed
from art_training.records import Candidate, Outcome, Score


@dataclass(frozen=True)
class Steady(Check):
    """What several seeds reached differs by at most a share of its mean.

    Attributes:
        score: of each candidate.
        share: of the mean, from 0.
    """

    score: str = "validation/loss"
    share: float = 0.5

    @property
    def title(self) -> str:
        """The question as a person reads it."""
        return f"{self.score} varies by at most {self.share:.0%}"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the distance of the best and the worst with their mean."""
        found = [one.scores[self.score].value for one in evidence.outcome.candidates if self.score in one.scores]
        if len(found) < 2:
            return not_judged(f"{len(found)} candidates have {self.score}; two or more are needed")
        mean = sum(found) / len(found)
        varies = (max(found) - min(found)) / abs(mean) if mean else float("inf")
        told = (
            f"{self.score} varies by {varies:.1%} of its mean over {len(found)} seeds, at most {self.share:.0%} asked"
        )
        # Written so that NaN fails.
        return passed(told, varies=varies) if varies <= self.share else failed(told, varies=varies)


def _evidence(*losses: float) -> Evidence:
    candidates = tuple(Candidate(f"seed {n}", {"validation/loss": Score(loss)}) for n, loss in enumerate(losses))
    return Evidence("TrySeeds", Outcome(candidates=candidates))


# Examples live with the check, and are its tests.
Steady.PASSES = ((Steady(), _evidence(0.9, 1.0, 1.1)),)
Steady.FAILS = ((Steady(), _evidence(0.2, 1.0, 2.0)), (Steady(share=0.1), _evidence(0.9, 1.0, 1.1)))
Steady.NOT_JUDGED = ((Steady(), _evidence()), (Steady(), _evidence(1.0)))
