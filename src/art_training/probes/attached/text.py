"""A tensor in one line."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from art_training.setup.data.batch import entries


def told(tensor: Tensor) -> str:
    """A tensor in one line: type, shape, range, mean and deviation of what is finite, and how much is not."""
    head = f"{str(tensor.dtype).removeprefix('torch.')} {_shape(tensor)}"
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return f"{head}, {str(tensor.layout).removeprefix('torch.')}"
    if not tensor.numel():
        return f"{head}, empty"
    values = numbers(tensor)
    if tensor.dtype is torch.bool:
        return f"{head}, {_percent(values['mean'])} true"
    if values["NaN"] + values["infinite"] == 1:
        return f"{head}, {_wrong(values)}"
    size = "size " if tensor.is_complex() else ""
    middle = f"mean {values['mean']:.4g}, deviation {values['deviation']:.4g}"
    return f"{head}, {size}{values['smallest']:.4g} to {values['largest']:.4g}, {middle}, {_wrong(values)}"


def told_all(value: Any, name: str) -> list[str]:
    """The tensors of a batch, of arguments or of an output, a line each, under the name of the whole."""
    found: Mapping[str, Any] = entries(value)
    tensors = {path: one for path, one in found.items() if isinstance(one, Tensor)}
    return [f"{name}{f'[{path}]' if path else ''}: {told(one)}" for path, one in tensors.items()]


def numbers(tensor: Tensor) -> dict[str, float]:
    """The same as numbers; of complex ones, of their sizes. NaN where nothing is finite.

    Args:
        tensor: (...), strided, with at least one entry.
    """
    plain = tensor.detach()
    flat = (plain.abs() if plain.is_complex() else plain).reshape(-1).double()
    finite = flat[torch.isfinite(flat)]
    nan = float(torch.isnan(flat).double().mean())
    found = (
        (finite.min(), finite.max(), finite.mean(), finite.std(correction=0)) if finite.numel() else (torch.nan,) * 4
    )
    low, high, mean, deviation = (float(one) for one in found)
    return {
        "smallest": low,
        "largest": high,
        "mean": mean,
        "deviation": deviation,
        "NaN": nan,
        "infinite": 1 - finite.numel() / flat.numel() - nan,
    }


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(str(one) for one in tensor.shape)}{',' if tensor.ndim == 1 else ''})"


def _wrong(values: Mapping[str, float]) -> str:
    shares = [f"{_percent(values[name])} {name}" for name in ("NaN", "infinite") if values[name] > 1e-12]
    return ", ".join(shares) or "no NaN"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
