"""What to do now, in one sentence."""

from collections.abc import Sequence

from art_training.records import StepState, VerdictState
from art_training.runner.result import StepResult


def next_sentence(project: str, steps: Sequence[StepResult]) -> str:
    """The one thing to do after a run of `project`, from where its steps stand."""
    for step in steps:
        if step.state is not StepState.NOT_RUN and step.state is not StepState.PASSED:
            return _sentence(step)
    waiting = [step.name for step in steps if step.state is StepState.NOT_RUN]
    if waiting and len(waiting) < len(steps):
        return f"Next: {waiting[0]} has not run yet; type `art run`."
    if not steps:
        return f"Next: project {project!r} has no steps yet; add one with project.add_step(ExploreData())."
    done = steps[-1].name
    return f"Next: every step passed; look at the evidence with `art show {done}`, or add the next step of the recipe."


def _sentence(step: StepResult) -> str:
    name, verdicts = step.name, step.judgement.verdicts if step.judgement else ()
    if step.state is StepState.FAILED:
        failed = next(verdict for verdict in verdicts if verdict.state is VerdictState.FAILED)
        if step.stale:
            return f"Next: {name}, kept though it is stale, failed: {failed.reason}; type `art run` to run it as it is now."
        again = (
            "nothing that it depends on has changed since, so change the setup or the check"
            if step.recalled and not step.judged_again
            else "change the setup or the check"
        )
        return f"Next: {name} failed: {failed.reason}; {again} and type `art run` again."
    if step.state is StepState.ERRORED:
        errored = next((verdict for verdict in verdicts if verdict.state is VerdictState.ERRORED), None)
        why = errored.reason if errored else (step.run.error if step.run else "it raised an error")
        return (
            f"Next: {name} could not be judged: {why}; mend it and type `art run` again; its results are kept."
            if (errored)
            else f"Next: {name} raised {why}; mend it and type `art run` again; the steps before it are kept."
        )
    if step.state is StepState.NOT_JUDGED:
        open_ = next(verdict for verdict in verdicts if verdict.state is VerdictState.NOT_JUDGED)
        return (
            f"Next: {name} could not be judged: {open_.reason.rstrip('.')}; give what that needs, or checks that can be "
            f"judged: {step.kind}(checks=only(...))."
        )
    if step.state is StepState.INTERRUPTED:
        return f"Next: {name} was interrupted; type `art run` to go on from its last epoch."
    return f"Next: {name} ran, but no check asked whether its result is right; give it checks=[...]."
