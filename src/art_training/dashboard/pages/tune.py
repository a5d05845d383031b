"""A search for hyper-parameters: its trials while they run, the best so far, which dimensions decide."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from art_training.checks.values import number
from art_training.dashboard.parts.asking import tell_address
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.html import facts, h, table
from art_training.dashboard.parts.live import Part
from art_training.dashboard.parts.newest import Chosen, chosen_of, draw_chosen
from art_training.dashboard.parts.plot import Plot, PlotPanel
from art_training.dashboard.parts.searched import importance_plot, progress_plot, slice_plot
from art_training.dashboard.parts.trials import TrialsTable, trial_rows
from art_training.records.counted import counted
from art_training.stores import Store
from art_training.views import run_of
from art_training.views.search import AgainRow, SearchView, search_of
from art_training.views.wording import duration, score_text

KIND = "Tune"

_BEST_FIRST = "best"


@dataclass(frozen=True)
class Found:
    """What the page shows; `view` is None where no run is meant or there is none."""

    chosen: Chosen
    view: SearchView | None


def register(desk: Desk) -> None:
    """Make `/tune` known."""

    @ui.page("/tune")
    async def tune(name: str, run: str = "", sort: str = "") -> None:  # pyright: ignore[reportUnusedFunction]
        def question(store: Store) -> Found:
            chosen = chosen_of(store, name, KIND, run)
            return Found(chosen, search_of(store, run_of(store, chosen.run.id)) if chosen.run else None)

        crumbs = [Crumb("Projects", "/"), Crumb(name, "/project", {"name": name})]
        with frame("Tune", project=name, at="/tune", crumbs=crumbs):
            shown = _Shown(name, run, best_first=sort == _BEST_FIRST)
            await follow(desk, question, shown.show)


class _Shown:
    """What the page shows of a search; pictures stay and get what is new.

    Args:
        project: whose.
        run: that the address names; empty for the newest.
        best_first: whether the best trials stand first in the table.
    """

    def __init__(self, project: str, run: str, *, best_first: bool) -> None:
        self._project, self._run, self._best_first = project, run, best_first
        self._view: SearchView | None = None
        self._head = Part[Found](lambda found: _head(found, project), h("div"))
        with h("div") as self._body:
            with h("section", "", "card", id="best"):
                h("h2", "What each trial reached, and the best so far")
                self._progress = _Pictures()
            with h("section", "", "card", id="importance"):
                h("h2", "What decides")
                self._importance = _Pictures()
                self._why = Part(_soft, h("div"))
            with h("section", "", "card", id="slices"):
                h("h2", "Each dimension against what was reached")
                self._slices = _Pictures("pictures")
            self._again = Part(_again, h("section", "", "card", id="again"))
            with h("section", "", "card", id="trials"):
                with h("div", "", "badges"):
                    h("h2", "Trials")
                    self._sort = h("button", "best first", "button", type="button", aria_pressed=_pressed(best_first))
                    self._sort.on("click", self._turn)
                self._trials = TrialsTable()
        self._body.set_visibility(False)

    def show(self, found: Found) -> None:
        """Show this search now."""
        view = self._view = found.view
        self._head.show(found)
        self._body.set_visibility(view is not None)
        if view is None:
            return
        self._progress.show([progress_plot(view)] if view.trials else [])
        self._importance.show([importance_plot(view)] if view.importance else [])
        self._why.show(view.importance_note)
        self._slices.show([slice_plot(view, one) for one in view.slices if one.points])
        self._again.show(view.again)
        self._again.inside.set_visibility(bool(view.again))
        self._trials.show(trial_rows(view, best_first=self._best_first))

    def _turn(self) -> None:
        self._best_first = not self._best_first
        self._sort.props["aria-pressed"] = _pressed(self._best_first)
        if self._view is not None:
            self._trials.show(trial_rows(self._view, best_first=self._best_first))
        sort = _BEST_FIRST if self._best_first else ""
        tell_address("/tune", {"name": self._project, "run": self._run, "sort": sort})


class _Pictures:
    """Pictures that stay where they are while what they show changes."""

    def __init__(self, classes: str = "") -> None:
        self._inside: Element = h("div", "", classes)
        self._panels: list[PlotPanel] = []

    def show(self, plots: Sequence[Plot]) -> None:
        """Show these."""
        while len(self._panels) > len(plots):
            self._panels.pop().delete()
        for at, plot in enumerate(plots):
            if at < len(self._panels):
                self._panels[at].show(plot)
            else:
                with self._inside:
                    self._panels.append(PlotPanel(plot))


def _head(found: Found, project: str) -> None:
    draw_chosen(found.chosen, "/tune", project)
    view = found.view
    if view is None:
        h("p", _missing(found.chosen), "card call")
        return
    h("p", _verdict(view), "card call", role="status")
    best = f"{number(view.best[-1].value)}, by trial {view.best[-1].number}" if view.best else ""
    states = Counter(one.state for one in view.trials)
    facts(
        [
            ("trials", ", ".join(f"{count} {state}" for state, count in states.items()) or "none yet"),
            ("at most", ", ".join(f"{_amount(name, value)}" for name, value in view.budget.items())),
            ("goes by", view.by),
            ("best so far" if view.live else "best of the search", best),
            ("winner under fresh seeds", view.winner),
        ]
    )
    if view.forgotten:
        h("p", "Trials may be missing: what the search remembered while it ran is no longer there.", "why")


def _missing(chosen: Chosen) -> str:
    if chosen.named:
        return "The run that the address names is none of Tune's in this project."
    return "Nothing was tuned yet. Add art_training.steps.Tune(...) to the steps and type `art run`; its trials show up here as they end."


def _verdict(view: SearchView) -> str:
    training = next((one for one in view.trials if one.state == "running"), None)
    if view.live and training is not None:
        planned = f" of {training.planned}" if training.planned else ""
        return f"It searches: trial {training.number} trains, epoch {training.epochs}{planned}."
    if view.live:
        return "It searches."
    if view.verdict:
        return f"{view.winner}: {view.verdict}" if view.winner else view.verdict
    return "It did not come to its end: nothing was handed on."


def _amount(name: str, value: float) -> str:
    return duration(value) if name == "seconds" else counted(int(value), name.removesuffix("s"))


def _soft(text: str) -> None:
    if text:
        h("p", text, "soft small")


def _again(rows: tuple[AgainRow, ...]) -> None:
    """What was trained again under seeds that chose nothing."""
    if not rows:
        return
    h("h2", "Trained again under fresh seeds")
    metrics = list(dict.fromkeys(score.metric for row in rows for score in row.scores))
    noted = any(row.note for row in rows)
    cells: list[list[str]] = []
    for row in rows:
        reached = {score.metric: score_text(score) for score in row.scores}
        cells.append([row.name, *(reached.get(name, "") for name in metrics), *([row.note] if noted else [])])
    head = ("setup", *metrics, *(["note"] if noted else []))
    table(head, cells, caption="Trained again under fresh seeds")


def _pressed(on: bool) -> str:
    return str(on).lower()
