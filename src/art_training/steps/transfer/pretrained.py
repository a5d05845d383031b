"""Weights of another training: read, put where names and shapes agree, and what is left fresh is told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from art_training.engines import Engine
from art_training.errors import SetupError

if TYPE_CHECKING:
    from torch import Tensor

_HOLDERS = ("state_dict", "model_state_dict", "model", "weights")


@dataclass(frozen=True)
class Fitted:
    """Pretrained weights in the places of a model.

    Attributes:
        weights: of the whole model, by its names: pretrained where they fit, fresh elsewhere.
        loaded: names that are pretrained.
        fresh: why each other one is not, by name.
        unused: names of the file that the model has no place for.
    """

    weights: "Mapping[str, Tensor]"
    loaded: tuple[str, ...]
    fresh: Mapping[str, str]
    unused: tuple[str, ...]


def read(path: Path, engine: Engine) -> "Mapping[str, Tensor]":
    """The tensors of a file by name: a checkpoint, a state dict that was saved by torch, or a safetensors file.

    Whoever names the file vouches for it: a checkpoint that holds more than tensors is unpickled.

    Raises:
        SetupError: it holds no tensors by name.
    """
    import pickle

    import torch

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise SetupError(
                f"pretrained={str(path)!r} cannot be read ({error}); save it with "
                "safetensors.torch.save_file(model.state_dict(), path)"
            ) from error
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError):
        try:
            held = engine.weights(path)
        except Exception as error:  # whatever a foreign file makes of it
            raise SetupError(
                f"pretrained={str(path)!r} cannot be read ({type(error).__name__}: {error}); save it with "
                "torch.save(model.state_dict(), path)"
            ) from error
    found = tensors(held)
    if not found:
        raise SetupError(
            f"pretrained={str(path)!r} holds no tensors by name; save it with torch.save(model.state_dict(), path)"
        )
    return found


def fit(
    given: "Mapping[str, Tensor]", fresh: "Mapping[str, Tensor]", what: str, *, leave: Collection[str] = ()
) -> Fitted:
    """Put weights where name and shape agree; a file's names may have a prefix more or less than the model's.

    Args:
        given: what was read.
        fresh: of a model just made.
        what: what it was read from, for the message.
        leave: names that stay fresh though they would fit.

    Raises:
        SetupError: nothing fits.
    """
    names = _aligned(given, fresh)
    weights, loaded, why = dict(fresh), list[str](), dict[str, str]()
    for name, own in fresh.items():
        theirs = given.get(names.get(name, ""))
        if name in leave:
            why[name] = "it shall be"
        elif theirs is None:
            why[name] = "there is none of this name"
        elif theirs.shape != own.shape:
            why[name] = f"it is {tuple(theirs.shape)} there and {tuple(own.shape)} here"
        else:
            weights[name] = theirs.detach().to(own.dtype)
            loaded.append(name)
    if not loaded:
        raise SetupError(
            f"nothing of {what} fits the model: it has {_some(given)}, and the model has {_some(fresh)}; "
            "give weights of a model whose parameters have these names and shapes"
        )
    used = {names[name] for name in loaded}
    return Fitted(weights, tuple(loaded), why, tuple(name for name in given if name not in used))


def names_in_file(fitted: Fitted, given: "Mapping[str, Tensor]", fresh: "Mapping[str, Tensor]") -> dict[str, str]:
    """The name in the file of each name that was loaded."""
    names = _aligned(given, fresh)
    return {name: names[name] for name in fitted.loaded}


def tensors(held: Any) -> "dict[str, Tensor]":
    """The tensors by name of what a file holds, also where they lie within it under a name of their own."""
    import torch

    if not isinstance(held, Mapping):
        return {}
    values = cast("Mapping[Any, Any]", held)
    for holder in _HOLDERS:
        if isinstance(values.get(holder), Mapping):
            values = cast("Mapping[Any, Any]", values[holder])
            break
    return {str(name): value for name, value in values.items() if isinstance(value, torch.Tensor)}


def _aligned(given: "Mapping[str, Tensor]", fresh: "Mapping[str, Tensor]") -> dict[str, str]:
    """The name in the file of each of the model's names, with the prefix under which most agree in name and shape.

    Whoever saved the weights may have wrapped the model in another, and whoever made this one, too.
    """

    def renamed(add: str, take: str) -> dict[str, str]:
        return {name: f"{add}{name.removeprefix(take)}" for name in fresh if name.startswith(take)}

    def agreeing(names: Mapping[str, str]) -> int:
        return sum(file in given and given[file].shape == fresh[name].shape for name, file in names.items())

    prefixes = {("", "")}
    for name in fresh:
        for file in given:
            if file.endswith(f".{name}"):
                prefixes.add((file[: -len(name)], ""))
            elif name.endswith(f".{file}"):
                prefixes.add(("", name[: -len(file)]))
    tried = [renamed(*pair) for pair in sorted(prefixes, key=lambda pair: len(pair[0]) + len(pair[1]))]
    return max(tried, key=agreeing)  # of equals the shortest: names as they are


def _some(weights: "Mapping[str, Tensor]") -> str:
    first = [f"{name} {tuple(one.shape)}" for name, one in list(weights.items())[:3]]
    return ", ".join(first) + (", ..." if len(weights) > 3 else "")
