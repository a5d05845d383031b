"""What else predicts, as the user gives it: a constant, a rule, a model that exists, a file of predictions."""

import inspect
import math
import os
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import ProjectError, SetupError
from art_training.setup.data.batch import entry, mapped
from art_training.setup.identity.values import is_a
from art_training.setup.modified import name_of
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.comparable import as_predictions
from art_training.steps.baselines.contenders import Contender, required
from art_training.steps.baselines.files import PREDICTIONS, WEIGHTS, Predictions, predictions_of, require_file
from art_training.stores.artifacts import file_digest

if TYPE_CHECKING:
    from torch import Tensor

_MODULE = "torch.nn.modules.module.Module"
_MOST_SHOWN = 8  # numbers of a constant in a sentence


def require_predictions(predictions: Any, step: str, taken: Collection[str]) -> dict[str, Any]:
    """The declared predictions, files as paths.

    Args:
        predictions: as declared.
        step: for sentences.
        taken: names that other baselines have.

    Raises:
        ProjectError: something among them predicts nothing.
    """
    if not isinstance(predictions, Mapping):
        raise ProjectError(
            f"predictions={predictions!r} of step {step!r} is no mapping; give what predicts by name: "
            "predictions={'always 0': 0, 'my rule': function, 'last year': 'predictions.csv'}"
        )
    found: dict[str, Any] = {}
    for name, value in cast("Mapping[Any, Any]", predictions).items():
        if not isinstance(name, str) or not name.strip() or name in taken:
            raise ProjectError(
                f"predictions of step {step!r} has the name {name!r}, which is another baseline's or none; "
                f"give it one of its own, other than {', '.join(sorted(taken))}"
            )
        found[name] = _required_value(value, f"predictions[{name!r}]", step)
    return found


def described(value: Any) -> Any:
    """What a result depends on: a file by its content, everything else as it is.

    Raises:
        ProjectError: the file is gone.
    """
    if not isinstance(value, Path):
        return value
    require_file(value, f"predictions file {str(value)!r}")
    return {"kind": value.suffix.lower(), "sha256": file_digest(value)[0]}


def is_predictions(value: Any) -> bool:
    """Whether it is a file of predictions."""
    return isinstance(value, Path) and value.suffix.lower() in PREDICTIONS


def is_array(value: Any) -> bool:
    """Whether it is an array, a tensor or a column of a frame: predictions of each example."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and len(value.shape) > 0


def is_weights(value: Any) -> bool:
    """Whether it is a file of weights of the setup's own model."""
    return isinstance(value, Path) and value.suffix.lower() in WEIGHTS


def contender_of(name: str, value: Any, task: Task) -> Contender:
    """What predicts, ready to be scored; files are another matter.

    Raises:
        SetupError: a constant is no class of the task.
    """
    if is_a(value, _MODULE):
        return Existing(name, value, task)
    if callable(value):
        return Rule(name, value, task)
    return Constant(name, value, task)


class Constant(Contender):
    """Always the same: a class, a value, or one value for each label or output."""

    users = True

    def __init__(self, name: str, value: Any, task: Task) -> None:
        super().__init__(name, {"model": "constant", "value": value})
        self._value = value
        self.numbers = len(value) if isinstance(value, tuple) else 1
        self._decides = task.kind not in {TaskKind.REGRESSION, TaskKind.RECONSTRUCTION, TaskKind.OTHER}
        self._one_class = task.kind in {TaskKind.CLASSIFICATION, TaskKind.SEQUENCE}
        if self._one_class and self.numbers == 1:  # how many of several there should be is told by the targets
            _require_class(value, f"predictions[{name!r}]", task)

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        import torch

        target = required(target)
        self.require_fits(target)
        value = torch.tensor(self._value)
        value = value.long() if self._decides and not value.is_floating_point() else value.float()
        return value.expand(target.shape).clone(), target

    def require_fits(self, target: "Tensor", examples: int | None = None) -> None:
        """Refuse several numbers where there are not as many labels or outputs.

        Args:
            target: of any batch: several numbers are those of one example, never of the examples of a batch.
            examples: of the validation split, where they were counted.

        Raises:
            SetupError: there are not as many.
        """
        fits = target.ndim > 1 and target.shape[-1] == self.numbers and not self._one_class
        if self.numbers == 1 or fits:
            return
        rows = "" if examples is None else f", of {examples:,} rows, as many as the validation split has examples"
        shown = repr(self._value) if self.numbers <= _MOST_SHOWN else f"{self.numbers:,} numbers"
        raise SetupError(
            f"predictions[{self.name!r}]={shown} does not fit targets of shape {tuple(target.shape)}; "
            f"give one number{'' if self._one_class else ', or one for each label or output'}; predictions of each example are "
            f"an array, such as numpy.array(...){rows}"
        )


class Rule(Contender):
    """A function of a batch that returns predictions, one row an example, as a model would give them."""

    users = True

    def __init__(self, name: str, function: Callable[[Any], Any], task: Task, *, model: str = "") -> None:
        super().__init__(name, {"model": model or name_of(function)})
        self._function = function
        self._task = task

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        target = required(target)
        return as_predictions(self._function(batch), target, self._task, f"predictions[{self.name!r}]"), target


class Existing(Rule):
    """A module that was trained before, in evaluation mode; it is left as it was."""

    def __init__(self, name: str, module: Any, task: Task) -> None:
        kind = cast("type[Any]", type(module))
        super().__init__(name, self._predicted, task, model=f"{kind.__module__}.{kind.__qualname__}")
        self._module = module

    def _predicted(self, batch: Any) -> Any:
        import torch

        module = self._module
        first = next(iter(module.parameters()), None)
        if first is not None:
            batch = mapped(batch, lambda leaf: leaf.to(first.device) if isinstance(leaf, torch.Tensor) else leaf)
        with torch.no_grad(), _evaluating(module):
            if hasattr(module, "parse_data") and hasattr(module, "predict"):  # an ArtModule
                return module.predict(module.parse_data(batch))["prediction"]
            positional, named = _arguments(module.forward, batch, self._task)
            return module(*positional, **named)


class Given(Contender):
    """Predictions of each example, in the order in which the split is read."""

    users = True

    def __init__(self, name: str, predictions: Predictions, task: Task) -> None:
        origin = {"sha256": predictions.digest} if predictions.digest else {}
        super().__init__(name, {"model": "predictions of each example", **origin})
        if task.kind is TaskKind.CLASSIFICATION and predictions.values.ndim == 1:
            _require_classes(predictions, task)
        self._predictions = predictions
        self._task = task
        self._next = 0

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        target = required(target)
        end = self._next + len(target)
        values, self._next = self._predictions.values[self._next : end], end
        return as_predictions(values, target, self._task, self._predictions.what), target


def _required_value(value: Any, what: str, step: str) -> Any:
    if isinstance(value, str | os.PathLike):
        path = Path(os.fspath(cast("str | os.PathLike[str]", value)))
        require_file(path, f"{what}={str(path)!r} of step {step!r}")
        return path
    if isinstance(value, type):
        raise ProjectError(f"{what} of step {step!r} is the class {value.__name__}; give an instance that is trained")
    if is_a(value, _MODULE):
        return value
    if is_array(value):
        predictions_of(value, f"{what} of step {step!r}")
        return value
    if callable(value):
        _require_signature(value, f"{what} of step {step!r}")
        return value
    if hasattr(value, "item"):  # a number of numpy or torch
        value = value.item()
    numbers: list[Any] = list(cast("Sequence[Any]", value)) if isinstance(value, list | tuple) else [value]
    if not numbers or any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        raise ProjectError(
            f"{what}={value!r} of step {step!r} predicts nothing; give a class or a value, a function of a batch, a trained "
            "module, or the path of a file"
        )
    if not all(math.isfinite(one) for one in numbers):
        raise ProjectError(f"{what}={value!r} of step {step!r} is not finite; give a number that can be predicted")
    return tuple(numbers) if isinstance(value, list | tuple) else value


def _require_signature(function: Callable[..., Any], what: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a callable of C
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise ProjectError(
            f"{what} is {name_of(function)}{signature}, which cannot be called with a batch alone: {error}; "
            "give a function of one argument, the batch"
        ) from None


def _require_class(value: Any, what: str, task: Task) -> None:
    classes = task.classes
    if isinstance(value, int) and (not classes or 0 <= value < classes):
        return
    known = f"0 to {classes - 1}" if classes else "0, 1, ..."
    raise SetupError(f"{what}={value!r} is no class of this task; its classes are {known}")


def _require_classes(predictions: Predictions, task: Task) -> None:
    values, classes = predictions.values, task.classes or 0
    if values.dtype.kind == "f":
        if classes > 2:
            raise SetupError(
                f"{predictions.what} holds numbers that are no classes; give classes 0 to {classes - 1}, or a number for each"
            )
        return
    if len(values) and classes and not 0 <= int(values.min()) <= int(values.max()) < classes:
        raise SetupError(
            f"{predictions.what} holds classes from {int(values.min())} to {int(values.max())}, and those of this task are "
            f"0 to {classes - 1}"
        )


@contextmanager
def _evaluating(module: Any) -> Generator[None]:
    """Evaluation mode; each part gets the mode back that it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _arguments(forward: Callable[..., Any], batch: Any, task: Task) -> tuple[list[Any], dict[str, Any]]:
    """The inputs of the batch by the names of the arguments where they have such names, else in their order."""
    if not task.inputs:
        return [batch], {}
    inputs = {path: entry(batch, path) for path in task.inputs}
    parameters = list(inspect.signature(forward).parameters.values())
    named = {path: value for path, value in inputs.items() if path in {one.name for one in parameters}}
    if named:
        return [], named
    positional = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    several = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    return list(inputs.values())[: None if several else len(positional)], {}
