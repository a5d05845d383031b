"""What simple models reach: the mark that everything else is held against."""

from art_training.checks.baseline import NOT_TO_BEAT
from art_training.report.document import Section, Text, told
from art_training.report.telling import interval_figure, tried_table
from art_training.views.account import Account
from art_training.views.journey import journey_of
from art_training.views.tried import TriedRow, tried_of


def baselines(account: Account) -> Section | None:
    """Each baseline with its interval, beside what the project's models reach on the same examples."""
    one = account.of_kind("EvaluateBaseline")
    if one is None or one.view is None or one.view.outcome is None or one.status.waits_for:
        return None
    tried = tried_of(one.view.outcome)
    journey = journey_of(account, tried.by)
    ranked = [(row.name, row.score, _look(row)) for row in tried.rows if row.score is not None]
    models = [(f"model of {stage.step}", stage.score, "chosen") for stage in journey.stages]
    caption = f"Baselines beside the trained models, by {tried.by}"
    drawing = interval_figure([*ranked, *models[-1:]], caption, tried.by, logarithmic=tried.by.endswith("loss"))
    summary = Text(f"{one.status.summary[:1].upper()}{one.status.summary[1:]}.") if one.status.summary else None
    stale = Text(f"These baselines are stale: {one.status.reason}.", "warning") if one.status.stale else None
    return Section("Baselines", "baselines", told(stale, summary, drawing, tried_table(tried, "All baselines")))


def _look(row: TriedRow) -> str:
    """The project's own model is compared with, and is no baseline; nor are people."""
    return "plain" if row.parameters.get("kind") in NOT_TO_BEAT else "baseline"
