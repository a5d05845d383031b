"""Weights of another training: read, put where names and shapes agree, and what is left fresh is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from art_training.engines import Engine
from art_training.errors import SetupError
from art_training.steps.transfer.foreign import require_weights
from art_training.steps.transfer.freezing import Names

if TYPE_CHECKING:
    from torch import Tensor

_HOLDERS = ("state_dict", "model_state_dict", "model", "weights")


@dataclass(frozen=True)
class Fitted:
    """Pretrained weights in the places of a model.

    Attributes:
        weights: of the whole model, by its names: pretrained where they fit, fresh elsewhere.
        loaded: names that are pretrained, each with the name in the file.
        fresh: why each other one is not, by name; of one that is in both, with both shapes.
        unused: why an entry of the file is not taken, by its name there.
    """

    weights: "Mapping[str, Tensor]"
    loaded: Mapping[str, str]
    fresh: Mapping[str, str]
    unused: Mapping[str, str]


def read(path: Path, engine: Engine) -> "Mapping[str, Tensor]":
    """The tensors of a file by name: a checkpoint, a state dict that was saved by torch, or a safetensors file.

    Whoever names the file vouches for it: a checkpoint that holds more than tensors is unpickled.

    Raises:
        SetupError: it holds no tensors by name.
    """
    held = _held(path, engine)
    found = tensors(held)
    if not found:
        raise SetupError(
            f"pretrained={str(path)!r} holds no tensors by name; save it with torch.save(model.state_dict(), path)"
        )
    return found


def _held(path: Path, engine: Engine) -> Any:
    """What a file holds, whatever that is.

    Raises:
        SetupError: it cannot be read, with what it seems to be.
    """
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except Exception as error:  # a foreign file may make anything of it
            raise _unreadable(path, error, "safetensors.torch.save_file(model.state_dict(), path)") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001  Likewise; and a pickle of more than tensors is the engine's to read.
        try:
            return engine.weights(path)
        except Exception as error:
            raise _unreadable(path, error, "torch.save(model.state_dict(), path)") from error


def _unreadable(path: Path, error: Exception, saving: str) -> SetupError:
    """One sentence: what the file seems to be, or what was said of it, and the remedy."""
    said = f"pretrained={str(path)!r}"
    try:
        require_weights(path, said)
    except SetupError as foreign:
        return foreign
    except OSError as refused:
        return SetupError(f"{said} cannot be read ({refused.strerror or refused}); give a file that can be opened")
    told = " ".join(f"{type(error).__name__}: {error}".split()).partition(". ")[0].rstrip(": .")
    return SetupError(
        f"{said} cannot be read ({told}), as a file that is cut short or of another kind; save it with {saving}"
    )


def fit(
    given: "Mapping[str, Tensor]", fresh: "Mapping[str, Tensor]", what: str, *, leave: frozenset[str] = frozenset()
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
    weights, loaded, why = dict(fresh), dict[str, str](), dict[str, str]()
    for tied in _ties(fresh):
        own = fresh[tied[0]]
        # A file has one tensor of several names under one of them at least; safetensors keeps it once.
        there = [names[name] for name in tied if names.get(name) in given]
        fitting = [file for file in there if given[file].shape == own.shape]
        if leave.isdisjoint(tied) and fitting:
            weights |= dict.fromkeys(tied, given[fitting[0]].detach().to(own.dtype))
            loaded |= dict.fromkeys(tied, fitting[0])
        elif not leave.isdisjoint(tied):
            why |= dict.fromkeys(tied, "fresh= names it")
        elif there:
            why |= dict.fromkeys(tied, f"it is {tuple(given[there[0]].shape)} there and {tuple(own.shape)} here")
        else:
            why |= dict.fromkeys(tied, f"there is none of this name; here it is {tuple(own.shape)}")
    if not loaded:
        raise SetupError(
            f"nothing of {what} fits the model: it has {_some(given)}, and the model has {_some(fresh)}; "
            "give weights of a model whose parameters have these names and shapes"
        )
    return Fitted(weights, loaded, why, _unused(given, names, loaded, why))


def _unused(
    given: "Mapping[str, Tensor]", names: Mapping[str, str], loaded: Mapping[str, str], why: Mapping[str, str]
) -> dict[str, str]:
    """Why each entry of a file that is not taken is not."""
    import torch

    places = {file: name for name, file in names.items()}
    unused: dict[str, str] = {}
    for file, one in given.items():
        name = places.get(file, "")
        if not name:
            unused[file] = f"the model has none of this name; there it is {tuple(one.shape)}"
        elif name in why:
            unused[file] = why[name]
        elif not torch.equal(one, given[loaded[name]]):
            unused[file] = f"in the model it is one tensor with another, and takes the values of {loaded[name]}"
    return unused


def under_another_name(fitted: Fitted, given: "Mapping[str, Tensor]", name: str) -> str:
    """What of a file may be meant by a name that it does not have, as the end of a sentence; empty where nothing may.

    It is of the same shape and called alike at its end. It is told and not taken: parts that are alike may be different parts.
    """
    if name not in fitted.fresh:
        return ""
    shape, end = fitted.weights[name].shape, name.split(".")[-2:]
    found = [file for file in fitted.unused if file.split(".")[-2:] == end and given[file].shape == shape]
    return f" under this name: there is {found[0]!r} of the same shape, which may be {name}" if len(found) == 1 else ""


def require_learned(
    unknown: Sequence[str],
    fresh: "Mapping[str, Tensor]",
    other: "Mapping[str, Tensor]",
    *,
    names: Names,
    step: str,
    remedy: str,
) -> None:
    """Raise where what shall be frozen was never learned: it differs from one fresh model to the next.

    Args:
        unknown: what shall be frozen and was not loaded.
        fresh: weights of a fresh model.
        other: of another one, under another seed.
        names: as the user knows them.
        step: its name.
        remedy: as the end of a sentence.

    Raises:
        SetupError: random weights would be frozen.
    """
    import torch

    drawn = [name for name in unknown if not torch.equal(fresh[name], other[name])]
    if drawn:
        shown = ", ".join(names.shown(name) for name in drawn[:3]) + (", ..." if len(drawn) > 3 else "")
        verb = "is" if len(drawn) == 1 else "are"
        raise SetupError(
            f"step {step!r} would freeze random weights: {shown} {verb} drawn anew for each fresh model, and nothing is "
            f"loaded there; {remedy}"
        )


def _ties(fresh: "Mapping[str, Tensor]") -> list[list[str]]:
    """Names of one tensor together, in the model's order."""
    found: dict[Any, list[str]] = {}
    for name, one in fresh.items():
        key = (one.data_ptr(), tuple(one.shape), one.stride()) if one.numel() else name
        found.setdefault(key, []).append(name)
    return list(found.values())


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
