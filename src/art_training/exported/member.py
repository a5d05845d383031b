"""One module outside any training: made, given its weights, and asked for predictions."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.batch import children, entries, entry, size, without
from art_training.setup.forward import forward_arguments, parameters_of, target_path
from art_training.setup.modified import ModifiedModel
from art_training.setup.observation import BatchObservation
from art_training.setup.observer import observe_calls
from art_training.setup.scores.losses import activate, activation_of
from art_training.setup.scores.outputs import Adapter, read_outputs
from art_training.setup.scores.step_loss import main_call
from art_training.setup.setup import Setup
from art_training.setup.task import Activation, Task
from art_training.setup.torch_model import TorchModel, TorchParts

_STEPS = ("validation_step", "training_step")


@dataclass(frozen=True)
class Call:
    """How `forward` of a module is called with a batch.

    Attributes:
        positional: paths of the batch entries that are passed by position.
        named: and by name: paths by parameter.
        activation: what makes probabilities of what it returns.
        classes: the dimension of the classes, for a softmax.
        whole: whether `forward` takes the batch itself, which needs to hold no targets.
    """

    positional: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    activation: Activation = "none"
    classes: int = 1
    whole: bool = False

    def __call__(self, module: nn.Module, batch: Any) -> Tensor:
        """Probabilities or values, as `forward` shapes them.

        Raises:
            SetupError: an input is missing, or `forward` takes a batch and a tensor is given.
        """
        if self.whole:
            if isinstance(
                batch, Tensor
            ):  # a forward that looks batch[0] up would take the first example for the inputs
                raise SetupError(
                    f"{type(module).__name__}.forward takes a batch, and a tensor of shape {tuple(batch.shape)} was given; "
                    "give a batch as it was trained on; it needs no targets"
                )
            return self._activated(module(batch))
        wanted = (*self.positional, *self.named.values())
        if len(wanted) == 1 and isinstance(batch, Tensor):  # the input alone, without a batch around it
            return self._activated(module(*[batch] * len(self.positional), **dict.fromkeys(self.named, batch)))
        positional = [entry(batch, path) for path in self.positional]
        named = {name: entry(batch, path) for name, path in self.named.items()}
        return self._activated(module(*positional, **named))

    def _activated(self, returned: Any) -> Tensor:
        prediction: Tensor = returned
        return activate(prediction, self.activation, classes=self.classes if prediction.ndim > 1 else -1)


def parts_of(setup: Setup) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What makes the module of a setup, and the hyper-parameters that it is made with; no optimiser among them."""
    model, hparams = setup.model, dict(setup.hparams)
    # What only gives a fresh module weights is of no account where the trained ones follow.
    given = model.modifiers if isinstance(model, ModifiedModel) else ()
    modifiers = tuple(one for one in given if not getattr(one, "changes_weights_only", False))
    base = model.base if isinstance(model, ModifiedModel) else model
    if not isinstance(base, TorchModel):
        return (ModifiedModel(base, modifiers) if modifiers else base), hparams
    own = {name: value for name, value in hparams.items() if name not in base.optimizer_arguments}
    return (ModifiedModel(base.model, modifiers) if modifiers else base.model), own


def make(factory: Callable[..., Any], hparams: Mapping[str, Any]) -> nn.Module:
    """A module in evaluation mode; the global random states are not moved by it.

    Raises:
        SetupError: what the factory returns is no module.
        Exception: whatever the factory raises.
    """
    with torch.random.fork_rng(devices=[]):
        made = factory(**hparams)
        module = made.module if isinstance(made, TorchParts) else made
        if not isinstance(module, nn.Module):
            raise SetupError(f"{factory!r} returned {type(module).__name__}, where a module is needed")
        configure = getattr(module, "configure_model", None)  # Lightning's hook for layers that are made late
        if callable(configure):
            configure()
    return module.eval().requires_grad_(requires_grad=False)


def weights_for(module: nn.Module, kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of `kept` that are the module's own; an engine may keep them under the name of what it wraps it in.

    Raises:
        SetupError: some are missing; the message names one.
    """
    names = list(module.state_dict())
    wrappers = {name.partition(".")[0] + "." for name in kept}
    for prefix in ("", *sorted(wrappers)):
        if {name for name in kept if name.startswith(prefix)} == {prefix + name for name in names}:
            return {name: kept[prefix + name] for name in names}
    missing = [name for name in names if name not in kept]
    which = f"has {missing[0]!r}, which the weights have not" if missing else "lacks some that the weights have"
    raise SetupError(
        f"{type(module).__name__} as it is made here {which}; they have: {', '.join(list(kept)[:5])}, ...; "
        "the model's code or its hyper-parameters have changed"
    )


def load(module: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The module with these weights.

    Raises:
        SetupError: they do not fit.
    """
    own = weights_for(module, weights)
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise SetupError(
            f"the weights do not fit {type(module).__name__} as it is made here ({reason[:300]}); "
            "the model's code or its hyper-parameters have changed"
        ) from error
    return module


def observed(module: nn.Module, batch: Any) -> BatchObservation:
    """A whole batch, targets included, on its way through the module's own step, without a Trainer.

    Raises:
        SetupError: it has no step, or the step needs what a Trainer gives.
    """
    step = next((getattr(module, name) for name in _STEPS if _has_step(module, name)), None)
    kind = type(module).__name__
    if step is None:
        raise SetupError(f"{kind} has neither validation_step nor training_step; it can be asked by forward alone")
    takes = _positions(step)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, that nobody hears what is logged
        try:
            with observe_calls(module) as calls:
                returned = step(*(batch, 0, 0)[:takes])
        except Exception as error:
            raise SetupError(
                f"{kind} cannot be asked without a Trainer: its step, which is given whole batches and expects their "
                f"targets in them, raised {type(error).__name__}: {error}; "
                "define forward so that it predicts without targets, and let the step call self"
            ) from error
    return BatchObservation(
        split=Split.VALIDATION,
        loader=None,
        index=0,
        batch=batch,
        returned=returned,
        losses=calls.losses,
        metric_inputs=calls.metric_inputs,
        logged=calls.logged,
        weight=size(batch),
    )


def by_step(module: nn.Module, batch: Any, task: Task, adapter: Adapter | None) -> Tensor:
    """(rows, ...) predictions of a whole batch as ART finds them in the module's own step.

    Raises:
        SetupError: the step cannot be called, or shows no predictions.
    """
    outputs = read_outputs(observed(module, batch), task, adapter)
    if outputs.predictions is None:
        raise SetupError(f"{type(module).__name__} shows no predictions: {outputs.source}")
    return outputs.predictions


def in_loss(module: nn.Module, batch: Any, task: Task, loss: Callable[[Any, Any], Any] | None = None) -> Tensor:
    """What enters the loss, as probabilities or values, in the shape that the loss is given; for a teacher.

    Args:
        module: with a step; or a plain one, whose loss is given.
        batch: with targets.
        task: what it is for.
        loss: of a plain module: a function of a batch and of the module that calls the loss.

    Raises:
        SetupError: the step calls no loss of torch.
    """
    if loss is None:
        observation = observed(module, batch)
    else:
        with torch.no_grad(), observe_calls(module) as calls:
            loss(module, batch)
        observation = BatchObservation(Split.TRAIN, None, 0, batch, losses=calls.losses, weight=size(batch))
    call = main_call(observation, task)
    if call is None:
        raise SetupError(
            f"{type(module).__name__} calls no loss of torch, so that nobody can say what a teacher shall teach; "
            "use a loss of torch.nn, or Squeeze(distil=False)"
        )
    return activate(call.prediction, activation_of(call), classes=1 if call.prediction.ndim > 1 else -1)


def calls_of(setup: Setup, module: nn.Module, batch: Any, task: Task) -> list[Call]:
    """Ways in which `forward` may give the predictions of a batch, likeliest first; which does must be tried.

    Args:
        setup: of the module.
        module: whose `forward` is meant; one that has none is asked in no way.
        batch: with its targets.
        task: what it is for.
    """
    if type(module).forward is nn.Module.forward or _is_unwritten(module):
        return []
    positional: list[tuple[tuple[str, ...], dict[str, str]]] = []
    base = setup.model.base if isinstance(setup.model, ModifiedModel) else setup.model
    declared, target = (base.inputs, base.target) if isinstance(base, TorchModel) else (None, task.target)
    try:
        path = target_path(batch, target)
        arguments, named = forward_arguments(module, batch, path, declared)
        positional.append((_paths(batch, arguments), dict(zip(named, _paths(batch, named.values()), strict=True))))
    except (SetupError, StopIteration):
        pass
    if task.inputs:
        accepted = parameters_of(module.forward) or []
        if all(name in accepted for name in task.inputs):
            positional.append(((), {name: name for name in task.inputs}))
        positional.append((task.inputs, {}))
        positional.append((task.inputs[:1], {}))
    calls = [Call(args, named, activation) for args, named in positional for activation in _activations(task)]
    if children(batch) is not None:
        calls += [Call(activation=activation, whole=True) for activation in _activations(task)]
    return [replace(call, classes=at) for call in calls for at in (1, -1)]


def untargeted(batch: Any, task: Task) -> tuple[Any, str]:
    """A batch without its target, as who predicts has it, and where the target stood.

    Whole, and the empty path, where nobody can tell the target, or where it is what enters the model.
    """
    try:
        path = target_path(batch, task.target)
    except SetupError:
        return batch, ""
    return (batch, "") if not path or path in task.inputs else (without(batch, path), path)


def _activations(task: Task) -> tuple[Activation, ...]:
    return ("none",) if task.activation == "none" else (task.activation, "none")


def _paths(batch: Any, values: Any) -> tuple[str, ...]:
    known = {**(children(batch) or {}), **entries(batch)}
    return tuple(next(path for path, one in known.items() if one is value) for value in values)


def _is_unwritten(module: nn.Module) -> bool:
    """Whether `forward` is a LightningModule's own, which calls the one that is not there."""
    return next(base.__name__ for base in type(module).__mro__ if "forward" in base.__dict__) == "LightningModule"


def _has_step(module: nn.Module, name: str) -> bool:
    for base in type(module).__mro__:
        if name in base.__dict__:
            return base.__name__ != "LightningModule"
    return False


def _positions(step: Callable[..., Any]) -> int:
    parameters = list(inspect.signature(step).parameters.values())
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return 3
    return sum(1 for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD})
