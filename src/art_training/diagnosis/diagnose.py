"""`art.diagnose`: what is wrong with a model, its data and how it is trained."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from art_training.diagnosis.diagnosing import diagnose_setup
from art_training.diagnosis.holding import Held
from art_training.diagnosis.result import Diagnosis
from art_training.errors import SetupError
from art_training.setup.data.data import Data
from art_training.setup.data.data import data as declared_data
from art_training.setup.data.sources import is_a
from art_training.setup.setup import Setup
from art_training.setup.torch_model import from_torch

_MODULE = "torch.nn.modules.module.Module"
_LOADER = "torch.utils.data.dataloader.DataLoader"


def diagnose(
    model: Any,
    data: Any = None,
    *,
    trainer: Mapping[str, Any] | Callable[..., Any] | None = None,
    hparams: Mapping[str, Any] | None = None,
    outputs: Callable[[Any, Any], Any] | None = None,
    loss: Any = None,
    optimizer: Any = None,
    budget: float = 60.0,
    ignore: Mapping[str, str] | Iterable[str] = (),
    seed: int = 0,
    **declarations: Any,
) -> Diagnosis:
    """Say what is wrong with a training set-up, why, with what evidence, and what to change.

    Nothing that is passed in is changed, and nothing is written but into a scratch folder.

    Args:
        model: a `Setup`; or a LightningModule (class, factory or instance); or an nn.Module with `loss` and `optimizer`.
        data: a datamodule, a factory of one, `art.data(...)`, a training loader, or a tuple of loaders or datasets:
            training, validation, test.
        trainer: settings of the Trainer, or a factory of one.
        hparams: passed to a class or factory of the model.
        outputs: as of `Setup`.
        loss: of an nn.Module, as of `art.from_torch`.
        optimizer: of an nn.Module: a class, or a callable of parameters, such as `partial(torch.optim.Adam, lr=1e-3)`.
        budget: seconds, about.
        ignore: codes of rules that shall not be judged, best with the reason: `{"ART402": "log-probabilities on purpose"}`;
            `ART402` may be written `402`.
        seed: everything random follows from it.
        **declarations: what a careful user knows and no tool can see, such as `frozen=["backbone"]`.

    Raises:
        SetupError: something is declared that cannot be: an unknown declaration, a model that needs another
            hyper-parameter, data that are none, a setting that the Trainer does not have. What the setup raises while it
            is gone through is told by the diagnosis.
    """
    if isinstance(model, Setup):
        if data is not None or trainer is not None or hparams is not None or loss is not None or optimizer is not None:
            raise SetupError("a Setup has its data, trainer and hparams already; change them with setup.but(...)")
        setup = model.but(declarations=declarations) if declarations else model
        return diagnose_setup(setup, budget=budget, ignore=ignore, seed=seed)
    if data is None:
        raise SetupError("data=None; give a datamodule class, a factory of one, a loader, or art.data(train=..., ...)")
    held = Held(model) if is_a(model, _MODULE) else None
    made = model if held is None else held.again
    plain = loss is not None or optimizer is not None
    if plain:
        made = from_torch(made, loss=_needed("loss", loss), optimizer=_needed("optimizer", optimizer))
    setup = Setup(
        made,
        _as_data(data),
        trainer=trainer,
        hparams=hparams,
        outputs=outputs,
        declarations=declarations,
    )
    try:
        return diagnose_setup(setup, budget=budget, ignore=ignore, seed=seed)
    finally:
        if held is not None:
            held.restore()


def _needed(name: str, value: Any) -> Any:
    if value is None:
        raise SetupError(f"{name}=None; an nn.Module is trained by a loss and an optimiser: give both")
    return value


def _as_data(data: Any) -> Any:
    """Loaders and datasets as `art.data`; everything else as it is."""
    if isinstance(data, Data):
        return data
    if is_a(data, _LOADER):
        return declared_data(data)
    if isinstance(data, tuple | list):
        return declared_data(*cast("tuple[Any, ...]", tuple(data)))
    return data
