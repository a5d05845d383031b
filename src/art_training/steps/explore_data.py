"""ExploreData: become one with the data before any model sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from art_training.checks import Check
from art_training.checks.bounds import Below, Equals
from art_training.errors import ProjectError, SetupError
from art_training.records import Artifact, Outcome, Reading, Score, Severity, Split
from art_training.records.use import NO_MODEL, TESTED_MODEL
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.models import LINEAR
from art_training.steps.bench import Bench
from art_training.steps.exploration import (
    axis_questions,
    drift,
    example_questions,
    sequence_questions,
    split_questions,
    target_questions,
)
from art_training.steps.exploration.answers import Answers, Question, Surveys, listed
from art_training.steps.exploration.drawing import pictures
from art_training.steps.exploration.feature_names import Named, read_names
from art_training.steps.exploration.label_noise import KINDS, label_noise
from art_training.steps.exploration.near import near_duplicates
from art_training.steps.exploration.sketches import Sketches
from art_training.steps.exploration.survey import Limits, Survey
from art_training.steps.overfitting.tables import keep_table
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
    target_questions.imbalance,
    target_questions.values,
    target_questions.scale,
    axis_questions.ends,
    axis_questions.outliers,
    axis_questions.saturated,
    axis_questions.cut_off,
    drift.feature_drift,
    drift.target_drift,
    sequence_questions.lengths,
    sequence_questions.vocabulary,
    sequence_questions.ignored,
)

_LABELLED = {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL}
HOW_TO_OPEN = (
    "numbers of examples are places in the dataset of their split, from 0: dataset[37], or (X[37], y[37]) of arrays; of "
    "shuffled or sampled loaders, places in one pass"
)
MOST_NEAR = 0.25
ERRORS = "errors"
_MOST_TOLD = 2  # errors in the sentence of a check
_SKETCHED = 1_000_000  # examples of each loader among which near duplicates are looked for


@dataclass(frozen=True)
class ExploreData(Step):
    """Read every split once, as it would enter the model without augmentation, and look for what is wrong with it.

    Scores, for each place (`train`, `validation`, `validation:noisy` where a split has several loaders, `test`):
    `examples`, `nan_inputs`, `infinite_inputs`, `non_finite_targets`, `blank_inputs`, `duplicates`,
    `near_duplicates`, `nearly_in_train`, `conflicting_labels`, `also_in_train`, `classes`, `class_prior_distance`,
    `feature_drift`, `target_drift`, `constant_features`, `axes_with_outliers`, `saturated_inputs`, `padding_share`,
    `truncated_share`, `empty_sequences`, `unseen_tokens_share`, `label_noise`, those that make sense for the data; and
    over all of them `errors` (findings of that severity), `non_finite_examples`, `leaked_share` and, for classes,
    `unseen_classes`. Examples are named by their
    position in the split. `leaked_share` and `conflicting_labels_share` leave out what is equal by chance.

    Everything is read once, batch by batch. Counts, ends of features and duplicates are of all examples; quantiles,
    drift, outliers, lengths and label noise are of a sample that is drawn with the step's seed, and say so.

    Of the test split only the schema, counts of examples that are broken, and duplicates are looked at.

    Attributes:
        sample: the most examples of each loader in that sample.
        sample_values: the most numbers in it.
        near: how far apart near duplicates may be, as a share of what is usual between two examples; 0: not looked for.
        label_noise: estimate how many labels are wrong, and name the most suspicious: True or "linear" by a logistic
            regression, "boosting" by gradient boosting, which takes longer and sees more.
        pictures: draw examples and distributions, where matplotlib is installed.
        columns: what the features of a table are called, in their order, or `{path: names}` of several tables; findings,
            tables and pictures then say `age` where they would say `0[3]`.
    """

    sample: int = 20_000
    sample_values: int = 20_000_000
    near: float = 0.05
    label_noise: bool | Literal["linear", "boosting"] = False
    pictures: bool = True
    columns: Named = ()

    purpose: ClassVar[str] = (
        "Is the data what it is believed to be: clean, without leaks between the splits, and alike in all of them?"
    )
    version: ClassVar[int] = 5
    leaves_weights: ClassVar[bool | None] = False
    uses: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sample", "sample_values"):
            value: Any = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ProjectError(f"{name}={value!r} of step {self.name!r} must be a whole number of at least 1")
        near: Any = self.near
        if not isinstance(near, int | float) or isinstance(near, bool) or not 0 <= near <= MOST_NEAR:
            raise ProjectError(
                f"near={near!r} of step {self.name!r} must be a share of the usual distance, from 0 (off) to {MOST_NEAR}"
            )
        if self.label_noise not in {True, False, *KINDS}:
            kinds = ", ".join(repr(kind) for kind in KINDS)
            raise ProjectError(
                f"label_noise={self.label_noise!r} of step {self.name!r} is none of True, False, {kinds}"
            )

        object.__setattr__(self, "columns", read_names(self.columns, f"step {self.name!r}"))

    def run(self, bench: Bench) -> Outcome:
        surveys, sketches = self._read(bench)
        task = bench.task
        bench.say("compare")
        answers = Answers()
        for question in QUESTIONS:
            question(surveys, task, answers)
        near_duplicates(surveys, sketches, bench, answers, near=self.near)
        noise = None
        if self.label_noise:
            bench.say("estimate label noise")
            kind = LINEAR if self.label_noise is True else self.label_noise
            noise = label_noise(surveys, task, answers, kind=kind, seed=bench.seed)
        drawn: list[Artifact] = []
        if self.pictures:
            drawn, readings = pictures(surveys, bench, noise)
            answers.readings += readings
        answers.readings.append(Reading("examples", HOW_TO_OPEN))
        answers.scores[ERRORS] = _errors(answers)
        if errors := [one for one in answers.findings if one.severity is Severity.ERROR]:
            told = "; ".join(f"{one.code}: {one.message}" for one in errors[:_MOST_TOLD])
            more = f"; and {len(errors) - _MOST_TOLD} more" if len(errors) > _MOST_TOLD else ""
            answers.readings.append(Reading(f"remedy for {ERRORS}", f"{told}{more}"))
        return Outcome(
            scores=answers.scores,
            readings=tuple(answers.readings),
            findings=tuple(answers.findings),
            parameters={
                "inputs": list(task.inputs),
                "target": task.target,
                "kind": task.kind.value,
                TESTED_MODEL: NO_MODEL,
            },
            artifacts=(*_tables(bench, answers), *drawn),
            summary=_summary(surveys, answers),
        )

    def _read(self, bench: Bench) -> tuple[Surveys, Sketches]:
        surveys: dict[tuple[Split, str | None], Survey] = {}
        limits = Limits(self.sample, self.sample_values, seed=bench.seed, columns=self.columns)
        task = bench.task
        sketches = Sketches(task, seed=bench.seed, most=_SKETCHED if self.near else 0)

        def see(split: Split, loader: str | None, batch: Any) -> None:
            if (split, loader) not in surveys:
                surveys[split, loader] = Survey(split, loader, task, limits)
            survey = surveys[split, loader]
            before = survey.examples
            sketches.add(survey.place, survey.add(batch), survey.examples - before)

        for split in bench.splits:
            bench.say(f"read {split.value}")
            bench.read(split, see=see, plain=True)
        if not any(survey.split is Split.TRAIN for survey in surveys.values()):
            raise SetupError("the training split gave no batches; give its loader at least one example")
        sketches.finish()
        return tuple(surveys.values()), sketches

    def candidate_names(self) -> Sequence[str]:
        return ()

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        checks: list[Check] = [Equals("non_finite_examples", 0), Below("leaked_share", 0.01)]
        if task.kind in _LABELLED and task.target is not None:
            checks += [Below("train/conflicting_labels_share", 0.01), Equals("unseen_classes", 0)]
        return [*checks, Equals(ERRORS, 0)]  # beside those whose numbers say how much of it there is


def _tables(bench: Bench, answers: Answers) -> tuple[Artifact, ...]:
    return tuple(keep_table(bench, rows, name, note) for name, (rows, note) in answers.tables.items())


def _errors(answers: Answers) -> Score:
    """How many findings are errors: with one of them the step does not pass."""
    codes = [finding.code for finding in answers.findings if finding.severity is Severity.ERROR]
    return Score(float(len(codes)), direction="minimize", note=listed(dict.fromkeys(codes)))


def _summary(surveys: Surveys, answers: Answers) -> str:
    sizes = ", ".join(f"{survey.place} {survey.examples}" for survey in surveys)
    serious = [finding for finding in answers.findings if finding.severity is not Severity.INFO]
    if not serious:
        return f"{sizes} examples; nothing suspicious"
    others = f" (and {len(serious) - 1} more)" if len(serious) > 1 else ""
    worst = min(serious, key=lambda finding: finding.severity is not Severity.ERROR)
    return f"{sizes} examples; {worst.code}: {worst.message}{others}"
