"""The one thing that a check sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from art_training.errors import UnknownMetric
from art_training.records import Metric, Outcome, Score

NOT_COMPUTED = "ART703"


@dataclass(frozen=True)
class Evidence:
    """What a check judges.

    Attributes:
        step: name of the step that is judged.
        outcome: what it produced.
        earlier: outcomes of the steps before it that have one, by step name, in project order.
        kinds: the classes of those steps by step name; a step that is not in it is of the class that it is called by.
    """

    step: str
    outcome: Outcome
    earlier: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])

    def score(self, metric: Metric | str) -> Score:
        """The step's score at `metric`.

        Raises:
            UnknownMetric: there is none; the message says why it could not be computed, or names those that exist.
        """
        if str(metric) not in self.outcome.scores:
            for finding in self.outcome.findings:
                if finding.code == NOT_COMPUTED and finding.evidence.get("metric") == str(metric):
                    raise UnknownMetric(f"{finding.message}; {finding.remedy}")
        return self.outcome.score(metric)
