"""What a step that transfers hands on: fresh models of later steps begin with the pretrained weights."""

import copy
import functools
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import Misfit, SetupError, StoreError
from art_training.steps.step import Fetch
from art_training.steps.transfer.pretrained import tensors
from art_training.stores.artifacts import file_digest

if TYPE_CHECKING:
    from torch import Tensor

_LIGHTNING = ("lightning", "pytorch_lightning")
_HOOKS = ("setup", "configure_sharded_model", "configure_model")  # in which its modules may make layers, in this order


class Begin:
    """Gives fresh models pretrained weights.

    It is told from others by the digest of its file; where the file lies is no part of that, and is asked when a model is made:
    a store may have been moved. Layers that a model makes in its hooks are given theirs after each of these.
    """

    # What makes an exported model needs it no more: it changes nothing but weights.
    changes_weights_only = True

    def __init__(self, where: Path | Fetch, digest: str, names: Mapping[str, str]) -> None:
        """Begin with the weights of a file.

        Args:
            where: the file; or, of one that the store keeps, what gets it by its digest.
            digest: SHA-256 of its bytes.
            names: what is taken: names of the engine's model, each with the name in the file.
        """
        self.digest = digest
        self.names = dict(names)
        self._where = where

    def only(self, names: Mapping[str, str]) -> "Begin":
        """Another one with the same file, which takes this of it."""
        return Begin(self._where, self.digest, names)

    def __getstate__(self) -> dict[str, Any]:
        return {"digest": self.digest, "names": self.names}

    def __deepcopy__(self, memo: Any) -> "Begin":
        return copy.copy(self) if memo is None else self

    def __repr__(self) -> str:
        return f"Begin({self.digest[:8]})"

    def __call__(self, module: Any) -> Any:
        """The module with the weights in place, as far as its layers have been made.

        Raises:
            Misfit: the module has other parameters than it had.
            SetupError: the file is gone or was changed.
        """
        given = tensors(_load(self._file()))
        wanted = {name: given[place] for name, place in self.names.items()}
        hooks = _hooks_of(module)
        self._put(module, wanted, more_to_come=bool(hooks))
        for name in hooks:
            last = name == hooks[-1]
            vars(module)[name] = self._followed(module, getattr(module, name), wanted, more_to_come=not last)
        return module

    def _followed(
        self, module: Any, hook: Callable[..., Any], wanted: "Mapping[str, Tensor]", *, more_to_come: bool
    ) -> Callable[..., Any]:
        calls = count()

        # `wraps` leaves the original where Lightning looks whether a hook is the user's own.
        @functools.wraps(hook)
        def followed(*args: Any, **keywords: Any) -> Any:
            before = _parts(module)
            returned = hook(*args, **keywords)
            again = next(calls) > 0  # what was there before may have been trained since
            made = {name: one for name, one in _parts(module).items() if not again or before.get(name) is not one}
            self._put(module, wanted, more_to_come=more_to_come, only=made)
            return returned

        return followed

    def _put(
        self,
        module: Any,
        wanted: "Mapping[str, Tensor]",
        *,
        more_to_come: bool,
        only: "Mapping[str, Tensor] | None" = None,
    ) -> None:
        own = cast("dict[str, Tensor]", module.state_dict(keep_vars=True))
        places = {name: place for name in wanted if (place := _place(name, own))}
        if not more_to_come and len(places) != len(wanted):
            raise Misfit(
                f"{type(module).__name__} has not all of the {len(wanted)} weights that TransferLearning began with; "
                "run it again after its model has changed"
            )
        taken = {place: wanted[name] for name, place in places.items() if only is None or place in only}
        try:
            module.load_state_dict(taken, strict=False)
        except RuntimeError as error:  # torch's word for other shapes
            raise Misfit(
                f"the weights that TransferLearning began with do not fit {type(module).__name__} as it is made now: "
                f"{_other_shapes(own, taken) or ' '.join(str(error).split())}; make it with the hyper-parameters that it had there"
            ) from error

    def _file(self) -> Path:
        again = "or run it again: `art run --force-step TransferLearning`"
        if not isinstance(self._where, Path):
            try:
                return self._where(self.digest)
            except StoreError as error:
                raise SetupError(f"the weights that TransferLearning began with are lost: {error}; {again}") from error
        if not self._where.is_file() or file_digest(self._where)[0] != self.digest:
            raise SetupError(
                f"the pretrained weights {self._where} are gone or were changed since TransferLearning used them; "
                f"put them back, {again}"
            )
        return self._where


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=False)


def _hooks_of(module: Any) -> list[str]:
    """The hooks of a LightningModule that its writer has written."""
    kinds = type(module).__mro__
    if not any(_is_lightning(kind) for kind in kinds):
        return []
    homes = {name: next((kind for kind in kinds if name in vars(kind)), None) for name in _HOOKS}
    return [name for name, home in homes.items() if home is not None and not _is_lightning(home)]


def _is_lightning(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _LIGHTNING


def _parts(module: Any) -> "dict[str, Tensor]":
    """Parameters and buffers by each of their names."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _other_shapes(own: "Mapping[str, Tensor]", taken: "Mapping[str, Tensor]") -> str:
    """Which parameters have another shape than the weights that they are to begin with; empty: none that is known."""
    from torch.nn.parameter import is_lazy

    other = [name for name, one in taken.items() if not is_lazy(own[name]) and own[name].shape != one.shape]
    if not other:
        return ""
    first, more = other[0], f", and {len(other) - 1} more" if len(other) > 1 else ""
    return f"{first} is of shape {tuple(own[first].shape)} and began with {tuple(taken[first].shape)}{more}"


def _place(name: str, own: "Mapping[str, Tensor]") -> str:
    """Where a weight of the engine's model is in the user's module, which the engine may wrap; empty: nowhere."""
    return next((one for one in (name, name.partition(".")[2]) if one in own), "")
