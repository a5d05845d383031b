"""What a class consists of, without asking for the source of the class, which a notebook does not have."""

import dataclasses
from collections.abc import Iterator
from types import FunctionType, MemberDescriptorType
from typing import Any

from art_training.records import Plain
from art_training.setup.identity.origin import qualified_name

# What Python, abc and dataclasses keep in a class, and what says nothing of its own.
_MACHINERY = frozenset({
    "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__",
    "__classcell__", "__dataclass_fields__", "__dataclass_params__", "__dict__", "__doc__", "__firstlineno__",
    "__match_args__", "__module__", "__orig_bases__", "__parameters__", "__qualname__", "__slots__", "__slotnames__",
    "__static_attributes__", "__type_params__", "__weakref__", "_abc_impl",
})  # fmt: skip

_DATACLASS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen", "match_args", "kw_only", "slots", "weakref_slot")


def bases_of(kind: type) -> Plain:
    """The names of the direct bases, and of the metaclass where there is one."""
    names: list[Plain] = [qualified_name(base) for base in kind.__bases__]
    return names if type(kind) is type else [*names, f"metaclass {qualified_name(type(kind))}"]


def fields_of(kind: type) -> Plain:
    """The annotated fields of a class, whose types a dataclass or a pydantic model acts on; None where it has none."""
    annotations = vars(kind).get("__annotations__", {})
    fields: dict[str, Plain] = {name: _annotation(value) for name, value in annotations.items()}
    if settings := vars(kind).get("__dataclass_params__"):
        fields["@dataclass"] = ", ".join(name for name in _DATACLASS if getattr(settings, name, False))
    return fields or None


def members_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods, properties, nested classes, constants and defaults of fields, in the order of their definition."""
    generated = dataclasses.is_dataclass(kind)
    for name, value in list(vars(kind).items()):
        if name in _MACHINERY or isinstance(value, MemberDescriptorType) or (name == "__hash__" and value is None):
            continue
        if generated and isinstance(value, FunctionType) and value.__code__.co_filename == "<string>":
            continue  # written by the dataclass decorator; the fields say all of it
        yield name, value
    own = vars(kind).get("__annotations__", {})
    for name, field in vars(kind).get("__dataclass_fields__", {}).items():
        if name in own and field.default_factory is not dataclasses.MISSING:
            yield name, field.default_factory


def _annotation(value: Any) -> str:
    if isinstance(value, str):
        return value
    return qualified_name(value) if isinstance(value, type) else repr(value)
