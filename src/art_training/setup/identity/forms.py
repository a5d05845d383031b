"""How values of known classes are read, by the name of the class, so that no library is imported to know it."""

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from art_training.records import Plain, digest_component
from art_training.setup.identity.content import content_of
from art_training.setup.identity.origin import is_local_module, module_name, qualified_name
from art_training.setup.identity.written import SHOWN_CHARACTERS, canonical, digest_of, marked, words

if TYPE_CHECKING:
    from functools import partial

    from art_training.setup.identity.values import ValueReader

Form: TypeAlias = "Callable[[ValueReader, Any, str], Plain]"


def enumeration(_reader: "ValueReader", value: Enum, _where: str) -> Plain:
    """A member by its name."""
    return marked(f"{type(value).__qualname__}.{value.name}", type(value))


def mapping(reader: "ValueReader", value: Mapping[Any, Any], where: str) -> Plain:
    """A mapping; keys that are no strings are written as a person reads them."""
    return {_key(reader, key, where): reader.read(item, f"{where}.{key}") for key, item in value.items()}


def named_code(reader: "ValueReader", value: Any, _where: str) -> Plain:
    """A class or a function as its name; its code is for whoever is told of it."""
    reader.meet(value)
    return {"__repr__": qualified_name(value), "__type__": "type" if isinstance(value, type) else "function"}


def _key(reader: "ValueReader", key: Any, where: str) -> str:
    return str(reader.text(key, where)) if type(key) is str else words(reader.read(key, where))


def _integer(_reader: "ValueReader", value: int, _where: str) -> Plain:
    return int(value)


def _float(_reader: "ValueReader", value: float, _where: str) -> Plain:
    # NaN differs from itself, and would be a change for ever.
    return float(value) if math.isfinite(value) else {"__repr__": repr(float(value)), "__type__": "float"}


def _string(reader: "ValueReader", value: str, where: str) -> Plain:
    return reader.text(str(value), where)


def _path(reader: "ValueReader", value: os.PathLike[str], where: str) -> Plain:
    return reader.text(os.fspath(value), where)


def _written(_reader: "ValueReader", value: Any, _where: str) -> Plain:
    """What its own repr says all of."""
    return marked(repr(value), type(value))


def _named(_reader: "ValueReader", value: Any, _where: str) -> Plain:
    return marked(qualified_name(value), type(value))


def _scalar(reader: "ValueReader", value: Any, where: str) -> Plain:
    return reader.read(value.item(), where)


def _sequence(reader: "ValueReader", value: Iterable[Any], where: str) -> Plain:
    items = list(value)
    if len(items) > SHOWN_CHARACTERS and _is_flat(items):
        return digest_component(hashlib.sha256(repr(items).encode("utf-8", "surrogatepass")).hexdigest())
    return [reader.read(item, f"{where}[{index}]") for index, item in enumerate(items)]


def _set(reader: "ValueReader", value: Iterable[Any], where: str) -> Plain:
    return sorted((reader.read(item, where) for item in value), key=canonical)


def _content(reader: "ValueReader", value: Any, where: str) -> Plain:
    try:
        content = content_of(value)
    except (TypeError, ValueError, RuntimeError) as error:
        return reader.miss(where, f"({qualified_name(value)}) cannot be compared by its content: {error}")
    if content is None:  # an array of Python objects
        return digest_of({"shape": list(value.shape), "objects": _sequence(reader, value.ravel().tolist(), where)})
    if content.note:
        reader.notes[f"{where}: {content.note}"] = None
    return digest_component(content.digest)


def _partial(reader: "ValueReader", value: "partial[Any]", where: str) -> Plain:
    parts = [reader.read(item, where) for item in (value.func, *value.args)]
    named = [f"{name}={words(reader.read(item, f'{where}.{name}'))}" for name, item in sorted(value.keywords.items())]
    return marked(f"partial({', '.join([*map(words, parts), *named])})", type(value))


def _method(reader: "ValueReader", value: Any, where: str) -> Plain:
    reader.meet(value.__func__)
    return marked(f"{value.__name__} of {words(reader.read(value.__self__, where))}", type(value))


def _module(reader: "ValueReader", value: ModuleType, _where: str) -> Plain:
    if is_local_module(value):
        reader.meet(value)
    return marked(module_name(value.__name__), type(value))


def _descriptor(reader: "ValueReader", value: Any, _where: str) -> Plain:
    reader.meet(value)
    return marked(type(value).__name__, type(value))


def _torch_generator(reader: "ValueReader", value: Any, where: str) -> Plain:
    return reader.read(value.get_state(), where)


def _numpy_generator(reader: "ValueReader", value: Any, where: str) -> Plain:
    return reader.read(value.bit_generator.state, where)


def _numpy_state(reader: "ValueReader", value: Any, where: str) -> Plain:
    return reader.read(value.get_state(legacy=False), where)


def _python_state(reader: "ValueReader", value: Any, where: str) -> Plain:
    return reader.read(value.getstate(), where)


def _is_flat(items: list[Any]) -> bool:
    """Whether a list holds numbers and texts only, none of which may be a path."""
    kinds = set(map(type, items))
    if not kinds <= {int, float, bool, str, type(None)}:
        return False
    return str not in kinds or not any(isinstance(item, str) and item.startswith(("/", "\\")) for item in items)


_BY_FORM: dict[Form, tuple[str, ...]] = {
    _integer: ("builtins.int",),
    _float: ("builtins.float",),
    _string: ("builtins.str",),
    _sequence: ("builtins.list", "builtins.tuple", "collections.deque"),
    _set: ("builtins.set", "builtins.frozenset"),
    mapping: ("builtins.dict", "builtins.mappingproxy"),
    _path: ("pathlib.PurePath",),
    named_code: ("builtins.type", "builtins.function", "functools._lru_cache_wrapper"),
    _method: ("builtins.method",),
    _module: ("builtins.module",),
    _partial: ("functools.partial",),
    _descriptor: ("builtins.property", "builtins.staticmethod", "builtins.classmethod", "functools.cached_property"),
    _written: (
        "builtins.complex",
        "builtins.range",
        "builtins.slice",
        "builtins.ellipsis",
        "builtins.NotImplementedType",
        "types.GenericAlias",
        "types.UnionType",
        "typing._Final",
        "datetime.date",
        "datetime.time",
        "datetime.timedelta",
        "datetime.tzinfo",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "re.Pattern",
        "numpy.dtype",
        "numpy.ufunc",
        "torch.dtype",
        "torch.device",
        "torch.layout",
        "torch.memory_format",
    ),
    # What holds nothing that a result could depend on is only named.
    _named: (
        "builtins.builtin_function_or_method",
        "builtins.method_descriptor",
        "builtins.wrapper_descriptor",
        "logging.Logger",
        "logging.Handler",
        "_thread.lock",
        "_thread.RLock",
    ),
    _scalar: ("numpy.generic",),
    _content: (
        "builtins.bytes",
        "builtins.bytearray",
        "builtins.memoryview",
        "numpy.ndarray",
        "torch.Tensor",
        "pandas.DataFrame",
        "pandas.core.frame.DataFrame",
        "pandas.Series",
        "pandas.core.series.Series",
        "pandas.Index",
        "pandas.core.indexes.base.Index",
    ),
    _python_state: ("random.Random",),
    _numpy_generator: ("numpy.random._generator.Generator",),
    _numpy_state: ("numpy.random.mtrand.RandomState",),
    _torch_generator: ("torch._C.Generator",),
}
FORMS = {name: form for form, names in _BY_FORM.items() for name in names}
