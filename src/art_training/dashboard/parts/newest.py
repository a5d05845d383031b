"""Which run of a kind of step a page of a project shows: the newest, or the one that its address names."""

from dataclasses import dataclass

from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.live import Part, Parts
from art_training.dashboard.parts.states import badge
from art_training.records import StepState
from art_training.stores import Field, RunQuery, Store, Where
from art_training.views import RunRow, runs_of
from art_training.views.rows import short
from art_training.views.wording import duration, when

MOST = 50


@dataclass(frozen=True)
class Chosen:
    """The run that is shown.

    Attributes:
        run: it; None where there is none.
        runs: all that there are to choose from, newest first.
        named: whether the address names it.
    """

    run: RunRow | None
    runs: tuple[RunRow, ...]
    named: bool


def chosen_of(store: Store, project: str, kind: str, named: str) -> Chosen:
    """The run that a page shows.

    Args:
        store: where runs are kept.
        project: whose.
        kind: of the step.
        named: the id in the address; empty for the newest.
    """
    where = (Where(Field("run", "kind"), "=", kind),)
    runs = runs_of(store, RunQuery(project=project, where=where, limit=MOST))
    if not named:
        return Chosen(runs[0] if runs else None, runs, named=False)
    older = runs_of(store, RunQuery(project=project, where=where, part=named, limit=1))
    return Chosen(next((run for run in older if run.id == named), None), runs, named=True)


class Heading:
    """Which run is shown, with links to the others, in the element that is open; who reads the list is not disturbed.

    Args:
        path: of the page.
        project: whose.
    """

    def __init__(self, path: str, project: str) -> None:
        def other(run: RunRow) -> None:
            text = f"{run.step} {short(run.id)}, {when(run.started)}, {run.state.value}"
            link(text, path, query={"name": project, "run": run.id})

        def newest(is_older: bool) -> None:
            if is_older:
                link("the newest", path, "small", query={"name": project})

        with h("div", "", "badges") as self._which:
            self._state = Part(_state, h("span"))
            self._run = Part(_run, h("span"))
            self._time = Part(_time, h("span"))
            self._newest = Part(newest, h("span"))
        with h("details", "", "others") as self._others:
            h("summary", "Other runs")
            self._listed = Parts[RunRow](lambda run: run.id, lambda: h("li"), other, h("ul", "", "plain small"))

    def show(self, chosen: Chosen) -> None:
        """Show this choice."""
        run = chosen.run
        self._which.set_visibility(run is not None)
        if run is not None:
            self._state.show(run.state)
            self._run.show((run.step, run.id))
            self._time.show(", ".join(filter(None, (when(run.started), duration(run.seconds)))))
            self._newest.show(chosen.named and bool(chosen.runs) and chosen.runs[0].id != run.id)
        others = [one for one in chosen.runs if run is None or one.id != run.id]
        self._others.set_visibility(bool(others))
        self._listed.show(others)


def _state(state: StepState) -> None:
    badge(state)


def _run(named: tuple[str, str]) -> None:
    step, run = named
    link(f"{step} {short(run)}", "/run", query={"id": run})


def _time(text: str) -> None:
    h("span", text, "soft small")
