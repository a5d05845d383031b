"""What a step has measured by now, kept for where it does not come to its end."""

from dataclasses import dataclass, field
from typing import Any

from art_training.records import Artifact, Finding, Outcome, Score


@dataclass
class Measured:
    """What a step has measured so far; it is the outcome if the step does not come to its end."""

    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    findings: list[Finding] = field(default_factory=list[Finding])
    artifacts: list[Artifact] = field(default_factory=list[Artifact])
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def outcome(self, stopped: str) -> Outcome:
        """The partial outcome of a step that was stopped."""
        return Outcome(
            scores=self.scores,
            findings=tuple(self.findings),
            artifacts=tuple(self.artifacts),
            parameters=self.parameters,
            seconds=self.seconds,
            stopped=stopped,
        )
