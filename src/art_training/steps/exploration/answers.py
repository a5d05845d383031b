"""What ExploreData's questions are given and what they answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from art_training.records import Finding, Reading, Score
from art_training.setup.task import Task
from art_training.steps.exploration.survey import Survey

Surveys: TypeAlias = Sequence[Survey]


@dataclass
class Answers:
    """What the questions found; each adds to it."""

    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    readings: list[Reading] = field(default_factory=list[Reading])
    findings: list[Finding] = field(default_factory=list[Finding])

    def fewer_is_better(self, name: str, value: float, survey: Survey, note: str = "") -> None:
        """Note a number of one place, best at zero."""
        score = Score(float(value), rows=survey.examples, direction="minimize", note=note)
        self.scores[f"{survey.place}/{name}"] = score

    def neutral(self, name: str, value: float, survey: Survey) -> None:
        """Note a number of one place that is neither good nor bad."""
        self.scores[f"{survey.place}/{name}"] = Score(float(value), rows=survey.examples)


Question: TypeAlias = Callable[[Surveys, Task, Answers], None]


def listed(items: Iterable[Any]) -> str:
    """Items as a person reads them."""
    return ", ".join(str(item) for item in items)
