"""What cannot be taken back waits until all before it has passed, also where it alone is asked for."""

from itertools import takewhile

from art_training.errors import ProjectError
from art_training.records import StepState, state_of
from art_training.runner.declared import Declared
from art_training.runner.planning import Wish
from art_training.runner.views import Views
from art_training.steps.step import Step
from art_training.stores import RunQuery


def require_passed(step: Step, project: Declared, wish: Wish, look: Views) -> None:
    """Refuse a use of the test split behind a step that is not asked for and did not pass.

    Any other step may be run alone on whatever lies there: it can be run again. Behind a step that is asked for, the run
    itself stops.

    Args:
        step: that is going to use the test split.
        project: what was declared.
        wish: what is wanted.
        look: judges what the steps before left by the checks that they have now.

    Raises:
        ProjectError: a step before it failed, could not be judged or has not run, and the project does not go on behind it.
    """
    names = [one.name for one in project.steps]
    for before in takewhile(lambda one: one.name != step.name, project.steps):
        if before.continue_on_failure or wish.asks_for(before.name, names):
            continue
        state = _stands(before, project, look)
        if state is not StepState.PASSED:
            raise ProjectError(
                f"step {step.name!r} would use the test split, which cannot be taken back, and {before.name} {state.ended}; "
                f"`art run` comes to {step.name} once every step before it has passed; to go on behind {before.name} all the "
                f"same, declare it so: {type(before).__name__}(continue_on_failure=True)"
            )


def _stands(step: Step, project: Declared, look: Views) -> StepState:
    """How the newest run of a step ended; one that passed is asked what is asked of the step now."""
    newest = next(iter(project.store.runs(RunQuery(project=project.name, step=step.name, limit=1))), None)
    outcome = project.store.outcome(newest.id) if newest else None
    if newest is None or newest.state is not StepState.PASSED or outcome is None:
        return newest.state if newest else StepState.NOT_RUN
    return state_of(look.verdicts(step, outcome))
