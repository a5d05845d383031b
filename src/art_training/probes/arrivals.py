"""Which backward passes the gradients of an optimiser step are from: its own, or older ones that nobody cleared."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from art_training.probes.monitor import Moment
from art_training.probes.steps import StepWatch, parameters_of

_TRACKED = 3  # parameters of each optimiser
_LARGEST = 65_536  # elements of a parameter that is tracked


@dataclass
class Steps:
    """The gradients that the steps of one optimiser used, at a few of its parameters.

    Attributes:
        steps: that were seen while a gradient had arrived since the last.
        dropped: of these, with no gradient left at any tracked parameter when the step was made.
        stale: of these, that used gradients which the step before had used already.
        arrived: the norm of what arrived since the last step, in the first that is counted in one of these.
        carried: the norm of what was there before, in the same step.
        whole: whether it holds all that trains.
        clashes: of each step, the cosine between the gradients that it and another optimiser last used at the parameters
            that both hold.
        cosines: of each step that used gradients from before and from after another optimiser's step, between the two.
    """

    steps: int = 0
    dropped: int = 0
    stale: int = 0
    arrived: float = 0.0
    carried: float = 0.0
    whole: bool = False
    clashes: list[float] = field(default_factory=list[float])
    cosines: list[float] = field(default_factory=list[float])


@dataclass
class _Track:
    """One parameter: what has been added up in its gradient since it was last clear, by when it came."""

    parts: list[tuple[int, int, Tensor]] = field(default_factory=list[tuple[int, int, Tensor]])
    arrived: bool = False
    own: int = 0  # steps of its optimiser


class Arrivals(StepWatch):
    """Follows gradients from the backward pass to the step.

    Attributes:
        optimizers: what was seen of each optimiser that the training began with, in order.
        backward: gradients that arrived at tracked parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.optimizers: list[Steps] = []
        self.backward = 0
        self._steps: dict[int, tuple[Steps, list[nn.Parameter]]] = {}
        self._tracks: dict[int, dict[int, _Track]] = {}
        self._handles: list[Any] = []
        self._serial = 0  # steps of all optimisers
        self._shared: list[nn.Parameter] = []
        self._used: dict[int, dict[int, Tensor]] = {}  # by optimiser and parameter

    def beginning(self, moment: Moment) -> None:
        """Choose parameters."""
        super().beginning(moment)
        owners = Counter(id(one) for optimizer in moment.optimizers for one in parameters_of(optimizer))
        for optimizer in moment.optimizers:
            trains = [one for one in parameters_of(optimizer) if one.requires_grad]
            shared = _chosen([one for one in trains if owners[id(one)] > 1])
            self._shared += shared
            chosen = list({id(one): one for one in (*_chosen(trains), *shared)}.values())
            steps = Steps(whole=len(trains) == sum(one.requires_grad for one in moment.module.parameters()))
            self.optimizers.append(steps)
            self._steps[id(optimizer)] = steps, chosen
            for one in chosen:
                if id(one) not in self._tracks:
                    self._handles.append(one.register_hook(self._arriving(one)))
                self._tracks.setdefault(id(one), {})[id(optimizer)] = _Track()

    def ended(self, moment: Moment) -> None:
        """Follow no more."""
        super().ended(moment)
        for one in self._handles:
            one.remove()
        self._tracks.clear()
        self._steps.clear()
        self._used.clear()

    def after_step(self, optimizer: Optimizer) -> None:
        """Look at what the step used."""
        self._serial += 1
        if id(optimizer) not in self._steps:
            return
        steps, chosen = self._steps[id(optimizer)]
        tracks = [(one, self._tracks[id(one)][id(optimizer)]) for one in chosen]
        if any(track.arrived for _, track in tracks):
            steps.steps += 1
            used = [(one, track) for one, track in tracks if _holds(one)]
            if not used:
                steps.dropped += 1
                steps.arrived = steps.arrived or _norm([part for _, track in tracks for *_, part in track.parts])
            self._stale(steps, used)
            self._foreign(steps, used)
            self._clash(steps, id(optimizer), [one for one, _ in used])
        for _, track in tracks:
            track.arrived = False
            track.own += 1

    def _stale(self, steps: Steps, used: list[tuple[nn.Parameter, _Track]]) -> None:
        old = [part for _, track in used for own, _, part in track.parts if own < track.own]
        new = [part for _, track in used for own, _, part in track.parts if own == track.own]
        if old and new:
            steps.stale += 1
            if not steps.arrived:
                steps.carried, steps.arrived = _norm(old), _norm(new)

    def _foreign(self, steps: Steps, used: list[tuple[nn.Parameter, _Track]]) -> None:
        now = self._serial - 1
        before: list[Tensor] = []
        after: list[Tensor] = []
        for _, track in used:
            mine = [(serial, part) for own, serial, part in track.parts if own == track.own]
            old = [part for serial, part in mine if serial < now]
            new = [part for serial, part in mine if serial == now]
            if old and new:
                before.append(sum(old[1:], old[0]).flatten())
                after.append(sum(new[1:], new[0]).flatten())
        if before:
            steps.cosines.append(_cosine(torch.cat(before), torch.cat(after)))

    def _clash(self, steps: Steps, optimizer: int, used: list[nn.Parameter]) -> None:
        shared = {id(one) for one in self._shared}
        mine = {
            id(one): one.grad.detach().clone().flatten() for one in used if id(one) in shared and one.grad is not None
        }
        for other, theirs in self._used.items():
            both = [key for key in mine if key in theirs]
            if other != optimizer and both:
                steps.clashes.append(
                    _cosine(torch.cat([mine[key] for key in both]), torch.cat([theirs[key] for key in both]))
                )
        self._used[optimizer] = mine

    def _arriving(self, parameter: nn.Parameter) -> Callable[[Tensor], None]:
        def arriving(gradient: Tensor) -> None:
            if self.failure:
                return
            try:
                self._arrived(parameter, gradient.detach())
            except Exception as error:  # noqa: BLE001  A watch that fails must not fail what it watches
                self.failure = f"the watch raised {type(error).__name__}: {error}"

        return arriving

    def _arrived(self, parameter: nn.Parameter, gradient: Tensor) -> None:
        if gradient.is_sparse:  # of an embedding; what arrives at others tells as much
            return
        clear = not _holds(parameter)
        something = bool(gradient.any()) and bool(torch.isfinite(gradient).all())
        self.backward += something
        for track in self._tracks.get(id(parameter), {}).values():
            if clear:
                track.parts.clear()
            if something:
                track.arrived = True
                track.parts.append((track.own, self._serial, gradient.clone()))
                del track.parts[:-8]


def _chosen(parameters: list[nn.Parameter]) -> list[nn.Parameter]:
    """A few that lie apart and are not large."""
    small = [one for one in parameters if one.numel() <= _LARGEST]
    if len(small) <= _TRACKED:
        return small
    return [small[0], small[len(small) // 2], small[-1]]


def _holds(parameter: nn.Parameter) -> bool:
    gradient = parameter.grad
    return gradient is not None and not gradient.is_sparse and bool(gradient.any())


def _norm(parts: list[Tensor]) -> float:
    return float(sum(float(one.double().square().sum()) for one in parts)) ** 0.5


def _cosine(one: Tensor, other: Tensor) -> float:
    first, second = one.double(), other.double()
    scale = float(first.norm() * second.norm())
    return float(first @ second) / scale if scale > 0 else 0.0
