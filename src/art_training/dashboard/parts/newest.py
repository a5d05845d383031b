"""Which run of a kind of step a page of a project shows: the newest, or the one that its address names."""

from dataclasses import dataclass

from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.states import badge
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


def draw_chosen(chosen: Chosen, path: str, project: str) -> None:
    """Which run is shown, and links to the others."""
    run = chosen.run
    if run is not None:
        with h("div", "", "badges"):
            badge(run.state)
            link(f"{run.step} {short(run.id)}", "/run", query={"id": run.id})
            h("span", ", ".join(filter(None, (when(run.started), duration(run.seconds)))), "soft small")
            if chosen.named and chosen.runs and chosen.runs[0].id != run.id:
                link("the newest", path, "small", query={"name": project})
    others = [one for one in chosen.runs if run is None or one.id != run.id]
    if others:
        with h("details", "", "others"):
            h("summary", "Other runs")
            with h("ul", "", "plain small"):
                for one in others:
                    with h("li"):
                        text = f"{one.step} {short(one.id)}, {when(one.started)}, {one.state.value}"
                        link(text, path, query={"name": project, "run": one.id})
