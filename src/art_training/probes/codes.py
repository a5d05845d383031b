"""Whether what a model reconstructs follows what it is given."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import affordable, lighter
from art_training.probes.other_terms import alone
from art_training.probes.passes import examples, passed
from art_training.probes.responses import exchanged, seen_inputs
from art_training.probes.returning import returning
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, steps
from art_training.probes.whole import Whole
from art_training.setup.data.batch import entries, rows, with_entry

_STEPS = 300
_SECONDS, _LEAST = 3.0, 100  # of one training
_RATE = 3e-3  # of Adam
_NOISE = 0.05  # of weights: enough that a last layer of zeros tells examples apart
_LITTLE = 0.05  # a code that carries more than that by half of a training has not collapsed
_NOTHING = 1e-6  # of the difference of inputs: rounding


@dataclass(frozen=True)
class Carried:
    """How far what is reconstructed differs from one example to another, as a share of how far the examples differ.

    Attributes:
        path: of the entry that is reconstructed.
        name: of the loss that compares.
        begun: on fresh weights that were moved a little.
        middle: after half the training on the loss of the step; equal to `begun` where that is nothing.
        after: after all of it; likewise.
        alone: after a training on the loss that compares, alone; None where it was not tried.
        steps: of a training.
        cut: whether predictions that follow the input have a derivative by it that is exactly zero; told only where nothing is
            carried after any training.
        whole: as `after`, in a training where nothing is detached; None where it was not tried.
        where: file and line of what detaches.
    """

    path: str
    name: str
    begun: float
    middle: float
    after: float
    alone: float | None
    steps: int
    cut: bool = False
    whole: float | None = None
    where: str = ""

    @property
    def never(self) -> bool:
        """Whether nothing of the input arrives, whatever the weights are."""
        return self.begun <= _NOTHING


def carried(specimen: Specimen) -> Carried | None:
    """None where the step does not compare one thing that it computes with its own input, or learns no single loss."""
    found = None if examples(specimen, specimen.batches[0]) is None else _reconstructed(specimen)
    learning = None if found is None else returning(specimen)
    if found is None or learning is None:
        return None
    path, call = found
    with specimen.kept(seed=2):
        with torch.no_grad():
            for parameter in specimen.module.parameters():
                if parameter.is_floating_point():
                    parameter.add_(torch.randn_like(parameter) * _NOISE)
        begun = _share(specimen, path)
    if begun is None:
        return None
    if begun <= _NOTHING:
        return Carried(path, call.name, begun, begun, begun, None, 0)
    specimen = lighter(learning)
    count = affordable(specimen, _STEPS, seconds=_SECONDS, least=_LEAST)
    course = _trained(specimen, path, count, specimen.step)
    if course is None:
        return None
    other = _trained(specimen, path, count, alone(specimen)) if course[1] < _LITTLE else None
    carries = Carried(path, call.name, begun, *course, None if other is None else other[1], count)
    if other is None or other[1] >= _LITTLE or not _is_cut(specimen, path):
        return carries
    mode = Whole()
    whole = _trained(specimen, path, count, specimen.step, around=lambda: mode)
    return replace(carries, cut=True, whole=None if whole is None else whole[1], where=mode.where)


def _is_cut(specimen: Specimen, path: str) -> bool:
    """Whether predictions have no derivative by the input."""
    batch = specimen.batches[0]
    given = entries(batch)[path].detach().clone()
    if not given.is_floating_point():
        return False
    given.requires_grad_()
    found = passed(specimen, with_entry(batch, path, given), mode="train", gradients=True).compared
    if not found or not found[-1][1].requires_grad:
        return False
    (slope,) = torch.autograd.grad(found[-1][1].square().sum(), given, allow_unused=True)
    return slope is None or not bool(slope.any())


def _reconstructed(specimen: Specimen) -> tuple[str, SeenLoss] | None:
    """The entry that a layer sees and the only loss that compares has for its target."""
    seen = specimen.once(steps)[0]
    calls = [one for one in seen.calls if one.learns]
    if len(calls) != 1 or calls[0].target_learns or not calls[0].target.is_floating_point():
        return None
    target = calls[0].target
    inputs = seen_inputs(specimen)
    for path, leaf in entries(seen.batch).items():
        if path in inputs and isinstance(leaf, Tensor) and leaf.numel() == target.numel() > len(leaf):
            return (path, calls[0]) if torch.equal(leaf.reshape(-1), target.reshape(-1).to(leaf.dtype)) else None
    return None


def _share(specimen: Specimen, path: str) -> float | None:
    """How far predictions change, as a share of how far the input does, when examples are exchanged."""
    batch = specimen.batches[0]
    compared: list[tuple[Tensor, Tensor]] = []
    for given in (batch, exchanged(batch, path)):
        found = passed(specimen, given).compared
        if not found:
            return None
        name, prediction, target = found[-1]
        values = prediction.detach().double()
        compared.append((values.sigmoid() if name.endswith("with_logits") else values, target.detach().double()))
    (one, wanted), (other, instead) = compared
    if one.shape != other.shape or rows(one) != rows(entries(batch)[path]):
        return None
    apart = float((wanted - instead).norm())
    return float((one - other).norm()) / apart if apart > 0 else None


def _trained(
    specimen: Specimen,
    path: str,
    steps: int,
    step: Callable[[Any, int], Any],
    *,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> tuple[float, float] | None:
    """The share after half of a training and after all of it, which ends as soon as it is clear that something is carried."""
    learning = replace(specimen, step=step)
    with specimen.kept(seed=1):
        optimizer = torch.optim.Adam([one for one in specimen.module.parameters() if one.requires_grad], lr=_RATE)
        shares: list[float] = []
        for number in range(steps):
            optimizer.zero_grad()
            with around():
                loss = learning.loss(specimen.batches[number % len(specimen.batches)])
            if loss is None or not loss.requires_grad:
                return None
            loss.backward()
            optimizer.step()
            if number + 1 in {steps // 2, steps}:
                share = _share(specimen, path)
                if share is None:
                    return None
                shares.append(share)
                if share > 2 * _LITTLE:
                    break
        return shares[0], shares[-1]
