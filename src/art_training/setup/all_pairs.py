"""Predictions (N, 1) against targets (N,): element by element a table (N, N) of every prediction against every target."""

import operator
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from art_training.errors import Unpaired
from art_training.setup.data.batch import entries

_allowed: ContextVar[bool] = ContextVar("art_all_pairs_allowed", default=False)

DISTANCES: frozenset[Any] = frozenset(
    getattr(functional, name)
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "soft_margin_loss")
)
_DIFFERENCES: frozenset[Any] = frozenset(
    {torch.sub, torch.subtract, torch.rsub, Tensor.sub, Tensor.subtract, Tensor.__sub__, Tensor.__rsub__, operator.sub}
)


@dataclass(frozen=True)
class Table:
    """An operation that was given a column (N, 1) and a row (N,).

    Attributes:
        function: of torch, that was called.
        sides: what it was given, in order.
        paths: of the entries of the batch that the one side was made of; empty where it is no such entry, or the other
            side nothing that the model computed of the batch.
        prediction: which of the sides the model computed, where there are paths.
        distance: whether it compares: a difference, or a loss of torch.
        meant: whether the step itself made the column out of a row, as one does who wants a table.
    """

    function: Any
    sides: tuple[Tensor, Tensor]
    paths: frozenset[str]
    prediction: int
    distance: bool
    meant: bool

    @property
    def refused(self) -> bool:
        """Whether it can be nothing but a mistake."""
        return bool(self.paths) and self.distance and (self.function in DISTANCES or not self.meant)


@contextmanager
def allowing_tables() -> Generator[None]:
    """While a setup is experimented on, let it make its tables: what they do is measured."""
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


def refuse_broadcast(prediction: Any, target: Any) -> None:
    """Refuse `(N, 1)` against `(N,)`, which element by element becomes `(N, N)` and trains on nonsense.

    Raises:
        Unpaired: the shapes are such; the message gives both and the remedy.
    """
    if _allowed.get() or not (isinstance(prediction, Tensor) and isinstance(target, Tensor)):
        return
    if target.is_floating_point() and _column_and_row(tuple(prediction.shape), tuple(target.shape)):
        raise _refusal(tuple(prediction.shape), tuple(target.shape))


class Origins(TorchFunctionMode):
    """Knows what each tensor of a step was made of, and tells the tables that are made.

    Args:
        batch: that enters the step, its very tensors.
        tell: is given each table, one that compares before it is made; it may raise.
    """

    def __init__(self, batch: Any, tell: Callable[[Table], None]) -> None:
        super().__init__()
        self._tell = tell
        self._paths: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._learned: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._columns: WeakIdKeyDictionary = WeakIdKeyDictionary()
        for path, leaf in entries(batch).items():
            if isinstance(leaf, Tensor):
                self._paths[leaf] = frozenset({path})

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and remember what its value was made of."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        given = list(_tensors((args, keywords)))
        table = None
        if len(given) >= 2 and _column_and_row(tuple(given[0].shape), tuple(given[1].shape)):
            table = self._table(func, (given[0], given[1]))
        if table is not None and table.distance:
            self._tell(table)  # before torch warns of it
        value = func(*args, **keywords)
        if table is not None and not table.distance and _is_table(value, table.sides):
            self._tell(table)
        self._remember(given, value)
        return value

    def _table(self, function: Any, sides: tuple[Tensor, Tensor]) -> Table:
        paths: frozenset[str] = frozenset()
        prediction = 0
        for place, (ours, theirs) in enumerate((sides, sides[::-1])):
            if self._is_learned(ours) and self._of(ours) and self._of(theirs) and not self._is_learned(theirs):
                paths, prediction = self._of(theirs), place
        return Table(
            function=function,
            sides=sides,
            paths=paths,
            prediction=prediction,
            distance=function in DISTANCES or function in _DIFFERENCES,
            meant=any(one in self._columns for one in sides),
        )

    def _remember(self, given: list[Tensor], value: Any) -> None:
        found = list(_tensors(value))
        if not found or not given:
            return
        paths = frozenset[str]().union(*(self._of(one) for one in given))
        learned = any(self._is_learned(one) for one in given)
        column = any(one in self._columns for one in given)
        for one in found:
            if paths:
                self._paths[one] = self._of(one) | paths
            if learned:
                self._learned[one] = True
            if one.ndim > 1 and one.shape[-1] == 1 and (column or tuple(given[0].shape) == tuple(one.shape[:-1])):
                self._columns[one] = True

    def _of(self, one: Tensor) -> frozenset[str]:
        return cast("frozenset[str]", self._paths.get(one, frozenset()))

    def _is_learned(self, one: Tensor) -> bool:
        """Whether a parameter took part, with or without a graph."""
        return one.requires_grad or one in self._learned


@contextmanager
def refusing_tables(batch: Any) -> Generator[None]:
    """While a step is given a batch, refuse to compare a column of predictions with a row of the batch, or the other way round.

    What a step compares with what the model computed, or makes a column of by itself, may be meant: it is left alone.

    Raises:
        Unpaired: such a pair is about to be compared.
    """
    if _allowed.get():
        yield
        return

    def refuse(table: Table) -> None:
        if table.refused:
            ours, theirs = table.sides[table.prediction], table.sides[1 - table.prediction]
            raise _refusal(tuple(ours.shape), tuple(theirs.shape))

    with Origins(batch, refuse):
        yield


def _column_and_row(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and long == (*short, 1) and bool(short) and short[0] > 1


def _is_table(value: Any, sides: tuple[Tensor, Tensor]) -> bool:
    """Whether an operation on a column and a row went element by element."""
    if not isinstance(value, Tensor):
        return False
    try:
        return value.shape == torch.broadcast_shapes(sides[0].shape, sides[1].shape)
    except RuntimeError:  # (B, T, 1) and (B, T)
        return False


def _refusal(prediction: tuple[int, ...], target: tuple[int, ...]) -> Unpaired:
    remedy = (
        "give the target a last dimension, y[:, None], or let forward return prediction.squeeze(-1)"
        if len(prediction) > len(target)
        else "let forward return prediction.unsqueeze(-1), or give the target without its last dimension, y[:, 0]"
    )
    return Unpaired(
        f"the prediction has shape {prediction} and the target {target}, which broadcast to a table of every "
        f"prediction against every target; {remedy}"
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in nested lists, tuples and dictionaries; not parameters of lazy layers, which have no shape yet."""
    if isinstance(value, Tensor):
        if not is_lazy(value):
            yield value
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[Any]", value):
            yield from _tensors(one)
    elif isinstance(value, dict):
        for one in cast("dict[Any, Any]", value).values():
            yield from _tensors(one)
