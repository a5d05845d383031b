"""The two class hierarchies of Lightning: `lightning.pytorch` and `pytorch_lightning`.

They are two copies of one code base whose classes do not know each other: a Trainer of the one refuses modules and
datamodules of the other. A module is trained by the hierarchy that it comes from.
"""

import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

Kind = Literal["LightningModule", "LightningDataModule", "Callback", "Trainer", "Logger"]


@dataclass(frozen=True)
class Hierarchy:
    """One of the two; its package is imported when a class of it is first asked for."""

    package: str

    def base(self, kind: Kind) -> Any:
        """The hierarchy's own class of this kind."""
        if kind == "Logger":
            return import_module(f"{self.package}.loggers").Logger
        return getattr(import_module(self.package), kind)

    def derive(self, behaviour: type, kind: Kind) -> Any:
        """A class that behaves like `behaviour` and is one of this hierarchy."""
        return _derived(self, behaviour, kind)

    def __str__(self) -> str:
        return self.package


LIGHTNING = Hierarchy("lightning.pytorch")
PYTORCH_LIGHTNING = Hierarchy("pytorch_lightning")


def hierarchy_of(value: Any, kind: Kind) -> Hierarchy | None:
    """The hierarchy that an object or a class of this kind belongs to; None where it is no such thing."""
    check = issubclass if isinstance(value, type) else isinstance
    for hierarchy in (LIGHTNING, PYTORCH_LIGHTNING):
        # Something of a hierarchy can only exist where its package has been imported.
        if hierarchy.package in sys.modules and check(value, hierarchy.base(kind)):
            return hierarchy
    return None


def is_overridden(name: str, value: Any, kind: Kind) -> bool:
    """Whether `value` has its own `name`, other than the one that every object of its kind has."""
    hierarchy = hierarchy_of(value, kind)
    if hierarchy is None:
        return callable(getattr(value, name, None))
    own = getattr(value, name, None)
    if own is None:
        return False
    own = getattr(own, "__wrapped__", own)
    standard = getattr(hierarchy.base(kind), name, None)
    return getattr(own, "__func__", own) is not getattr(standard, "__func__", standard)


@cache
def _derived(hierarchy: Hierarchy, behaviour: type, kind: Kind) -> Any:
    return type(behaviour.__name__.lstrip("_"), (behaviour, hierarchy.base(kind)), {"__module__": behaviour.__module__})
