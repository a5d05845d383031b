"""How a batch enters a plain nn.Module: which entry is the target, and which become arguments of `forward`."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from art_training.errors import SetupError
from art_training.setup.data.batch import children, entries, entry

if TYPE_CHECKING:
    from torch import nn

Inputs: TypeAlias = tuple[str, ...] | Mapping[str, str]

TARGET_NAMES = ("target", "targets", "label", "labels", "y")


def target_path(batch: Any, declared: str | None = None) -> str:
    """Where the target stands in `batch`: as declared, by its name, or last.

    Raises:
        SetupError: it cannot be told; the message names the entries that there are.
    """
    if declared is not None:
        entry(batch, declared)
        return declared
    top = children(batch)
    if top is not None and not has_names(batch):
        if len(top) > 1:
            return list(top)[-1]
        raise SetupError(
            "a batch has one entry only, and no target beside it; give from_torch(..., target='0') to learn the input itself"
        )
    if top is None:
        raise SetupError(
            f"a batch is a single {type(batch).__name__} without a target; "
            "give from_torch(..., target='') to learn the input itself"
        )
    found = [name for name in TARGET_NAMES if name in top]
    if len(found) == 1:
        return found[0]
    told = "none of them is called" if not found else "several of them are called"
    raise SetupError(
        f"a batch has the entries {', '.join(map(repr, top))}, and {told} {', '.join(map(repr, found or TARGET_NAMES))}; "
        "say which is the target: from_torch(..., target='...')"
    )


def forward_arguments(
    module: "nn.Module", batch: Any, target: str, declared: Inputs | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the named arguments of `module.forward` out of `batch`.

    Raises:
        SetupError: `forward` cannot be called with what the batch has.
    """
    if isinstance(declared, Mapping):
        return [], {name: entry(batch, path) for name, path in declared.items()}
    if declared is not None:
        return [entry(batch, path) for path in declared], {}
    top = children(batch)
    if top is None or list(top) == [target]:  # the input is what is learned
        return [entry(batch, target)], {}
    others = {name: value for name, value in top.items() if name != target}
    if not has_names(batch):
        return list(others.values()), {}
    accepted = parameters_of(module.forward)
    named = others if accepted is None else {name: value for name, value in others.items() if name in accepted}
    missing = [name for name in required_by(module.forward) if name not in named]
    if not missing:
        return [], named
    if len(others) == 1 and len(missing) == 1:  # one entry, one parameter: their names need not agree
        return list(others.values()), {}
    raise SetupError(
        f"{type(module).__name__}.forward needs {missing[0]!r}, and the batch has: {', '.join(map(repr, entries(batch)))}; "
        f"say what enters it: from_torch(..., inputs={{{missing[0]!r}: '...'}})"
    )


def has_names(batch: Any) -> bool:
    """Whether the entries of `batch` are known by name rather than by position."""
    return not isinstance(batch, list | tuple) or hasattr(cast("Any", batch), "_fields")


def parameters_of(function: Any) -> list[str] | None:
    """Names of the parameters that can be given by name; None where any can, or where they cannot be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C, without a signature
        return None
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return None
    return [one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]


def required_by(function: Any) -> list[str]:
    """Names of the parameters that must be given."""
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.kind in kinds and one.default is one.empty]
