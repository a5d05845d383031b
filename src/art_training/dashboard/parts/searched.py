"""The pictures of a search: the best so far, what decides, and each dimension against what was reached."""

from collections.abc import Mapping

from art_training.checks.values import number
from art_training.dashboard.parts.plot import Plot, PlotAxis, PlotPoint, PlotSeries
from art_training.records.counted import counted
from art_training.stores.fields import Cell, is_number, written
from art_training.views.search import SearchView, SliceRow, TrialRow

_BETTER = {"minimize": "lower is better", "maximize": "higher is better", None: ""}


def progress_plot(view: SearchView) -> Plot:
    """What each trial reached, and the best so far."""
    reached = {
        one.number: PlotPoint(one.number, one.value, trial_told(one)) for one in view.trials if one.value is not None
    }
    best = [
        PlotPoint(one.number, one.value, f"best so far: {number(one.value)}, by trial {one.number}")
        for one in view.best
    ]
    if best and view.trials and view.trials[-1].number > best[-1].x:
        best.append(best[-1]._replace(x=view.trials[-1].number))
    told = f"{counted(len(reached), 'trial')} reached a {view.by}; " + (
        f"the best is {number(view.best[-1].value)}, by trial {view.best[-1].number}"
        if view.best
        else "none is the best yet"
    )
    series = (
        PlotSeries("trials", tuple(reached.values()), colour=0),
        PlotSeries("best so far", tuple(best), "steps", colour=1, mark="diamond"),
        *_winner(view, reached),
    )
    return Plot("", PlotAxis("trial", whole=True), value_axis(view), series, told)


def importance_plot(view: SearchView) -> Plot:
    """The share of each dimension in what decides, the largest first."""
    labels = tuple(name for name, _ in view.importance)
    shares = tuple(PlotPoint(at, share, f"{name} {share:.0%}") for at, (name, share) in enumerate(view.importance))
    told = f"the share of each dimension in what decides: {', '.join(point.told for point in shares)}"
    axes = PlotAxis("dimension", labels=labels), PlotAxis("share", low=0.0, high=1.0)
    return Plot("", *axes, (PlotSeries("share", shares, "bars", colour=2),), told)


def slice_plot(view: SearchView, one: SliceRow) -> Plot:
    """A dimension against what was reached."""
    numeric = all(is_number(value) for _, value, _ in one.points) and not one.levels
    labels = () if numeric else _labels(one)
    points = {
        trial: PlotPoint(float(value), reached, f"trial {trial}: {cell_text(value)}, {number(reached)}")
        if isinstance(value, int | float) and numeric
        else PlotPoint(labels.index(written(value)), reached, f"trial {trial}: {cell_text(value)}, {number(reached)}")
        for trial, value, reached in one.points
    }
    axis = PlotAxis(one.name, one.logarithmic and numeric, labels, one.low, one.high)
    told = f"{view.by} against {one.name} of {counted(len(points), 'finished trial')}; the numbers stand in the table of trials"
    series = (PlotSeries("trials", tuple(points.values())), *_winner(view, points))
    return Plot(one.name, axis, value_axis(view), series, told)


def _winner(view: SearchView, points: Mapping[int, PlotPoint]) -> tuple[PlotSeries, ...]:
    """The trial that won, over the others, with a mark of its own."""
    won = tuple(point for number, point in points.items() if view.has_won(number))
    return (PlotSeries("the winner", won, colour=2, mark="triangle"),) if won else ()


def value_axis(view: SearchView) -> PlotAxis:
    """What the search goes by."""
    better = _BETTER[view.direction]
    return PlotAxis(f"{view.by}, {better}" if better else view.by)


def trial_told(trial: TrialRow) -> str:
    """A trial in a line."""
    point = ", ".join(f"{name}={cell_text(value)}" for name, value in trial.parameters.items())
    reached = "" if trial.value is None else number(trial.value)
    return f"trial {trial.number}: {', '.join(filter(None, (reached, point)))}"


def cell_text(value: Cell) -> str:
    """A value of a dimension as a person reads it."""
    return number(value) if isinstance(value, float) else written(value)


def _labels(one: SliceRow) -> tuple[str, ...]:
    """The levels in their order; what was tried where it is none of them."""
    tried = tuple(dict.fromkeys(written(value) for _, value, _ in one.points))
    return one.levels if set(tried) <= set(one.levels) else tuple(sorted(tried))
