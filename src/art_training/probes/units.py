"""Units behind a ReLU that never fire, at the start and over a training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.heard import computing
from art_training.probes.initial import again
from art_training.probes.monitor import Moment, Monitor
from art_training.probes.passes import passed, smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_ROWS = 16  # of a batch
_BATCHES = 2
_FEWEST = 24  # rows that a layer must have seen
_FIRST = 8  # batches of an epoch that are looked at, and then one in so many
_RELUS = {"relu", "relu_", "relu6", "threshold"}
_FEEDING = (
    functional.linear, functional.conv1d, functional.conv2d, functional.conv3d, functional.batch_norm,
    functional.layer_norm, functional.group_norm,
)  # fmt: skip


@dataclass(frozen=True)
class Units:
    """The units of one layer.

    Attributes:
        layer: name of the module in front of the ReLU; empty where it is not known.
        dead: units that did not fire on any row.
        all: units.
        rows: examples or positions that were looked at.
        fresh: share of dead units where the layer begins as torch begins it; None where it was not tried.
    """

    layer: str
    dead: int
    all: int
    rows: int
    fresh: float | None = None

    @property
    def beyond_chance(self) -> bool:
        """Whether so many dead units are no accident of random weights.

        Deep in a plain network all examples look alike, so that a random unit fires for all or for none of them: half
        of the units may be silent, and so many more only once in a million.
        """
        if self.rows < _FEWEST or self.dead < 0.9 * self.all:
            return False
        if self.dead == self.all >= 8 and self.fresh is not None and self.fresh < 0.6:
            return True  # other draws are not so
        return sum(comb(self.all, k) for k in range(self.dead, self.all + 1)) < 1e-6 * 2**self.all


def units(specimen: Specimen) -> tuple[Units, ...]:
    """The units behind each ReLU, over the batches of the specimen, as the model begins."""
    found = _units(specimen)
    suspect = [f"{one.layer}.weight" for one in found if one.layer and (one.beyond_chance or one.dead == one.all)]
    if not suspect:
        return found
    with specimen.kept():
        again(specimen, suspect)
        fresh = {one.layer: one.dead / one.all for one in _units(specimen)}
    return tuple(Units(one.layer, one.dead, one.all, one.rows, fresh.get(one.layer)) for one in found)


def _units(specimen: Specimen) -> tuple[Units, ...]:
    mode = _Firing(specimen.module)
    for batch in specimen.batches[:_BATCHES]:
        mode.begin()
        passed(specimen, smaller(batch, size(batch), _ROWS), around=(mode,))
    return tuple(
        Units(name, *min(_dead(one) for one in peaks), rows)
        for (name, peaks), rows in zip(mode.peaks, mode.rows, strict=True)
    )


class Alive(Monitor):
    """Whether units fire, over each epoch of a training; units are known by the module that computes them.

    Attributes:
        dead: per module, the number of units that were never above 0 in the last whole epoch, and of all units.
        rows: examples or positions that each module has seen in an epoch.
    """

    def __init__(self) -> None:
        self.dead: dict[str, tuple[int, int]] = {}
        self.rows: dict[str, int] = {}
        self._peaks: dict[str, list[Tensor]] = {}
        self._seen: dict[str, int] = {}
        self._looks = False
        self._handles: list[Any] = []

    def beginning(self, moment: Moment) -> None:
        """Look at what layers give."""
        for name, module in computing(moment.module):
            if next(module.parameters(recurse=False), None) is not None:
                self._handles.append(module.register_forward_hook(self._look(name)))

    def entering(self, moment: Moment) -> None:
        """Look at some batches."""
        self._looks = moment.index < _FIRST or moment.index % _FIRST == 0

    def stepped(self, moment: Moment) -> None:
        """Look no more."""
        self._looks = False

    def epoch_ended(self, moment: Moment) -> None:
        """Count; an epoch that was broken off before its first batch, or earlier than the one before, tells less."""
        if not self._peaks or any(count < self.rows.get(name, 0) for name, count in self._seen.items()):
            self._peaks, self._seen = {}, {}
            return
        self.dead = {name: min(_dead(one) for one in peaks) for name, peaks in self._peaks.items()}
        self.rows = dict(self._seen)
        self._peaks, self._seen = {}, {}

    def ended(self, moment: Moment) -> None:
        """Let go."""
        for one in self._handles:
            one.remove()

    def _look(self, name: str) -> Callable[..., None]:
        def look(module: nn.Module, _given: Any, output: Any) -> None:
            if self._looks and module.training and isinstance(output, Tensor) and output.ndim > 1:
                self._peaks[name] = _joined(self._peaks.get(name), _peaks(output))
                self._seen[name] = self._seen.get(name, 0) + _rows(output)

        return look


def _dead(peak: Tensor) -> tuple[int, int]:
    return int((peak <= 0).sum()), peak.numel()


def _peaks(output: Tensor) -> list[Tensor]:
    """The largest value of each unit; of tensors of three dimensions units may be second or last."""
    values = output.detach()
    axes = [1] if values.ndim in {2, 4, 5} else [1, values.ndim - 1]
    return [values.movedim(axis, 0).flatten(1).amax(1) for axis in axes]


def _rows(output: Tensor) -> int:
    return output.shape[0]


def _joined(known: list[Tensor] | None, new: list[Tensor]) -> list[Tensor]:
    if known is None:
        return new
    if len(known) != len(new):
        return known
    pairs = zip(known, new, strict=True)
    return [torch.maximum(a, b) if a.shape == b.shape else a for a, b in pairs]  # sequences may differ in length


class _Firing(TorchFunctionMode):
    def __init__(self, root: nn.Module) -> None:
        super().__init__()
        self.peaks: list[tuple[str, list[Tensor]]] = []
        self.rows: list[int] = []
        self._names = {id(one): name.rpartition(".")[0] for name, one in root.named_parameters()}
        self._made: dict[int, str] = {}
        self._kept: list[Tensor] = []
        self._next = 0

    def begin(self) -> None:
        """Another batch: ReLUs come in the same order."""
        self._next = 0
        self._made.clear()
        self._kept.clear()

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note what fires."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        given = args[0] if args else None
        feeding = self._made.get(id(given), "")
        value = func(*args, **keywords)
        if func in _FEEDING and isinstance(value, Tensor):
            weight = keywords.get("weight", args[1] if len(args) > 1 else None)
            self._made[id(value)] = self._names.get(id(weight), "")
            self._kept.append(value)
        elif func.__name__ in _RELUS and isinstance(value, Tensor) and value.ndim > 1:
            self._note(feeding, value)
        return value

    def _note(self, name: str, value: Tensor) -> None:
        if self._next < len(self.peaks):
            known, peaks = self.peaks[self._next]
            if known == name:
                self.peaks[self._next] = name, _joined(peaks, _peaks(value))
                self.rows[self._next] += _rows(value)
        else:
            self.peaks.append((name, _peaks(value)))
            self.rows.append(_rows(value))
        self._next += 1
