"""What ExploreData found in the data: numbers, pictures of the examples that it names, findings."""

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui

from art_training.checks.values import number
from art_training.dashboard.parts.evidence import draw_findings
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.html import facts, h, table
from art_training.dashboard.parts.live import Part, Parts
from art_training.dashboard.parts.made_of import draw_files, draw_pictures
from art_training.dashboard.parts.newest import Chosen, Heading, chosen_of
from art_training.dashboard.parts.plot import Plot, PlotAxis, PlotPanel, PlotPoint, PlotSeries
from art_training.stores import Store
from art_training.stores.fields import Cell, is_number, written
from art_training.views import run_of
from art_training.views.artifacts import ArtifactRow
from art_training.views.explored import ExploredSection, ExploredView, NumbersTable, explored_of

KIND = "ExploreData"

_COUNTS = "class counts"
_AGAINST = " against train"
_DISTANCE = "distance"


@dataclass(frozen=True)
class Found:
    """What the page shows; `view` is None where no run is meant or there is none."""

    chosen: Chosen
    view: ExploredView | None


def register(desk: Desk) -> None:
    """Make `/data` known."""

    @ui.page("/data")
    async def data(name: str, run: str = "") -> None:  # pyright: ignore[reportUnusedFunction]
        def question(store: Store) -> Found:
            chosen = chosen_of(store, name, KIND, run)
            return Found(chosen, explored_of(store, run_of(store, chosen.run.id)) if chosen.run else None)

        crumbs = [Crumb("Projects", "/"), Crumb(name, "/project", {"name": name})]
        with frame("Data", project=name, at="/data", crumbs=crumbs):
            heading = Heading("/data", name)
            told = Part(_told, h("div"))
            contents = Part(_contents, h("nav", "", "contents", aria_label="On this page"))

            def draw(section: ExploredSection) -> None:
                _section(section, name, shown[0])

            shown = [""]  # the run whose files are linked
            sections = Parts[ExploredSection](_title, lambda: h("section", "", "card topic"), draw, h("div"))
            files = Part(_files, h("div"))

            def show(found: Found) -> None:
                drawn = found.view.sections if found.view else ()
                now = found.chosen.run.id if found.chosen.run else ""
                if shown[0] != now:
                    sections.show(())
                    shown[0] = now
                heading.show(found.chosen)
                told.show(_summary(found))
                contents.show((*(section.title for section in drawn), *(["files"] if drawn else [])))
                sections.show(drawn)
                files.show((now, tuple(row for section in drawn for row in section.artifacts)))

            await follow(desk, question, show)


def _summary(found: Found) -> tuple[str, str]:
    """What it found in a sentence, or why there is none; and the splits that it read."""
    if found.view is None:
        return _missing(found.chosen), ""
    nothing = "It has left nothing yet: what it finds is shown when it has ended."
    return found.view.summary or nothing, ", ".join(found.view.places)


def _told(summary: tuple[str, str]) -> None:
    sentence, places = summary
    h("p", sentence, "card call")
    facts([("splits that were read", places)])


def _missing(chosen: Chosen) -> str:
    if chosen.named:
        return "The run that the address names is none of ExploreData's in this project."
    return "The data was not looked at yet. Add art.ExploreData() to the steps and type `art run`."


def _contents(titles: tuple[str, ...]) -> None:
    with h("ul"):
        for title in titles:
            with h("li"):
                h("a", title, href=f"#{_anchor(title)}")


def _section(section: ExploredSection, project: str, run: str) -> None:
    h("h2", section.title[0].upper() + section.title[1:], id=_anchor(section.title))
    draw_findings((project, section.findings))
    for one in section.tables:
        for plot in plots_of(one):
            PlotPanel(plot)
    for one in section.tables:
        _table(one, section.title)
    for note in section.notes:
        h("p", note, "small note")
    pictures = tuple(row for row in section.artifacts if row.shown == "picture" and row.kept)
    if pictures:
        draw_pictures((run, pictures))


def _files(left: tuple[str, tuple[ArtifactRow, ...]]) -> None:
    if left[1]:
        with h("section", "", "card topic"):
            h("h2", "Files", id="files")
            draw_files(left)


def _table(one: NumbersTable, topic: str) -> None:
    if one.title != "by split":
        h("h3", one.title)
    if one.rows:
        numeric = [
            at for at in range(len(one.columns)) if all(row[at] is None or is_number(row[at]) for row in one.rows)
        ]
        table(
            one.columns,
            [[_text(value) for value in row] for row in one.rows],
            caption=f"{topic}: {one.title}",
            numbers=numeric,
        )
    if one.left_out:
        h("p", f"{one.left_out} more rows in the run's files", "soft small")
    if one.note:
        h("p", one.note, "soft small")


def plots_of(one: NumbersTable) -> tuple[Plot, ...]:
    """A table as a picture, where one shows more than its numbers."""
    if one.title == _COUNTS and len(one.rows) > 1:
        return (_counts(one),)
    if one.title.endswith(_AGAINST) and {"axis", _DISTANCE} <= {*one.columns} and len(one.rows) > 1:
        return (_distances(one),)
    return ()


def _counts(one: NumbersTable) -> Plot:
    labels = tuple(_text(row[0]) for row in one.rows)
    series = tuple(
        PlotSeries(name, _points(one, column, "class", labels), "bars", column - 1)
        for column, name in enumerate(one.columns)
        if column
    )
    told = f"how often each of {len(labels)} classes occurs in {', '.join(one.columns[1:])}; the numbers stand in the table"
    return Plot("How often each class occurs", PlotAxis("class", labels=labels), PlotAxis("examples"), series, told)


def _distances(one: NumbersTable) -> Plot:
    axis, distance = one.columns.index("axis"), one.columns.index(_DISTANCE)
    labels = tuple(_text(row[axis]) for row in one.rows)
    told = f"how far each of {len(labels)} axes is from training; the numbers stand in the table"
    series = (PlotSeries(_DISTANCE, _points(one, distance, "axis", labels), "bars"),)
    return Plot(one.title, PlotAxis("axis", labels=labels), PlotAxis("distance to train"), series, told)


def _points(one: NumbersTable, column: int, axis: str, labels: Sequence[str]) -> tuple[PlotPoint, ...]:
    """A column as the heights of bars; what is no number has none."""
    return tuple(
        PlotPoint(at, float(value), f"{one.columns[column]}, {axis} {labels[at]}: {_text(value)}")
        for at, value in enumerate(row[column] for row in one.rows)
        if isinstance(value, int | float)
    )


def _text(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    return written(value)


def _anchor(title: str) -> str:
    return title.replace(" ", "-")


def _title(section: ExploredSection) -> str:
    return section.title
