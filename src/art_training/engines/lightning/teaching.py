"""A training step whose loss is partly what a teacher makes of the same batch."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.engines.lightning.distance import DISTANCES, distance
from art_training.engines.lightning.failures import name_of
from art_training.engines.shaping import Teaching
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.batch import size
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.losses import LOSSES
from art_training.setup.scores.step_loss import main_call


def require_steps_to_teach(module: Any) -> None:
    """Raise where a module's steps leave no room for a teacher.

    Raises:
        SetupError: it optimises by itself, or takes the loader's iterator.
    """
    name = name_of(type(module))
    if not module.automatic_optimization:
        raise SetupError(
            f"{name} optimises by itself, so that its loss cannot be shared with a teacher; let Lightning optimise, or "
            "compute the teacher's part in training_step"
        )
    if "dataloader_iter" in inspect.signature(module.training_step).parameters:
        raise SetupError(
            f"{name}.training_step takes the loader's iterator, so that a teacher cannot see its batches; "
            "write training_step(self, batch, batch_idx)"
        )


def taught_step(module: Any, teaching: Teaching) -> Callable[..., Any]:
    """The training step of a module, with the teacher's part in its loss.

    The main loss of the step is the call of a loss of torch that scores are computed by, too. What enters it is compared
    with what the teacher gives, and the loss that the step returns becomes `(1 - share) * own + share * distance`.
    """
    step = module.training_step
    lesson = _Lesson(teaching, name_of(type(module)))

    # `wraps` leaves the signature where Lightning looks which arguments a step takes.
    @wraps(step)
    def training_step(batch: Any, *others: Any) -> Any:
        return lesson.give(step, batch, others)

    return training_step


class _Lesson:
    """What is the same for every batch."""

    def __init__(self, teaching: Teaching, model: str) -> None:
        self._teaching = teaching
        self._model = model
        self._begun = False

    def give(self, step: Callable[..., Any], batch: Any, others: tuple[Any, ...]) -> Any:
        """Run the step on a batch; returns what it returned, with the teacher's part in its loss."""
        received = batch.copy() if type(batch) in {dict, list} else batch  # a step may take entries out of it
        with torch.no_grad():
            wanted = self._teaching.teacher(batch)
        with _Graphs() as graphs:
            returned = step(batch, *others)
        own = cast("Mapping[str, Any]", returned).get("loss") if isinstance(returned, Mapping) else returned
        if own is None:  # the step leaves this batch out
            return returned
        call = self._main(graphs.calls, received, returned)
        wanted = self._checked(wanted, call)
        shared = (1 - self._teaching.share) * own + self._teaching.share * distance(
            call.name, call.arguments, wanted, self._teaching.temperature
        )
        return {**cast("Mapping[str, Any]", returned), "loss": shared} if isinstance(returned, Mapping) else shared

    def _main(self, calls: "list[_Call]", batch: Any, returned: Any) -> "_Call":
        if not calls:
            raise SetupError(
                f"{self._model}.training_step calls no loss of torch that a teacher can have a part in "
                f"({', '.join(DISTANCES)}), so that its predictions are not known; compute its loss with one of these"
            )
        seen = {id(one.seen): one for one in calls}
        observation = BatchObservation(
            Split.TRAIN,
            None,
            0,
            batch,
            _detached(returned),
            losses=tuple(one.seen for one in calls),
            weight=size(batch),
        )
        main = main_call(observation, None)
        assert main is not None
        return seen[id(main)]

    def _checked(self, wanted: Any, call: "_Call") -> Tensor:
        prediction = call.arguments["input"]
        teacher = name_of(self._teaching.teacher)
        if not isinstance(wanted, Tensor) or wanted.shape != prediction.shape:
            shape = tuple(wanted.shape) if isinstance(wanted, Tensor) else name_of(type(wanted))
            raise SetupError(
                f"the teacher {teacher} gave {shape} where the student's predictions are {tuple(prediction.shape)}; "
                "it must give a tensor of their shape"
            )
        if not self._begun and DISTANCES[call.name] != "values" and not _are_probabilities(wanted):
            low, high = float(wanted.min()), float(wanted.max())
            raise SetupError(
                f"the teacher {teacher} gave values between {low:.3g} and {high:.3g} for {call.name}; it must give "
                "probabilities, so make them of logits with softmax or sigmoid"
            )
        self._begun = True
        return wanted.detach().to(prediction.device)


@dataclass(frozen=True)
class _Call:
    """A call of a loss, with its graph.

    Attributes:
        name: of the function.
        arguments: all of them by name, as they were passed.
        seen: the same as scores are computed by.
    """

    name: str
    arguments: Mapping[str, Any]
    seen: LossCall


class _Graphs(TorchFunctionMode):
    """Keeps the calls of losses that lead to parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and remember it if it is a loss."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        value = func(*args, **keywords)
        name = _functions().get(func)
        if name is not None and isinstance(value, Tensor) and value.requires_grad:
            bound = _signature(name).bind(*args, **keywords)
            bound.apply_defaults()
            arguments = dict(bound.arguments)
            options = {key: _detached(option) for key, option in arguments.items()}
            prediction, target = options.pop(LOSSES[name].prediction), options.pop(LOSSES[name].target)
            self.calls.append(_Call(name, arguments, LossCall(name, prediction, target, options, value.detach())))
        return value


@cache
def _functions() -> Mapping[Any, str]:
    return {getattr(functional, name): name for name in DISTANCES}


@cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(getattr(functional, name))


def _are_probabilities(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1 + 1e-4)).all())


def _detached(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _detached(one) for name, one in cast("Mapping[str, Any]", value).items()}
    return value.detach() if isinstance(value, Tensor) else value
