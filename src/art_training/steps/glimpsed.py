"""What a diagnosis lets people see: what enters the network, what predictions depend on, and the learning rate to come.

Karpathy, A Recipe for Training Neural Networks, 2019: "visualize just before the net", "use backprop to chart
dependencies", and "do not trust learning rate decay defaults".
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from art_training.records import Artifact, Plain, Reading
from art_training.steps.bench import Bench
from art_training.steps.overfitting.tables import keep_table
from art_training.steps.pictures import NO_PICTURE, Tile, as_image, can_draw, figure, keep_figure, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from art_training.probes.glimpse import Glimpse
    from art_training.probes.rates import Course

ENTERS, DEPENDS, RATES = "what enters the network", "what predictions depend on", "learning rate"
_MOST_COLUMNS = 1_000
_POINTS = 20  # of a learning rate, in the reading

Decode = Callable[[Any], str]
"""One row of what enters, as a NumPy array -> a text that people can read."""


def glimpsed(
    bench: Bench, seen: "Glimpse", decode: Decode | None = None
) -> tuple[tuple[Reading, ...], tuple[Artifact, ...]]:
    """Readings, tables and pictures of what was seen; pictures only where matplotlib is installed."""
    readings: list[Reading] = []
    artifacts: list[Artifact] = []
    for told in (_entering(bench, seen, decode), _dependence(bench, seen), _rates(bench, seen.courses)):
        readings += told[0]
        artifacts += told[1]
    return tuple(readings), tuple(artifacts)


def _entering(bench: Bench, seen: "Glimpse", decode: Decode | None) -> tuple[list[Reading], list[Artifact]]:
    if seen.entering is None:
        return [], []
    entering: NDArray[Any] = (
        seen.entering.float().numpy() if seen.entering.is_floating_point() else seen.entering.numpy()
    )
    numbers: dict[str, Plain] = {
        "layer": seen.layer,
        "shape of an example": list(entering.shape[1:]),
        "type": str(seen.entering.dtype).removeprefix("torch."),
        "smallest": float(entering.min()),
        "largest": float(entering.max()),
        "mean": float(entering.mean()),
        "deviation": float(entering.std()),
        "zeros": float((entering == 0).mean()),
    }
    rows = [{"example": index, **_row(one, decode)} for index, one in enumerate(entering)]
    note = f"exactly what {seen.layer} is given for the first {len(entering)} examples of the first batch"
    artifacts = [keep_table(bench, rows, "enters.csv", note)]
    images = [as_image(one) if one.dtype.kind == "f" else None for one in entering]
    if can_draw() and all(one is not None for one in images):
        tiles = [Tile(cast("NDArray[Any]", one), str(index)) for index, one in enumerate(images)]
        artifacts.append(keep_figure(bench, sheet({note: tiles}), "enters.png", note))
    return [Reading(ENTERS, numbers, note=note if can_draw() else f"{note}; {NO_PICTURE}")], artifacts


def _row(one: "NDArray[Any]", decode: Decode | None) -> dict[str, Plain]:
    flat = one.reshape(-1)[:_MOST_COLUMNS]
    cells: dict[str, Plain] = {str(place): value for place, value in enumerate(flat.tolist())}
    return {"decoded": decode(one), **cells} if decode is not None else cells


def _dependence(bench: Bench, seen: "Glimpse") -> tuple[list[Reading], list[Artifact]]:
    charts = {
        name: chart.double().numpy()
        for name, chart in (("examples", seen.examples), ("positions", seen.positions))
        if chart is not None
    }
    if not charts:
        return [], []
    numbers: dict[str, Plain] = {}
    for name, chart in charts.items():
        own = float(chart.diagonal().mean())
        numbers[f"{name}: own input"] = own
        if name == "examples":
            numbers[f"{name}: others' inputs, at most"] = float((chart - chart * _eye(len(chart))).max())
        else:
            numbers[f"{name}: later inputs, at most"] = float(
                max(chart[i, i + 1 :].max(initial=0) for i in range(len(chart)))
            )
    note = f"norm of the gradient of what is predicted (row) by what {seen.layer} is given or gives (column)"
    if not can_draw():
        return [Reading(DEPENDS, numbers, note=f"{note}; {NO_PICTURE}")], []
    return [Reading(DEPENDS, numbers, note=note)], [keep_figure(bench, _maps(charts), "dependence.png", note)]


def _maps(charts: "dict[str, NDArray[Any]]") -> "Figure":
    drawn = figure(4.2 * len(charts), 3.8)
    for place, (name, chart) in enumerate(charts.items(), start=1):
        axis: Any = drawn.add_subplot(1, len(charts), place)
        image = axis.imshow(chart, cmap="magma", vmin=0, vmax=max(float(chart.max()), 1e-30), interpolation="nearest")
        axis.set_title(f"prediction (row) by input (column), {name}", fontsize=8)
        axis.set_xlabel(f"enters: {name[:-1]}", fontsize=8)
        axis.set_ylabel(f"predicted: {name[:-1]}", fontsize=8)
        axis.tick_params(labelsize=7)
        drawn.colorbar(image, ax=axis, fraction=0.046).ax.tick_params(labelsize=7)
    drawn.tight_layout()
    return drawn


def _rates(bench: Bench, courses: "Sequence[Course]") -> tuple[list[Reading], list[Artifact]]:
    if not courses:
        return [], []
    note = "of every optimiser step of the whole training, the schedule stepped alone"
    value: dict[str, Plain] = {}
    for number, one in enumerate(courses):
        every = max(1, len(one.rates) // _POINTS)
        name = one.kind if len(courses) == 1 else f"{number}: {one.kind}"
        value[name] = {
            "steps": one.steps,
            "stepped after each": one.interval,
            "highest": one.peak,
            "last": one.rates[-1],
            "rates": [[step, one.rates[step]] for step in range(0, len(one.rates), every)],
        }
    if not can_draw():
        return [Reading(RATES, value, note=f"{note}; {NO_PICTURE}")], []
    drawn = figure(6.0, 3.2)
    axis: Any = drawn.add_subplot(1, 1, 1)
    for one in courses:
        axis.plot(range(len(one.rates)), one.rates, label=f"{one.kind}, stepped after each {one.interval}")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("optimiser step", fontsize=8)
    axis.set_ylabel("learning rate", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)
    drawn.tight_layout()
    return [Reading(RATES, value, note=note)], [keep_figure(bench, drawn, "learning-rate.png", note)]


def _eye(size: int) -> "NDArray[Any]":
    import numpy as np

    return np.eye(size)
