"""Where in a step NaN or infinity arises, told by looking at every operation of a batch whose loss or gradient has it."""

import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from art_training.probes.arriving import arriving
from art_training.probes.cost import lighter
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, size
from art_training.setup.frames import is_users

_FILLS = frozenset({"masked_fill", "full", "full_like", "fill", "where", "new_full", "tensor", "triu", "tril"})
_ROWS = 4  # of the batches after the first of an expensive model
_HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Origin:
    """Where the first NaN or infinity of a batch came from.

    Attributes:
        kind: `input`: it is in the batch; `operation`: an operation made it of other numbers; `gradient`: the loss is finite
            and the derivative of an operation is not; `unknown`: the loss is not finite, and no operation was seen to do it.
        batch: of the specimen, from 0.
        name: of the entry of the batch or the operation.
        where: file and line of the user's code.
        loss: of the batch.
        overflow: largest number of the result in single precision, where the operation was one of half precision and single
            precision keeps it finite.
        of: batches that were looked at.
        concerned: of these, how many had a loss or a gradient that was not finite.
    """

    kind: Literal["input", "operation", "gradient", "unknown"]
    batch: int
    name: str
    where: str
    loss: float
    overflow: float | None = None
    of: int = 0
    concerned: int = 0


def origin(specimen: Specimen) -> Origin | None:
    """The first NaN or infinity on fresh weights; None where all batches have finite losses and gradients.

    The step is taken in training mode. Of a step that optimises by itself only the first batch is passed, since the
    weights are others afterwards.
    """
    others = lighter(specimen, least=_ROWS).batches[1:]
    specimen = lighter(specimen)
    specimen = replace(specimen, batches=(specimen.batches[0], *others))
    batches = specimen.batches if specimen.automatic else specimen.batches[:1]
    found: Origin | None = None
    concerned = looked = 0
    for number, batch in enumerate(batches):
        looked += 1
        value, bad = _passed(specimen, batch, first=number == 0)
        if math.isfinite(value) and not bad:
            continue
        concerned += 1
        if found is None:
            with specimen.kept():
                found = (
                    _of_loss(specimen, batch, number, value)
                    if not math.isfinite(value)
                    else _of_gradient(specimen, batch, number, value, bad)
                )
    return None if found is None else replace(found, of=looked, concerned=concerned)


def _passed(specimen: Specimen, batch: Any, *, first: bool) -> tuple[float, list[str]]:
    """The loss of a batch, and the parameters whose gradients are not finite where it is."""
    if first and specimen.automatic:
        known = arriving(specimen, rows=size(batch))
        bad = [one for one, norm in known.norms.items() if norm is not None and not math.isfinite(norm)]
        return known.loss or 0.0, [one for one in bad if one not in known.sparse]
    with specimen.kept():
        loss = specimen.loss(batch)
        value = 0.0 if loss is None else float(loss.detach().float().sum())
        return value, [] if not math.isfinite(value) else _bad_gradients(specimen, loss)


def _bad_gradients(specimen: Specimen, loss: Tensor | None) -> list[str]:
    if specimen.automatic and loss is not None and loss.requires_grad:
        for parameter in specimen.module.parameters():
            parameter.grad = None
        loss.backward()
    return [
        name
        for name, one in specimen.module.named_parameters()
        if one.grad is not None and not one.grad.is_sparse and not bool(torch.isfinite(one.grad).all())
    ]


def _of_loss(specimen: Specimen, batch: Any, number: int, value: float) -> Origin:
    for name, leaf in entries(batch).items():
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
            return Origin("input", number, name, "", value)
    with _Looking(math.isnan(value)) as looking:
        specimen.loss(batch)
    if looking.name:
        return Origin("operation", number, looking.name, looking.where, value, looking.overflow)
    return Origin("unknown", number, "", "", value)


def _of_gradient(specimen: Specimen, batch: Any, number: int, value: float, bad: Sequence[str]) -> Origin:
    """The last operation that was given finite gradients and hands on others, and where it was called."""
    name, where = "", ""
    if specimen.automatic:
        with _Tracing() as tracing:
            loss = specimen.loss(batch)
        assert loss is not None
        loss.backward()
        name, where = tracing.culprit()
    return Origin("gradient", number, name or bad[-1], where, value)


@dataclass(frozen=True)
class _Call:
    name: str
    where: str
    given: tuple[Tensor, ...]
    results: tuple[Tensor, ...]


class _Tracing(TorchFunctionMode):
    """Notes every operation that a gradient goes through, and whether the gradients on both of its sides are finite."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[_Call] = []  # holds the tensors, so that no identity is given twice
        self._finite: dict[int, bool] = {}
        self._hooked: set[int] = set()

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and hook what a gradient goes through."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        given = tuple(one for one in _tensors((args, keywords)) if one.requires_grad)
        for one in given:
            self._hook(one)
        result = func(*args, **keywords)
        results = tuple(one for one in _tensors(result) if one.requires_grad)
        if given and results:
            for one in results:
                self._hook(one)
            self._calls.append(_Call(_name(func), _users_line(), given, results))
        return result

    def culprit(self) -> tuple[str, str]:
        """Name and place of the operation; empty where none is alone with the blame."""
        for call in reversed(self._calls):
            results = [self._finite.get(id(one)) for one in call.results]
            if (
                False not in results
                and True in results
                and any(self._finite.get(id(one)) is False for one in call.given)
            ):
                return call.name, call.where
        return "", ""

    def _hook(self, tensor: Tensor) -> None:
        if id(tensor) in self._hooked:
            return
        self._hooked.add(id(tensor))
        key = id(tensor)

        def note(gradient: Tensor) -> None:
            self._finite[key] = bool(torch.isfinite(gradient).all())

        tensor.register_hook(note)


class _Looking(TorchFunctionMode):
    """Looks at the result of every operation until one is not finite that was made of finite numbers."""

    def __init__(self, nan: bool) -> None:
        super().__init__()
        self.name = self.where = ""
        self.overflow: float | None = None
        self._nan = nan
        self._infinite: tuple[str, str, float | None] | None = None  # what made the first infinity

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and look at what comes of it."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if self.name:
            return func(*args, **keywords)
        given = [one.detach() for one in _tensors((args, keywords)) if one.is_floating_point()]
        nan, infinite = (any(bool(wrong(one).any()) for one in given) for wrong in (torch.isnan, torch.isinf))
        result = func(*args, **keywords)
        name = _name(func)
        if not given or name in _FILLS:
            return result
        made = [one.detach() for one in _tensors(result) if one.is_floating_point()]
        makes_nan, makes_infinite = (
            any(bool(wrong(one).any()) for one in made) for wrong in (torch.isnan, torch.isinf)
        )
        if makes_infinite and not nan and not infinite and self._infinite is None:
            self._infinite = name, _users_line(), self._in_single(func, args, keywords, result)
        if makes_nan and not nan:  # of infinities, if there were any before, and then those are the cause
            own = name, _users_line(), self._in_single(func, args, keywords, result)
            self._blame(self._infinite if infinite and self._infinite is not None else own)
        return result

    def __exit__(self, *raised: object) -> None:
        """Blame the first infinity where that is all there was."""
        super().__exit__(*raised)
        if not self.name and not self._nan and self._infinite is not None:
            self._blame(self._infinite)

    def _blame(self, made: tuple[str, str, float | None]) -> None:
        self.name, self.where, self.overflow = made

    def _in_single(self, func: Callable[..., Any], args: Any, keywords: Any, result: Any) -> float | None:
        """The largest number in single precision, where the result is of half precision and only that made it infinite."""
        first = next(iter(_tensors(result)), None)
        if first is None or first.dtype not in _HALF:
            return None
        try:
            with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
                again = func(*_single(args), **_single(keywords))
        except Exception:  # noqa: BLE001  An operation that wants half precision.
            return None
        whole = next(iter(_tensors(again)), None)
        if whole is None or not bool(torch.isfinite(whole).all()):
            return None
        return float(whole.abs().max())


def _name(func: Callable[..., Any]) -> str:
    return (getattr(func, "__name__", "") or str(resolve_name(func))).strip("_")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in cast("Mapping[Any, Any]", value).values():
            yield from _tensors(one)
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[Any]", value):
            yield from _tensors(one)


def _single(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().float() if value.dtype in _HALF else value
    if isinstance(value, dict):
        return {name: _single(one) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return type(cast("Any", value))(_single(one) for one in cast("Sequence[Any]", value))
    return value


def _users_line() -> str:
    for frame in reversed(traceback.extract_stack()):
        if is_users(frame.filename):
            return f"{frame.filename}:{frame.lineno}"
    return ""
