"""Values as plain data from which they are made again, without pickle: what can be imported is named, the rest spelt out.

A value of no plain kind is a mapping with one key that begins with `$` and says how it is made:
`$import`, `$partial`, `$dataclass`, `$dict`, `$tuple`, `$float`, `$path`, `$tensor`, `$array`.
"""

import dataclasses
import functools
import importlib
import math
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import SetupError
from art_training.records import Plain
from art_training.setup.importing import importing

if TYPE_CHECKING:
    from torch import Tensor

_HARMLESS = frozenset({"bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"})


class NotRebuilt(SetupError):
    """A value cannot be made again in another process; the sentence says why and what to do."""


class NotReached(NotRebuilt):
    """What a value is made of cannot be imported here, which tells of this process and its path."""


def encode(value: Any, tensors: "dict[str, Tensor]", where: str = "it") -> Plain:
    """`value` as plain data.

    Args:
        value: numbers, strings, containers, tensors, arrays, paths, classes and functions that can be imported, partials
            of them, and dataclasses whose fields are such.
        tensors: those that are met are added here, by the name that stands in their place.
        where: what the value is, in words.

    Raises:
        NotRebuilt: it holds something else.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and type(value) in {int, float}:
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, Path):
        return {"$path": str(value)}
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {"$dict": [[encode(k, tensors, where), encode(v, tensors, f"{where}[{k!r}]")] for k, v in items]}
    if isinstance(value, list | tuple):
        return _sequence(cast("Sequence[Any]", value), tensors, where)
    if isinstance(value, functools.partial):
        made = cast("functools.partial[Any]", value)
        return {
            "$partial": encode(made.func, tensors, where),
            "args": encode(list(made.args), tensors, where),
            "keywords": encode(made.keywords, tensors, where),
        }
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__") and _is_function(value)):
        return _named(value, where)
    if dataclasses.is_dataclass(value):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.init}
        return {"$dataclass": _named(type(value), where), "fields": encode(fields, tensors, where)}
    return _of_arrays(value, tensors, where)


def decode(value: Plain, tensors: "Mapping[str, Tensor]") -> Any:
    """What `encode` was given.

    Raises:
        NotRebuilt: something that it names cannot be imported here.
    """
    if isinstance(value, list):
        return [decode(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    stored: dict[str, Any] = value
    kind = next(iter(stored))
    inner = stored[kind]
    match kind:
        case "$float":
            return float(inner)
        case "$path":
            return Path(inner)
        case "$tuple":
            made = [decode(one, tensors) for one in inner]
            return tuple(made) if stored.get("of") is None else _imported(stored["of"])(*made)
        case "$dict":
            return {decode(name, tensors): decode(one, tensors) for name, one in inner}
        case "$import":
            return _imported(stored)
        case "$partial":
            arguments = decode(stored["args"], tensors)
            return functools.partial(decode(inner, tensors), *arguments, **decode(stored["keywords"], tensors))
        case "$dataclass":
            return decode(inner, tensors)(**decode(stored["fields"], tensors))
        case "$tensor":
            return tensors[inner]
        case "$array":
            return tensors[inner].numpy()
        case _:
            raise NotRebuilt(f"the export holds {kind!r}, which this version of ART does not know; update art-training")


def importable(thing: Any) -> str:
    """Why a class or a function cannot be imported by another process; empty where it can."""
    name, module = thing.__qualname__, getattr(thing, "__module__", None)
    if "<lambda>" in name:
        return "is a lambda, which no other process can import; write a function with def at the top of a module"
    if "<locals>" in name:
        return f"{name.rpartition('.')[2]} is defined inside a function; move it to the top of a module"
    owner = sys.modules.get(module or "")
    if owner is None or (module == "__main__" and not getattr(owner, "__file__", None)):
        return f"{name} is defined in a notebook or a console; move it to the top of a module and import it"
    if _attribute(owner, name) is not thing:
        return f"{name} is another one in {module} by now; define it once, under its own name"
    return ""


def _sequence(value: Sequence[Any], tensors: "dict[str, Tensor]", where: str) -> Plain:
    inner = [encode(one, tensors, f"{where}[{at}]") for at, one in enumerate(value)]
    if isinstance(value, list):
        return inner
    return {"$tuple": inner, "of": _named(type(value), where)} if hasattr(value, "_fields") else {"$tuple": inner}


def _is_function(value: Any) -> bool:
    return not dataclasses.is_dataclass(value) and getattr(value, "__self__", None) is None


def _named(thing: Any, where: str) -> Plain:
    if why := importable(thing):
        raise NotRebuilt(f"{where}: {why}")
    name, file = thing.__module__, getattr(sys.modules[thing.__module__], "__file__", None)
    if name == "__main__" and file:
        name = Path(file).stem
    folder = str(Path(file).resolve().parents[name.count(".") + (Path(file).stem == "__init__")]) if file else ""
    return {"$import": f"{name}:{thing.__qualname__}", "folder": folder}


def _of_arrays(value: Any, tensors: "dict[str, Tensor]", where: str) -> Plain:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
        return {"$tensor": _kept(value, tensors)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"$array": _kept(torch.from_numpy(np.ascontiguousarray(value)), tensors)}
    if isinstance(value, np.generic):
        return encode(value.item(), tensors, where)
    if isinstance(value, torch.dtype):
        return {"$import": f"torch:{str(value).removeprefix('torch.')}", "folder": ""}
    kind = type(value).__name__
    raise NotRebuilt(
        f"{where}: an object of class {kind} is no value that can be written down; give plain values, a class, or a "
        "function that makes it"
    )


def _kept(tensor: "Tensor", tensors: "dict[str, Tensor]") -> str:
    name = f"value.{len(tensors)}"
    tensors[name] = tensor.detach().cpu()
    return name


def _imported(stored: Mapping[str, Any]) -> Any:
    module, _, name = str(stored["$import"]).partition(":")
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names and not (module == "builtins" and name in _HARMLESS):
        # A file must not choose what is called of a library that can do anything, as a pickle may.
        raise NotRebuilt(
            f"the export names {module}.{name}, which is no part of a model; load exports of your own only"
        )
    with _reachable(stored.get("folder", "")), importing():
        try:
            owner = importlib.import_module(module)
        except ImportError as error:
            was = f" (it lay in {stored['folder']})" if stored.get("folder") else ""
            raise NotReached(
                f"the export needs {module}.{name}, and {module} cannot be imported here{was}: {error}; "
                "put its folder on the path, or give load_model(path, factory=...)"
            ) from error
    found = _attribute(owner, name)
    if found is None:
        raise NotRebuilt(
            f"the export needs {name} of {module}, which has none any more ({getattr(owner, '__file__', None)}); "
            "bring it back, or give load_model(path, factory=...)"
        )
    return found


def _attribute(owner: Any, qualname: str) -> Any:
    for part in qualname.split("."):
        owner = getattr(owner, part, None)
    return owner


@contextmanager
def _reachable(folder: str) -> Generator[None]:
    """The folder at the end of the path for a while, so that it shadows nothing."""
    if not folder or folder in sys.path or not Path(folder).is_dir():
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


Factory = Callable[..., Any]
