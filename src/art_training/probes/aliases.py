"""State dictionaries, and lists of weights, that are kept and go on changing, since their tensors are those that train."""

import inspect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from torch import Tensor, nn

from art_training.probes.monitor import Moment, Monitor

_DEEP = 3  # containers in containers that are looked into
_MOST = 1_000  # entries of a list that is looked into; a longer one is of data
_FOREIGN = {
    "torch",
    "lightning",
    "pytorch_lightning",
    "torchmetrics",
    "numpy",
    "pandas",
}  # whose objects hold no best weights

_Held: TypeAlias = tuple[
    str, Mapping[str, Tensor], int
]  # where it is kept, by name or place, and the identity of what holds it


@dataclass(frozen=True)
class Alias:
    """A state dictionary that is kept.

    Attributes:
        where: the attribute that holds it, and where in it.
        tensors: of it that lie in the memory of parameters that train.
        of: tensors that it has.
        moved: the largest change of an element since it was first seen.
    """

    where: str
    tensors: int
    of: int
    moved: float


class Aliases(Monitor):
    """Looks at the end of each epoch for kept state dictionaries whose memory is that of the model.

    Attributes:
        found: of these, those that changed while they were kept.
        looked: whether anything was looked at.
    """

    def __init__(self) -> None:
        self.found: dict[str, Alias] = {}
        self.looked = False
        self._first: dict[tuple[str, int], dict[str, Tensor]] = {}
        self._handles: set[str] = set()

    def beginning(self, moment: Moment) -> None:
        """A list that holds the weights before any step is a handle to them, as of an average; none of it was put aside."""
        live = {_address(one) for one in moment.module.parameters()}
        self._handles = {
            where
            for where, kept, _ in _kept(moment)
            if not _is_state(kept) and any(_address(one) in live for one in kept.values())
        }

    def stepped(self, moment: Moment) -> None:
        """Look once in a while, since a training may end before its first epoch does."""
        if moment.index % 20 == 0:
            self._look(moment)

    def validated(self, moment: Moment) -> None:
        """Weights are most often kept after a validation."""
        self._look(moment)

    def epoch_ended(self, moment: Moment) -> None:
        """Look."""
        self._look(moment)

    def ended(self, moment: Moment) -> None:
        """Look a last time."""
        self._look(moment)
        self._first.clear()

    def _look(self, moment: Moment) -> None:
        self.looked = True
        live = {_address(one): one for one in moment.module.parameters() if one.requires_grad}
        for where, kept, identity in _kept(moment):
            shared = {name: one for name, one in kept.items() if _address(one) in live}
            # A list of a few that lie there may be anything; one of all weights is what is to be put back.
            whole = _is_state(kept) or (where not in self._handles and len(shared) == len(kept))
            if not shared or not whole:
                continue
            key = where, identity
            before = self._first.setdefault(key, {name: one.detach().clone() for name, one in shared.items()})
            moved = max(
                (float((one.detach() - before[name]).abs().max()) for name, one in shared.items() if name in before),
                default=0.0,
            )
            if moved > 0:
                self.found[where] = Alias(where, len(shared), len(kept), moved)


def _is_state(kept: Mapping[str, Tensor]) -> bool:
    """Whether tensors are kept by the names of parameters, and not in order."""
    return not all(name.isdigit() for name in kept)


def _kept(moment: Moment) -> Iterator[_Held]:
    names = {name.rpartition(".")[2] for name in moment.module.state_dict()}
    for name, module in moment.module.named_modules():
        yield from _dictionaries(name or type(module).__name__, vars(module), names, _DEEP)
    for callback in moment.callbacks:
        yield from _dictionaries(type(callback).__name__, vars(callback), names, _DEEP)


def _dictionaries(where: str, values: Mapping[Any, Any], names: set[str], deep: int) -> Iterator[_Held]:
    for attribute, value in values.items():
        if attribute in {"_parameters", "_buffers", "_modules", "_trainer", "trainer"}:
            continue
        held, path = _entries(value), f"{where}.{attribute}"
        tensors = [one for one in held.values() if isinstance(one, Tensor)]
        if isinstance(value, Mapping) and tensors and len(tensors) == len(held):
            # Parameters themselves are kept on purpose, as for a functional call; a state dictionary has none.
            ours = all(str(name).rpartition(".")[2] in names for name in held)
            if ours and not any(isinstance(one, nn.Parameter) or one.requires_grad for one in tensors):
                yield path, held, id(value)
        elif isinstance(value, list | tuple) and len(tensors) == len(held) > 1:
            if not any(isinstance(one, nn.Parameter) or one.requires_grad for one in tensors):
                yield path, {str(place): one for place, one in held.items()}, id(value)
        elif deep > 1:
            yield from _dictionaries(path, held, names, deep - 1)


def _entries(value: Any) -> Mapping[Any, Any]:
    """What a container or a plain object of the user's holds, by key, place or attribute; nothing of anything else."""
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value)
    if isinstance(value, list | tuple | deque):
        held = cast("Sequence[Any]", value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return dict(zip(cast("Any", value)._fields, held, strict=True))
        return dict(enumerate(held)) if len(held) <= _MOST else {}
    foreign = isinstance(value, nn.Module | Tensor | type) or callable(value)
    if foreign or type(value).__module__.partition(".")[0] in _FOREIGN:
        return {}
    slots = [one for kind in inspect.getmro(type(value)) for one in _slots(kind)]
    return {**{name: getattr(value, name) for name in slots if hasattr(value, name)}, **getattr(value, "__dict__", {})}


def _slots(kind: type) -> tuple[str, ...]:
    named = vars(kind).get("__slots__", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _address(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)
