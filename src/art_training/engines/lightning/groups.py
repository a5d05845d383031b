"""An optimiser's groups of parameters, split by what happens to each part of a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from art_training.engines.lightning.patterns import Plan
from art_training.engines.lightning.rate import INITIAL, set_rate
from art_training.errors import SetupError

_PART = "part"  # under which a group says which part it is; it is kept with the optimiser's state
_OWN = ("params", "param_names", "name", _PART)


@dataclass(frozen=True)
class _Part:
    """Parameters of one group that share what happens to them.

    Attributes:
        parent: the place of their group among those that the module made.
        pattern: that gives them their factor; empty for those without one.
        factor: on its learning rate.
        since: the epoch from which on they train; None: never.
        members: what is theirs of the group: parameters and names.
    """

    parent: int
    pattern: str
    factor: float
    since: int | None
    members: Mapping[str, Any]


class Groups:
    """The groups of one optimiser: as the module made them, which schedulers go on to see, and split into parts.

    A scheduler may keep a list with a value a group. So it is given an optimiser that has the groups which it was made
    for, and what it makes of them becomes true of their parts, times their factors.

    Attributes:
        parents: the groups as the module made them.
    """

    def __init__(self, optimizer: Any, plan: Plan, *, first: int) -> None:
        """Split the groups; `first` is the place of the first of them among those of all optimisers.

        Raises:
            SetupError: the optimiser cannot treat parameters differently.
        """
        self._optimizer = optimizer
        self._groups: list[dict[str, Any]] = list(optimizer.param_groups)
        self._parts = [part for index, group in enumerate(self._groups) for part in _split(index, group, plan)]
        self._names = _named(self._parts, self._groups, first)
        self.parents = [_Parent(self, index, group) for index, group in enumerate(self._groups)]
        if isinstance(optimizer, torch.optim.LBFGS) and any(part.since or part.factor != 1 for part in self._parts):
            raise SetupError(
                "LBFGS moves all parameters together, so that they cannot have rates of their own or thaw later; "
                "take another optimiser"
            )
        optimizer.param_groups = []
        optimizer.register_state_dict_pre_hook(_forget_others)

    def activate(self, epoch: int) -> None:
        """Let the parts of an epoch be the optimiser's groups, in the order of the model's."""
        there = {group[_PART]: group for group in self._optimizer.param_groups}
        wanted = [index for index, part in enumerate(self._parts) if part.since is not None and part.since <= epoch]
        if list(there) != wanted:
            self._optimizer.param_groups = [there.get(index) or self._group(index) for index in wanted]

    def schedule(self, schedulers: Iterable[Any]) -> None:
        """Let schedulers of this optimiser see the groups as the module made them."""
        seen = _AsMade(self._optimizer, self.parents)
        for scheduler in schedulers:
            _replace_optimizer(scheduler, self._optimizer, seen)

    def settings(self) -> list[dict[str, Any]]:
        """What schedulers have made of the groups, for a resumption."""
        return [_settings(parent) for parent in self.parents]

    def take(self, settings: list[dict[str, Any]]) -> None:
        """Go on from such settings."""
        for parent, kept in zip(self.parents, settings, strict=True):
            parent.update(kept)

    def change(self, index: int, name: str, value: Any) -> None:
        """A scheduler has changed a setting of a group: so it is with its parts."""
        for group in self._optimizer.param_groups:
            part = self._parts[group[_PART]]
            if part.parent != index:
                continue
            if name == "lr":
                set_rate(group, value * part.factor)
            else:
                group[name] = value * part.factor if name == INITIAL else value

    def _group(self, index: int) -> dict[str, Any]:
        part = self._parts[index]
        made = {**self._groups[part.parent], **self.parents[part.parent]}
        group: dict[str, Any] = {**made, **part.members, "name": self._names[index], _PART: index}
        if isinstance(self._groups[part.parent]["lr"], Tensor):
            group["lr"] = self._groups[part.parent]["lr"].clone()  # each part has its own
        set_rate(group, self.parents[part.parent]["lr"] * part.factor)
        if INITIAL in group:
            group[INITIAL] *= part.factor
        return group


class _Parent(dict[str, Any]):
    """The settings of a group as the module made it; what is set is passed on to its parts."""

    def __init__(self, groups: Groups, index: int, group: Mapping[str, Any]) -> None:
        super().__init__({**group, **_settings(group)})
        self._groups = groups
        self._index = index

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._groups.change(self._index, name, value)


class _AsMade:
    """An optimiser as a scheduler of it knows it."""

    def __init__(self, optimizer: Any, groups: "list[_Parent]") -> None:
        self._optimizer = optimizer
        self.param_groups = groups

    def __getattr__(self, name: str) -> Any:
        if name == "_optimizer":
            raise AttributeError(name)
        return getattr(self._optimizer, name)


def _split(index: int, group: Mapping[str, Any], plan: Plan) -> list[_Part]:
    """The parts of one group, in the order of their first parameters."""
    together: dict[tuple[str, float, int | None], list[int]] = {}
    for place, parameter in enumerate(cast("list[Tensor]", group["params"])):
        name = plan.names.get(id(parameter), "")
        since = plan.thaw.get(name) if name in plan.frozen else 0
        together.setdefault((*plan.rates.get(name, ("", 1.0)), since), []).append(place)
    listed = [key for key in ("params", "param_names") if key in group]
    return [
        _Part(index, pattern, factor, since, {key: [group[key][place] for place in places] for key in listed})
        for (pattern, factor, since), places in together.items()
    ]


def _named(parts: list[_Part], parents: list[dict[str, Any]], first: int) -> list[str]:
    """A name for each part, under which its learning rate is a curve: the group's, with what is particular to it."""
    names: list[str] = []
    for part in parts:
        name = str(parents[part.parent].get("name", first + part.parent))
        alike = [one for one in parts if one.parent == part.parent and one.pattern == part.pattern]
        late = f" from epoch {part.since}" if len(alike) > 1 and part.since else ""
        never = " frozen" if len(alike) > 1 and part.since is None else ""
        names.append(f"{name} {part.pattern}".rstrip() + late + never)
    return names


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """What a scheduler may change; a tensor as the number that it is now."""
    return {
        name: value.item() if isinstance(value, Tensor) else value for name, value in group.items() if name not in _OWN
    }


def _forget_others(optimizer: Any) -> None:
    """State of parameters that are in no group, which nobody could read back."""
    members = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    for parameter in [one for one in optimizer.state if one not in members]:
        del optimizer.state[parameter]


def _replace_optimizer(scheduler: Any, optimizer: Any, seen: _AsMade) -> None:
    """In a scheduler, and in those that it is made of."""
    attributes: dict[str, Any] = getattr(scheduler, "__dict__", {})
    if attributes.get("optimizer") is optimizer:
        scheduler.optimizer = seen
    for value in list(attributes.values()):
        for one in cast("list[Any]", value) if isinstance(value, list | tuple) else [value]:
            if getattr(one, "__dict__", {}).get("optimizer") is optimizer:
                _replace_optimizer(one, optimizer, seen)
