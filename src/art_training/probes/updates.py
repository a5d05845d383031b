"""What each optimiser step did to the weights, compared bit by bit."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from art_training.probes.monitor import Moment
from art_training.probes.steps import StepWatch, parameters_of

_EVERY = 20  # steps at first; then one in so many, since each costs a copy of the weights
_SPARSE = 10
_TRIED = (2, 5, 9)  # steps before those that are made again in single precision
_HALF = (torch.float16, torch.bfloat16)


@dataclass
class Moved:
    """One parameter over the steps that were looked at.

    Attributes:
        dtype: of the weights.
        steps: in which a gradient that is not all zero and finite was used at a rate above 0.
        still: of these, after which no element had changed.
        touched: elements with a gradient, summed over these steps.
        changed: of these, elements that had changed.
        control: the share of elements that the same step would have changed in single precision, where it was tried.
        meant: in half precision, the square of the norm of what the step would have added in single precision, with what the
            optimiser had gathered; summed over the steps for which it was tried.
        done: of these, the part of what was added that points the same way, times the norm of `meant`: where nothing is lost,
            or what is lost at random is as often gained, it is as large.
    """

    dtype: torch.dtype
    steps: int = 0
    still: int = 0
    touched: int = 0
    changed: int = 0
    control: float | None = None
    meant: float = 0.0
    done: float = 0.0


@dataclass
class Group:
    """The steps of one optimiser.

    Attributes:
        kind: its class.
        steps: in all.
        norms: of the gradients that steps used.
        ratios: of the update's norm to that of the weights.
        rates: the highest of each step that was looked at.
        parameters: how many it holds.
    """

    kind: str
    parameters: int
    steps: int = 0
    norms: list[float] = field(default_factory=list[float])
    ratios: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])


class Updates(StepWatch):
    """Compares weights before and after steps.

    Attributes:
        groups: the optimisers that stepped, by their order.
        parameters: what became of each parameter that an optimiser holds, by name.
        losses: that the step returned, batch by batch.
        resets: epochs at whose first step what an optimiser had gathered over the epochs before was gone.
        began: epochs of which a step was seen.
        strangers: shapes of what optimisers hold that is no parameter of the model and got no gradient.
        unowned: parameters that train, got a gradient and were in no optimiser that stepped, with its norm.
        late: of these, the ones that did not train when the training began.
        trainable: parameters that train, at the end.
        fixed: names of the parameters that are bit by bit as they were, though they train; known at the end.
        epochs: that were completed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[int, Group] = {}
        self.parameters: dict[str, Moved] = {}
        self.losses: list[float] = []
        self.resets: list[int] = []
        self.began: set[int] = set()
        self.fixed: frozenset[str] | None = None
        self.epochs = 0
        self.strangers: tuple[tuple[int, ...], ...] = ()
        self.unowned: dict[str, float] = {}
        self.late: set[str] = set()
        self.trainable = 0
        self._held: set[int] = set()
        self._frozen: set[str] = set()
        self._before: list[tuple[str, Tensor, Tensor, float]] = []
        self._start: dict[str, Tensor] = {}
        self._gathered: dict[int, dict[str, Any]] = {}
        self._memory: dict[frozenset[int], tuple[Optimizer, int, float]] = {}

    def beginning(self, moment: Moment) -> None:
        """Keep the weights, which are compared in the end."""
        super().beginning(moment)
        self._start = {name: one.detach().clone() for name, one in moment.module.named_parameters()}
        self._frozen = {name for name, one in moment.module.named_parameters() if not one.requires_grad}

    def stepped(self, moment: Moment) -> None:
        """Keep the loss, and see who has a gradient and nobody to step it."""
        if self.groups and (self.batches <= 2 or self.batches % _SPARSE == 0):
            self.unowned = {
                name: float(one.grad.norm())
                for name, one in moment.module.named_parameters()
                if one.requires_grad and id(one) not in self._held and one.grad is not None and bool(one.grad.any())
            }
            self.late |= set(self.unowned) & self._frozen
        if moment.loss is not None and moment.loss.numel() == 1:
            self.losses.append(float(moment.loss))

    def epoch_ended(self, moment: Moment) -> None:
        """Count."""
        self.epochs += 1

    def ended(self, moment: Moment) -> None:
        """Compare with the beginning."""
        super().ended(moment)
        self.fixed = frozenset(
            name
            for name, one in moment.module.named_parameters()
            if name in self._start and one.requires_grad and torch.equal(one.detach(), self._start[name])
        )
        self.trainable = sum(one.requires_grad for one in moment.module.parameters())
        self._start.clear()
        self._before.clear()

    def before_step(self, optimizer: Optimizer) -> None:
        """Keep the weights that are about to change."""
        self._remember(optimizer)
        self._before = []
        self._gathered = {}
        group = self._group(optimizer)
        if group.steps >= _EVERY and group.steps % _SPARSE:
            return
        for options in optimizer.param_groups:
            rate = float(options.get("lr", 1.0))
            for one in options["params"]:
                if id(one) in self.names:
                    self._before.append((self.names[id(one)], one, one.detach().clone(), rate))
                    if one.dtype in _HALF and group.steps in _TRIED:
                        self._gathered[id(one)] = _in_single(optimizer.state.get(one, {}))

    def after_step(self, optimizer: Optimizer) -> None:
        """Compare."""
        group = self._group(optimizer)
        group.steps += 1
        self.began.add(self.epoch)
        held = parameters_of(optimizer)
        self._held.update(map(id, held))
        self.strangers = tuple(tuple(one.shape) for one in held if id(one) not in self.names and one.grad is None)
        squares = [0.0, 0.0, 0.0]
        for name, one, before, rate in self._before:
            used = one.grad
            if used is None or used.is_sparse:
                continue
            touched = used.detach() != 0
            count = int(touched.sum())
            squares[0] += float(used.detach().double().square().sum())
            squares[1] += float((one.detach().double() - before.double()).square().sum())
            squares[2] += float(before.double().square().sum())
            if not count or not rate or not bool(torch.isfinite(used).all()):
                continue
            seen = self.parameters.setdefault(name, Moved(one.dtype))
            changed = int(((one.detach() != before) & touched).sum())
            seen.steps += 1
            seen.still += changed == 0
            seen.touched += count
            seen.changed += changed
            if seen.control is None and 10 * changed < count:
                seen.control = _in_single_precision(optimizer, one, before)
            if id(one) in self._gathered:
                meant = _meant(optimizer, one, before, self._gathered[id(one)])
                if meant is not None:
                    seen.meant += float(meant.square().sum())
                    seen.done += float((meant * (one.detach().double() - before.double())).sum())
        if self._before:
            group.norms.append(squares[0] ** 0.5)
            group.ratios.append((squares[1] / squares[2]) ** 0.5 if squares[2] > 0 else 0.0)
            group.rates.append(max(float(one.get("lr", 0.0)) for one in optimizer.param_groups))
        self._before = []
        self._gathered = {}

    def _group(self, optimizer: Optimizer) -> Group:
        return self.groups.setdefault(id(optimizer), Group(type(optimizer).__name__, len(parameters_of(optimizer))))

    def _remember(self, optimizer: Optimizer) -> None:
        """Tell whether the optimiser of these parameters has forgotten what it knew in an earlier epoch."""
        held = frozenset(map(id, parameters_of(optimizer)))
        known = self._memory.get(held)
        age = _age(optimizer)
        if (
            known is not None
            and known[2] > 0
            and age < known[2]
            and self.epoch > known[1]
            and self.epoch not in self.resets
        ):
            self.resets.append(self.epoch)
        self._memory[held] = optimizer, self.epoch, age


def _age(optimizer: Optimizer) -> float:
    """How much an optimiser has gathered: the steps that it counts, else 1 where it holds anything."""
    ages: list[float] = []
    for state in optimizer.state.values():
        entries: dict[str, Any] = state
        if "step" in entries:
            ages.append(float(entries["step"]))
        elif any(isinstance(one, Tensor) for one in entries.values()):
            ages.append(1.0)
    return max(ages, default=0.0)


def _in_single_precision(optimizer: Optimizer, parameter: Tensor, before: Tensor) -> float | None:
    """The share of elements with a gradient that the same step changes in single precision.

    Told by a fresh optimiser of the same settings, and by the plain rule of gradient descent, whichever changes more: an
    optimiser of the user's own may be made in another way, or be what is wrong.
    """
    options = _options(optimizer, parameter)
    if options is None or parameter.grad is None:
        return None
    gradient, start = parameter.grad.detach().float(), before.detach().float()
    touched = gradient != 0
    plain = start - float(options.get("lr", 0.0)) * gradient != start
    share = float((plain & touched).sum() / touched.sum())
    after = _stepped(optimizer, options, start, gradient, {})
    return share if after is None else max(share, float(((after != start) & touched).sum() / touched.sum()))


def _meant(optimizer: Optimizer, parameter: Tensor, before: Tensor, gathered: Mapping[str, Any]) -> Tensor | None:
    """What the same step adds in single precision, with what the optimiser had gathered before it."""
    options = _options(optimizer, parameter)
    if options is None or parameter.grad is None:
        return None
    start = before.detach().float()
    after = _stepped(optimizer, options, start, parameter.grad.detach().float(), gathered)
    return None if after is None else after.double() - start.double()


def _options(optimizer: Optimizer, parameter: Tensor) -> dict[str, Any] | None:
    return next((one for one in optimizer.param_groups if any(p is parameter for p in one["params"])), None)


def _stepped(
    optimizer: Optimizer, options: Mapping[str, Any], start: Tensor, gradient: Tensor, gathered: Mapping[str, Any]
) -> Tensor | None:
    """Where a step of an optimiser of the same settings leads; None where another cannot be made."""
    copy = start.clone().requires_grad_(True)
    copy.grad = gradient.clone()
    made: Any = type(optimizer)
    settings = {name: value for name, value in options.items() if name != "params"}
    try:
        # Not all that an optimiser keeps of its settings is an argument of it, as in AdamW.
        taken = inspect.signature(made).parameters
        again = made([copy], **{name: value for name, value in settings.items() if name in taken})
        again.param_groups[0].update(settings)
        if gathered:
            again.state[copy].update(gathered)
        again.step()
    except Exception:  # noqa: BLE001  An optimiser of the user's own, which may be made in another way.
        return None
    # Whoever listens to steps may keep the optimiser, and need not keep weights with it.
    again.param_groups[0]["params"] = []
    again.state.clear()
    return copy.detach()


def _in_single(state: Mapping[str, Any]) -> dict[str, Any]:
    """What an optimiser has gathered of a parameter, copied; numbers of half precision as single."""
    copied = {name: one.detach().clone() if isinstance(one, Tensor) else one for name, one in state.items()}
    return {
        name: one.float() if isinstance(one, Tensor) and one.dtype in _HALF else one for name, one in copied.items()
    }
