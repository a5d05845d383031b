"""The axes that examples can be ordered by: features, brightness and contrast of images, lengths of sequences.

Whoever looks at the examples at both ends of an axis finds what averages hide (Karpathy, A Recipe for Training Neural
Networks, 2019, "visualize ... the outliers along any axis").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.steps.exploration.feature_names import Named, names_by_path
from art_training.steps.exploration.tokens import Tokens, masks
from art_training.steps.pictures import as_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 512  # features that are axes; of more, every so manieth is
DARK, BRIGHT = "share of the darkest value", "share of the brightest value"  # in the same split


@dataclass(frozen=True)
class Axes:
    """What examples can be ordered by.

    Attributes:
        names: of the axes, e.g. `0[3]`, what the user calls that feature, `brightness of image` or `length of input_ids`.
        values: (rows, axes); NaN where an example has none.
        sources: the input and the number of the feature, of an axis that is one; None of those that were derived.
        note: what was left out.
    """

    names: list[str]
    values: "NDArray[Any]"
    sources: list[tuple[str, int] | None]
    note: str = ""

    def of(self, name: str) -> "NDArray[Any] | None":
        """(rows,) values along one axis."""
        return self.values[:, self.names.index(name)] if name in self.names else None


def axes_of(columns: Mapping[str, "NDArray[Any]"], tokens: Mapping[str, Tokens], count: int, named: Named = ()) -> Axes:
    """The axes of sampled inputs: (count, ...) arrays by path.

    Raises:
        SetupError: `named` does not fit the inputs.
    """
    import numpy as np

    names: list[str] = []
    values: list[NDArray[Any]] = []
    sources: list[tuple[str, int] | None] = []
    hidden = masks(columns)
    tables = {
        path: column
        for path, column in columns.items()
        if column.dtype.kind in "biuf" and path not in tokens and path not in hidden
    }
    called = names_by_path(named, tables) if count else {}
    width = sum(column[:1].size for column in tables.values())
    every = max(1, -(-width // MOST))
    for path, column in tables.items():
        flat = column.reshape(count, -1)
        kept = range(0, flat.shape[1], every)
        names += [called[path][one] if path in called else _name(path, column.shape[1:], one) for one in kept]
        values.append(flat[:, ::every].astype(np.float64))
        sources += [(path, one) for one in kept]
        derived = _of_images(path, column)
        names += derived
        values += [one[:, None] for one in derived.values()]
        sources += [None] * len(derived)
    for path, one in tokens.items():
        names.append(f"length of {path}")
        values.append(one.lengths[:, None].astype(np.float64))
        sources.append(None)
    table = np.concatenate(values, 1) if values else np.empty((count, 0))
    table[~np.isfinite(table)] = np.nan
    note = "" if every == 1 else f"every {every}th of {width:,} features"
    return Axes(names, table, sources, note)


def images_in(column: "NDArray[Any]") -> "NDArray[Any] | None":
    """Inputs as (rows, height, width[, channels]) where they have the shape of images; numbers in a row have none."""
    import numpy as np

    if column.dtype.kind not in "biuf" or column.ndim < 3 or not len(column):
        return None
    first = as_image(column[0])
    return None if first is None else np.stack([image for row in column if (image := as_image(row)) is not None])


def _of_images(path: str, column: "NDArray[Any]") -> dict[str, "NDArray[Any]"]:
    """(rows,) statistics of whole images, by name."""
    import numpy as np

    images = images_in(column)
    if images is None:
        return {}
    pixels = images.reshape(len(images), -1).astype(np.float32)
    known = np.isfinite(pixels)
    # Not the outermost values of all: a few odd pixels beyond it shall not hide where the range ends.
    lowest, highest = np.quantile(pixels[known], (0.005, 0.995)) if known.any() else (0.0, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.abs(np.diff(images.astype(np.float32), axis=2)).reshape(len(images), -1).mean(1)
        found = {
            "brightness": pixels.mean(1),
            "contrast": pixels.std(1),
            "sharpness": steps,
            DARK: (pixels <= lowest).mean(1),
            BRIGHT: (pixels >= highest).mean(1),
        }
        if images.ndim == 4:
            means = images.reshape(len(images), -1, images.shape[-1]).astype(np.float32).mean(1)
            found["colour"] = means.max(1) - means.min(1)
    return {f"{name} of {path}": np.where(known.all(1), one, np.nan) for name, one in found.items()}


def _name(path: str, shape: tuple[int, ...], feature: int) -> str:
    import numpy as np

    if not shape:
        return path
    return f"{path}[{','.join(str(int(at)) for at in np.unravel_index(feature, shape))}]"
