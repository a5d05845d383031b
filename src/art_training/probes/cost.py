"""What a training step costs, told by what it computes and not by a clock: a model is given the same experiments each time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from art_training.probes.passes import examples, smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_STEP = 0.05  # seconds that a step of an experiment may take; of a batch that takes longer fewer rows are used
_FEWEST_ROWS = 8  # enough for statistics of a batch norm, for several classes, and for pairs to be exchanged
_BACKWARD = 3  # times the forward pass, with it: a gradient by inputs and one by weights cost as much again each


@dataclass(frozen=True)
class _Rates:
    """What a device does in a second, about; an experiment needs the order of magnitude."""

    flops: float
    numbers: float
    calls: float


_CORE, _ACCELERATOR = _Rates(1e11, 1.5e9, 1e5), _Rates(1e13, 2e11, 1e5)


@dataclass(frozen=True)
class Cost:
    """The seconds of a step with its backward pass on an ordinary processor core, or on an accelerator.

    Attributes:
        fixed: whatever the batch.
        row: for each row of it.
        rows: of the first batch.
        least: rows that a batch may be cut to; None: none are left out.
    """

    fixed: float
    row: float
    rows: int
    least: int | None

    def of(self, rows: int) -> float:
        """The seconds of a step on so many rows."""
        return self.fixed + self.row * rows

    def passes(self, seconds: float) -> int:
        """How many batches pass in so many seconds, forward only."""
        return int(_BACKWARD * seconds / max(self.of(self.rows), 1e-9))


def cost(specimen: Specimen) -> Cost:
    """What a step of the specimen costs; counted once, on few rows of its first batch."""
    if Cost not in specimen.notes:
        specimen.notes[Cost] = _counted(specimen)
    return specimen.notes[Cost]


def lighter(specimen: Specimen, *, seconds: float = _STEP, least: int | None = None) -> Specimen:
    """The specimen with fewer rows in its batches where its steps are expensive; else itself.

    For experiments whose outcome does not depend on how many rows there are. Rows are left out only where the first
    dimension is surely that of the examples and the step takes fewer of them.

    Args:
        specimen: whose batches are cut.
        seconds: that a step with its backward pass may take.
        least: rows that are left; by default as many as it takes for statistics of a batch norm and for several classes. For
            experiments that each row tells the outcome of.
    """
    known = cost(specimen)
    largest = max(map(size, specimen.batches))
    if known.least is None or known.of(largest) <= seconds:
        return specimen
    rows = max(min(least or known.least, known.least), int((seconds - known.fixed) / known.row))
    return replace(specimen, batches=tuple(smaller(one, size(one), rows) for one in specimen.batches))


def affordable(specimen: Specimen, steps: int, *, seconds: float, least: int) -> int:
    """How many of so many steps on its batches fit into so many seconds; not fewer than `least`, however long they take."""
    each = cost(specimen).of(size(specimen.batches[0]))
    return min(steps, max(least, int(seconds / max(each, 1e-9))))


def _counted(specimen: Specimen) -> Cost:
    whole = specimen.batches[0]
    count = examples(specimen, whole)
    if count is not None and count > _FEWEST_ROWS:
        found = _step(specimen, smaller(whole, count, _FEWEST_ROWS), _FEWEST_ROWS)
        if found is not None:
            return replace(found, rows=count, least=_FEWEST_ROWS)
    return _step(specimen, whole, size(whole)) or Cost(0.0, 0.0, size(whole), None)


def _step(specimen: Specimen, batch: Any, rows: int) -> Cost | None:
    """What it takes on a batch of so many rows; None where the step raises."""
    try:
        with specimen.kept(seed=6), _Counting() as counted:
            specimen.loss(batch)
    except Exception:  # noqa: BLE001  The user's code, for which such a batch may be none; who experiments is told.
        return None
    first = next(specimen.module.parameters(), None)
    rates = _CORE if first is None or first.device.type == "cpu" else _ACCELERATOR
    times = _BACKWARD if specimen.automatic else 1  # a step that optimises by itself was counted with its backward pass
    computed = counted.flops / rates.flops + counted.numbers / rates.numbers
    return Cost(times * counted.calls / rates.calls, times * computed / rows, rows, None)


class _Counting(TorchDispatchMode):
    """Counts calls of operations, what they compute, and the numbers that they give.

    The formulas are those of torch's own counter, which itself listens to modules by hooks that a gradient of a gradient, as of
    a penalty, does not go through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.flops = 0
        self.numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Do the call, and count it."""
        del types
        keywords = kwargs or {}
        value = func(*args, **keywords)
        self.calls += 1
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **keywords, out_val=value)
        self.numbers += sum(one.numel() for one in tree_leaves(value) if isinstance(one, Tensor))
        return value
