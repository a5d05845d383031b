"""Copies of trained parts that are meant to follow them, as a momentum encoder or a target network, and whether they do."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from art_training.probes.left_out import speaks_of_time
from art_training.probes.monitor import Moment
from art_training.probes.ownership import is_fresh
from art_training.probes.steps import StepWatch, parameters_of

_LOOKS = 20  # calls at first, then one in so many, since each compares weights
_SPARSE = 10


@dataclass
class Follower:
    """A part that no optimiser holds and that begins as a copy of one that trains.

    Attributes:
        name: of the part.
        leader: of the one that trains.
        fresh: whether it begins with weights as initialisers draw them.
        calls: of the part in training.
        alike: of the calls that were looked at after the leader had moved, those at which both were equal bit by bit.
        looked: how many these are.
        writes: batches after which its weights had been written to in place, or replaced, so far as torch counts it.
        moved: how far its weights went, at the end.
        led: how far those of the leader went.
    """

    name: str
    leader: str
    fresh: bool
    calls: int = 0
    alike: int = 0
    looked: int = 0
    writes: int = 0
    moved: float = 0.0
    led: float = 0.0


class Following(StepWatch):
    """Compares copies with what they are copies of.

    Attributes:
        followers: that were found as the training began.
        speaks_of_time: whether the model's code asks for the epoch, the step, or for every so many of something.
        complete: whether the training came to its end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.followers: list[Follower] = []
        self.speaks_of_time = False
        self.complete = False
        self._pairs: list[tuple[Follower, list[nn.Parameter], list[nn.Parameter], list[torch.Tensor]]] = []
        self._written: list[Any] = []
        self._handles: list[Any] = []

    def beginning(self, moment: Moment) -> None:
        """Find them."""
        super().beginning(moment)
        held = {id(one) for each in moment.optimizers for one in parameters_of(each) if one.requires_grad}
        self.speaks_of_time = speaks_of_time(moment.module, every=True)
        modules = {name: list(one.parameters()) for name, one in moment.module.named_modules() if name}
        leaders = {name: ones for name, ones in modules.items() if ones and all(id(one) in held for one in ones)}
        for name, ones in modules.items():
            apart = ones and not any(id(one) in held for one in ones)
            if not apart or any(name.startswith(f"{one.name}.") for one in self.followers):
                continue
            leader = next((other for other, theirs in leaders.items() if _equal(ones, theirs)), None)
            if leader is None or not any(one.ndim > 1 for one in ones):
                continue
            follower = Follower(name, leader, any(is_fresh(one) for one in ones))
            self.followers.append(follower)
            self._pairs.append((follower, ones, leaders[leader], [one.detach().clone() for one in ones]))
            layer = next(one for one in moment.module.get_submodule(name).modules() if not list(one.children()))
            self._handles.append(layer.register_forward_pre_hook(self._called(len(self._pairs) - 1)))
        self._written = [_counts(ones) for _, ones, _, _ in self._pairs]

    def stepped(self, moment: Moment) -> None:
        """See which have been written to since the batch before."""
        for index, (follower, ones, _, _) in enumerate(self._pairs):
            now = _counts(ones)
            follower.writes += now != self._written[index]
            self._written[index] = now

    def ended(self, moment: Moment) -> None:
        """Compare with the beginning."""
        super().ended(moment)
        for one in self._handles:
            one.remove()
        for follower, ones, theirs, start in self._pairs:
            follower.moved, follower.led = _distance(ones, start), _distance(theirs, start)
        self._pairs.clear()
        self.complete = True

    def _called(self, index: int) -> Any:
        def called(module: nn.Module, _given: Any) -> None:
            if self.failure or index >= len(self._pairs):
                return
            follower, ones, theirs, start = self._pairs[index]
            follower.calls += module.training or not torch.is_inference_mode_enabled()
            if follower.calls > _LOOKS and follower.calls % _SPARSE:
                return
            if not _equal(theirs, start):
                follower.looked += 1
                follower.alike += _equal(ones, theirs)

        return called


def _counts(ones: list[nn.Parameter]) -> list[tuple[int, int]]:
    return [(one.data_ptr(), one._version) for one in ones]  # noqa: SLF001  The only count of writes that torch keeps.


def _distance(ones: list[nn.Parameter], others: list[torch.Tensor]) -> float:
    apart = [(one.detach() - other).double().square().sum() for one, other in zip(ones, others, strict=True)]
    return float(sum(apart)) ** 0.5


def _equal(ones: Any, others: Any) -> bool:
    return len(ones) == len(others) and all(
        one.shape == other.shape and torch.equal(one.detach(), other.detach())
        for one, other in zip(ones, others, strict=True)
    )
