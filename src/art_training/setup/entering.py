"""Which entries of a batch enter what a step computes: followed operation by operation, below autograd.

An entry that no operation reads, or whose trace ends before the loss, is carried along (an index of the row, a name): it is
no input. What leaves torch (a number, an array) can be followed no further and counts as entering; so does what decides
about a branch.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from art_training.setup.data.batch import children
from art_training.setup.observation import Comparison, Entering, LossCall
from art_training.setup.scores.step_loss import tensors_of

Traces: TypeAlias = frozenset[str]
Window: TypeAlias = tuple[int, tuple[int, ...], tuple[int, ...]]  # offset, shape and strides in a storage

_NONE: Traces = frozenset()
_PARAMETERS = "\0"  # no path of an entry
_MOST_COMPARED = 32
# What hands out values without an operation that a dispatcher sees.
_LEAVING = {"tolist", "numpy", "__array__", "data_ptr", "__dlpack__", "__deepcopy__", "__reduce_ex__"}

_COMPARING = {"eq": True, "ne": True, "sub": False, "rsub": False}  # whether it is asked where both are equal
_CHOOSING = {"argmax", "max"}

_Wanted: TypeAlias = Literal["none", "first", "every"]
_wanted: ContextVar[_Wanted] = ContextVar("art_following", default="none")


@contextmanager
def followed(*, every: bool = False) -> Generator[None]:
    """While steps are observed, follow the entries of the first batch of a pass, or of every one."""
    token = _wanted.set("every" if every else "first")
    try:
        yield
    finally:
        _wanted.reset(token)


@contextmanager
def following(batch: Any, *, first: bool, parameters: Iterable[Tensor] = ()) -> Generator["Following | None"]:
    """Follow the entries of a batch through what is computed meanwhile; None where nobody has asked, or later in a pass.

    Args:
        batch: whose entries are followed.
        first: whether it is the first batch of a pass.
        parameters: of the model; what depends on them is a prediction.
    """
    if _wanted.get() == "none" or (_wanted.get() == "first" and not first):
        yield None
        return
    found = Following(batch, parameters)
    with _Leaving(found), _Operations(found):
        yield found


@dataclass
class _Memory:
    """What is known of one storage: of parts of it, and of all of it, where something was written into it."""

    windows: dict[Window, Traces] = field(default_factory=dict[Window, Traces])
    written: Traces = _NONE


class Following:
    """The entries of one batch, and which tensors they have come to.

    Tensors are known by the memory that they show and not by their objects, of which autograd makes new ones; entries may
    be windows into one storage.
    """

    def __init__(self, batch: Any, parameters: Iterable[Tensor] = ()) -> None:
        self._entries = tensors_of(batch)
        self._memories: dict[StorageWeakRef, _Memory] = {}  # a weak reference keeps the address from being used again
        self._left: Traces = _NONE
        self._compared: list[Comparison] = []
        self._chosen: dict[int, int] = {}  # numbers of elements -> of how many scores each is the place of the largest
        for parameter in parameters:
            self.mark(parameter, frozenset({_PARAMETERS}))
        for path, tensor in self._entries.items():
            self.mark(tensor, frozenset({path}))

    def traces(self, values: Iterable[Tensor]) -> Traces:
        """The entries that these tensors depend on."""
        found = _NONE
        for tensor in values:
            place = _place(tensor)
            memory = None if place is None else self._memories.get(place[0])
            if place is not None and memory is not None:
                known = memory.windows.get(place[1])
                found |= memory.written | (_NONE.union(*memory.windows.values()) if known is None else known)
        return found

    def mark(self, tensor: Tensor, traces: Traces, *, written: bool = False) -> None:
        """A tensor depends on these entries, and so does all that shares its memory where it was written into."""
        place = _place(tensor)
        if place is None:  # sparse, nested: it cannot be followed
            self.leave(traces)
            return
        storage, window = place
        memory = self._memories.setdefault(storage, _Memory())
        if written:
            memory.written |= traces
        else:
            memory.windows[window] = memory.windows.get(window, _NONE) | traces

    def leave(self, traces: Traces) -> None:
        """These entries have left torch."""
        self._left |= traces

    def entering(
        self, returned: Any, losses: Sequence[LossCall], metrics: Sequence[tuple[str, tuple[Any, ...]]]
    ) -> Entering:
        """The entries that a loss, a metric or what the step made and returned depends on, and those that left torch."""
        used = [one for call in losses for one in (call.prediction, call.target, call.value, *call.options.values())]
        used += [value for _, arguments in metrics for value in arguments]
        own = {_place(tensor) for tensor in self._entries.values()}
        made = [tensor for tensor in _tensors(returned) if _place(tensor) not in own]
        predictions = self.traces(call.prediction for call in losses)
        entered = self._left | self.traces((*_tensors(used), *made))
        return Entering(entered - {_PARAMETERS}, predictions - {_PARAMETERS})

    @property
    def compared(self) -> tuple[Comparison, ...]:
        """The comparisons that were made, in order."""
        return tuple(self._compared)

    def compare(self, name: str, args: Sequence[Any]) -> None:
        """An operation is done; remember it where it compares a prediction with an entry."""
        if name in _CHOOSING and args and isinstance(args[0], Tensor) and args[0].ndim:
            axis = args[1] if len(args) > 1 and isinstance(args[1], int) else -1
            classes = args[0].shape[axis]
            self._chosen[args[0].numel() // max(1, classes)] = classes
        if name not in _COMPARING or len(args) < 2 or len(self._compared) >= _MOST_COMPARED:
            return
        first, second = args[0], args[1]
        if not (isinstance(first, Tensor) and isinstance(second, Tensor)) or first.shape != second.shape:
            return
        for prediction, target in ((first, second), (second, first)):
            made_of = self.traces([target])
            if len(made_of) != 1 or _PARAMETERS in made_of or _PARAMETERS not in self.traces([prediction]):
                continue
            equal = _COMPARING[name]
            classes = self._chosen.get(prediction.numel()) if equal else None
            self._compared.append(Comparison(next(iter(made_of)), prediction.detach(), target.detach(), equal, classes))


class _Operations(TorchDispatchMode):
    """Hands traces on from what an operation reads to what it gives."""

    def __init__(self, found: Following) -> None:
        super().__init__()
        self._found = found

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the operation."""
        del types
        keywords: Mapping[str, Any] = kwargs or {}
        traces = self._found.traces(_tensors((args, keywords)))
        value = func(*args, **keywords)
        if not traces:
            return value
        self._found.compare(str(func.overloadpacket.__name__), args)
        given = list(_tensors(value))
        if not given:  # a number, or nothing but an effect
            self._found.leave(traces)
        written = bool(func._schema.is_mutable)  # noqa: SLF001  Nothing public tells it.
        for tensor in given:
            self._found.mark(tensor, traces, written=written)
        return value


class _Leaving(TorchFunctionMode):
    """Sees tensors that become something else without an operation."""

    def __init__(self, found: Following) -> None:
        super().__init__()
        self._found = found

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call."""
        del types
        if getattr(func, "__name__", "") in _LEAVING:
            self._found.leave(self._found.traces(_tensors(args)))
        return func(*args, **(kwargs or {}))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
        return
    for inner in (children(value) or {}).values():
        yield from _tensors(inner)


def _place(tensor: Tensor) -> tuple[StorageWeakRef, Window] | None:
    """The memory that a tensor shows; None where it has none of its own, none yet as a lazy parameter, or no strides in it."""
    try:
        window = int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride())
        return StorageWeakRef(cast("Any", tensor.untyped_storage())), window
    except (NotImplementedError, RuntimeError, ValueError):
        return None
