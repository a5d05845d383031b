"""`art.from_torch`: a plain nn.Module with a loss and an optimiser as the model of a setup.

    setup = art.Setup(
        model=art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=1e-3),
        hparams={"width": 64},
        data=art.data((X, y), (X_validation, y_validation)),
    )

The arguments of the optimiser are declared, never defaulted in silence: the learning rate has to be given. A
hyper-parameter that is named like a declared argument of the optimiser goes to it, every other one to the model, so
that `setup.but(hparams={"lr": 1e-2})` says what one expects.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import SetupError
from art_training.setup.data.batch import entry
from art_training.setup.data.sources import is_a
from art_training.setup.forward import Inputs, forward_arguments, parameters_of, target_path

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


def from_torch(
    model: Callable[..., "nn.Module"],
    *,
    loss: Any,
    optimizer: "Callable[..., Optimizer] | None" = None,
    scheduler: "Callable[[Optimizer], Any] | None" = None,
    inputs: Sequence[str] | Mapping[str, str] | None = None,
    target: str | None = None,
    **optimizer_arguments: Any,
) -> "TorchModel":
    """Declare a plain nn.Module as the model of a setup.

    A batch is `(x, y)` or `(x1, x2, y)`, whose last entry is the target, or has named entries (a dictionary, a
    dataclass, a named tuple), of which `target`, `targets`, `label`, `labels` or `y` is the target and those that
    `forward` has parameters for enter the model by name.

    A prediction of shape `(N, 1)` and a target of shape `(N,)` are refused: compared element by element they become
    `(N, N)` without an error, and a loss of one's own may mean either shape, so that ART cannot choose for it.

    Args:
        model: the module's class, or any callable that returns a fresh module.
        loss: a class of loss, an instance, or a function of prediction and target that returns a scalar.
        optimizer: a class of optimiser, or a callable of parameters and arguments; `torch.optim.AdamW` by default. The
            arguments of a `functools.partial` count like those that are given here.
        scheduler: makes a learning-rate scheduler of the optimiser, e.g. `partial(StepLR, step_size=5)`; it is stepped
            once an epoch.
        inputs: paths of the batch entries that enter the model: a sequence of them, passed in this order, or a mapping
            from parameters of `forward` to paths.
        target: path of the batch entry that is learned.
        **optimizer_arguments: arguments of the optimiser, `lr` among them.

    Raises:
        SetupError: the model is an instance, the loss cannot be called, or the optimiser's arguments are not its own.
    """
    _refuse_instance(model)
    if not (callable(loss) or is_a(loss, "torch.nn.modules.module.Module")):
        raise SetupError(f"loss={loss!r} cannot be called; give a class such as nn.MSELoss, or a function")
    if isinstance(inputs, str):
        raise SetupError(f"inputs={inputs!r} is one string; give a sequence of paths: inputs=({inputs!r},)")
    if optimizer is None:
        from torch.optim import AdamW

        optimizer = AdamW
    if isinstance(optimizer, partial) and not optimizer.args:
        optimizer_arguments = {**optimizer.keywords, **optimizer_arguments}
        optimizer = optimizer.func
    _require_arguments(optimizer, optimizer_arguments)
    return TorchModel(
        model=model,
        loss=loss,
        optimizer=optimizer,
        scheduler=scheduler,
        inputs=MappingProxyType(dict(inputs))
        if isinstance(inputs, Mapping)
        else inputs
        if inputs is None
        else tuple(inputs),
        target=target,
        optimizer_arguments=MappingProxyType(dict(optimizer_arguments)),
    )


@dataclass(frozen=True, eq=False)
class TorchModel:
    """A plain nn.Module, its loss and its optimiser. `art.from_torch(...)` makes one; its fields are the arguments."""

    model: Callable[..., "nn.Module"]
    loss: Any
    optimizer: "Callable[..., Optimizer]"
    scheduler: "Callable[[Optimizer], Any] | None" = None
    inputs: Inputs | None = None
    target: str | None = None
    optimizer_arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def build(self, **hparams: Any) -> "TorchParts":
        """Make the module afresh, and what trains it.

        Raises:
            SetupError: a hyper-parameter belongs to neither the model nor the optimiser, or the model is no nn.Module.
        """
        from torch import nn

        settings = {name: hparams.get(name, value) for name, value in self.optimizer_arguments.items()}
        mine = {name: value for name, value in hparams.items() if name not in settings}
        self.require_hparams(hparams)
        module = self.model(**mine)
        if not isinstance(cast("Any", module), nn.Module):
            raise SetupError(
                f"{_name(self.model)} returned a {type(module).__name__}, not an nn.Module; "
                "give from_torch a class of module, or a callable that returns a fresh one"
            )
        return TorchParts(module, _fresh_loss(self.loss), self, MappingProxyType(settings))

    __call__ = build

    def require_hparams(self, hparams: Mapping[str, Any]) -> None:
        """Refuse hyper-parameters that nothing takes, as far as the signature tells.

        Raises:
            SetupError: one belongs to neither the model nor the optimiser.
        """
        known = parameters_of(self.model)
        taken = {*(known or ()), *self.optimizer_arguments}
        unknown = [] if known is None else [name for name in hparams if name not in taken]
        if unknown:
            raise SetupError(
                f"hparams has {unknown[0]!r}, which {_name(self.model)} does not take; it takes: "
                f"{', '.join(known or ()) or 'nothing'}; and the optimiser: {', '.join(self.optimizer_arguments)}"
            )


@dataclass(frozen=True, eq=False)
class TorchParts:
    """A fresh module with what trains it.

    Attributes:
        module: the user's module.
        loss: function of prediction and target; an nn.Module where it was given as one.
        declared: what they were made of.
        settings: the optimiser's arguments.
    """

    module: "nn.Module"
    loss: "Callable[[Any, Any], Tensor]"
    declared: TorchModel
    settings: Mapping[str, Any]

    def configure(self, module: "nn.Module") -> "Optimizer | tuple[Optimizer, Any]":
        """The optimiser over the parameters of `module` and of the loss, with its scheduler where there is one.

        Raises:
            SetupError: there is nothing to train.
        """
        from torch import nn

        own = self.loss.parameters() if isinstance(self.loss, nn.Module) else ()
        found = {id(one): one for one in (*module.parameters(), *own)}
        parameters = [one for one in found.values() if one.requires_grad]
        if not parameters:
            raise SetupError(
                f"{_name(self.declared.model)} has no parameters that require a gradient; nothing can be trained"
            )
        optimizer = self.declared.optimizer(parameters, **self.settings)
        return optimizer if self.declared.scheduler is None else (optimizer, self.declared.scheduler(optimizer))

    def call(self, module: "nn.Module", batch: Any) -> tuple[Any, Any]:
        """Pass a batch through `module`: the prediction and the target that the loss is to compare.

        Raises:
            SetupError: it cannot be told which entries are input and target, or their shapes would broadcast.
        """
        from art_training.setup.all_pairs import refuse_broadcast

        path = target_path(batch, self.declared.target)
        positional, named = forward_arguments(module, batch, path, self.declared.inputs)
        target = entry(batch, path)
        prediction = module(*positional, **named)
        refuse_broadcast(prediction, target)
        return prediction, target


def _refuse_instance(model: Any) -> None:
    if is_a(model, "torch.nn.modules.module.Module"):
        kind = type(model).__name__
        raise SetupError(
            f"from_torch was given an instance of {kind}, but each step needs a fresh one: "
            f"write from_torch({kind}, ...) with hparams={{...}}, or from_torch(lambda: {kind}(...), ...)"
        )
    if not callable(model):
        raise SetupError(f"from_torch was given {model!r}, which cannot be called; give a class of module or a factory")


def _require_arguments(optimizer: Any, arguments: Mapping[str, Any]) -> None:
    if is_a(optimizer, "torch.optim.optimizer.Optimizer"):
        raise SetupError(
            f"optimizer is an instance of {type(optimizer).__name__}, which holds the parameters of one model; "
            f"give its class: optimizer={type(optimizer).__name__}, lr=..."
        )
    if not callable(optimizer):
        raise SetupError(f"optimizer={optimizer!r} cannot be called; give a class such as torch.optim.AdamW")
    known = parameters_of(optimizer)
    if known is None:
        return
    settings = known[1:]  # the first takes the parameters
    unknown = [name for name in arguments if name not in settings]
    if unknown:
        raise SetupError(
            f"{_name(optimizer)} does not take {unknown[0]!r}; it takes: {', '.join(settings)}. "
            "Arguments of the model belong into hparams={...} of the setup"
        )
    if "lr" in settings and "lr" not in arguments:
        raise SetupError(
            f"no learning rate is given for {_name(optimizer)}, and it decides about the result; "
            "declare it: from_torch(..., lr=1e-3)"
        )


def _fresh_loss(loss: Any) -> Any:
    if isinstance(loss, type):
        return loss()
    # An instance may hold weights that move to a device with the model; the user's own stays where it is.
    return copy.deepcopy(loss) if is_a(loss, "torch.nn.modules.module.Module") else loss


def _name(thing: Any) -> str:
    return getattr(thing, "__qualname__", None) or repr(thing)
