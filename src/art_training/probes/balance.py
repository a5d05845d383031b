"""How a divergence and the error that it is added to are counted: over examples, over numbers of an example, over those of a code."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.passes import examples, smaller
from art_training.probes.returning import returning
from art_training.probes.specimen import Specimen
from art_training.probes.spread import beside_noise, carrier, noisy_pass, spread, where_spread
from art_training.setup.data.batch import entries, size

_NARROW = -2.0  # by which the spread is changed, so that its divergence has a gradient
_FITS = 0.99
_EXACT = 0.999
_SMALLER = 4  # times
_FEWEST = 16  # examples

_FORMS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": lambda given, wanted: 2 * (given - wanted),
    "squared sigmoid": lambda given, wanted: 2 * (given.sigmoid() - wanted) * given.sigmoid() * (1 - given.sigmoid()),
    "logits": lambda given, wanted: given.sigmoid() - wanted,
    "probabilities": lambda given, wanted: (given - wanted) / (given * (1 - given)).clamp_min(1e-12),
    "absolute": lambda given, wanted: (given - wanted).sign(),
}
"""Gradients of errors by what is compared with the input, for one number."""


@dataclass(frozen=True)
class Balance:
    """Two terms of a loss, by their gradients.

    Attributes:
        divergence: what the divergence of one number of a code is multiplied with.
        error: likewise the error of one number of an example; None where its form is not known.
        form: of the error; empty where it is not known.
        by_rows: the power of the number of examples that the divergence is divided by: 1 for a mean, 0 for a sum.
        error_by_rows: likewise of the error.
        examples: of the batch.
        numbers: of what is given again of an example.
        code: numbers of the code of an example.
        where: file and line where noise is added to the code.
    """

    divergence: float
    error: float | None
    form: str
    by_rows: float
    error_by_rows: float
    examples: int
    numbers: int
    code: int
    where: str


@dataclass(frozen=True)
class _Weights:
    divergence: float
    error: float | None
    form: str
    slope: float
    numbers: int
    code: int
    where: str


def balance(specimen: Specimen) -> Balance | None:
    """None where no divergence from N(0, 1) is added to what noise does to a prediction, or batches are of few examples."""
    known = specimen.once(spread)
    learning = returning(specimen)
    if learning is None or known is None or not known.passes or known.fit < _FITS or known.weight <= 0:
        return None
    batch = lighter(learning).batches[0]
    count = examples(specimen, batch)
    if count is None or count < _FEWEST:
        return None
    rows = count // _SMALLER
    whole, part = _weights(learning, batch), _weights(learning, smaller(batch, count, rows))
    if whole is None or part is None:
        return None
    scale = math.log(rows / count)
    return Balance(
        divergence=whole.divergence,
        error=whole.error,
        form=whole.form,
        by_rows=math.log(whole.divergence / part.divergence) / scale,
        error_by_rows=math.log(whole.slope / part.slope) / scale,
        examples=count,
        numbers=whole.numbers,
        code=whole.code,
        where=whole.where,
    )


def _weights(specimen: Specimen, batch: Any) -> _Weights | None:
    one = replace(specimen, batches=(batch,))
    first = noisy_pass(one, None)
    if first is None:
        return None
    product, loss, outputs = first
    output = carrier(loss, product, outputs)
    beside = beside_noise(one, product.ordinal, where_spread(product) * _NARROW)
    if output is None or beside is None or beside[2] < _FITS or beside[1] <= 0:
        return None
    (slope,) = torch.autograd.grad(loss, output, retain_graph=True)
    count = size(batch)
    form, error = _error(output.detach(), slope, batch)
    return _Weights(
        divergence=beside[1],
        error=error,
        form=form,
        slope=float(slope.double().square().mean().sqrt()),
        numbers=output.numel() // count,
        code=product.spread.numel() // count,
        where=product.where,
    )


def _error(given: Tensor, slope: Tensor, batch: Any) -> tuple[str, float | None]:
    """The form of an error and what it is multiplied with, where an entry of the batch is what is compared with."""
    slopes, numbers = slope.reshape(-1).double(), given.reshape(-1).double()
    fits: list[tuple[float, str, float]] = []
    for leaf in entries(batch).values():
        if not isinstance(leaf, Tensor) or leaf.is_complex() or leaf.numel() != given.numel():
            continue
        wanted = leaf.detach().reshape(-1).double()
        for name, form in _FORMS.items():
            one = form(numbers, wanted)
            weight = float(slopes @ one / (one @ one).clamp_min(1e-30))
            left = float((slopes - weight * one).square().sum() / slopes.square().sum().clamp_min(1e-30))
            fits.append((left, name, weight))
    left, name, weight = min(
        fits, default=(1.0, "", 0.0)
    )  # near 0 a sigmoid is a line, and two forms fit nearly as well
    return (name, weight) if left < 1 - _EXACT and weight > 0 else ("", None)
