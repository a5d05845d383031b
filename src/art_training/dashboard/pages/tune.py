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
from art_training.dashboard.parts.newest import Chosen, Heading, chosen_of
from art_training.dashboard.parts.plot import Plot, PlotPanel
from art_training.dashboard.parts.searched import importance_plot, progress_plot, slice_plot
from art_training.dashboard.parts.trials import TrialsTable, trial_rows
from art_training.records.counted import counted
from art_training.stores import Store
from art_training.views import run_of
from art_training.views.search import AgainRow, SearchView, TrialRow, search_of
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
        self._head = _Head(project)
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
        tell_address("/tune", {"name": self._project, "run": self._run, "sort": sort}, turned=True)


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


class _Head:
    """Which search is shown and how it stands; what changes is drawn by itself."""

    def __init__(self, project: str) -> None:
        self._chosen = Heading("/tune", project)
        self._missing = Part(_call, h("div"))
        with h("div", "", "card call") as self._told:
            self._verdict = Part(_text, h("p", role="status"))  # heard when a trial begins, not at each epoch
            self._epoch = Part(_soft, h("div"))
        self._facts = Part(facts, h("div"))
        self._forgotten = Part(_forgotten, h("div"))

    def show(self, found: Found) -> None:
        """Show how it stands."""
        view = found.view
        self._chosen.show(found.chosen)
        self._missing.show("" if view else _missing(found.chosen))
        self._told.set_visibility(view is not None)
        self._facts.inside.set_visibility(view is not None)
        self._forgotten.show(view is not None and view.forgotten)
        if view is not None:
            self._verdict.show(_verdict(view))
            self._epoch.show(_epoch(view))
            self._facts.show(_facts(view))


def _facts(view: SearchView) -> tuple[tuple[str, str], ...]:
    best = f"{number(view.best[-1].value)}, by trial {view.best[-1].number}" if view.best else ""
    states = Counter(one.state for one in view.trials)
    return (
        ("trials", ", ".join(f"{count} {state}" for state, count in states.items()) or "none yet"),
        ("at most", ", ".join(f"{_amount(name, value)}" for name, value in view.budget.items())),
        ("goes by", view.by),
        ("best so far" if view.live else "best of the search", best),
        ("winner under fresh seeds", view.winner),
    )


def _forgotten(is_so: bool) -> None:
    if is_so:
        h("p", "Trials may be missing: what the search remembered while it ran is no longer there.", "why")


def _call(text: str) -> None:
    if text:
        h("p", text, "card call")


def _text(text: str) -> None:
    h("span", text)


def _missing(chosen: Chosen) -> str:
    if chosen.named:
        return "The run that the address names is none of Tune's in this project."
    return "Nothing was tuned yet. Add art_training.steps.Tune(...) to the steps and type `art run`; its trials show up here as they end."


def _verdict(view: SearchView) -> str:
    training = _training(view)
    if training is not None:
        return f"It searches: trial {training.number} trains."
    if view.live:
        return "It searches."
    if view.verdict:
        return f"{view.winner}: {view.verdict}" if view.winner else view.verdict
    return "It did not come to its end: nothing was handed on."


def _epoch(view: SearchView) -> str:
    training = _training(view)
    if training is None or training.epochs is None:
        return ""
    return f"epoch {training.epochs}" + (f" of {training.planned}" if training.planned else "")


def _training(view: SearchView) -> TrialRow | None:
    return next((one for one in view.trials if one.state == "running"), None) if view.live else None


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
