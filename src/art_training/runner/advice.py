"""What to do now, in one sentence."""

import re
from collections.abc import Sequence

from art_training.records import Finding, Outcome, Severity, StepState, Verdict, VerdictState
from art_training.records.counted import counted
from art_training.runner.result import StepResult

_LAST = "FinalTest"  # after which the recipe has no other step
_FINDS = frozenset({"ExploreData", "Diagnose"})  # kinds of steps whose findings are what their checks are about
_WHOLE = frozenset({"ExploreData", "Diagnose", "CheckLossOnInit"})  # kinds of steps that save nothing on the way
_SERIOUS = (Severity.ERROR, Severity.WARNING)


def next_sentence(project: str, steps: Sequence[StepResult]) -> str:
    """The one thing to do after a run of `project`, from where its steps stand.

    The numbers of a check stand with its answer; here it is called by its title.
    """
    for step in steps:
        if step.state is not StepState.NOT_RUN and step.state is not StepState.PASSED:
            return _sentence(step)
    waiting = [step.name for step in steps if step.state is StepState.NOT_RUN and step.asked]
    if waiting and len(waiting) < len(steps):
        return f"Next: {waiting[0]} has not run yet; type `art run`."
    if not steps:
        return f"Next: project {project!r} has no steps yet; add one with project.add_step(ExploreData())."
    if not all(step.asked for step in steps):
        asked = [step.name for step in steps if step.asked]
        passed = f"{' and '.join(asked)} passed" if len(asked) < 3 else f"the {len(asked)} steps asked for passed"
        return f"Next: {passed}; type `art run` for the others too; `art plan` says what it would do."
    warned = next((step for step in reversed(steps) if _serious(step.outcome)), None)
    done = (warned or steps[-1]).name
    but = f", but {done} warns: {_serious(warned.outcome)[0].message}" if warned else ""
    look = f"Next: every step passed{but}; look at the evidence with `art show {done}`"
    if any(step.kind == _LAST for step in steps):
        return f"{look}; the recipe is complete."
    return f"{look}, or add the next step of the recipe."


def _sentence(step: StepResult) -> str:
    name, verdicts = step.name, step.judgement.verdicts if step.judgement else ()
    if step.state is StepState.FAILED:
        check = _first(verdicts, VerdictState.FAILED).check
        if step.stale:
            return f"Next: {name}, kept though it is stale, failed `{check}`; type `art run` to run it as it is now."
        if step.kind in _FINDS and (found := _serious(step.outcome)):
            others = counted(len(found) - 1, "other finding")
            more = f" (and {others}; `art show {name}`)" if len(found) > 1 else ""
            worst = found[0]
            return f"Next: {name} found {worst.code}: {worst.message}{more}; {worst.remedy}, and type `art run` again."
        again = (
            "nothing that it depends on has changed since, so change the setup or the check"
            if step.recalled and not step.judged_again
            else "change the setup or the check"
        )
        return f"Next: {name} failed `{check}`; {again} and type `art run` again."
    if step.state is StepState.ERRORED:
        if not any(verdict.state is VerdictState.ERRORED for verdict in verdicts):
            why = step.run.error if step.run else "an error"
            return f"Next: {name} raised {why}; mend it and type `art run` again; the steps before it are kept."
        errored = _first(verdicts, VerdictState.ERRORED)
        why = re.split(r"[:;] ", errored.reason)[0].rstrip(".")
        return (
            f"Next: {name} could not be judged by `{errored.check}`: {why}; mend it and type `art run` again; "
            "its results are kept."
        )
    if step.state is StepState.NOT_JUDGED:
        check = _first(verdicts, VerdictState.NOT_JUDGED).check
        return (
            f"Next: {name} could not be judged by `{check}`; give what that needs, or checks that can be judged: "
            f"{step.kind}(checks=only(...))."
        )
    if step.state is StepState.INTERRUPTED:
        if step.kind in _WHOLE:
            return f"Next: {name} was interrupted; type `art run` to run it again."
        return f"Next: {name} was interrupted; type `art run` to go on from what it saved last, as a training's last epoch."
    return f"Next: {name} ran, but no check asked whether its result is right; give it checks=[...]."


def _serious(outcome: Outcome | None) -> list[Finding]:
    """What was found that is more than a remark, the worst first."""
    found = outcome.findings if outcome else ()
    return sorted((one for one in found if one.severity in _SERIOUS), key=lambda one: _SERIOUS.index(one.severity))


def _first(verdicts: Sequence[Verdict], state: VerdictState) -> Verdict:
    return next(verdict for verdict in verdicts if verdict.state is state)
