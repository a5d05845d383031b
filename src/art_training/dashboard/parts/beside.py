"""Several runs beside each other: a column a run, a row a thing in which they differ."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from nicegui.element import Element

from art_training.dashboard.parts.html import h
from art_training.dashboard.parts.states import badge
from art_training.records.counted import counted
from art_training.views.compared import ComparedCheck, ComparedFile, ComparedRow, ComparedScore, ComparedSection
from art_training.views.rows import ScoreRow
from art_training.views.wording import score_text, shortened

_LONGEST = 300  # characters of one value
_OPTIONS = "step"  # the section of what only steps of one class have alike
Cell = Callable[[], object]


def beside(caption: str, first: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]]) -> None:
    """A table with the runs as columns.

    Args:
        caption: what it is, for those who do not see what stands around it.
        first: the title of the first column.
        heads: what the runs are called.
        rows: what each row is of, and what draws its cells.
    """
    outer = h("div", "", "scroll", tabindex="0", role="region", aria_label=caption)
    with outer, h("table", "", "rows beside", aria_label=caption, style=f"min-width: {8 * len(heads) + 9}rem"):
        with h("thead"), h("tr"):
            for title in (first, *heads):
                h("th", title, scope="col") if title else h("td")
        with h("tbody"):
            for name, cells in rows:
                with h("tr"):
                    h("th", name, scope="row")
                    for cell in cells:
                        with h("td"):
                            cell()


def text_cell(text: str | None) -> Cell:
    """A cell with a text, and with a dash where there is none."""
    return lambda: h("span", shortened(text, _LONGEST)) if text else h("span", "-", "soft", aria_label="none")


def draw_scores(scores: Sequence[ComparedScore], heads: Sequence[str]) -> None:
    """Each score of each run as a number, and as a mark on the line that all of its row share."""
    rows = [(one.metric, [_score_cell(one, place) for place in range(len(heads))]) for one in scores]
    beside("Scores", "score", heads, rows)


def _score_cell(score: ComparedScore, place: int) -> Cell:
    row = score.scores[place]
    if row is None:
        return text_cell(None)

    def draw() -> None:
        h("div", score_text(row), "number-text")
        _mark(row, _reach(score))
        if score.best == place:
            kind, told = _best(score.apart)
            h("span", told, f"badge {kind}")
        if score.unlike[place]:
            h("div", score.unlike[place], "why")

    return draw


def _best(apart: bool | None) -> tuple[str, str]:
    if apart is None:
        return "is-idle", "best number"
    return ("is-passed", "best") if apart else ("is-idle", "best, within the others' intervals")


def _reach(score: ComparedScore) -> tuple[float, float]:
    """From the lowest to the highest number of a row, with the intervals."""
    numbers = [
        number
        for row in score.scores
        if row is not None
        for number in (row.value, row.low, row.high)
        if number is not None and math.isfinite(number)
    ]
    return min(numbers, default=0.0), max(numbers, default=0.0)


def _mark(row: ScoreRow, reach: tuple[float, float]) -> None:
    low, high = reach
    if not low < high or not math.isfinite(row.value):
        return

    def at(number: float) -> float:
        return 100 * (number - low) / (high - low)

    with h("div", "", "track", aria_hidden="true"):
        if row.low is not None and row.high is not None and math.isfinite(row.low) and math.isfinite(row.high):
            h("div", "", "interval", style=f"left: {at(row.low):.1f}%; width: {at(row.high) - at(row.low):.1f}%")
        h("div", "", "dot", style=f"left: {at(row.value):.1f}%")


def draw_sections(sections: Sequence[ComparedSection], shared: int, heads: Sequence[str]) -> None:
    """In what the runs differ, by kind."""
    if not sections:
        h("p", "They were made alike: the same code, parameters, data, versions and machine.")
    for section in sections:
        h("h3", section.title)
        partly = [row for row in section.rows if section.title == _OPTIONS and None in row.values]
        rows = [row for row in section.rows if row not in partly]
        if rows:
            beside(f"What differs: {section.title}", "", heads, [_text_row(row) for row in rows])
        if partly:
            with h("details"):
                h("summary", f"{counted(len(partly), 'option')} that not all of these steps have")
                beside("Options that not all have", "", heads, [_text_row(row) for row in partly])
    h("p", f"{shared:,} things that all of them share are left out.", "small soft")


def _text_row(row: ComparedRow) -> tuple[str, Sequence[Cell]]:
    return _named(row), [text_cell(value) for value in row.values]


def _named(row: ComparedRow) -> str:
    return f"{row.name} (digest)" if row.digest and "digest" not in row.name else row.name


def draw_checks(checks: Sequence[ComparedCheck], heads: Sequence[str]) -> None:
    """The checks whose answers differ, with what each run was told."""

    def cell(check: ComparedCheck, place: int) -> Cell:
        answer = check.answers[place]
        if answer is None:
            return lambda: h("span", "not asked", "soft")

        def draw() -> None:
            badge(answer.state)
            h("div", answer.reason, "small soft")

        return draw

    def row(check: ComparedCheck) -> tuple[str, Sequence[Cell]]:
        return check.check, [cell(check, place) for place in range(len(heads))]

    differ = [one for one in checks if len({answer.state for answer in one.answers if answer}) > 1]
    others = [one for one in checks if one not in differ]
    if differ:
        beside("Checks whose answers differ", "check", heads, [row(one) for one in differ])
    else:
        h("p", "No check that several of them were asked was answered otherwise.")
    if others:
        with h("details"):
            h("summary", f"{counted(len(others), 'check')} that not all of them were asked")
            beside("Checks that not all were asked", "check", heads, [row(one) for one in others])


def draw_files(files: Sequence[ComparedFile], heads: Sequence[str]) -> None:
    """The uncommitted changes of each run, of files in which they differ."""
    for file in files:
        h("h3", file.name)
        for head, patch in zip(heads, file.patches, strict=True):
            if not patch:
                h("p", f"{head}: as committed", "small soft")
                continue
            with h("details"):
                h("summary", f"{head}: {_size(patch)}")
                with h("pre", "", "log", tabindex="0", role="region", aria_label=f"Changes of {head} to {file.name}"):
                    for line in patch.splitlines():
                        h("span", f"{line}\n", _of_line(line))


def _size(patch: str) -> str:
    lines = patch.splitlines()
    plus = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    minus = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    return f"{counted(plus, 'line')} added, {minus} removed"


def _of_line(line: str) -> str:
    return "added" if line.startswith("+") else "removed" if line.startswith("-") else ""


def section(title: str) -> AbstractContextManager[Element]:
    """A card with a heading."""
    made = h("section", "", "card")
    with made:
        h("h2", title)
    return made
