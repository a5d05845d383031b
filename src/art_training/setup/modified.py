"""What a setup's model or data is changed by as soon as it is made: the modifiers of a `Variant`, at work."""

import functools
import inspect
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any, Self, cast

from art_training.errors import WrongModifier
from art_training.setup.identity.copies import private_copy


@dataclass(frozen=True)
class Modified:
    """Something of a setup and what changes it, first to last. Two are equal where both are the very same objects.

    Attributes:
        base: as the user declared it.
        modifiers: functions of one thing that return one thing.
    """

    base: Any
    modifiers: tuple[Callable[[Any], Any], ...]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        theirs = cast("Modified", other)
        ours = (self.base, *self.modifiers)
        return [id(one) for one in ours] == [id(one) for one in (theirs.base, *theirs.modifiers)]

    def __hash__(self) -> int:
        return hash((type(self), id(self.base), *map(id, self.modifiers)))

    @classmethod
    def of(cls, base: Any, modifier: Callable[[Any], Any]) -> Self:
        """`base` with one more modifier; variants of variants stay flat."""
        if type(base) is cls:
            return cls(base.base, (*base.modifiers, modifier))
        return cls(base, (modifier,))


@dataclass(frozen=True, eq=False)
class ModifiedModel(Modified):
    """A model whose fresh modules are changed; called like the model itself, whose signature it has."""

    def __post_init__(self) -> None:
        # What a sentence calls it, and what hyper-parameters are checked against; a callable of C has no signature.
        object.__setattr__(self, "__qualname__", name_of(self.base))
        with suppress(TypeError, ValueError):
            object.__setattr__(self, "__signature__", inspect.signature(self.base))

    def __call__(self, *args: Any, **hparams: Any) -> Any:
        """A fresh module, changed.

        Raises:
            WrongModifier: a modifier returned nothing, or something that is no module.
            Exception: whatever the model's constructor or a modifier raises.
        """
        from art_training.setup.torch_model import TorchParts

        made = self.base(*args, **hparams)
        module = made.module if isinstance(made, TorchParts) else made
        for modifier in self.modifiers:
            module = _returned(modifier, modifier(module), "the module")
            if isinstance(module, type) or not hasattr(module, "named_parameters"):
                raise WrongModifier(
                    f"the model modifier {name_of(modifier)} returned {module!r}, which is no module; return the module"
                )
        return replace(made, module=module) if isinstance(made, TorchParts) else module


@dataclass(frozen=True, eq=False)
class ModifiedData(Modified):
    """Data that is changed as soon as it is made; called without arguments, as a factory of data is."""

    def __call__(self) -> Any:
        """Data of the caller's own, changed.

        It costs the memory of what the base holds once more, for as long as it is used; a datamodule that loads in
        `setup` holds nothing yet.

        Raises:
            WrongModifier: a modifier returned nothing, something that is no data, or set a field of data that cannot be set.
            Exception: whatever a factory or a modifier raises.
        """
        base = self.base
        made = base() if isinstance(base, type) or not (_is_data(base) or not callable(base)) else base
        made = private_copy(made)
        for modifier in self.modifiers:
            made = _returned(modifier, _changed(modifier, made), "the datamodule or data")
            if isinstance(made, type) or not _is_data(made):
                raise WrongModifier(
                    f"the data modifier {name_of(modifier)} returned {made!r}, which is no data; "
                    "return the datamodule, or what art.data(...) gives"
                )
        return made


def name_of(function: Any) -> str:
    """What a modifier is called: a function by its name, a partial by that of its function, an object by its class."""
    if isinstance(function, functools.partial):
        return name_of(cast("functools.partial[Any]", function).func)
    name: str = getattr(function, "__qualname__", None) or type(function).__qualname__
    return name.rpartition("<locals>.")[2]


def _changed(modifier: Callable[[Any], Any], data: Any) -> Any:
    try:
        return modifier(data)
    except FrozenInstanceError as error:
        found = re.search(r"field '(\w+)'", str(error))
        if found is None or not callable(getattr(data, "but", None)):
            raise
        raise WrongModifier(
            f"the data modifier {name_of(modifier)} sets {found[1]} of data that art.data declared, which cannot be set; "
            f"return data.but({found[1]}=...)"
        ) from error


def _returned(modifier: Callable[[Any], Any], value: Any, what: str) -> Any:
    if value is None:
        raise WrongModifier(f"the modifier {name_of(modifier)} returned nothing; return {what}")
    return value


def _is_data(value: Any) -> bool:
    """Whether `value` is a datamodule, or was declared by `art.data`; neither library is imported to know it."""
    return hasattr(value, "train_dataloader") or callable(getattr(value, "parts", None))
