"""Named differences from a setup: what a regularisation tries, and what a search may choose between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from art_training.errors import SetupError
from art_training.setup.lengths import require_training
from art_training.setup.modified import ModifiedData, ModifiedModel, name_of
from art_training.setup.setup import Setup
from art_training.setup.torch_model import TorchModel

ModelModifier: TypeAlias = Callable[[Any], Any]
"""A fresh module -> the module that is trained instead; it may be the same one, changed."""

DataModifier: TypeAlias = Callable[[Any], Any]
"""A fresh datamodule, or what `art.data(...)` declared -> the same kind of thing."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A difference from a setup, declared before there is a setup to differ from.

    Modifiers are given something of their own to change: a model just made, a datamodule just made, or a copy of the
    datamodule or of the declared data, arrays included. So they may change it in place; nobody else sees that.

    Attributes:
        hparams: laid over the setup's, key by key.
        trainer: settings laid over the setup's, key by key; callbacks are added.
        model: changes each fresh module. Of a model from `art.from_torch` it is given the user's own nn.Module.
        data: changes the data. What it is given has not been set up yet, and the splits of a datamodule do not exist.
        note: what it is for, in words; nothing depends on it.
    """

    hparams: Mapping[str, Any] = field(default_factory=dict[str, Any])
    trainer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: ModelModifier | None = None
    data: DataModifier | None = None
    note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("hparams", "trainer"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise SetupError(f"{name}={value!r} of a variant is not a mapping; give {name}={{'name': value}}")
            object.__setattr__(self, name, MappingProxyType(dict(cast("Mapping[str, Any]", value))))
        require_training(self.trainer)
        for name, gives in (("model", "the module"), ("data", "the datamodule or data")):
            value = getattr(self, name)
            if isinstance(value, type) or not (value is None or callable(value)):
                raise SetupError(
                    f"{name}={value!r} of a variant is no modifier; "
                    f"give a function that takes {gives} and returns it changed"
                )

    def __repr__(self) -> str:
        """As it is written: what was not given is left out, and a modifier is its name."""
        settings = [f"{part}={dict(given)!r}" for part in ("hparams", "trainer") if (given := getattr(self, part))]
        modifiers = [
            f"{part}={name_of(given)}" for part in ("model", "data") if (given := getattr(self, part)) is not None
        ]
        note = [f"note={self.note!r}"] if self.note else []
        return f"Variant({', '.join([*settings, *modifiers, *note])})"

    @property
    def varies(self) -> tuple[str, ...]:
        """What is changed, one name a thing: `hparams.dropout`, `trainer.max_epochs`, `model`, `data`."""
        settings = [f"{part}.{name}" for part in ("hparams", "trainer") for name in getattr(self, part)]
        return (*settings, *(part for part in ("model", "data") if getattr(self, part) is not None))

    def keeps_parameters(self, setup: Setup) -> bool:
        """Whether models of the setup have the same parameters by name with the difference as without it.

        So it is where it changes neither the model nor a hyper-parameter that reaches it, as arguments of the optimiser of
        `art.from_torch` do not.
        """
        model = getattr(setup.model, "base", setup.model)
        apart = model.optimizer_arguments if isinstance(model, TorchModel) else ()
        return self.model is None and set(self.hparams) <= set(apart)

    def apply(self, setup: Setup) -> Setup:
        """The setup with the difference laid over it; `setup` itself if there is none.

        Raises:
            SetupError: settings of a Trainer meet a setup that makes its Trainer by a function.
        """
        if not self.varies:
            return setup
        if self.trainer and callable(setup.trainer):
            raise SetupError(
                f"a variant sets trainer.{next(iter(self.trainer))}, but the setup makes its Trainer by a function, "
                "which settings cannot be laid over; give the setup trainer={...}"
            )
        changes: dict[str, Any] = {"hparams": self.hparams, "trainer": self.trainer}
        changes = {name: value for name, value in changes.items() if value}
        if self.model is not None:
            changes["model"] = ModifiedModel.of(setup.model, self.model)
        if self.data is not None:
            changes["data"] = ModifiedData.of(setup.data, self.data)
        return setup.but(**changes)
