"""Where each step stands, on one page."""

from art_training.records import VerdictState
from art_training.report.document import Cell, Section, Text, table, told
from art_training.report.states import of_step
from art_training.views import StepStatus
from art_training.views.account import Account
from art_training.views.overall import deciding_score
from art_training.views.visible import name as named
from art_training.views.wording import duration, score_text

_REASONS = 2  # answers of checks that a row of the table tells


def verdict(account: Account) -> Section:
    """The verdict table, and what to do next."""
    rows = [_row(one.status, place) for place, one in enumerate(account.steps)]
    head = ("step", "verdict", "why, or what it reached", "checks passed", "time")
    known = (
        None
        if account.planned
        else Text(
            "Whether a step is outdated by a change of code, data or settings is not known here: the project was not planned "
            "for this report.",
            "note",
        )
    )
    following = Text(account.status.next) if account.status.next else None
    return Section(
        "Verdict", "verdict", told(table(head, rows, "Where each step stands", numbers=(3, 4)), following, known)
    )


def anchor(place: int) -> str:
    """Where the story of a step is; by its place, because a name may hold anything."""
    return f"step-{place + 1}"


def because(step: StepStatus) -> tuple[str, ...]:
    """Why a step is not simply passed: what was raised, what failed, what it waits for or what made it stale; the worst first."""
    found = [f"its setup is broken: {step.broken}"] if step.broken else []
    if step.error:
        found.append(step.error)
    if not step.waits_for:
        asked = [check.told for check in step.checks if check.state is not VerdictState.PASSED]
        found += asked[:_REASONS]
        if len(asked) > _REASONS:
            found.append(f"and {len(asked) - _REASONS} more")
    return (*found, *(step.reasons or filter(None, (step.reason,))))


def _row(step: StepStatus, place: int) -> tuple[str | Cell, ...]:
    mark = of_step(step.state, stale=step.stale, broken=bool(step.broken))
    reasons = because(step) if mark.look != "good" else ()
    passed = sum(check.state is VerdictState.PASSED for check in step.checks)
    checks = "" if step.waits_for or not step.checks else f"{passed} of {len(step.checks)}"
    what = Cell(reasons[0], below=reasons[1:]) if reasons else Cell(_reached(step), below=_found(step))
    return Cell(named(step.step), link=anchor(place)), Cell(mark.word, mark), what, checks, duration(step.seconds)


def _reached(step: StepStatus) -> str:
    score = deciding_score(step)
    return f"{score.metric} {score_text(score)}" if score is not None else step.summary


def _found(step: StepStatus) -> tuple[str, ...]:
    return (f"{step.findings} finding{'s' if step.findings > 1 else ''}",) if step.findings else ()
