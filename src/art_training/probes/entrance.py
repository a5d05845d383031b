"""What enters the first layer of a model, in training and in validation, after everything that prepares it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from art_training.probes.heard import layers
from art_training.probes.monitor import Moment, Monitor

_CALLS = 12  # of each kind that are kept
_NUMBERS = 100_000  # of one call


class _Heard(BaseException):
    """Leaves a step in its middle; no handler of a user's catches it."""


class Entrance(Monitor):
    """Keeps what enters the first layer that a training step calls.

    Attributes:
        layer: its name in the model; empty where none was called.
        training: what entered in the first training steps, on the CPU.
        validation: likewise in the first validation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layer = ""
        self.training: list[Tensor] = []
        self.validation: list[Tensor] = []
        self._into = self.training
        self._hooks: dict[str, Any] = {}
        self._called = 0  # times in this step, or in this validation
        self._each = 1  # times in a training step; a layer that serves several inputs is called once for each
        self._validated = False

    def beginning(self, moment: Moment) -> None:
        """Listen at every layer until the first one is known."""
        for name, module in layers(moment.module):
            if name:
                self._hooks[name] = module.register_forward_pre_hook(self._heard(name))

    def entering(self, moment: Moment) -> None:
        """A step begins: the first layer that is called now is the one."""
        del moment
        self._called = 0

    def stepped(self, moment: Moment) -> None:
        """The first layer is known; the others are let go."""
        del moment
        for name in [name for name in self._hooks if self.layer and name != self.layer]:
            self._hooks.pop(name).remove()
        if len(self.training) >= _CALLS and self._validated:
            self.ended_all()

    def validating(self, moment: Moment) -> None:
        """What enters now is validation's."""
        del moment
        self._called = 0
        self._into = self.validation

    def validated(self, moment: Moment) -> None:
        """And now training's again."""
        del moment
        self._into = self.training
        self._validated = bool(self._hooks)  # not of one that was run to see whether it works, before training

    def ended(self, moment: Moment) -> None:
        """Nothing is listened to any more."""
        del moment
        self.ended_all()

    def ended_all(self) -> None:
        """Let all layers go."""
        for hook in self._hooks.values():
            hook.remove()
        self._hooks.clear()

    def _heard(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def heard(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            del module
            validating = self._into is self.validation
            if self.layer not in {"", name} or (validating and not self.layer):
                return
            self.layer = name
            self._called += 1
            # Of each step the first call, as that is the same input in training and in validation.
            first = self._called == 1 if not validating else (self._called - 1) % self._each == 0
            self._each = self._each if validating else max(self._each, self._called)
            if not first:
                return
            given = next((one for one in arguments if isinstance(one, Tensor) and one.ndim > 1), None)
            if given is not None and len(self._into) < _CALLS:
                self._into.append(_sample(given))

        return heard


def first_inputs(
    module: nn.Module, kinds: tuple[type[nn.Module], ...], run: Callable[[], Any]
) -> tuple[nn.Module, Tensor] | None:
    """The first layer of these kinds that `run` calls, and what enters it; None where it calls none.

    What comes behind it is left: where it is the first of many layers, all but nothing is computed.
    """
    found: list[tuple[nn.Module, Tensor]] = []

    def heard(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        if not found and arguments and isinstance(arguments[0], Tensor):
            found.append((layer, arguments[0].detach().clone()))
            raise _Heard

    hooks = [one.register_forward_pre_hook(heard) for one in module.modules() if isinstance(one, kinds)]
    try:
        with suppress(_Heard):
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _sample(given: Tensor) -> Tensor:
    rows = max(1, _NUMBERS // max(1, given[0].numel()))
    kept = given[:rows].detach().to("cpu", copy=True)
    return kept.float() if kept.is_floating_point() else kept
