"""What experiments are made on: a fresh model with what trains it, and a few batches as they enter its step."""

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from art_training.records import Split
from art_training.setup.data.batch import mapped, size
from art_training.setup.observation import BatchObservation
from art_training.setup.observer import observe_calls

T = TypeVar("T")
Mode = Literal["train", "evaluate"]
_EVALUATES = "the training step works in evaluation mode"
_DIFFERENTIATES = "the training step needs gradients to come to its end"
_NO_GRAPH = "does not require grad"  # what torch says of a tensor that is differentiated and has no graph
_ROWS = 8


@dataclass(frozen=True)
class Schedule:
    """A learning-rate scheduler and when it is stepped.

    Attributes:
        scheduler: of torch.
        interval: what it is stepped after: `step` or `epoch`.
        frequency: after so many of them.
        monitor: name of the value that it waits for; empty where it waits for none.
    """

    scheduler: Any
    interval: Literal["step", "epoch"]
    frequency: int = 1
    monitor: str = ""


@dataclass(frozen=True)
class Plan:
    """How long and by what rules the training would go on.

    Attributes:
        epochs: at most; None where it is not known.
        batches: an epoch; None where the loader has no length.
        steps: optimiser steps in all; None where it is not known.
        accumulate: batches an optimiser step.
        clip: the largest norm or value that gradients are cut to; None: they are not.
        precision: as the trainer calls it.
        validations: batches of a validation; 0: it never runs.
        validates_every: epochs between two validations.
        first_validation: batches of training before the first validation; None where that is not known, as of one by the clock.
        callbacks: the user's own.
    """

    epochs: int | None = None
    batches: int | None = None
    steps: int | None = None
    accumulate: int = 1
    clip: float | None = None
    precision: str = "32-true"
    validations: int | None = None
    validates_every: int = 1
    first_validation: int | None = None
    callbacks: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Specimen:
    """A model with what trains it, laid open for experiments.

    Whoever experiments does it within `kept()`, after which weights, buffers, modes, plain attributes, gradients,
    optimisers and random states are as they were.

    Attributes:
        module: the model, as freshly made.
        step: its training step, called with a batch and its number.
        batches: of the training split, as they enter the step, on the model's device, in the order of training.
        optimizers: as the model configures them.
        schedules: likewise.
        automatic: whether the trainer optimises; else the step does.
        plan: of the training that they belong to.
        seeded: runs a block from a seed of its own, leaving all random states as they were.
        data: what gave the loaders: as it was declared, and as it was made of that; nothing of it is called.
        loaded: what `load_state_dict` filled parameters with while the model was made, by their names.
        loaders: of each split, by name, as the trainer was given them; only what can be read without a batch.
        applied: functions that `apply` was given while the model was made, each with the module that was applied to.
        notes: what was found out about it once and for all; changed copies (`dataclasses.replace`) share them.
    """

    module: nn.Module
    step: Callable[[Any, int], Any]
    batches: tuple[Any, ...]
    optimizers: tuple[Optimizer, ...]
    schedules: tuple[Schedule, ...]
    automatic: bool
    plan: Plan
    seeded: Callable[[int], AbstractContextManager[None]]
    data: tuple[Any, ...] = ()
    loaded: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    loaders: Mapping[Split, Mapping[str | None, Any]] = field(default_factory=dict[Split, Mapping[str | None, Any]])
    applied: Sequence[tuple[nn.Module, Callable[[nn.Module], Any]]] = ()
    notes: dict[Any, Any] = field(default_factory=dict[Any, Any])

    @contextmanager
    def kept(self, *, seed: int = 0) -> Generator[None]:
        """A block after which the specimen is as it was. It draws from `seed`."""
        before = _State.of(self)
        with self.seeded(seed):
            try:
                yield
            finally:
                before.restore(self)

    def once(self, probe: Callable[["Specimen"], T]) -> T:
        """What a probe measures on the specimen as it was made: when it is first asked for, and then told to all who ask.

        Not of a changed copy, and before an experiment changes anything.
        """
        if probe not in self.notes:
            with self.kept():
                self.notes[probe] = probe(self)
        return self.notes[probe]

    def observe(self, batch: Any, *, mode: Mode = "evaluate") -> BatchObservation:
        """Pass a batch through the training step and see what enters its losses; nothing carries a graph.

        In evaluation mode dropout is off and statistics of batch norms are those that were collected.

        Args:
            batch: as of `batches`; it is not changed, whatever the step takes out of it.
            mode: of the model meanwhile.

        Raises:
            Exception: whatever the step raises.
        """
        given, index = _copy(batch), self._index(batch)
        with self.in_mode(mode), self.graph(), observe_calls(self.module) as calls:
            returned = self.step(given, index)
        return BatchObservation(
            split=Split.TRAIN,
            loader=None,
            index=index,
            batch=batch,
            returned=_without_graph(returned),
            losses=calls.losses,
            metric_inputs=calls.metric_inputs,
            logged=calls.logged,
            weight=size(batch),
        )

    def loss(self, batch: Any, *, mode: Mode = "train") -> Tensor | None:
        """The loss that the step returns for a batch, with its graph; None where it returns none.

        Raises:
            Exception: whatever the step raises.
        """
        with self.in_mode(mode), torch.enable_grad():
            returned = self.step(_copy(batch), self._index(batch))
        found = returned.get("loss") if isinstance(returned, Mapping) else returned
        return found if isinstance(found, Tensor) else None

    def gradients(self, batch: Any, *, mode: Mode = "train") -> dict[str, Tensor | None]:
        """The gradient of the loss of a batch by name of the parameter; None where none arrives.

        Of a step that optimises by itself, what is left after it.
        """
        for parameter in self.module.parameters():
            parameter.grad = None
        loss = self.loss(batch, mode=mode)
        if self.automatic and loss is not None and loss.requires_grad:
            loss.backward()
        return {
            name: None if parameter.grad is None else parameter.grad.detach().clone()
            for name, parameter in self.module.named_parameters()
        }

    def _index(self, batch: Any) -> int:
        return next((index for index, one in enumerate(self.batches) if one is batch), 0)

    @contextmanager
    def in_mode(self, mode: Mode) -> Generator[None]:
        """A block in which the model is in a mode, and after which its modules are in theirs.

        Where the training step raises in evaluation mode, as one that takes auxiliary outputs apart which the model then
        does not give, only modules of torch evaluate: it is they that dropout and statistics are of.
        """
        whole = mode == "train" or self._evaluates()
        before = {one: one.training for one in self.module.modules()}
        if mode == "evaluate" and whole:
            self.module.eval()
        elif mode == "evaluate":
            for one in before:
                one.training = one.training and not type(one).__module__.startswith("torch.nn.")
        try:
            yield
        finally:
            for one, training in before.items():
                one.training = training

    def _evaluates(self) -> bool:
        """Whether the training step comes to its end in evaluation mode; tried once."""
        if _EVALUATES not in self.notes:
            self.notes[_EVALUATES] = True  # for `in_mode`, which asks
            # A few rows tell it; where they raise, it may be for their number.
            self.notes[_EVALUATES] = self._passes_evaluating(_ROWS) or self._passes_evaluating(None)
        return self.notes[_EVALUATES]

    def _passes_evaluating(self, rows: int | None) -> bool:
        for graph in (torch.no_grad(), torch.enable_grad()) if self.automatic else (torch.enable_grad(),):
            with self.kept(), graph, self.in_mode("evaluate"):
                try:
                    self.step(_first_rows(self.batches[0], rows), 0)
                except Exception as error:  # noqa: BLE001  The user's code, in a situation that it was not written for.
                    if torch.is_grad_enabled() or _NO_GRAPH not in str(error):
                        return False
                    self.notes[_DIFFERENTIATES] = True
                else:
                    return True
        return False

    def graph(self) -> AbstractContextManager[None]:
        """A block in which the step is given no graph, unless it needs one to come to its end.

        That is one that optimises by itself, or differentiates, as a penalty of gradients or an equation of physics does.
        """
        if self.automatic:
            self._evaluates()  # which tells it as well
        return torch.enable_grad() if not self.automatic or self.notes.get(_DIFFERENTIATES) else torch.no_grad()


@dataclass(frozen=True)
class _State:
    """What an experiment may change."""

    tensors: Sequence[tuple[Tensor, Tensor]]
    gradients: Sequence[tuple[nn.Parameter, Tensor | None, bool]]
    modes: Sequence[tuple[nn.Module, bool]]
    attributes: Sequence[tuple[nn.Module, dict[str, Any]]]
    optimizers: Sequence[dict[str, Any]]
    schedules: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, specimen: Specimen) -> "_State":
        module = specimen.module
        held = [*module.parameters(), *module.buffers()]
        return cls(
            tensors=[(one, one.detach().clone()) for one in held],
            gradients=[
                (one, None if one.grad is None else one.grad.clone(), one.requires_grad) for one in module.parameters()
            ],
            modes=[(one, one.training) for one in module.modules()],
            attributes=[(one, _plain(one)) for one in module.modules()],
            optimizers=[copy.deepcopy(one.state_dict()) for one in specimen.optimizers],
            schedules=[copy.deepcopy(one.scheduler.state_dict()) for one in specimen.schedules],
        )

    def restore(self, specimen: Specimen) -> None:
        with torch.no_grad():
            for tensor, before in self.tensors:
                tensor.data.copy_(before)
        for parameter, gradient, requires in self.gradients:
            parameter.grad = gradient
            parameter.requires_grad_(requires)
        for module, training in self.modes:
            module.training = training
        for module, attributes in self.attributes:
            for name in _plain(module).keys() - attributes.keys():
                del vars(module)[name]
            vars(module).update(attributes)
        for optimizer, state in zip(specimen.optimizers, self.optimizers, strict=True):
            optimizer.load_state_dict(state)
        for schedule, state in zip(specimen.schedules, self.schedules, strict=True):
            schedule.scheduler.load_state_dict(state)


def _plain(module: nn.Module) -> dict[str, Any]:
    """Attributes that a step may set to another value, such as a share of dropout."""
    return {name: value for name, value in vars(module).items() if isinstance(value, bool | int | float | str)}


def _first_rows(batch: Any, rows: int | None) -> Any:
    count = size(batch)
    return mapped(
        batch, lambda leaf: leaf[:rows] if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == count else leaf
    )


def _copy(batch: Any) -> Any:
    """The same tensors in containers of their own, since a step may take entries out of a dictionary."""
    return mapped(batch, lambda leaf: leaf)


def _without_graph(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping | list | tuple) or hasattr(value, "__dataclass_fields__"):
        return mapped(value, lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf)
    return value
