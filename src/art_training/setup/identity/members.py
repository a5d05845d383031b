"""What a class consists of, without asking for the source of the class, which a notebook does not have."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from types import FunctionType, MemberDescriptorType
from typing import Any

from art_training.records import Plain
from art_training.setup.identity.origin import qualified_name

# What Python, abc, dataclasses, attrs and pydantic keep in a class, and what says nothing of its own.
_MACHINERY = frozenset({
    "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__",
    "__attrs_props__", "__class_vars__", "__classcell__", "__dataclass_fields__", "__dataclass_params__", "__dict__",
    "__doc__", "__firstlineno__", "__match_args__", "__module__", "__orig_bases__", "__parameters__",
    "__private_attributes__", "__qualname__", "__signature__", "__slotnames__", "__slots__", "__static_attributes__",
    "__type_params__", "__weakref__", "_abc_impl",
})  # fmt: skip
_DATACLASS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen", "match_args", "kw_only", "slots", "weakref_slot")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def bases_of(kind: type) -> Plain:
    """The names of the direct bases, and of the metaclass where there is one."""
    names: list[Plain] = [qualified_name(base) for base in kind.__bases__]
    return names if type(kind) is type else [*names, f"metaclass {qualified_name(type(kind))}"]


def fields_of(kind: type) -> Plain:
    """The annotated fields of a class, whose types a dataclass or a pydantic model acts on; None where it has none."""
    try:
        annotations = inspect.get_annotations(kind)
    except Exception:  # noqa: BLE001  Where they are evaluated when asked for, they may raise anything.
        annotations = {}
    fields: dict[str, Plain] = {name: _annotation(value) for name, value in annotations.items()}
    if settings := vars(kind).get("__dataclass_params__"):
        fields["@dataclass"] = ", ".join(name for name in _DATACLASS if getattr(settings, name, False))
    return fields or None


def members_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods, properties, nested classes, constants and defaults of fields, in the order of their definition."""
    if issubclass(kind, Enum):
        yield from ((name, member.value) for name, member in kind.__members__.items())
    for name, value in list(vars(kind).items()):
        if not _is_machinery(kind, name, value):
            yield name, value
    own = inspect.get_annotations(kind) if dataclasses.is_dataclass(kind) else {}
    for name, field in vars(kind).get("__dataclass_fields__", {}).items():
        if name in own and field.default_factory is not dataclasses.MISSING:
            yield name, field.default_factory


def _is_machinery(kind: type, name: str, value: Any) -> bool:
    if name in _MACHINERY or isinstance(value, MemberDescriptorType) or (name == "__hash__" and value is None):
        return True
    if name.startswith("__pydantic_"):
        return name != "__pydantic_fields__"  # the rest follows from the fields
    if issubclass(kind, Enum):
        return name in kind.__members__ or not isinstance(value, FunctionType | property | classmethod | staticmethod)
    # What the dataclass decorator wrote; the fields say all of it.
    generated = dataclasses.is_dataclass(kind) and isinstance(value, FunctionType)
    return generated and value.__code__.co_filename == "<string>"


def _annotation(value: Any) -> str:
    if isinstance(value, str):
        return value
    return qualified_name(value) if isinstance(value, type) else _ADDRESS.sub("", repr(value))
