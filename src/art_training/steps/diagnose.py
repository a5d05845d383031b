"""Diagnose: what is silently wrong with the setup, before anything is trained for long."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from art_training.checks import Check
from art_training.checks.bounds import Equals
from art_training.checks.healthy import HEALTH, Healthy
from art_training.errors import ProjectError, SetupError
from art_training.records import Outcome, Reading, Score, Severity
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.glimpsed import Decode, glimpsed
from art_training.steps.step import Step

if TYPE_CHECKING:
    from art_training.diagnosis.result import Diagnosis

ERRORS, WARNINGS, NOT_JUDGED = "errors", "warnings", "not_judged"
_COUNTED = ((ERRORS, Severity.ERROR), (WARNINGS, Severity.WARNING))


@dataclass(frozen=True)
class Diagnose(Step):
    """Look for what is silently wrong with the setup, by experiments on a few batches and a short training.

    It is what `art.diagnose(setup)` does, with the outcome kept: every finding with its evidence, its place, its remedy and
    the experiment that confirmed it. What is declared with the setup (`declarations=`) is what the rules go by.

    Scores: `errors`, `warnings`, and `not_judged`, how many rules could not tell. A finding that explains others counts once.
    The step is stale when the rules change.

    It lets people look, too: exactly what enters the network (a table, and a picture of images), the gradient of each
    example's prediction by each example's input (and by position, of sequences), and the learning rate of the whole training.

    Attributes:
        budget: seconds, about; the short training is cut to it.
        ignore: codes of rules that shall not be judged, with the reason: `{"ART...": "the reason"}`.
        decode: makes text of one row of what enters the network, given as a NumPy array, for the table: of tokens, say.
    """

    budget: float = 60.0
    ignore: Mapping[str, str] | Iterable[str] = field(default_factory=dict[str, str])
    decode: Decode | None = None

    purpose: ClassVar[str] = "Is something silently wrong with the training set-up that raises no error?"
    uses: ClassVar[frozenset[str]] = frozenset({"model", "hparams", "trainer", "outputs"})
    leaves_weights: ClassVar[bool | None] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        budget: Any = self.budget
        if not isinstance(budget, int | float) or isinstance(budget, bool) or not budget > 0:
            raise ProjectError(f"budget={budget!r} of step {self.name!r} must be above 0 seconds")
        object.__setattr__(self, "ignore", self._ignored())

    def _ignored(self) -> dict[str, str]:
        if isinstance(self.ignore, Mapping) and not self.ignore:
            return {}
        from art_training.diagnosis.ignoring import ignored_rules

        try:
            return ignored_rules(self.ignore)
        except SetupError as error:
            raise ProjectError(f"step {self.name!r}: {error}") from None

    def run(self, bench: Bench) -> Outcome:
        from art_training.diagnosis import diagnose_setup

        bench.say("experiment and train shortly")
        diagnosis = diagnose_setup(bench.setup, budget=self.budget, ignore=self.ignore, seed=bench.seed)
        counts = {name: sum(one.severity is kind for one in diagnosis.findings) for name, kind in _COUNTED}
        counts[NOT_JUDGED] = sum(one.state == "not judged" for one in diagnosis.judged)
        readings, artifacts = glimpsed(bench, diagnosis.seen, self.decode) if diagnosis.seen else ((), ())
        return Outcome(
            scores={name: Score(count, direction="minimize", source="rules") for name, count in counts.items()},
            readings=(*_readings(diagnosis), *readings),
            artifacts=artifacts,
            findings=diagnosis.findings,
            seconds=dict(diagnosis.stages),
            summary=_summary(diagnosis),
        )

    def configuration(self) -> dict[str, Any]:
        from art_training.rules import version
        from art_training.rules.registry import versions_of_others

        others = {f"rules {name}": {"digest": digest} for name, digest in versions_of_others().items()}
        return {**super().configuration(), "rules of ART": {"digest": version()}, **others}

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (Equals(ERRORS, 0), Equals(WARNINGS, 0), Healthy())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (ERRORS, WARNINGS, NOT_JUDGED)

    def candidate_names(self) -> Sequence[str]:
        return ()


def _readings(diagnosis: "Diagnosis") -> Iterable[Reading]:
    yield Reading(HEALTH, {"setup": health_of(diagnosis)})
    if diagnosis.symptoms:
        explained = {
            code: [f"{one.code}: {one.message}" for one in symptoms] for code, symptoms in diagnosis.symptoms.items()
        }
        yield Reading("explained", explained, note="findings that a finding explains")


def health_of(diagnosis: "Diagnosis") -> dict[str, Any]:
    """What each rule said, as the check `Healthy` reads it."""
    return {
        "passed": [one.code for one in diagnosis.judged if one.state == "passed"],
        "found": {
            one.code: {"severity": one.severity.value, "message": one.message, "remedy": one.remedy}
            for one in diagnosis.findings
            if one.severity is not Severity.INFO
        },
        "not judged": {one.code: one.reason for one in diagnosis.judged if one.state == "not judged"},
        "broken": diagnosis.inconclusive,
    }


def _summary(diagnosis: "Diagnosis") -> str:
    if diagnosis.status == "inconclusive":
        return f"inconclusive: {diagnosis.inconclusive}"
    if not diagnosis.findings:
        return "nothing was found"
    others = len(diagnosis.findings) - 1
    worst = diagnosis.findings[0]
    return f"{worst.code}: {worst.message}{f' (and {others} more)' if others else ''}"
