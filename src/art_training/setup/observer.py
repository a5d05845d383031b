"""What happens inside one call of a model's step: its loss calls, its metric calls, what it logs.

It is used in evaluation and by probes only; nothing of it stands on the training path.
"""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, wraps
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.setup.observation import LossCall
from art_training.setup.scores.losses import LOSSES

Answer: TypeAlias = Callable[[LossCall, int], Tensor]
"""A call of a loss of torch, and how many were before it in the step -> the value that the step gets in place of its own."""

_answer: ContextVar[Answer | None] = ContextVar("art_answer", default=None)


@contextmanager
def answering(answer: Answer) -> Generator[None]:
    """While steps are observed, give them other values of their losses: what a step makes of its loss, its own code says.

    What is observed is the value that was given.
    """
    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)


class Calls:
    """What was seen during one call of a step, in order.

    Attributes:
        losses: calls of loss functions of torch, functional or through a module.
        metric_inputs: arguments of calls of torchmetrics objects: (class name, arguments); keywords follow in the
            order of the metric's signature.
        logged: values passed to `module.log` and `module.log_dict`, by name.
    """

    def __init__(self) -> None:
        self._losses: list[LossCall] = []
        self._metric_inputs: list[tuple[str, tuple[Any, ...]]] = []
        self._logged: dict[str, float] = {}
        self._inside = 0  # depth of metric calls: what a metric computes with is not the model's loss

    @property
    def losses(self) -> tuple[LossCall, ...]:
        """Loss calls so far."""
        return tuple(self._losses)

    @property
    def metric_inputs(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Metric calls so far."""
        return tuple(self._metric_inputs)

    @property
    def logged(self) -> Mapping[str, float]:
        """Logged values so far."""
        return dict(self._logged)

    @property
    def takes_losses(self) -> bool:
        """Whether a call of a loss is the model's, and not that of a metric."""
        return not self._inside

    def add_loss(self, call: LossCall) -> None:
        """Remember a loss call."""
        self._losses.append(call)

    def add_logged(self, name: str, value: Any) -> None:
        """Remember a logged value, if it is one number."""
        number = _number(value)
        if number is not None:
            self._logged[name] = number

    @contextmanager
    def metric(self, name: str, arguments: tuple[Any, ...]) -> Generator[None]:
        """Remember a metric call; calls made by it are its own."""
        if not self._inside:
            self._metric_inputs.append((name, tuple(_detached(argument) for argument in arguments)))
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


class LossObserver(TorchFunctionMode):
    """Sees every call of a loss of torch while it is the active mode."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and remember it if it is a loss; who answers losses may give the step another value."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        value = func(*args, **keywords)
        name = _loss_functions().get(func)
        if name is not None and isinstance(value, Tensor) and self._calls.takes_losses:
            call = _loss_call(name, args, keywords, value)
            answer = _answer.get()
            if answer is not None:
                value = answer(call, len(self._calls.losses))
                call = replace(call, value=value.detach())
            self._calls.add_loss(call)
        return value


@contextmanager
def observe_calls(module: torch.nn.Module) -> Generator[Calls]:
    """Watch one call of a step of `module`; everything is as it was afterwards, whatever the step raises.

    Args:
        module: the model; its torchmetrics objects and its `log` are watched on the instance.
    """
    calls = Calls()
    with ExitStack() as stack:
        for metric in _metrics(module):
            for method in ("forward", "update"):
                stack.enter_context(_replaced(metric, method, _watched(metric, method, calls)))
        if callable(getattr(module, "log", None)):
            stack.enter_context(_replaced(module, "log", _watched_log(module, calls)))
        if callable(getattr(module, "log_dict", None)):
            stack.enter_context(_replaced(module, "log_dict", _watched_log_dict(module, calls)))
        stack.enter_context(LossObserver(calls))
        yield calls


@cache
def _loss_functions() -> Mapping[Any, str]:
    return {getattr(functional, name): name for name in LOSSES if hasattr(functional, name)}  # some are new


@cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(getattr(functional, name))


def _loss_call(name: str, args: tuple[Any, ...], keywords: Mapping[str, Any], value: Tensor) -> LossCall:
    bound = _signature(name).bind(*args, **keywords)
    bound.apply_defaults()
    options: dict[str, Any] = {key: _detached(option) for key, option in bound.arguments.items()}
    reduce, size_average = options.pop("reduce", None), options.pop("size_average", None)
    if reduce is not None or size_average is not None:  # arguments that torch has deprecated and still obeys
        options["reduction"] = "none" if reduce is False else "sum" if size_average is False else "mean"
    loss = LOSSES[name]
    prediction, target = options.pop(loss.prediction), options.pop(loss.target)
    return LossCall(name, prediction, target, options, value.detach())


def _metrics(module: torch.nn.Module) -> list[Any]:
    import sys

    # A metric object can only exist where torchmetrics has been imported.
    torchmetrics = sys.modules.get("torchmetrics")
    if torchmetrics is None:
        return []
    return [child for child in module.modules() if isinstance(child, torchmetrics.Metric)]


def _watched(metric: Any, method: str, calls: Calls) -> Callable[..., Any]:
    original: Callable[..., Any] = getattr(metric, method)
    signature: inspect.Signature = metric._update_signature  # noqa: SLF001  The public `update` hides its signature.

    @wraps(original)
    def watched(*args: Any, **keywords: Any) -> Any:
        ordered = (*args, *(keywords[name] for name in signature.parameters if name in keywords))
        with calls.metric(type(metric).__name__, ordered):
            return original(*args, **keywords)

    return watched


def _watched_log(module: Any, calls: Calls) -> Callable[..., Any]:
    original: Callable[..., Any] = module.log

    @wraps(original)
    def log(name: str, value: Any, *args: Any, **keywords: Any) -> Any:
        calls.add_logged(name, value)
        return original(name, value, *args, **keywords)

    return log


def _watched_log_dict(module: Any, calls: Calls) -> Callable[..., Any]:
    original: Callable[..., Any] = module.log_dict

    @wraps(original)
    def log_dict(dictionary: Mapping[str, Any], *args: Any, **keywords: Any) -> Any:
        for name, value in dictionary.items():
            calls.add_logged(name, value)
        return original(dictionary, *args, **keywords)

    return log_dict


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Generator[None]:
    """Set an attribute on the instance for a while, past the hooks of `nn.Module.__setattr__`."""
    attributes = cast("dict[str, Any]", owner.__dict__)
    missing = object()
    before = attributes.get(name, missing)
    attributes[name] = value
    try:
        yield
    finally:
        if before is missing:
            attributes.pop(name, None)
        else:
            attributes[name] = before


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _number(value: Any) -> float | None:
    value = getattr(value, "_forward_cache", value)  # a torchmetrics object is logged by its value for this batch
    if isinstance(value, Tensor):
        return float(value.detach()) if value.numel() == 1 else None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
