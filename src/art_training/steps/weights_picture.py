"""First-layer weights: a picture of what a network looks for first, and numbers that say whether it looks at all.

Filters that are smooth have learned something; noisy ones ask for more regularisation or longer training, and those that
never left zero are dead (Karpathy, A Recipe for Training Neural Networks, 2019, "as a last sanity check").
"""

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from art_training.records import Artifact, Plain, Reading, Split
from art_training.setup.data.batch import as_array, entries
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.pictures import NO_PICTURE, Tile, as_image, can_draw, figure, keep_figure, sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

READING = "first-layer weights"
_MOST_FILTERS = 64
_DEAD = 1e-3  # a share of the median norm
_Kind = Literal["filters", "embeddings", "rows"]


def first_layer_picture(
    bench: Bench, weights: Path, *, setup: Setup | None = None, label: str = ""
) -> tuple[Reading, tuple[Artifact, ...]]:
    """Numbers of the first layer that has weights, and its picture where one can be drawn.

    Convolutions and layers on flattened images are drawn filter by filter, embeddings by the norms of their vectors,
    other layers as one map of rows (outputs) and columns (inputs).

    Args:
        bench: of the step.
        weights: a file of the engine.
        setup: what it holds the weights of; None: the step's.
        label: begins the names of the reading and the picture.
    """
    prefix = f"{label} " if label else ""
    name = f"{prefix}{READING}"
    setup = setup or bench.setup
    held = bench.engine.weights(weights)
    order = [one.name for one in bench.engine.parameters(setup) if one.name in held]
    # A vector is a bias or a norm, and one row a token of its own; what looks at the input has outputs and inputs.
    wide = [one for one in order if held[one].ndim >= 2 and len(held[one]) > 1]
    # A parameter of the model itself, such as a table of positions, is registered before its layers, and looks at nothing.
    first = next((one for one in wide if one.rpartition(".")[2] == "weight"), wide[0] if wide else None)
    if first is None:
        return Reading(name, None, note="no parameter has an output and an input dimension"), ()
    tensor = held[first].detach().float().cpu()
    row = _first_input(bench)
    kind = _kind(tensor, row)
    reading = Reading(name, _numbers(first, tensor, kind), note=_note(tensor, kind))
    if not can_draw():
        return Reading(reading.name, reading.value, note=f"{reading.note}; {NO_PICTURE}"), ()
    drawn = _filters(tensor, row) if kind == "filters" else _norms(tensor) if kind == "embeddings" else _map(tensor)
    file = f"{name}.png".replace(" ", "-")
    return reading, (keep_figure(bench, drawn, file, f"{first}, {kind}"),)


class _Seen(Exception):
    """The first batch has been seen; no other is needed."""


def _first_input(bench: Bench) -> "NDArray[Any] | None":
    """The first input of the first example, as it enters the model; None where there is none."""
    found: list[Any] = []

    def see(split: Split, loader: str | None, batch: Any) -> None:
        del split, loader
        leaves = entries(batch)
        paths = [path for path in bench.task.inputs if path in leaves] or list(leaves)[:1]
        found.extend(as_array(leaves[path])[0] for path in paths[:1] if getattr(leaves[path], "ndim", 0))
        raise _Seen

    with contextlib.suppress(_Seen):
        bench.read(Split.TRAIN, see=see)
    return found[0] if found else None


def _kind(tensor: "Tensor", row: "NDArray[Any] | None") -> _Kind:
    if row is not None and row.dtype.kind in "iu" and tensor.ndim == 2:
        return "embeddings"  # numbers of tokens are looked up, not multiplied
    if tensor.ndim >= 3:
        return "filters"
    return "filters" if row is not None and as_image(row) is not None and row.size == tensor.shape[1] else "rows"


def _norms_of(tensor: "Tensor") -> "Tensor":
    """(outputs, or entries of an embedding)."""
    return tensor.reshape(len(tensor), -1).norm(dim=1)


def _numbers(name: str, tensor: "Tensor", kind: _Kind) -> Mapping[str, Plain]:
    norms = _norms_of(tensor)
    usual = float(norms.median())
    numbers: dict[str, Plain] = {
        "parameter": name,
        "shape": list(tensor.shape),
        "median norm": _short(usual),
        "smallest norm": _short(float(norms.min())),
        "largest norm": _short(float(norms.max())),
        "dead": int((norms <= _DEAD * usual).sum()),
    }
    if (rough := _roughness(tensor)) is not None and kind == "filters":
        numbers["roughness"] = _short(rough)
    return numbers


def _note(tensor: "Tensor", kind: _Kind) -> str:
    what = {"filters": "filters", "embeddings": "vectors", "rows": "outputs"}[kind]
    text = f"{len(tensor)} {what}; `dead` are those with a norm below a thousandth of the median"
    if kind == "filters" and _roughness(tensor) is not None:
        text += "; `roughness` of neighbouring weights is 1 for noise, and less the smoother filters are"
    return text


def _roughness(tensor: "Tensor") -> float | None:
    """Mean squared difference of neighbours over twice the variance, filter by filter: 1 for independent weights.

    Von Neumann, Distribution of the ratio of the mean square successive difference to the variance, Annals of
    Mathematical Statistics 12 (1941). Filters with fewer than 3 x 3 weights have too few neighbours.
    """
    if tensor.ndim != 4 or min(tensor.shape[2:]) < 3:
        return None
    apart = tensor - tensor.mean(dim=(2, 3), keepdim=True)
    # The mean of each filter was taken from the same few weights, which makes their variance too small.
    size = tensor.shape[2] * tensor.shape[3]
    variance = float((apart**2).mean()) * size / (size - 1)
    steps = ((tensor[..., 1:, :] - tensor[..., :-1, :]) ** 2).mean() + (
        (tensor[..., 1:] - tensor[..., :-1]) ** 2
    ).mean()
    return float(steps) / 2 / (2 * variance) if variance > 0 else None


def _filters(tensor: "Tensor", row: "NDArray[Any] | None") -> Any:
    tiles = [Tile(_picture(one, row), str(at)) for at, one in enumerate(tensor[:_MOST_FILTERS].numpy())]
    more = f" (the first {_MOST_FILTERS} of {len(tensor)})" if len(tensor) > _MOST_FILTERS else ""
    return sheet({f"first-layer filters{more}": tiles})


def _picture(one: "NDArray[Any]", row: "NDArray[Any] | None") -> "NDArray[Any]":
    """A filter as (height, width) or (height, width, 3); of other channels, the mean."""
    if one.ndim == 1:  # of a layer on a flattened image
        assert row is not None
        image = as_image(one.reshape(row.shape).astype("float32"))
        assert image is not None
        return image if image.ndim == 2 else image.mean(axis=2)
    if one.ndim == 3 and one.shape[0] == 3:
        return one.transpose(1, 2, 0)
    while one.ndim > 2:
        one = one.mean(axis=0)
    return one


def _norms(tensor: "Tensor") -> Any:
    drawn = figure(5.0, 3.0)
    axis: Any = drawn.add_axes((0.13, 0.17, 0.84, 0.78))
    norms = _norms_of(tensor).sort(descending=True).values
    axis.plot(range(len(norms)), cast("list[float]", norms.tolist()))
    axis.set_ylim(bottom=0)
    axis.set_xlabel("embeddings, largest norm first")
    axis.set_ylabel("norm")
    return drawn


def _map(tensor: "Tensor") -> Any:
    shown = tensor[:_MOST_FILTERS, : 4 * _MOST_FILTERS].numpy()
    drawn = figure(6.0, max(1.5, 6.0 * min(1.0, len(shown) / max(1, shown.shape[1]))))
    axis: Any = drawn.add_axes((0.1, 0.2, 0.88, 0.75))
    reach = float(abs(shown).max()) or 1.0
    axis.imshow(shown, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
    axis.set_xlabel("inputs")
    axis.set_ylabel("outputs")
    return drawn


def _short(value: float) -> float:
    return float(f"{value:.4g}") if math.isfinite(value) else value
