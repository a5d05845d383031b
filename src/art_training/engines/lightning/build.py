"""The model of a setup, fresh for each job."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import LIGHTNING, Hierarchy, hierarchy_of, is_overridden
from art_training.engines.mistakes import constructor_mistake
from art_training.errors import ARTError, SetupError
from art_training.setup.data.batch import size
from art_training.setup.modified import Modified
from art_training.setup.setup import Setup
from art_training.setup.torch_model import TorchModel, TorchParts


def check_model(setup: Setup) -> None:
    """Raise what can be told about the model; a class is not instantiated, another callable is called once.

    Raises:
        SetupError: it is no model for this engine, or it does not take the hyper-parameters.
    """
    model = setup.model
    if isinstance(model, type) and hierarchy_of(model, "LightningModule") is None:
        raise SetupError(_not_a_module(f"model={name_of(model)}", model))
    check_hparams(setup)
    if isinstance(model, TorchModel):
        return
    require_trainable(model if isinstance(model, type) else build_model(setup)[0])


def check_hparams(setup: Setup) -> None:
    """Raise where the model does not take its hyper-parameters, as far as its signature tells; it is not made.

    Raises:
        SetupError: it does not take one, or needs another.
    """
    model = setup.model.base if isinstance(setup.model, Modified) else setup.model
    if isinstance(model, TorchModel):
        model.require_hparams(setup.hparams)
    else:
        _check_hparams(model, setup.hparams)


def build_model(setup: Setup) -> tuple[Any, Hierarchy]:
    """Make the model; random initialisation follows the global random states.

    Raises:
        SetupError: the callable takes other hyper-parameters or other values of them, or returns what this engine cannot
            train.
        Exception: whatever else the user's constructor raises.
    """
    if isinstance(setup.model, TorchModel):
        return LIGHTNING.derive(_PlainTorch, "LightningModule")(_made(setup, setup.model.build)), LIGHTNING
    _check_hparams(setup.model, setup.hparams)
    module = _made(setup, setup.model)
    if isinstance(module, TorchParts):
        return LIGHTNING.derive(_PlainTorch, "LightningModule")(module), LIGHTNING
    hierarchy = hierarchy_of(module, "LightningModule")
    if hierarchy is None or isinstance(module, type):
        raise SetupError(_not_a_module(f"model {name_of(setup.model)} returned", module))
    return module, hierarchy


def _made(setup: Setup, make: Callable[..., Any]) -> Any:
    """What a constructor returns. An argument that it cannot use is a mistake of the hyper-parameters, where there are any."""
    try:
        return make(**setup.hparams)
    except (TypeError, ValueError) as error:
        if not setup.hparams or isinstance(error, ARTError):
            raise
        name, given = name_of(getattr(setup.model, "model", setup.model)), dict(setup.hparams)
        raise SetupError(constructor_mistake(error, f"{name} with hparams={given!r}")) from error


def _check_hparams(model: Callable[..., Any], hparams: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(model)
    except (TypeError, ValueError):  # a callable of C, which tells only when it is called
        return
    parameters = signature.parameters.values()
    names = [one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
    takes = f"it takes: {', '.join(names) or 'nothing'}"
    if not any(one.kind is one.VAR_KEYWORD for one in parameters):
        unknown = [name for name in hparams if name not in names]
        if unknown:
            raise SetupError(f"hparams has {unknown[0]!r}, which {name_of(model)} does not take; {takes}")
    required = [one.name for one in parameters if one.name in names and one.default is one.empty]
    missing = [name for name in required if name not in hparams]
    if missing:
        raise SetupError(f"{name_of(model)} needs {missing[0]!r}; give hparams={{{missing[0]!r}: ...}}; {takes}")


def require_trainable(module: Any) -> None:
    """Raise where a module, or a class of one, cannot be trained; evaluation needs less.

    Raises:
        SetupError: it has no training step or no optimiser.
    """
    for name in ("training_step", "configure_optimizers"):
        if not is_overridden(name, module, "LightningModule"):
            kind = module if isinstance(module, type) else type(module)
            raise SetupError(f"{name_of(kind)} defines no {name}, which Lightning needs to train it; define it")


def _not_a_module(what: str, value: Any) -> str:
    is_torch = issubclass(value, nn.Module) if isinstance(value, type) else isinstance(value, nn.Module)
    if is_torch:
        kind = name_of(value if isinstance(value, type) else type(value))
        said = what if isinstance(value, type) else f"{what} a {kind}"
        return (
            f"{said}, a plain nn.Module, where a LightningModule is needed; "
            f"write model=art.from_torch({kind}, loss=..., optimizer=..., lr=...)"
        )
    said = what if isinstance(value, type) and what.startswith("model=") else f"{what} {value!r}"
    return (
        f"{said}, which is no LightningModule (of `lightning` or `pytorch_lightning`); "
        "give a class of one, a callable that returns a fresh one, or art.from_torch(...)"
    )


class _PlainTorch:
    """A plain nn.Module with its loss and optimiser, trained as one would by hand."""

    def __init__(self, parts: TorchParts) -> None:
        super().__init__()
        self.model = parts.module
        self.loss = parts.loss  # registered if it is a module, so that its weights move to the device
        self._parts = parts
        self._watches_training = False  # whether a scheduler depends on the training loss

    def forward(self, *args: Any, **keywords: Any) -> Any:
        """What the user's module returns."""
        return self.model(*args, **keywords)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        """One batch of training."""
        prediction, target = self._parts.call(self.model, batch)
        loss = self.loss(prediction, target)
        if self._watches_training:
            _log(self, "train_loss", loss, on_step=False, on_epoch=True, batch_size=size(batch))
        return loss

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """One batch of validation; logs `val_loss`, which callbacks can monitor."""
        return self._evaluation_step("val", batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """One batch of the test; logs `test_loss`."""
        return self._evaluation_step("test", batch)

    def configure_optimizers(self) -> Any:
        """The declared optimiser over the module's parameters, and its scheduler.

        One that waits for a plateau looks at the validation loss, or at the training loss where nothing is validated.
        """
        made = self._parts.configure(self.model)
        if not isinstance(made, tuple):
            return made
        optimizer, scheduler = made
        if not isinstance(scheduler, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": scheduler}
        trainer: Any = getattr(self, "trainer")  # noqa: B009  It comes from the LightningModule that this is made part of.
        self._watches_training = not trainer.enable_validation
        monitor = "train_loss" if self._watches_training else "val_loss"
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": monitor}}

    def _evaluation_step(self, stage: str, batch: Any) -> dict[str, Tensor]:
        prediction, target = self._parts.call(self.model, batch)
        loss = self.loss(prediction, target)
        _log(self, f"{stage}_loss", loss, batch_size=size(batch))
        return {"loss": loss, "predictions": prediction, "targets": target}


def _log(module: Any, name: str, value: Tensor, **how: Any) -> None:
    """Log as the LightningModule does that a class here is made part of."""
    module.log(name, value, **how)
