"""An account made into a report."""

from datetime import UTC, datetime

from art_training import __version__
from art_training.report.document import Report
from art_training.report.sections import sections_of
from art_training.report.states import of_step
from art_training.report.telling import when
from art_training.views.account import Account
from art_training.views.visible import name as named
from art_training.views.wording import duration, score_text


def report_of(account: Account, made: datetime | None = None) -> Report:
    """The report on a project, or on one run.

    Args:
        account: what there is to say.
        made: the time that the report carries; by default the present.
    """
    overall, status = account.overall, account.status
    title = (
        f"{named(account.steps[0].status.step)} of {named(status.project)}" if account.only else named(status.project)
    )
    return Report(
        title=title,
        kind="Report on one run" if account.only else "Training report",
        mark=of_step(overall.state, stale=overall.stale),
        verdict=overall.sentence,
        facts=_facts(account),
        sections=sections_of(account),
        made=made or datetime.now(UTC),
        version=__version__,
    )


def _facts(account: Account) -> tuple[tuple[str, str], ...]:
    """The short answers that stand under the title."""
    overall = account.overall
    runs = [one.view.record for one in account.steps if one.view]
    seconds = [run.seconds for run in runs if run.seconds is not None]
    score = overall.deciding
    facts = {
        "steps passed": f"{overall.passed} of {overall.steps}" if not account.only else "",
        score.metric if score else "": score_text(score) if score else "",
        "best baseline": _baseline(account),
        "uses of the test split": str(account.status.test_uses) if not account.only else "",
        "time of the runs": duration(sum(seconds)) if seconds else "",
        "last run": when(max(run.started for run in runs)) if runs else "",
    }
    return tuple((name, text) for name, text in facts.items() if name and text)


def _baseline(account: Account) -> str:
    """As the final test scored it on the same examples, else as on validation."""
    score = account.overall.deciding
    if score is None:
        return ""
    if score.baseline is not None:
        return f"{score.baseline:.4g} ({score.baseline_name})"
    split, _, metric = score.metric.rpartition("/")
    scores = (row for one in account.steps for row in one.status.scores)
    found = next((row for row in scores if row.metric == f"{split}/baseline.{metric}"), None)
    return f"{score_text(found)} ({found.source.removeprefix('baseline ')})" if found else ""
