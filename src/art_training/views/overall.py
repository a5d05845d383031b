"""Where a project stands as a whole, in one sentence, and the one number that says how good its model is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from art_training.records import StepState
from art_training.records.counted import counted
from art_training.records.metric import address_of
from art_training.views.deciding import Deciding
from art_training.views.rows import ScoreRow
from art_training.views.status import ProjectStatus, StepStatus
from art_training.views.wording import score_text

_WORST = (
    StepState.ERRORED,
    StepState.FAILED,
    StepState.INTERRUPTED,
    StepState.RUNNING,
    StepState.NOT_JUDGED,
    StepState.UNCHECKED,
    StepState.NOT_RUN,
)


@dataclass(frozen=True)
class Overall:
    """Where a project stands as a whole.

    Attributes:
        state: the worst of its steps'.
        stale: whether a step is outdated that none of another state hides.
        passed: how many steps passed and are not outdated.
        steps: how many there are.
        sentence: the verdict, with the deciding number where there is one.
        deciding: the score that says how good the model is: of the test split, else of the last step that trained; None where
            no step reached one.
        of: the step that reached it.
    """

    state: StepState
    stale: bool
    passed: int
    steps: int
    sentence: str
    deciding: ScoreRow | None
    of: str


def overall_of(status: ProjectStatus) -> Overall:
    """The verdict on a project, from where its steps stand."""
    states = {step.state for step in status.steps}
    state = next((worst for worst in _WORST if worst in states), StepState.PASSED if states else StepState.NOT_RUN)
    stale = any(step.stale or step.broken for step in status.steps)
    passed = sum(step.state is StepState.PASSED and not step.stale and not step.broken for step in status.steps)
    of, deciding = _deciding(status)
    return Overall(
        state=state,
        stale=stale,
        passed=passed,
        steps=len(status.steps),
        sentence=_sentence(status, passed, of, deciding),
        deciding=deciding,
        of=of.step if of else "",
    )


def deciding_score(step: StepStatus) -> ScoreRow | None:
    """The score that says what a step reached, with all that is known of it; as of `Deciding`."""
    deciding = Deciding.of(step)
    return None if deciding is None else next(score for score in step.scores if score.metric == deciding.metric)


def _deciding(status: ProjectStatus) -> tuple[StepStatus | None, ScoreRow | None]:
    for step in reversed(status.steps):
        if step.state is StepState.PASSED and (score := deciding_score(step)) is not None:
            return step, score
    return None, None


def _sentence(status: ProjectStatus, passed: int, of: StepStatus | None, deciding: ScoreRow | None) -> str:
    return f"{_verdict(status, passed)}{_reached(of, deciding)}"


def _verdict(status: ProjectStatus, passed: int) -> str:
    steps = status.steps
    if len(steps) == 0:
        return "Nothing has run yet."
    if passed == len(steps):
        return f"All {passed} steps passed." if passed > 1 else f"{steps[0].step} passed."
    of = f"{passed} of {counted(len(steps), 'step')} passed"
    return f"{of}: {'; '.join(_why(step) for step in _telling(steps))}."


def _telling(steps: Sequence[StepStatus]) -> Iterator[StepStatus]:
    """The steps that say why a project is not at its end: the one that did worst, and the first of the others that is outdated."""
    left = [step for step in steps if step.state is not StepState.PASSED or step.stale or step.broken]
    ran = [step for step in left if step.state not in {StepState.PASSED, StepState.NOT_RUN}]
    worst = min(ran, key=lambda step: _WORST.index(step.state), default=left[0])
    yield worst
    yield from [step for step in left if (step.stale or step.broken) and step is not worst and not step.waits_for][:1]


def _why(step: StepStatus) -> str:
    if step.broken:
        return f"the setup of {step.step} is broken ({step.broken})"
    if step.stale and step.state is StepState.PASSED:
        return f"{step.step} passed, but is stale ({step.reason})"
    return f"{_ended(step)}{f', and is stale ({step.reason})' if step.stale and not step.waits_for else ''}"


def _ended(step: StepStatus) -> str:
    match step.state:
        case StepState.FAILED:
            asked = next((check for check in step.checks if check.state.value == "failed"), None)
            return f"{step.step} failed" + (f", because {asked.told}" if asked else "")
        case StepState.ERRORED:
            errored = next((check for check in step.checks if check.state.value == "errored"), None)
            why = step.error or (errored.told if errored else "")
            return f"{step.step} ended in an error" + (f" ({why})" if why else "")
        case StepState.NOT_RUN:
            return f"{step.step} has not run" + (f" ({step.reason})" if step.reason else "")
        case StepState.INTERRUPTED:
            return f"{step.step} was interrupted"
        case StepState.RUNNING:
            return f"{step.step} is running"
        case StepState.UNCHECKED:
            return f"{step.step} ran, and nothing asked whether its result is right"
        case _:
            return f"{step.step} could not be judged"


def _reached(step: StepStatus | None, score: ScoreRow | None) -> str:
    if step is None or score is None:
        return ""
    address = address_of(score.metric)
    split = f"{address.split} " if address and address.split else ""
    rows = f" on {score.rows:,} {split}examples" if score.rows else ""
    beside = Deciding.of(step)
    against = (
        f"; the best baseline, {beside.baseline_name}, reached {beside.baseline:.4g}"
        if beside is not None and beside.baseline is not None
        else ""
    )
    return f" {step.step} reached {score.metric} {score_text(score)}{rows}{against}."
