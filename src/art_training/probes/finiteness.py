"""Where in a step NaN or infinity arises, told by looking at every operation of a batch whose loss or gradient has it."""

import math
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries
from art_training.setup.frames import is_users

_FILLS = frozenset(
    {"masked_fill", "masked_fill_", "full", "full_like", "fill_", "where", "new_full", "tensor", "triu", "tril"}
)
_HALF = (torch.float16, torch.bfloat16)
_LINE = re.compile(r'File "([^"]+)", line (\d+)')


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
    batches = specimen.batches if specimen.automatic else specimen.batches[:1]
    found: Origin | None = None
    concerned = 0
    for number, batch in enumerate(batches):
        with specimen.kept():
            loss = specimen.loss(batch)
            value = 0.0 if loss is None else float(loss.detach().float().sum())
            bad = [] if not math.isfinite(value) else _bad_gradients(specimen, loss)
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
    return None if found is None else replace(found, of=len(batches), concerned=concerned)


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
    """Which derivative is not finite, by torch's own means, and where its operation was called."""
    name, where = "", ""
    if specimen.automatic:
        with warnings.catch_warnings(record=True) as told, torch.autograd.set_detect_anomaly(True):
            warnings.simplefilter("always")
            try:
                loss = specimen.loss(batch)
                assert loss is not None
                loss.backward()
            except RuntimeError as error:
                matched = re.search(r"Function '(\w+?)(?:Backward\d*)?' returned", str(error))
                name = matched[1] if matched else ""
        lines = [line for one in told for line in _LINE.findall(str(one.message))]
        where = next((f"{file}:{line}" for file, line in reversed(lines) if is_users(file)), "")
    return Origin("gradient", number, name or bad[-1], where, value)


class _Looking(TorchFunctionMode):
    """Looks at the result of every operation until one is not finite that was made of finite numbers."""

    def __init__(self, nan: bool) -> None:
        super().__init__()
        self.name = self.where = ""
        self.overflow: float | None = None
        self._wrong: Callable[[Tensor], Tensor] = torch.isnan if nan else lambda one: ~torch.isfinite(one)

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and look at what comes of it."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        given = [] if self.name else [one for one in _tensors((args, keywords)) if one.is_floating_point()]
        sound = given and not any(self._has(one) for one in given)
        result = func(*args, **keywords)
        name = getattr(func, "__name__", "") or str(resolve_name(func))
        if sound and name not in _FILLS and any(self._has(one) for one in _tensors(result)):
            self.name, self.where = name, _users_line()
            self.overflow = self._in_single(func, args, keywords, result)
        return result

    def _has(self, tensor: Tensor) -> bool:
        return tensor.is_floating_point() and bool(self._wrong(tensor.detach()).any())

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
