"""Pictures that steps leave behind: sheets of images and small multiples. Drawn with matplotlib, where that is installed.

It is imported when a picture is drawn and never before; without it, numbers are kept and pictures are not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.records import Artifact
from art_training.steps.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

NO_PICTURE = "no picture, because matplotlib is not installed: pip install 'art-training[plots]'"

_COLUMNS = 8
_CHANNELS = (1, 3, 4)
_SMALLEST = 4  # rows or columns of pixels below which nothing can be made out
_FLAT = 8  # likewise, of numbers in a row that happen to fill a square
_INCH = 1.3
_LINE = 1.22  # height of a tile with its title, where its width is 1


@dataclass(frozen=True)
class Tile:
    """One image of a sheet.

    Attributes:
        pixels: (height, width) or (height, width, 3 or 4), in any units.
        title: what stands above it.
    """

    pixels: "NDArray[Any]"
    title: str = ""


def can_draw() -> bool:
    """Whether pictures can be drawn here."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def figure(width: float, height: float) -> "Figure":
    """An empty figure in inches that belongs to no window and changes nothing outside itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height))
    FigureCanvasAgg(drawn)
    return drawn


def keep_figure(bench: Bench, drawn: "Figure", name: str, note: str) -> Artifact:
    """Write a figure as PNG and keep it."""
    path = bench.folder / name
    # The version of matplotlib in the file would make another file of the same picture.
    drawn.savefig(path, format="png", dpi=100, metadata={"Software": None})
    return bench.keep(path, name=name, kind="figure", note=note)


def as_image(row: "NDArray[Any]") -> "NDArray[Any] | None":
    """The input of one example as (height, width) or (height, width, channels); None where it is no image.

    Channels come first or last. Numbers in a row are an image if they fill a square of 8 or more: who has a table of so
    many features loses nothing by seeing it as a square.
    """
    if row.dtype.kind not in "uifb":
        return None
    if row.ndim == 1:
        side = math.isqrt(len(row))
        square = side * side == len(row) and side >= _FLAT and row.dtype.kind in "uf"
        return row.reshape(side, side) if square else None
    if row.ndim == 3 and row.shape[0] in _CHANNELS and min(row.shape[1:]) >= _SMALLEST:
        row = row.transpose(1, 2, 0)
    if row.ndim == 3 and row.shape[2] in _CHANNELS and min(row.shape[:2]) >= _SMALLEST:
        return row[:, :, 0] if row.shape[2] == 1 else row
    return row if row.ndim == 2 and min(row.shape) >= _SMALLEST else None


def scaled(images: Sequence["NDArray[Any]"]) -> "list[NDArray[Any]]":
    """Images in 0..1, all by the same scale, so that their brightness can be compared; what is constant becomes grey.

    What is not finite is drawn as black.
    """
    import numpy as np

    whole = [np.asarray(image, dtype=np.float64) for image in images]
    values = np.concatenate([image[np.isfinite(image)].reshape(-1) for image in whole]) if whole else np.zeros(0)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if high <= low:
        return [np.where(np.isfinite(image), 0.5, 0.0) for image in whole]
    return [np.nan_to_num((image - low) / (high - low), nan=0.0, posinf=0.0, neginf=0.0) for image in whole]


def sheet(sections: Mapping[str, Sequence[Tile]], *, columns: int = _COLUMNS) -> "Figure":
    """A contact sheet: tiles in lines of `columns`, under the title of their section.

    All tiles stand in one set of axes, which is many times faster than one each.
    """
    kept = {title: tiles for title, tiles in sections.items() if tiles}
    lines = sum(math.ceil(len(tiles) / columns) + 0.35 for tiles in kept.values())
    drawn = figure(columns * _INCH, max(lines, 0.5) * _LINE * _INCH)
    axis: Any = drawn.add_axes((0.01, 0.0, 0.98, 1.0))
    axis.set_axis_off()
    pixels = iter(scaled([tile.pixels for tiles in kept.values() for tile in tiles]))
    top = 0.0
    for title, tiles in kept.items():
        axis.text(0.0, top + 0.28, title, fontsize=9, va="bottom")
        top += 0.35 * _LINE
        for at, tile in enumerate(tiles):
            _place(axis, tile, next(pixels), at % columns, top + (at // columns) * _LINE)
        top += math.ceil(len(tiles) / columns) * _LINE
    axis.set_xlim(0, columns)
    axis.set_ylim(top, 0)
    return drawn


def _place(axis: Any, tile: Tile, pixels: "NDArray[Any]", left: float, top: float) -> None:
    """Draw a tile into a square of 0.94 with its title above; what is not square is fitted into it."""
    height, width = pixels.shape[:2]
    size = 0.94 / max(height, width)
    below = top + _LINE - 0.04
    extent = (left, left + width * size, below, below - height * size)
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent, aspect="auto")
    axis.text(left, below - height * size - 0.03, tile.title, fontsize=7, va="bottom")
