"""The input-independent baseline: the user's own model, trained the same way, on inputs that tell nothing."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from art_training.errors import ProjectError, SetupError
from art_training.setup.data.batch import entries, mapped, rows, size
from art_training.setup.modified import name_of
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

How: TypeAlias = Literal["zeroed", "shuffled"]
Hiding: TypeAlias = Callable[[Any], Any]
"""A batch -> the same batch with inputs that tell nothing; targets stay."""

# Entries that say how the others are to be read.
_STRUCTURE = re.compile(r"mask|length|lens\b|sizes|offset|position|indices|weight", re.IGNORECASE)


def called(inputs: "How | Hiding") -> str:
    """What is done to the inputs, in a word or two."""
    return inputs if isinstance(inputs, str) else name_of(inputs)


def require_inputs(inputs: Any, step: str) -> None:
    """Refuse what hides no inputs.

    Raises:
        ProjectError: it is neither one of the two words nor a function.
    """
    if inputs is None or (isinstance(inputs, str) and inputs in get_args(How)):
        return
    if callable(inputs) and not isinstance(inputs, type):
        return
    raise ProjectError(
        f"inputs={inputs!r} of step {step!r} is unknown; give 'zeroed', 'shuffled', or a function of a batch that returns "
        "one whose inputs tell nothing"
    )


def hidden_paths(task: Task) -> tuple[str, ...]:
    """The entries of a batch that are inputs and not targets.

    Raises:
        ValueError: there are none, or nobody knows which are the targets.
    """
    if task.target is None:
        raise ValueError(
            "the target was not recognised, so that inputs cannot be changed without it; "
            "declare Setup(task={'target': '1'})"
        )
    if not task.inputs:
        raise ValueError("the inputs were not recognised; declare Setup(task={'inputs': ('0',)})")
    target = task.target
    others = tuple(path for path in task.inputs if not _within(path, target) and not _within(target, path))
    if not others:
        raise ValueError("the target is the input itself, and a model that knows of neither has nothing to learn")
    return others


def hiding(inputs: "How | Hiding", task: Task) -> Hiding:
    """What makes of a batch one whose inputs tell nothing.

    Raises:
        ValueError: as `hidden_paths` does.
    """
    if not isinstance(inputs, str):
        return _Own(inputs, task)
    return (Zeroed if inputs == "zeroed" else Shuffled)(hidden_paths(task))


class Zeroed:
    """Every input is the same constant: 0, and 1 for integers.

    Integers are tokens as a rule, and their 0 is often padding, which models mask out until nothing is left to look at.
    Entries that say how the others are to be read (masks, lengths, positions, weights) stay; so does a column of yes and no
    beside other inputs, which is a mask.

    Attributes:
        changed: the entries of the last batch that were zeroed.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.changed: tuple[str, ...] = ()
        self._paths = paths

    def __call__(self, batch: Any) -> Any:
        """A copy of the batch.

        Raises:
            SetupError: nothing in it can be zeroed.
        """
        chosen = {path: leaf for path, leaf in entries(batch).items() if _is_input(path, self._paths)}
        if any(not _is_bool(leaf) for leaf in chosen.values()):
            chosen = {path: leaf for path, leaf in chosen.items() if not _is_bool(leaf)}
        made = {path: zeros for path, leaf in chosen.items() if (zeros := _zeroed(leaf)) is not None}
        if not made:
            raise SetupError(_nothing("zeroed", chosen))
        self.changed = tuple(made)
        return _with(batch, made)


class Shuffled:
    """Every example has the inputs of another one of its batch, half a batch away.

    Which examples meet in a batch is drawn anew each epoch where the loader shuffles. What is one row an example moves
    together, masks and lengths too; weights stay with their targets.

    Attributes:
        changed: the entries of the last batch that were moved.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.changed: tuple[str, ...] = ()
        self._paths = paths

    def __call__(self, batch: Any) -> Any:
        """A copy of the batch.

        Raises:
            SetupError: nothing in it can be moved, or a batch is one example.
        """
        count, found = size(batch), entries(batch)
        if count < 2:
            if not self.changed:
                raise SetupError(
                    "inputs='shuffled' gives each example the inputs of another one in its batch, and a batch is one "
                    "example here; give a larger batch_size, or inputs='zeroed'"
                )
            return batch  # the last one of a pass
        moved = {
            path: rolled
            for path, leaf in found.items()
            if (_is_within(path, self._paths) and "weight" not in path.lower() and rows(leaf) == count)
            and (rolled := _rolled(leaf, count // 2)) is not None
        }
        if not moved:
            raise SetupError(
                _nothing("shuffled", {path: found[path] for path in found if _is_within(path, self._paths)})
            )
        self.changed = tuple(moved)
        return _with(batch, moved)


class _Own:
    """A function of the user's, whose targets are looked at."""

    def __init__(self, function: Hiding, task: Task) -> None:
        self._function = function
        self._target = task.target

    def __call__(self, batch: Any) -> Any:
        """What the function makes of the batch.

        Raises:
            SetupError: it returned none, or one with another target or another number of examples.
        """
        made = self._function(batch)
        name = name_of(self._function)
        if made is None:
            raise SetupError(f"inputs={name} returned None; return a batch of the same form")
        if size(made) != size(batch):
            raise SetupError(
                f"inputs={name} made {size(made)} examples of {size(batch)}; return as many as it was given"
            )
        before, after = entries(batch), entries(made)
        if self._target in before and not _equal(before[self._target], after.get(self._target)):
            raise SetupError(f"inputs={name} changed the target batch[{self._target}]; change inputs only, in a copy")
        return made


def _within(path: str, other: str) -> bool:
    return other in {path, ""} or path.startswith(f"{other}.")


def _is_within(path: str, paths: tuple[str, ...]) -> bool:
    return any(_within(path, one) for one in paths)


def _is_input(path: str, paths: tuple[str, ...]) -> bool:
    return _is_within(path, paths) and not _STRUCTURE.search(path.rpartition(".")[2])


def _with(batch: Any, made: dict[str, Any]) -> Any:
    """A copy of the batch with some leaves replaced; leaves are visited in the order of `entries`."""
    paths: Iterator[str] = iter(entries(batch))

    def chosen(leaf: Any) -> Any:
        path = next(paths)
        return made.get(path, leaf)

    return mapped(batch, chosen)


def _zeroed(leaf: Any) -> Any:
    """The leaf as a constant; None where it holds neither numbers nor texts."""
    if _is_tensor(leaf):
        import torch

        tensor = cast("Tensor", leaf)
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool:
            return torch.zeros_like(tensor)
        return torch.ones_like(tensor) if bool((tensor > 0).any()) else torch.zeros_like(tensor)
    if isinstance(leaf, list | tuple):
        items = cast("list[Any]", leaf)
        if all(isinstance(item, str) for item in items):
            return type(leaf)([""] * len(items))
        if all(isinstance(item, int | float) for item in items):
            return type(leaf)([type(item)(0) for item in items])
    return None


def _rolled(leaf: Any, by: int) -> Any:
    if _is_tensor(leaf):
        return leaf.roll(by, 0)
    if isinstance(leaf, list | tuple):
        items = cast("list[Any]", leaf)
        return items[-by:] + items[:-by]
    return None


def _equal(before: Any, after: Any) -> bool:
    if _is_tensor(before) and _is_tensor(after):
        import torch

        return before.shape == after.shape and bool(torch.isclose(before, after, rtol=0, atol=0, equal_nan=True).all())
    return before is after or (not _is_tensor(after) and bool(before == after))


def _is_bool(leaf: Any) -> bool:
    return _is_tensor(leaf) and str(leaf.dtype) == "torch.bool"


def _is_tensor(leaf: Any) -> bool:
    return hasattr(leaf, "roll") and hasattr(leaf, "is_floating_point")


def _nothing(how: str, found: dict[str, Any]) -> str:
    there = ", ".join(f"batch[{path}] ({type(leaf).__name__})" for path, leaf in found.items()) or "no input"
    return (
        f"inputs={how!r} found nothing in a batch that can be {how}: {there}; "
        "give a function of a batch that returns one whose inputs tell nothing: inputs=function"
    )
