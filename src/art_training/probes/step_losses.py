"""The training step as it trains: what enters each loss and what made it, and what is differentiated in the end."""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.loss_graph import (
    Normalised,
    Viewed,
    activation_before,
    normalised_twice,
    variance_as_deviation,
    views_before,
)
from art_training.probes.specimen import Mode, Specimen
from art_training.probes.written_losses import WrittenLosses
from art_training.setup.all_pairs import Origins, Table
from art_training.setup.scores.losses import LOSSES

_SECONDS = 0.4  # that a step with its backward pass may take, for more rows than it takes to see how a loss is made


@dataclass(frozen=True)
class SeenLoss:
    """One call of a loss of torch.

    Attributes:
        name: as torch calls it.
        prediction: detached.
        target: detached.
        options: every other argument.
        value: detached.
        made_by: the activation that made the prediction, up to views.
        views: that the prediction went through since something was computed, the last first.
        learns: whether the prediction carries a graph.
        target_learns: whether the target does.
        where: file and line of the call.
    """

    name: str
    prediction: Tensor
    target: Tensor
    options: Mapping[str, Any]
    value: Tensor
    made_by: Normalised | None
    views: tuple[Viewed, ...]
    learns: bool
    target_learns: bool
    where: str


@dataclass(frozen=True)
class SeenTable:
    """A table of all pairs.

    Attributes:
        paths: of the entries of the batch that were compared each with every value that the model made of the batch;
            empty where that is not what it is of.
        where: file and line of the operation.
    """

    paths: frozenset[str]
    where: str


@dataclass(frozen=True)
class SeenStep:
    """One training step.

    Attributes:
        batch: that entered it.
        calls: of losses, in order.
        totals: what was differentiated: the loss that was returned, or each that the step differentiated by itself.
        learns: whether a total has a graph at all.
        twice: pairs of normalisations of which one is fed by the other.
        deviation_is_variance: whether noise is multiplied with what the loss takes for a variance.
        tables: of all pairs, that were made of a column and a row.
    """

    batch: Any
    calls: tuple[SeenLoss, ...]
    totals: tuple[float, ...]
    learns: bool
    twice: tuple[tuple[str, str], ...]
    deviation_is_variance: bool
    tables: tuple[SeenTable, ...]


@dataclass
class _Notes:
    calls: list[SeenLoss] = field(default_factory=list[SeenLoss])
    totals: list[float] = field(default_factory=list[float])
    tables: list[SeenTable] = field(default_factory=list[SeenTable])
    twice: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    deviation: bool = False
    learns: bool = False

    def differentiated(self, total: Tensor) -> None:
        """Note what is differentiated, while its graph is whole."""
        self.totals.append(float(total.detach().sum()))
        self.learns = self.learns or total.grad_fn is not None
        self.twice += [one for one in normalised_twice(total) if one not in self.twice]
        self.deviation = self.deviation or variance_as_deviation(total)


def steps(specimen: Specimen) -> tuple[SeenStep, ...]:
    """Every batch of the specimen through its training step in training mode; of an expensive model some rows of each."""
    specimen = lighter(specimen, seconds=_SECONDS)
    return tuple(_seen(specimen, batch) for batch in specimen.batches)


def totals(specimen: Specimen, batch: Any, *, mode: Mode = "evaluate", seed: int = 0) -> tuple[float, ...]:
    """What is differentiated for a batch: always of the same weights and the same random draws.

    Raises:
        Exception: whatever the step raises.
    """
    notes = _Notes()
    with specimen.in_mode(mode):  # tried here, before anything is listened to
        pass
    with _again(specimen, seed), Differentiated(notes.totals):
        loss = specimen.loss(batch, mode=mode)
        if specimen.automatic and loss is not None:
            notes.totals.append(float(loss.detach()))
    return tuple(notes.totals)


def _seen(specimen: Specimen, batch: Any) -> SeenStep:
    notes = _Notes()

    def tell(table: Table) -> None:
        notes.tables.append(SeenTable(table.paths, _where()))

    watch = WrittenLosses(batch)
    with _again(specimen, 0), _Watching(notes), Origins(batch, tell), watch:
        loss = specimen.loss(batch)
    if specimen.automatic and loss is not None:
        notes.differentiated(loss)
    # What is normalised twice is told by the graph, of which one half would pass for a loss of the other.
    if not any(call.learns for call in notes.calls) and not notes.twice and (written := watch.found()) is not None:
        notes.calls.append(_written(*written))
    return SeenStep(
        batch=batch,
        calls=tuple(notes.calls),
        totals=tuple(notes.totals),
        learns=notes.learns,
        twice=tuple(notes.twice),
        deviation_is_variance=notes.deviation,
        tables=tuple(dict.fromkeys(notes.tables)),
    )


@contextmanager
def _again(specimen: Specimen, seed: int) -> Generator[None]:
    """From the same random state; a step that optimises is undone."""
    with specimen.seeded(seed) if specimen.automatic else specimen.kept(seed=seed):
        yield


class Differentiated(TorchFunctionMode):
    """Notes what a step differentiates by itself."""

    def __init__(self, totals: list[float]) -> None:
        super().__init__()
        self._totals = totals

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note the value that it differentiates."""
        del types
        if func is torch.Tensor.backward:
            self._totals.append(float(args[0].detach().sum()))
        return func(*args, **(kwargs or {}))


class _Watching(TorchFunctionMode):
    """Notes the calls of losses, and what is differentiated."""

    def __init__(self, notes: _Notes) -> None:
        super().__init__()
        self._notes = notes

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        keywords: dict[str, Any] = kwargs or {}
        if func is torch.Tensor.backward:
            self._notes.differentiated(args[0])
            return func(*args, **keywords)
        value = func(*args, **keywords)
        name = _functions().get(func)
        if name is not None and isinstance(value, Tensor):
            self._notes.calls.append(_call(name, args, keywords, value))
        return value


def _written(name: str, prediction: Tensor, target: Tensor, value: Tensor, reduction: str) -> SeenLoss:
    """A loss that is written by hand, as if torch had computed it; classes stand second in what is predicted."""
    last = prediction.ndim == target.ndim + 1 and prediction.shape[:-1] == target.shape
    one = prediction.movedim(-1, 1) if last and prediction.ndim > 2 else prediction
    if one.numel() == target.numel():
        target = target.reshape(one.shape)
    made = _call(name, (one, target), {"reduction": reduction}, value)
    return replace(made, where="")


@cache
def _functions() -> Mapping[Any, str]:
    return {getattr(functional, name): name for name in LOSSES if hasattr(functional, name)}


@cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(getattr(functional, name))


def _call(name: str, args: tuple[Any, ...], keywords: Mapping[str, Any], value: Tensor) -> SeenLoss:
    bound = _signature(name).bind(*args, **keywords)
    bound.apply_defaults()
    options: dict[str, Any] = dict(bound.arguments)
    reduce, size_average = options.pop("reduce", None), options.pop("size_average", None)
    if reduce is not None or size_average is not None:  # arguments that torch has deprecated and still obeys
        options["reduction"] = "none" if reduce is False else "sum" if size_average is False else "mean"
    loss = LOSSES[name]
    prediction, target = options.pop(loss.prediction), options.pop(loss.target)
    return SeenLoss(
        name=name,
        prediction=prediction.detach(),
        target=target.detach(),
        options={key: one.detach() if isinstance(one, Tensor) else one for key, one in options.items()},
        value=value.detach(),
        made_by=activation_before(prediction),
        views=views_before(prediction),
        learns=prediction.requires_grad,
        target_learns=target.requires_grad,
        where=_where(),
    )


def _where() -> str:
    """File and line of the nearest caller that belongs to neither torch nor this package."""
    frame = inspect.currentframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith(("torch.", "art_training.", "lightning.", "pytorch_lightning.")) and name != "torch":
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
