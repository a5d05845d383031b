"""Watches what steps a model's weights: every optimiser that does, whoever made it and whenever."""

import weakref
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from art_training.probes.monitor import Moment, Monitor


class StepWatch(Monitor):
    """Told of each optimiser step from inside it, so that gradients are seen as they were used: cut, and not yet cleared.

    It sees optimisers that a step or a hook made for itself as well. Steps within steps, as of optimisers that wrap
    another, are one step. A subclass that overrides `beginning` or `entering` calls these.

    Attributes:
        epoch: of the batch that is under way.
        batches: that have entered.
        names: of the module's parameters, by their identity.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.batches = 0
        self.names: dict[int, str] = {}
        self._known: dict[int, bool] = {}
        self._kept: list[Optimizer] = []  # so that no identity is given twice
        self._depth = 0
        self._release: Callable[[], Any] | None = None

    def beginning(self, moment: Moment) -> None:
        """Begin to watch."""
        self._learn(moment.module)
        me = weakref.ref(self)

        # Weak, and taken off when the monitor goes: a training that raises tells nobody that it has ended.
        def before(optimizer: Optimizer, *_: Any) -> None:
            _tell(me(), True, optimizer)

        def after(optimizer: Optimizer, *_: Any) -> None:
            _tell(me(), False, optimizer)

        handles = register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)
        self._release = weakref.finalize(self, lambda: [one.remove() for one in handles])

    def entering(self, moment: Moment) -> None:
        """Keep count."""
        self.epoch = moment.epoch
        self.batches += 1

    def ended(self, moment: Moment) -> None:
        """Watch no more."""
        if self._release is not None:
            self._release()

    def before_step(self, optimizer: Optimizer) -> None:
        """An optimiser of the model is about to step; under a closure, gradients are not there yet."""

    def after_step(self, optimizer: Optimizer) -> None:
        """It has stepped; gradients are still those that it used."""

    def told(self, before: bool, optimizer: Optimizer) -> None:
        """An optimiser of whatever model begins or ends a step."""
        if self.failure or not self._mine(optimizer):
            return
        if before:
            self._depth += 1
            if self._depth == 1:
                self.before_step(optimizer)
        else:
            self._depth = max(0, self._depth - 1)
            if self._depth == 0:
                self.after_step(optimizer)

    def _learn(self, module: nn.Module) -> None:
        self.names.update({id(one): name for name, one in module.named_parameters()})

    def _mine(self, optimizer: Optimizer) -> bool:
        if id(optimizer) not in self._known:
            self._kept.append(optimizer)
            self._known[id(optimizer)] = any(id(one) in self.names for one in parameters_of(optimizer))
        return self._known[id(optimizer)]


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """All parameters of an optimiser, in order."""
    return [one for group in optimizer.param_groups for one in group["params"]]


def _tell(watch: StepWatch | None, before: bool, optimizer: Optimizer) -> None:
    if watch is None:
        return
    try:
        watch.told(before, optimizer)
    except Exception as error:  # noqa: BLE001  A watch that fails must not fail what it watches
        watch.failure = f"the watch raised {type(error).__name__}: {error}"
