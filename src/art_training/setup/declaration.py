"""What a user declares of a task, checked when it is declared."""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast, get_args

from art_training.errors import SetupError
from art_training.records import Plain, plain
from art_training.setup.scores.losses import LOSSES
from art_training.setup.task import Activation, Task, TaskKind

TaskDeclaration: TypeAlias = Mapping[str, Any]

_DECLARABLE = ("kind", "inputs", "target", "loss", "loss_options", "classes", "activation")
_WEIGHTS = ("weight", "pos_weight")
_LARGEST_OPTION = 100_000  # numbers of a weight tensor that are kept with the task


def declaration(task: Task | Mapping[str, Any] | None) -> TaskDeclaration:
    """The fields of a task that the user declares, checked.

    A `Task` declares every field that differs from its default, a mapping those that it names.

    Raises:
        SetupError: a name is no field of a task, or a value is not one that the field can have.
    """
    if task is None:
        return {}
    if isinstance(task, Task):
        task = {
            name: value
            for name in _DECLARABLE
            if (value := getattr(task, name)) != getattr(Task(TaskKind.OTHER), name) or name == "kind"
        }
    if not isinstance(task, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SetupError(f"task={task!r} is not a mapping; give task={{'kind': 'classification', ...}}")
    if unknown := [name for name in task if name not in _DECLARABLE]:
        raise SetupError(f"a task has no {unknown[0]!r}; what can be declared is: {', '.join(_DECLARABLE)}")
    return {name: _checked(name, value) for name, value in task.items()}


def plain_options(options: Mapping[str, Any]) -> dict[str, Plain]:
    """Options of a loss as plain data: its configuration, without the tensors that change from batch to batch.

    Weights of classes and of positives become lists; weights of another shape are only named.
    """
    found: dict[str, Plain] = {}
    for name, value in options.items():
        if value is None:
            continue
        if not hasattr(value, "numel"):
            found[name] = plain(value)
        elif name in _WEIGHTS:
            listed = value.ndim <= 1 and value.numel() <= _LARGEST_OPTION
            found[name] = plain(value.tolist()) if listed else f"a tensor of shape {tuple(value.shape)}"
    return found


def _checked(name: str, value: Any) -> Any:
    checks = {
        "kind": _checked_kind,
        "inputs": _checked_inputs,
        "target": _checked_target,
        "loss": _checked_loss,
        "loss_options": _checked_options,
        "classes": _checked_classes,
        "activation": _checked_activation,
    }
    return checks[name](value)


def _checked_kind(value: Any) -> TaskKind:
    if value not in set(TaskKind):
        raise SetupError(f"task kind {value!r} is none of: {', '.join(TaskKind)}")
    return TaskKind(value)


def _checked_inputs(value: Any) -> tuple[str, ...]:
    listed = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
    if not listed or not all(isinstance(path, str | int) for path in listed):
        raise SetupError(f"task inputs={value!r} are not paths; give names or positions of batch entries, e.g. ['0']")
    return tuple(str(path) for path in listed)


def _checked_target(value: Any) -> str | None:
    if value is not None and not isinstance(value, str | int):
        raise SetupError(f"task target={value!r} is not a path; give the name or position of a batch entry, e.g. '1'")
    return None if value is None else str(value)


def _checked_loss(value: Any) -> str:
    if value not in {"", *LOSSES}:
        raise SetupError(f"task loss={value!r} is no loss that ART knows; it knows: {', '.join(LOSSES)}")
    return value


def _checked_options(value: Any) -> Mapping[str, Plain]:
    if not isinstance(value, Mapping):
        raise SetupError(f"task loss_options={value!r} is not a mapping; give {{'label_smoothing': 0.1}} or the like")
    return plain_options(cast("Mapping[str, Any]", value))


def _checked_classes(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 2):
        raise SetupError(f"task classes={value!r} is not a number of classes; give an integer of 2 or more")
    return value


def _checked_activation(value: Any) -> Activation:
    if value not in get_args(Activation):
        raise SetupError(f"task activation={value!r} is none of: {', '.join(get_args(Activation))}")
    return value
