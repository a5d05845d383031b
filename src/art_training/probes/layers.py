"""Follows the layers of a training: gradients, updates and activations, looked at ever more rarely."""

import math
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from art_training.probes.monitor import Moment, Monitor
from art_training.probes.steps import parameters_of
from art_training.records.layers import ACTIVATION, GRADIENT, SATURATED, SILENT, UPDATE

_GROWTH = 1.6  # from one step that is looked at to the next: 10 in the first 100 steps, 30 in a million
_LAYERS = 100  # of a deep model so many, evenly over its depth
_ENTRIES = 4096  # of a tensor, evenly over it: enough for a ratio, and bounded whatever the model's size
_EXAMPLES = 16  # values of a unit in a batch below which a unit that gives 0 for all of them says nothing
_NEAR = 0.01  # of the range of a squashing function: nearer to its ends than that, it passes hardly any gradient
_RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Threshold)
_RANGES: Mapping[type[nn.Module], tuple[float, float]] = {nn.Tanh: (-1.0, 1.0), nn.Sigmoid: (0.0, 1.0)}


class Layers(Monitor):
    """What happens in each layer at some optimiser steps.

    Of a module with parameters of its own: the norm of their gradient as the optimiser uses it (`grad_norm`; 0 where none
    arrived); the share of its weights that a step changes, the norm of the change over that of the weights
    (`update_ratio`); and the root mean square of what it gives (`activation_rms`). Of a rectifier the share of units that
    gave 0 for every example of the batch (`silent_units`), and of `Tanh` and `Sigmoid` the share of values at the ends of
    their range (`saturated_units`). Ratios and root mean squares of large tensors are of entries evenly over them.

    Nothing is hooked but during the batches that are looked at; compiled models are not hooked at all, since that would
    compile them again, so that nothing is known of their activations.

    Args:
        every: optimiser steps from one look to the next; None: ever more.
    """

    def __init__(self, *, every: int | None = None) -> None:
        self._every = every
        self._points: list[tuple[str, str, int, int, float]] = []
        self._next = 0
        self._steps = 0
        self._names: dict[int, str] = {}  # of the layer that a parameter belongs to, by the parameter's identity
        self._hooked: list[tuple[str, nn.Module]] = []
        self._handles: list[RemovableHandle] = []
        weakref.finalize(self, _remove, self._handles)
        self._looking = False
        self._stepped = False
        self._gradients: dict[str, list[Tensor]] = {}
        self._before: dict[str, list[tuple[Tensor, Tensor]]] = {}  # parameters, and entries of them before the step
        self._given: dict[tuple[str, str], Tensor] = {}

    def take(self) -> list[tuple[str, str, int, int, float]]:
        """What was seen since this was asked last: statistic, layer, optimiser steps done, epoch, value."""
        taken, self._points = self._points, []
        return taken

    def beginning(self, moment: Moment) -> None:
        """Learn the layers."""
        layers = list(_layers_of(moment.module))
        self._names = {id(one): name for name, module in layers for one in module.parameters(recurse=False)}
        if not any(_is_compiled(one) for one in moment.module.modules()):
            self._hooked = [(name, one) for name, one in layers if not isinstance(one, torch.jit.ScriptModule)]

    def entering(self, moment: Moment) -> None:
        """Begin to look where it is time to."""
        if self._looking or self._steps < self._next:
            return
        self._looking = True
        for name, module in self._hooked:
            self._handles.append(module.register_forward_hook(self._hook(name)))

    def differentiated(self, moment: Moment, optimizer: Optimizer) -> None:
        """Look at the gradients, and keep entries of the weights."""
        self._stepped = True
        if not self._looking:
            return
        for one in parameters_of(optimizer):
            name = self._names.get(id(one))
            if name is None or not one.requires_grad or (one.grad is not None and one.grad.is_sparse):
                continue
            norm = torch.zeros(()) if one.grad is None else torch.linalg.vector_norm(one.grad.detach().float())
            self._gradients.setdefault(name, []).append(norm.cpu())
            self._before.setdefault(name, []).append((one, _entries(one).clone()))

    def stepped(self, moment: Moment) -> None:
        """Tell what was seen, and look no more for a while."""
        if self._looking and self._stepped:
            self._looking = False
            self._release()
            told = self._told()
            if not _was_skipped(told):
                rarer = max(self._steps + 1, math.ceil(self._steps * _GROWTH))
                self._next = self._steps + self._every if self._every else rarer
                for (statistic, layer), value in told.items():
                    self._points.append((statistic, layer, moment.step, moment.epoch, value))
            self._gradients, self._before, self._given = {}, {}, {}
        self._steps += self._stepped
        self._stepped = False

    def ended(self, moment: Moment) -> None:
        """Let go of the model."""
        self._release()
        self._hooked = []

    def _release(self) -> None:
        _remove(self._handles)

    def _told(self) -> dict[tuple[str, str], float]:
        told = dict(self._given)
        for name, norms in self._gradients.items():
            told[GRADIENT, name] = torch.linalg.vector_norm(torch.stack(norms))
        for name, kept in self._before.items():
            old = torch.cat([before for _, before in kept]).float()
            new = torch.cat([_entries(one) for one, _ in kept]).float()
            change, size = torch.linalg.vector_norm(new - old), torch.linalg.vector_norm(new)
            told[UPDATE, name] = torch.where(change == 0, change, change / size)
        values = torch.stack([value.cpu() for value in told.values()]).tolist() if told else []
        return dict(zip(told, values, strict=True))

    def _hook(self, name: str) -> Any:
        me = weakref.ref(self)  # a training that raises tells nobody that it has ended

        def seen(module: nn.Module, _: Any, output: Any) -> None:
            if (watch := me()) is not None:
                watch._see(name, module, output)  # noqa: SLF001  its own

        return seen

    def _see(self, name: str, module: nn.Module, output: Any) -> None:
        """Look at what a layer gives. What raises here would end the training: a watch that fails must not."""
        try:
            if (given := _floats(output)) is not None:
                self._given |= {(statistic, name): value for statistic, value in _statistics(module, given)}
        except Exception as error:  # noqa: BLE001
            self.failure = f"the watch raised {type(error).__name__}: {error}"
            self._release()


def _was_skipped(told: Mapping[tuple[str, str], float]) -> bool:
    """Whether a scaler of half precision, for which this is usual, left out the step because gradients overflowed."""
    overflowed = any(not math.isfinite(value) for (statistic, _), value in told.items() if statistic == GRADIENT)
    return overflowed and all(value == 0 for (statistic, _), value in told.items() if statistic == UPDATE)


def _layers_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules with parameters of their own, and activations that are modules; of very many some, evenly over the depth."""
    kinds = (*_RECTIFIERS, *_RANGES)
    found = [
        (name or type(module).__name__, module)
        for name, module in model.named_modules()
        if isinstance(module, kinds) or next(module.parameters(recurse=False), None) is not None
    ]
    stride = max(1, math.ceil(len(found) / _LAYERS))
    return iter(found[::stride])


def _is_compiled(module: nn.Module) -> bool:
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


def _remove(handles: list[RemovableHandle]) -> None:
    while handles:
        handles.pop().remove()


def _entries(tensor: Tensor) -> Tensor:
    """At most so many entries, evenly over the tensor; (n,) for any shape."""
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, math.ceil(flat.numel() / _ENTRIES))]


def _floats(output: Any) -> Tensor | None:
    """What a layer gives, or the first part of it, as of a recurrent one; None where it gives no floating-point numbers."""
    first: Any = output[0] if isinstance(output, tuple) and output else output
    return first.detach() if isinstance(first, Tensor) and first.is_floating_point() and first.numel() else None


def _statistics(module: nn.Module, given: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What is told of one output.

    Args:
        module: that gave it.
        given: (N, ...); floating-point.
    """
    entries = _entries(given).float()
    yield ACTIVATION, entries.square().mean().sqrt()
    if isinstance(module, _RECTIFIERS) and given.ndim > 1:
        # Units may stand in the second axis, as channels do, or in the last, as features of a sequence do: those of the
        # axis that is not theirs are hardly ever silent.
        axes = [axis for axis in {1, given.ndim - 1} if given.numel() // given.shape[axis] >= _EXAMPLES]
        others = [[other for other in range(given.ndim) if other != axis] for axis in axes]
        shares = [(torch.count_nonzero(given, dim=dims) == 0).float().mean() for dims in others]
        if shares:
            yield SILENT, torch.stack(shares).amax()
    for kind, (low, high) in _RANGES.items():
        if isinstance(module, kind):
            near = _NEAR * (high - low)
            yield SATURATED, ((entries < low + near) | (entries > high - near)).float().mean()
