"""The tables that several commands draw."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from art_training.cli.output import STYLES, mark, table
from art_training.records import Action, Plan, StepState, Verdict
from art_training.views import CheckRow, ScoreRow
from art_training.views.wording import duration, score_text, shortened

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_ACTIONS = {Action.RUN: "cyan", Action.RESUME: "cyan", Action.KEEP: "yellow", Action.SKIP: "dim", Action.WAIT: "dim"}


def plan_table(plan: Plan) -> "Table":
    """What runs, what is recalled, what is stale and why, and about how long."""
    from rich.text import Text

    drawn = table("step", "will", "because", "about")
    for step in plan.steps:
        waits = step.action in {Action.RUN, Action.RESUME}
        because = "; ".join([step.reason, *(f"not known: {what}" for what in step.unknown)])
        drawn.add_row(
            Text(step.step),
            Text(step.action.value, _ACTIONS.get(step.action, "")),
            Text(because),
            Text(duration(step.seconds) if waits else ""),
        )
    return drawn


def verdict_line(verdict: Verdict | CheckRow, console: "Console") -> "Text":
    """One check's answer: a mark, and the reason with its numbers; the question too where the answer is bad."""
    from rich.text import Text

    style = STYLES[StepState(verdict.state.value)]
    return Text.assemble((mark(verdict.state, console), style), " ", reason(verdict))


def reason(verdict: Verdict | CheckRow) -> str:
    """The reason, led by the question where it does not speak of what was asked."""
    return verdict.told


def steps_table(
    rows: Iterable[tuple[str, StepState, str, Sequence["Text"], str]],
) -> "Table":
    """Step, verdict, each check with its numbers, time.

    Args:
        rows: step, where it stands, what is said beside that (`stale`, ...), lines of the third column, time.
    """
    from rich.text import Text

    drawn = table("step", "verdict", "checks", "time")
    drawn.columns[0].no_wrap = True
    drawn.columns[3].justify = "right"
    drawn.columns[3].no_wrap = True
    for step, state, beside, lines, time in rows:
        verdict = Text(state.value, STYLES[state])
        if beside:
            verdict.append(f"\n{beside}", "yellow")
        drawn.add_row(Text(step), verdict, Text("\n").join(lines), Text(time))
    return drawn


def scores_table(rows: Sequence[ScoreRow], *, width: int | None = None) -> "Table":
    """Scores with where they come from.

    Args:
        rows: the scores.
        width: of a line in characters, where each shall have one line alone; None: as many lines as it takes.
    """
    from rich.text import Text

    drawn = table("score", "value", "rows", "from")
    drawn.columns[0].no_wrap = True
    cells = [(row.metric, score_text(row), "" if row.rows is None else str(row.rows)) for row in rows]
    taken = sum(max((len(cell[at]) for cell in cells), default=0) + 2 for at in range(3))
    for row, cell in zip(rows, cells, strict=True):
        origin = "; ".join(part for part in (row.source, row.note) if part)
        told = origin if width is None else shortened(origin, width - max(taken, len("score  value  rows  ")) - 2)
        drawn.add_row(*map(Text, cell), Text(told, "dim"))
    return drawn
