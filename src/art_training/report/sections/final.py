"""The final test: the number that no decision has seen."""

from art_training.records import Split, StepState
from art_training.records.counted import counted
from art_training.records.metric import address_of
from art_training.report.document import Drawing, Points, Section, Table, Text, table, told
from art_training.report.telling import interval_figure, scores_table
from art_training.views import ScoreRow
from art_training.views.account import Account, StepAccount
from art_training.views.overall import deciding_score
from art_training.views.readable import readable
from art_training.views.wording import score_text

_CLASS = ("class_recall.", "class_precision.")
_TOLD = ("judged", "compared with", "losses of test examples", "surely wrong test examples", "test examples")


def final(account: Account) -> Section | None:
    """What the delivered model reaches on the test split, and how often that was used."""
    one = account.of_kind("FinalTest")
    if one is None or one.view is None or one.view.outcome is None or one.status.waits_for:
        used = account.status.test_uses
        if account.only:
            return None
        said = f"It has been used {counted(used, 'time')} before." if used else "The test split has not been used."
        return Section("Final test", "final", (Text(f"There is no final test that stands. {said}"),))
    stale = Text(f"This test is stale: {one.status.reason}.", "warning") if one.status.stale else None
    failed = Text("This test did not pass.", "warning") if one.status.state is not StepState.PASSED else None
    return Section(
        "Final test",
        "final",
        told(stale, failed, _headline(one), _uses(account), _readings(one), _figure(one), *_tables(one)),
    )


def _headline(one: StepAccount) -> Text | None:
    score = deciding_score(one.status)
    if score is None:
        return None
    rows = f" on {score.rows:,} test examples" if score.rows else ""
    return Text(f"{score.metric} is {score_text(score)}{rows}.", "lead")


def _uses(account: Account) -> Text:
    used = account.status.test_uses
    said = f"The test split was used {counted(used, 'time')} by this project, removed runs among them."
    return Text(said, "plain" if used <= 1 else "warning")


def _readings(one: StepAccount) -> Points | None:
    outcome = one.view.outcome if one.view else None
    found = [reading for name in _TOLD if outcome and (reading := outcome.reading(name))]
    points = tuple(
        f"{reading.name}: {readable(reading.value)}" + (f"; {reading.note}" if reading.note else "")
        for reading in found
    )
    return Points(points) if points else None


def _figure(one: StepAccount) -> Drawing | None:
    """The metric on the test split, on validation, and of the best baseline on the same test examples."""
    score = deciding_score(one.status)
    address = address_of(score.metric) if score else None
    if address is None:
        return None
    name = address.name
    found = {row.metric: row for row in one.status.scores}
    wanted = (
        (f"test/{name}", "test, this model", "test"),
        (f"validation/{name}", "validation, this model", "plain"),
        (f"test/baseline.{name}", "test, best baseline", "baseline"),
    )
    rows = [(said, found[metric], look) for metric, said, look in wanted if metric in found]
    return interval_figure(rows, f"{name} of the delivered model", name) if len(rows) > 1 else None


def _tables(one: StepAccount) -> tuple[Table | None, ...]:
    scores = one.status.scores
    whole = [score for score in scores if not any(f"/{begin}" in score.metric for begin in _CLASS)]
    return scores_table(whole, "All numbers of the test"), _classes(scores)


def _classes(scores: tuple[ScoreRow, ...]) -> Table | None:
    """Recall and precision of each class on the test split."""
    on_test = [score for score in scores if (address := address_of(score.metric)) and address.split is Split.TEST]
    found = {score.metric: score for score in on_test}
    names = [metric.split("class_recall.", 1)[1] for metric in found if "class_recall." in metric]
    rows = [
        (name, *(score_text(row) if (row := found.get(f"test/{begin}{name}")) else "" for begin in _CLASS))
        for name in names
    ]
    return table(("class", "recall", "precision"), rows, "Each class on the test split", numbers=(1, 2))
