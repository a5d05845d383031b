"""ExploreData: become one with the data before any model sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from art_training.checks import Check
from art_training.checks.bounds import Below, Equals
from art_training.errors import SetupError
from art_training.records import Outcome, Severity, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps.bench import Bench
from art_training.steps.exploration import example_questions, split_questions
from art_training.steps.exploration.answers import Answers, Question
from art_training.steps.exploration.survey import Survey
from art_training.steps.step import Step

# To ask something new of the data, write a function and add it here.
QUESTIONS: tuple[Question, ...] = (
    example_questions.sizes,
    example_questions.types,
    example_questions.non_finite,
    example_questions.blank,
    example_questions.duplicates,
    example_questions.conflicting_labels,
    example_questions.statistics,
    split_questions.leaks,
    split_questions.class_priors,
)

_LABELLED = {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL}


@dataclass(frozen=True)
class ExploreData(Step):
    """Read every split once, as it would enter the model without augmentation, and look for what is wrong with it.

    Scores, for each place (`train`, `validation`, `validation:noisy` where a split has several loaders, `test`):
    `examples`, `nan_inputs`, `infinite_inputs`, `non_finite_targets`, `blank_inputs`, `duplicates`,
    `conflicting_labels`, `also_in_train`, `classes`, `class_prior_distance`, `constant_features`; and over all of them
    `non_finite_examples` and `leaked_share`. Examples are named by their position in the split.

    Of the test split only the schema, counts of examples that are broken, and duplicates are looked at.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def run(self, bench: Bench) -> Outcome:
        surveys: dict[tuple[Split, str | None], Survey] = {}
        task = bench.task

        def see(split: Split, loader: str | None, batch: Any) -> None:
            if (split, loader) not in surveys:
                surveys[split, loader] = Survey(split, loader, task)
            surveys[split, loader].add(batch)

        for split in bench.splits:
            bench.say(f"read {split.value}")
            bench.read(split, see=see, plain=True)
        if not any(survey.split is Split.TRAIN for survey in surveys.values()):
            raise SetupError("the training split gave no batches; give its loader at least one example")
        bench.say("compare")
        answers = Answers()
        for question in QUESTIONS:
            question(tuple(surveys.values()), task, answers)
        return Outcome(
            scores=answers.scores,
            readings=tuple(answers.readings),
            findings=tuple(answers.findings),
            parameters={"inputs": list(task.inputs), "target": task.target, "kind": task.kind.value},
            summary=_summary(surveys.values(), answers),
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        checks: list[Check] = [Equals("non_finite_examples", 0), Below("leaked_share", 0.01)]
        if task.kind in _LABELLED and task.target is not None:
            checks.append(Below("train/conflicting_labels_share", 0.01))
        return checks


def _summary(surveys: Any, answers: Answers) -> str:
    sizes = ", ".join(f"{survey.place} {survey.examples}" for survey in surveys)
    serious = [finding for finding in answers.findings if finding.severity is not Severity.INFO]
    if not serious:
        return f"{sizes} examples; nothing suspicious"
    others = f" (and {len(serious) - 1} more)" if len(serious) > 1 else ""
    worst = min(serious, key=lambda finding: finding.severity is not Severity.ERROR)
    return f"{sizes} examples; {worst.code}: {worst.message}{others}"
