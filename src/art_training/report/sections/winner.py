"""What is delivered, and why that and nothing else."""

from art_training.records import Plain, StepState
from art_training.records.plain import show
from art_training.report.document import Drawing, Section, Table, Text, table, told
from art_training.report.telling import interval_figure
from art_training.views.account import Account
from art_training.views.journey import Journey, journey_of
from art_training.views.readable import readable
from art_training.views.wording import score_text


def winner(account: Account) -> Section | None:
    """The way from the first training to what is delivered, what was decided on it, and the settings at its end."""
    journey = journey_of(account)
    if not journey.delivered_by or account.only:
        return None
    passed = all(one.status.state is StepState.PASSED and not one.status.stale for one in account.steps)
    warning = (
        None
        if passed
        else Text(
            "Not every step passed, or some are stale: what follows is where the project stands, not its end.",
            "warning",
        )
    )
    begin = Text(f"The model is delivered by {journey.delivered_by}. What the steps reached on the way to it:", "lead")
    return Section(
        "The winning set-up, and why",
        "winner",
        told(
            warning,
            begin,
            _way(journey),
            _decisions(journey),
            _changes(journey),
            _settings(journey),
            _beyond(journey),
            _aside(journey),
        ),
    )


def _way(journey: Journey) -> Drawing | None:
    rows = [(stage.step, stage.score, "plain") for stage in journey.stages[:-1]]
    rows += [(stage.step, stage.score, "chosen") for stage in journey.stages[-1:]]
    reference = (f"best baseline: {journey.baseline[0]}", journey.baseline[1]) if journey.baseline else None
    caption = f"{journey.metric}, step by step"
    return interval_figure(rows, caption, journey.metric, reference=reference)


def _decisions(journey: Journey) -> Table | None:
    rows = [(one.step, one.chosen, score_text(one.gain) if one.gain else "", one.why) for one in journey.decisions]
    return table(("step", "chose", "gain", "why"), rows, "What was decided, and why", numbers=(2,))


def _changes(journey: Journey) -> Table | None:
    """What the search changed, beside what was declared."""
    rows = [(one.component, _shown(one.before), _shown(one.after)) for one in journey.changes]
    return table(("setting", "as declared", "as delivered"), rows, "What the steps changed of the declared set-up")


def _shown(value: Plain) -> str:
    return "not set" if value is None else show(value)


def _settings(journey: Journey) -> Table | None:
    rows = [(name, readable(value, exact=True)) for name, value in journey.settings.items()]
    return table(("setting", "value"), [row for row in rows if row[1]], "The set-up that was delivered")


def _beyond(journey: Journey) -> Text | None:
    return Text(journey.beyond) if journey.beyond else None


def _aside(journey: Journey) -> Text | None:
    if not journey.aside:
        return None
    return Text(f"Trained on other data, and so no part of this way: {', '.join(journey.aside)}.", "note")
