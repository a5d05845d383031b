"""The projects of the store."""

from nicegui import ui

from art_training.dashboard.parts.frame import Desk, follow, frame
from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.live import Part
from art_training.records.counted import counted
from art_training.views import ProjectRow, known_projects
from art_training.views.wording import when


def register(desk: Desk) -> None:
    """Make `/` known."""

    @ui.page("/")
    async def home() -> None:
        with frame("Projects"):
            listed = Part(_draw, h("div"))
            await follow(desk, known_projects, listed.show)


def _draw(projects: tuple[ProjectRow, ...]) -> None:
    if not projects:
        h("p", "No project has run yet. Type `art run` in a project's folder; it will show up here.", "card call")
        return
    with h("ul", "", "projects"):
        for project in projects:
            with h("li", "", "step"):
                link(project.project, "/project", query={"name": project.project})
                h("p", f"{counted(project.runs, 'run')}, the newest at {when(project.newest)}", "soft small")
