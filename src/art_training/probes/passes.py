"""A batch on its way through a step, its modules seen from outside: what enters them, what they give, what is compared."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.ragged import ragged
from art_training.probes.specimen import Mode, Specimen
from art_training.setup.data.batch import entries, entry, lists_of_examples, mapped, size, with_entry
from art_training.setup.scores.losses import LOSSES


@dataclass(frozen=True)
class Call:
    """One call of a module that no other module made.

    Attributes:
        module: which.
        inputs: tensors among its arguments.
        output: the last tensor of floating point that it gave; None where it gave none.
    """

    module: nn.Module
    inputs: tuple[Tensor, ...]
    output: Tensor | None


@dataclass
class Passed:
    """What was seen; tensors carry their graph where gradients were on.

    Attributes:
        compared: name, prediction and target of each loss of torch that compares, in order.
        calls: of outermost modules, in order.
    """

    compared: list[tuple[str, Tensor, Tensor]] = field(default_factory=list[tuple[str, Tensor, Tensor]])
    calls: list[Call] = field(default_factory=list[Call])

    def predictions(self, count: int) -> list[Tensor]:
        """What is predicted of `count` examples, as it was given.

        What enters losses; where it compares examples with each other, as in contrastive learning, what modules give.
        """
        found = [one for _, one, _ in self.compared if not _of_pairs(one, count) and ways(one, count)]
        return found or [one.output for one in self.calls if one.output is not None and ways(one.output, count)]


def passed(
    specimen: Specimen,
    batch: Any,
    *,
    mode: Mode = "evaluate",
    seed: int = 0,
    gradients: bool = False,
    index: int | None = None,
    around: Sequence[Any] = (),
) -> Passed:
    """Pass a batch through the step; weights, buffers and random states are afterwards as they were.

    Args:
        specimen: what it passes through.
        batch: as of `specimen.batches`.
        mode: of the model meanwhile.
        seed: of everything random in the step, so that two passes of one seed differ by nothing random.
        gradients: whether tensors carry a graph; a step that optimises by itself needs one.
        index: of the batch; by default its own.
        around: contexts to pass it in.

    Raises:
        Exception: whatever the step raises.
    """
    notes = Passed()
    number = next((place for place, one in enumerate(specimen.batches) if one is batch), 0) if index is None else index
    with _again(specimen, seed), specimen.in_mode(mode), ExitStack() as stack:
        stack.enter_context(torch.enable_grad() if gradients else specimen.graph())
        stack.enter_context(_seen(specimen.module, notes))
        for one in around:
            stack.enter_context(one)
        specimen.step(mapped(batch, lambda leaf: leaf), number)
    return notes


def memory(tensor: Tensor) -> tuple[int, int]:
    """Where the numbers of a tensor lie, and how many they are; one that has no strides, as a sparse one, is known by itself."""
    if tensor.layout is not torch.strided:
        return id(tensor), -1
    return tensor.untyped_storage().data_ptr(), tensor.numel()


def ways(tensor: Tensor, count: int) -> list[Tensor]:
    """The same numbers with the examples first, (count, ...) each; none where no dimension can be theirs.

    Positions or views that were put in one dimension with the examples may lie within these or around them.
    """
    if tensor.ndim == 0 or not tensor.is_floating_point() or tensor.numel() == 0:
        return []
    if len(tensor) == count:
        return [tensor.reshape(count, -1)]
    if len(tensor) % count == 0:
        around = tensor.reshape(-1, count, *tensor.shape[1:]).movedim(1, 0)
        return [tensor.reshape(count, -1), around.reshape(count, -1)]
    if tensor.ndim > 1 and tensor.shape[1] == count:
        return [tensor.movedim(1, 0).reshape(count, -1)]
    return []


def examples(specimen: Specimen, batch: Any) -> int | None:
    """How many examples a batch holds, where its first dimension is that of the examples; None where that is not sure.

    Batches of graphs, of views or with time first have another length than the loader's; and where an entry holds the items of
    all examples one after another, rows of the others cannot be exchanged.
    """
    count = size(batch)
    sizes = {
        getattr(loader, "batch_size", None) for one in list(specimen.loaders.values())[:1] for loader in one.values()
    }
    if sizes - {None} and count not in sizes:
        return None
    leaves = [leaf for leaf in entries(batch).values() if isinstance(leaf, Tensor) and leaf.ndim == 2]
    edges = any(leaf.shape[0] == 2 != count and not leaf.is_floating_point() for leaf in leaves)
    if edges or count < 3 or ragged(batch, count):
        return None
    square = any(tuple(leaf.shape) == (count, count) for leaf in leaves)
    return count if not square or _can_be_cut(specimen, batch, count) else None


def _can_be_cut(specimen: Specimen, batch: Any, count: int) -> bool:
    """Whether a table (count, count) has rows of its own, as of so many features; one of relations cannot lose a row."""
    try:
        passed(specimen, smaller(batch, count, count - 1))
    except Exception:  # noqa: BLE001  The user's code, which says by it that the batch is one.
        return False
    return True


def smaller(batch: Any, count: int, rows: int) -> Any:
    """The first rows of a batch of `count`, where fewer do for an experiment.

    Where an entry tells how long padded sequences are, the longest comes first: layers that pack sequences give as many positions
    as the longest has, and rows that are all made the first one shall not be shorter.
    """
    longest = _longest(batch, count)
    order = [longest, *(row for row in range(rows + 1) if row != longest)][:rows]

    def cut(leaf: Any) -> Any:
        if not (isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == count):
            return leaf
        return leaf[order] if longest and rows < count else leaf[:rows]

    lists = {path: entry(batch, path) for path in lists_of_examples(batch)}
    short = batch
    for path in lists:
        short = with_entry(short, path, object())  # an item as long as the batch is not cut
    short = mapped(short, cut)
    for path, items in lists.items():
        short = with_entry(short, path, items[:rows] if len(items) == count else items)
    for one in ragged(batch, count) if rows < count else ():
        short = with_entry(short, one.path, entry(batch, one.path)[: int(one.starts[rows])])
        if one.ends:
            short = with_entry(short, one.told_by, entry(batch, one.told_by)[: rows + 1])
    return short


def _longest(batch: Any, count: int) -> int:
    """The row of the longest padded sequence, where an entry tells their lengths; 0 where none does, or examples come as lists too."""
    leaves = [leaf for leaf in entries(batch).values() if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == count]
    widths = {leaf.shape[1] for leaf in leaves if leaf.ndim > 1}
    for leaf in leaves:
        if leaf.ndim == 1 and leaf.dtype in {torch.int32, torch.int64} and int(leaf.max()) in widths:
            return 0 if lists_of_examples(batch) or ragged(batch, count) else int(leaf.argmax())
    return 0


def _of_pairs(tensor: Tensor, count: int) -> bool:
    """Whether a table compares examples with examples."""
    return (
        tensor.ndim == 2
        and tensor.shape[1] >= count > 0
        and tensor.shape[1] % count in {0, count - 1}
        and len(tensor) in {tensor.shape[1], tensor.shape[1] + 1, count, 2 * count}
    )


@contextmanager
def _again(specimen: Specimen, seed: int) -> Generator[None]:
    if not specimen.automatic:
        with specimen.kept(seed=seed):
            for one in specimen.optimizers:
                for group in one.param_groups:
                    group["lr"] = 0.0  # a step that optimises is to be looked at, not made; `kept` puts it back
            yield
        return
    buffers = [(one, one.detach().clone()) for one in specimen.module.buffers()]
    try:
        with specimen.seeded(seed):
            yield
    finally:
        with torch.no_grad():
            for one, value in buffers:
                one.data.copy_(value)


@contextmanager
def _seen(root: nn.Module, notes: Passed) -> Generator[None]:
    depth = 0

    def enter(module: nn.Module, _args: Any) -> None:
        nonlocal depth
        depth += module is not root

    def leave(module: nn.Module, args: Any, keywords: Any, output: Any) -> None:
        nonlocal depth
        if module is root:
            return
        depth -= 1
        if depth == 0:
            given = [one for one in (*args, *keywords.values()) if isinstance(one, Tensor)]
            tensors = [one for one in entries(output).values() if isinstance(one, Tensor) and one.is_floating_point()]
            notes.calls.append(Call(module, tuple(given), tensors[-1] if tensors else None))

    handles: list[Any] = []
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    for one in root.modules():
        handles.append(one.register_forward_pre_hook(enter))
        handles.append(one.register_forward_hook(leave, with_kwargs=True))
    try:
        with _Comparing(notes):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()


class _Comparing(TorchFunctionMode):
    def __init__(self, notes: Passed) -> None:
        super().__init__()
        self._notes = notes

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note it where it compares."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        name = _comparing().get(func)
        if name is not None:
            pair = [args[0] if args else keywords.get("input"), args[1] if len(args) > 1 else keywords.get("target")]
            if isinstance(pair[0], Tensor) and isinstance(pair[1], Tensor):
                self._notes.compared.append((name, pair[0], pair[1]))
        return func(*args, **keywords)


@cache
def _comparing() -> dict[Any, str]:
    return {getattr(functional, name): name for name, one in LOSSES.items() if one.paired and hasattr(functional, name)}
