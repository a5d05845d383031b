"""Pictures of the data: a sheet of each class, of the ends of each axis and of suspicious examples; distributions."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from art_training.records import Artifact, Reading, Split
from art_training.records.counted import counted
from art_training.steps.bench import Bench
from art_training.steps.exploration.answers import Surveys
from art_training.steps.exploration.label_noise import Noise
from art_training.steps.exploration.survey import Survey
from art_training.steps.pictures import NO_PICTURE, Tile, as_image, can_draw, figure, keep_figure, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Plot
    from numpy.typing import NDArray

COLUMNS = 8
EACH = 6  # images of a class
CLASSES = 10  # that are drawn
AXES = 11  # whose distributions are drawn
_BINS = 30
_OF_IMAGES = ("brightness", "contrast", "sharpness")


def pictures(surveys: Surveys, bench: Bench, noise: Noise | None) -> tuple[list[Artifact], list[Reading]]:
    """Draw the training split, and the validation split beside it where they are compared."""
    train = next((one for one in surveys if one.split is Split.TRAIN and len(one.sampled)), None)
    if train is None:
        return [], []
    if not can_draw():
        return [], [Reading("pictures", None, note=NO_PICTURE)]
    bench.say("draw")
    artifacts: list[Artifact] = []
    images = _images(train)
    if images is not None:
        artifacts += _sheets(train, images, bench, noise)
    drawn = _distributions(train, [one for one in surveys if one.split is Split.VALIDATION and len(one.sampled)])
    if drawn is not None:
        note = "distributions of train in grey and of validation as lines"
        artifacts.append(keep_figure(bench, drawn, "distributions.png", note))
    return artifacts, []


def _sheets(
    train: Survey, images: "Sequence[NDArray[Any] | None]", bench: Bench, noise: Noise | None
) -> list[Artifact]:
    sections = _by_class(train, images) | _at_ends(train, images)
    note = "examples of each class, and those at both ends of each axis, by their places in the split"
    kept = [keep_figure(bench, sheet(sections, columns=COLUMNS), "examples.png", note)]
    if noise is not None and len(noise.suspicious):
        tiles = [
            Tile(image, f"#{place}: {label} > {other}?")
            for row, place, label, other in _suspects(train, noise)
            if (image := images[row]) is not None
        ]
        drawn = sheet({f"suspicious labels of {train.place}": tiles}, columns=COLUMNS)
        kept.append(keep_figure(bench, drawn, "suspicious-labels.png", "number: label > what a cheap model says"))
    return kept


def _by_class(train: Survey, images: "Sequence[NDArray[Any] | None]") -> dict[str, list[Tile]]:
    """The first of each class in the sample; where there are no classes, the first of all."""
    labels = _labels(train)
    if labels is None:
        return {f"{train.place}": [_tile(train, images, row, "") for row in range(min(len(images), 4 * COLUMNS))]}
    most = [label for label, _ in train.labels.most_common(CLASSES)]
    sections: dict[str, list[Tile]] = {}
    for label in sorted(most):
        rows = (labels == label).nonzero()[0][:EACH].tolist()
        examples = counted(f"{train.labels[label]:,}", "example")
        sections[f"class {label}, {examples}"] = [_tile(train, images, row, "") for row in rows]
    return sections


def _at_ends(train: Survey, images: "Sequence[NDArray[Any] | None]") -> dict[str, list[Tile]]:
    """The images at both ends of brightness, contrast and sharpness."""
    import numpy as np

    sections: dict[str, list[Tile]] = {}
    for number, name in enumerate(train.axes.names):
        if train.axes.sources[number] is not None or not name.startswith(_OF_IMAGES):
            continue
        values = train.axes.values[:, number]
        order = np.argsort(values, kind="stable")
        order = order[np.isfinite(values[order])]
        half = COLUMNS // 2
        rows = dict.fromkeys([*order[:half].tolist(), *order[-half:].tolist()])
        title = f"{name}: the lowest and the highest"
        sections[title] = [_tile(train, images, row, f": {values[row]:.3g}") for row in rows]
    return sections


def _suspects(train: Survey, noise: Noise) -> "list[tuple[int, int, int, int]]":
    """Row in the sample, place, label and suggested class of the most suspicious examples."""
    return [
        (
            int(noise.rows[at]),
            int(train.sampled.indices[noise.rows[at]]),
            int(noise.classes[noise.labels[at]]),
            int(noise.classes[noise.suggested[at]]),
        )
        for at in noise.suspicious[: 4 * COLUMNS].tolist()
    ]


def _tile(train: Survey, images: "Sequence[NDArray[Any] | None]", row: int, told: str) -> Tile:
    image = images[row]
    assert image is not None
    return Tile(image, f"#{int(train.sampled.indices[row])}{told}")


def _images(train: Survey) -> "Sequence[NDArray[Any] | None] | None":
    """The first input that is images, one of each sampled row."""
    for column in train.inputs.values():
        if column.dtype.kind in "biuf" and len(column) and as_image(column[0]) is not None:
            return _Lazily(column)
    return None


class _Lazily(Sequence["NDArray[Any] | None"]):
    """Rows as images, made when they are drawn."""

    def __init__(self, column: "NDArray[Any]") -> None:
        self._column = column

    def __getitem__(self, row: Any) -> Any:
        return as_image(self._column[row])

    def __len__(self) -> int:
        return len(self._column)


def _labels(train: Survey) -> "NDArray[Any] | None":
    targets = train.targets
    if not train.labels or targets is None or targets.size != len(targets):
        return None
    return targets.reshape(-1).astype(int)


def _distributions(train: Survey, others: Sequence[Survey]) -> Any:
    """Small multiples: labels or targets, then axes; None where there is none."""
    plots = _targets(train, others) | _of_axes(train, others)
    if not plots:
        return None
    columns = min(4, len(plots))
    lines = math.ceil(len(plots) / columns)
    drawn = figure(columns * 2.4, lines * 1.7 + 0.2)
    grid: Any = drawn.subplots(lines, columns, squeeze=False)
    for axis in grid.reshape(-1)[len(plots) :]:
        axis.set_axis_off()
    for axis, (title, values) in zip(grid.reshape(-1), plots.items(), strict=False):
        _histogram(axis, values)
        axis.set_title(title, fontsize=7)
        axis.tick_params(labelsize=6)
        axis.set_yticks([])
    drawn.subplots_adjust(left=0.03, right=0.98, bottom=0.3 / (lines * 1.7 + 0.2), top=0.95, hspace=0.5)
    return drawn


def _targets(train: Survey, others: Sequence[Survey]) -> "dict[str, list[NDArray[Any]]]":
    import numpy as np

    each = [one.targets for one in (train, *others)]
    found = [one.reshape(-1).astype(float) for one in each if one is not None and one.size == len(one)]
    whole = len(found) == len(each) and bool(np.isfinite(found[0]).any())
    return {"labels" if train.labels else "targets": found} if whole else {}


def _of_axes(train: Survey, others: Sequence[Survey]) -> "dict[str, list[NDArray[Any]]]":
    import numpy as np

    alike = [one for one in others if one.axes.names == train.axes.names]
    spread = [number for number in range(len(train.axes.names)) if _varies(train.axes.values[:, number])]
    chosen = [number for number in spread if train.axes.sources[number] is None][: AXES // 2]  # those of whole examples
    spread = [number for number in spread if train.axes.sources[number] is not None]
    left = np.linspace(0, len(spread) - 1, AXES - len(chosen)).astype(int)
    chosen += [spread[at] for at in np.unique(left)] if spread else []
    return {train.axes.names[at]: [one.axes.values[:, at] for one in (train, *alike)] for at in chosen}


def _varies(values: "NDArray[Any]") -> bool:
    import numpy as np

    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() < known.max())


def _histogram(axis: "Plot", values: "Sequence[NDArray[Any]]") -> None:
    """The first filled in grey, the others as lines, as shares; between the outermost hundredths of the first."""
    import numpy as np

    first = values[0][np.isfinite(values[0])]
    low, high = np.quantile(first, (0.005, 0.995))
    if low == high:
        low, high = first.min(), first.max()
    whole = bool((first == np.round(first)).all()) and high - low < _BINS
    edges = np.arange(low - 0.5, high + 1) if whole else np.linspace(low, high, _BINS + 1)
    styles: Mapping[int, dict[str, Any]] = {0: {"fill": True, "color": "0.75"}}
    for number, one in enumerate(values):
        known = one[np.isfinite(one)]
        shares = np.histogram(known, edges)[0] / max(1, len(known))
        axis.stairs(shares, edges, **styles.get(number, {"color": f"C{number - 1}", "linewidth": 1}))
