"""Which modules train and which evaluate at each moment of a training, and what a validation leaves changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import batchnorm

from art_training.probes.monitor import Moment, Monitor

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
# The base of all batch and instance norms that may keep statistics; torch has no public name for it.
BatchNorm = batchnorm._BatchNorm  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


@dataclass
class Modes:
    """Modules whose mode matters, at one moment.

    Attributes:
        root: whether the model itself trains.
        training: names of those that train.
        evaluating: of those that evaluate.
    """

    root: bool
    training: tuple[str, ...] = ()
    evaluating: tuple[str, ...] = ()


@dataclass
class Statistics:
    """What a batch norm has gathered.

    Attributes:
        momentum: of the running statistics; None where all batches count alike.
        frozen: whether it has parameters and none of them trains.
        initial: whether the statistics are those that it was made with.
        moved: whether they changed in the training steps that were watched.
        in_validation: whether they changed in a validation.
        trained: batches that it saw in training mode.
    """

    momentum: float | None
    frozen: bool
    initial: bool
    moved: bool = False
    in_validation: bool = False
    trained: int = 0


class ModesWatch(Monitor):
    """Looks at modes where batches enter, and where validations begin and end.

    Attributes:
        first: when the first batch entered.
        steps: batches that entered.
        stuck: modules that trained before the first validation and evaluate after it, by name.
        stuck_whole: whether the model itself is among them.
        evaluated: when a validation began, or at its end where more trained then; None where none was seen.
        statistics: of each batch norm that keeps them, by name.
        whole: containers that evaluate with all that is in them when the first batch enters, though parameters of them
            train, by name; with the modules in them whose mode matters.
        validations: that were seen to their end.
    """

    def __init__(self) -> None:
        self.first: Modes | None = None
        self.steps = 0
        self.stuck: tuple[str, ...] = ()
        self.stuck_whole = False
        self.evaluated: Modes | None = None
        self.statistics: dict[str, Statistics] = {}
        self.whole: dict[str, tuple[str, ...]] = {}
        self.validations = 0
        self._before: dict[str, Tensor] = {}
        self._norms: dict[str, Any] = {}

    def beginning(self, moment: Moment) -> None:
        """Find the batch norms."""
        for name, one in moment.module.named_modules():
            if (
                isinstance(one, BatchNorm)
                and isinstance(one.running_mean, Tensor)
                and isinstance(one.running_var, Tensor)
            ):
                self._norms[name] = one
                self.statistics[name] = Statistics(
                    momentum=one.momentum,
                    frozen=one.affine and not any(parameter.requires_grad for parameter in one.parameters()),
                    initial=not bool(one.running_mean.any()) and bool((one.running_var == 1).all()),
                )

    def entering(self, moment: Moment) -> None:
        """Look at the modes, and at what a validation has left."""
        now = modes(moment.module)
        if self.first is None:
            self.first = now
            self.whole = _whole(moment.module)
        elif self.validations and not self.stuck:
            self.stuck = tuple(one for one in now.evaluating if one in self.first.training)
            self.stuck_whole = bool(self.stuck) and (self.first.root and not now.root)
        self.steps += 1
        self._keep()

    def stepped(self, moment: Moment) -> None:
        """See which statistics moved."""
        for name, one in self._norms.items():
            seen = self.statistics[name]
            seen.trained += one.training
            seen.moved |= self._moved(name)

    def validating(self, moment: Moment) -> None:
        """Look at the modes at the beginning; what training moved is none of the validation's."""
        self._keep()
        self._most(modes(moment.module))

    def validated(self, moment: Moment) -> None:
        """Look at the modes at the end, and at what moved."""
        self.validations += 1
        self._most(modes(moment.module))
        for name in self._norms:
            self.statistics[name].in_validation |= self._moved(name)

    def _most(self, now: Modes) -> None:
        if self.evaluated is None or len(now.training) > len(self.evaluated.training):
            self.evaluated = now

    def _keep(self) -> None:
        self._before = {name: one.running_mean.detach().clone() for name, one in self._norms.items()}

    def _moved(self, name: str) -> bool:
        return name in self._before and not torch.equal(self._before[name], self._norms[name].running_mean)


def modes(module: nn.Module) -> Modes:
    """The modes of all modules whose mode matters."""
    matter = mattering(module)
    return Modes(
        module.training,
        tuple(name for name, one in matter.items() if one.training),
        tuple(name for name, one in matter.items() if not one.training),
    )


def mattering(module: nn.Module) -> Mapping[str, nn.Module]:
    """Modules that compute something else in training than in evaluation: dropouts, and norms with statistics."""
    return {
        name: one
        for name, one in module.named_modules()
        if (isinstance(one, DROPOUTS) and one.p > 0)
        or (isinstance(one, BatchNorm) and one.running_mean is not None)
        or (isinstance(one, nn.MultiheadAttention | nn.RNNBase) and one.dropout > 0)
    }


def _whole(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """The outermost modules that evaluate with everything in them, though their parameters train.

    A norm that is held in evaluation by itself is none of these: its statistics are frozen on purpose.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, one in module.named_modules():
        if any(name.startswith(f"{outer}.") or outer == "" for outer in found):
            continue
        inside = list(one.modules())
        parameters = [p for part in inside if not isinstance(part, BatchNorm) for p in part.parameters(recurse=False)]
        if (
            len(inside) > 1
            and not any(part.training for part in inside)
            and parameters
            and all(p.requires_grad for p in parameters)
        ):
            matter = tuple(f"{name}.{part}".strip(".") for part in mattering(one))
            if matter:
                found[name] = matter
    return found
