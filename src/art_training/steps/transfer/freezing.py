"""Which parameters are frozen, and how fast the others train: by pattern, by module, or all but the last layers.

A layer is a module that has parameters of its own. Layers stand in the order in which the model registers them, which is
that of its constructor.
"""

import difflib
import glob
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeAlias, cast

from art_training.engines import Parameter
from art_training.engines.stillness import layer_of, modules_around, stays
from art_training.errors import ProjectError, SetupError


@dataclass(frozen=True)
class AllButLast:
    """Everything but the last layers.

    Attributes:
        layers: how many are left to train.
    """

    layers: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.layers, bool) or not isinstance(cast("Any", self.layers), int) or self.layers < 1:
            raise ProjectError(
                f"all_but_last({self.layers!r}) leaves nothing to train; give a whole number of layers, at least 1"
            )


def all_but_last(layers: int = 1) -> AllButLast:
    """Freeze all but the last layers: modules with parameters of their own, in the order of the model's constructor.

    Args:
        layers: how many are left to train.

    Raises:
        ProjectError: fewer than one.
    """
    return AllButLast(layers)


Freeze: TypeAlias = str | Sequence[str] | Mapping[str, Sequence[str]] | AllButLast
"""The name of a submodule or a pattern of `fnmatch` on names of parameters, several of them, `{"modules": [names of modules]}`, or `all_but_last(n)`."""


@dataclass(frozen=True)
class Names:
    """The parameters of a model, by the names that a user and an engine know them by.

    Attributes:
        of_engine: as the engine calls them, in the model's order.
        prefix: what the engine puts before a name of the user's; empty where it puts nothing.
        also: other names of a parameter, where layers are tied; a pattern may mean it by any of them.
    """

    of_engine: tuple[str, ...]
    prefix: str = ""
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @classmethod
    def of(cls, parameters: Sequence[Parameter], *, prefix: str = "") -> "Names":
        """Of what an engine tells of a model."""
        ties = {one.name: one.also for one in parameters if one.also}
        return cls(tuple(one.name for one in parameters), prefix, ties)

    def shown(self, name: str) -> str:
        """A name as the user knows it."""
        return name.removeprefix(self.prefix)

    def matching(self, pattern: str) -> list[str]:
        """The parameters that a pattern matches, or that lie in the submodule of this name; by either name."""
        return [
            name
            for name in self.of_engine
            if any(fnmatchcase(one, pattern) or one.startswith(f"{pattern}.") for one in self._called(name))
        ]

    def with_ties(self, names: Sequence[str]) -> tuple[str, ...]:
        """Parameters by each name that the engine knows them by."""
        return tuple(one for name in names for one in (name, *self.also.get(name, ())))

    def layers(self) -> dict[str, list[str]]:
        """The parameters of each layer, by the layer's name."""
        found: dict[str, list[str]] = {}
        for name in self.of_engine:
            found.setdefault(layer_of(name), []).append(name)
        return found

    def _called(self, name: str) -> list[str]:
        """Every name that a parameter has, the engine's and the user's."""
        names = (name, *self.also.get(name, ()))
        return [*names, *map(self.shown, names)]

    def near(self, text: str) -> str:
        """Names that come near to what matches nothing."""
        known = [self.shown(name) for name in self.of_engine]
        modules = [module for name in known for module in _modules(name)]
        close = difflib.get_close_matches(text, [*known, *dict.fromkeys(modules)], n=3, cutoff=0.4)
        return ", ".join(close or known[:5])


def check_fresh(fresh: Any, step: str) -> None:
    """Raise where `fresh=` names nothing.

    Raises:
        ProjectError: it is neither a pattern nor several.
    """
    if fresh != () and not _is_names(fresh):
        raise ProjectError(
            f"fresh={fresh!r} of step {step!r} names nothing; give a pattern of parameters such as 'head.*'"
        )


def fresh_names(fresh: str | Sequence[str], names: Names) -> tuple[str, ...]:
    """The parameters that `fresh` names.

    Raises:
        SetupError: a pattern matches nothing, or together they match everything.
    """
    found: list[str] = []
    for pattern in _listed(fresh):
        matched = names.matching(pattern)
        if not matched:
            raise SetupError(
                f"fresh={pattern!r} matches none of the model's {len(names.of_engine)} parameters; "
                f"there are, among others: {names.near(pattern)}"
            )
        found += matched
    if set(found) == set(names.of_engine):
        raise SetupError(
            f"fresh={fresh!r} matches all {len(names.of_engine)} parameters, so that nothing of the pretrained weights is taken; "
            f"name only what is new, such as {names.shown(names.of_engine[-1])}"
        )
    return tuple(found)


def check_freeze(freeze: Any, step: str) -> None:
    """Raise what can be told of `freeze=` without a model.

    Raises:
        ProjectError: it is none of the forms, or names nothing.
    """
    if isinstance(freeze, AllButLast):
        return
    if isinstance(freeze, Mapping):
        given = cast("Mapping[Any, Any]", freeze)
        modules: Any = given.get("modules")
        if set(given) != {"modules"} or not _is_names(modules):
            raise ProjectError(
                f"freeze={dict(given)!r} of step {step!r} must name modules: freeze={{'modules': ['backbone']}}"
            )
        return
    if not (isinstance(freeze, str) and freeze) and not _is_names(freeze):
        raise ProjectError(
            f"freeze={freeze!r} of step {step!r} names nothing; give a pattern of parameters such as 'backbone.*', several, "
            "{'modules': ['backbone']}, or all_but_last(1)"
        )


def frozen_names(freeze: Freeze, names: Names) -> tuple[str, ...]:
    """The parameters that `freeze` names, as the engine calls them, in the model's order.

    Raises:
        SetupError: a pattern or a module matches nothing, or everything is frozen.
    """
    if isinstance(freeze, AllButLast):
        layers = list(names.layers().values())
        if freeze.layers >= len(layers):
            raise SetupError(
                f"freeze=all_but_last({freeze.layers}) freezes nothing: the model has {len(layers)} layers with parameters; "
                f"give a number below that"
            )
        chosen = {name for layer in layers[: -freeze.layers] for name in layer}
        said = f"all_but_last({freeze.layers})"
    else:
        chosen = set[str]()
        for pattern, shown in _patterns(freeze):
            matched = names.matching(pattern)
            if not matched:
                raise SetupError(
                    f"freeze={shown!r} matches none of the model's {len(names.of_engine)} parameters; "
                    f"there are, among others: {names.near(shown)}"
                )
            chosen |= set(matched)
        said = repr(freeze)
    if len(chosen) == len(names.of_engine):
        last = names.shown(names.of_engine[-1])
        raise SetupError(
            f"freeze={said} matches all {len(chosen)} parameters, so that the frozen phase has nothing to train; "
            f"leave out what is new, such as {last}, or give all_but_last(1)"
        )
    return tuple(name for name in names.of_engine if name in chosen)


def frozen_buffers(entries: Sequence[str], parameters: Sequence[str], frozen: Sequence[str]) -> tuple[str, ...]:
    """Buffers that stay with what is frozen, or fresh, such as statistics of batch norms; the engine holds them by the same rule.

    Args:
        entries: names of parameters and buffers in the model's order.
        parameters: those that are parameters.
        frozen: those of them that are frozen.
    """
    fixed = set(frozen)
    still = {name: name in fixed for name in parameters}
    buffers = [name for name in entries if name not in still]
    held = {module: stays(module, entries, still) for module in {layer_of(name) for name in buffers}}
    return tuple(name for name in buffers if held[layer_of(name)])


def rates(names: Names, fine_tuning_rate: float, layer_rates: float | Mapping[str, float]) -> dict[str, float]:
    """The factor on the learning rate of each parameter in fine-tuning, by the engine's name.

    A number is the factor from each layer to the one before it (Howard and Ruder, Universal language model fine-tuning for
    text classification, 2018, section 3.2, who divide by 2.6); the last layer has `fine_tuning_rate` itself.

    Raises:
        SetupError: a pattern matches nothing.
    """
    if not isinstance(layer_rates, Mapping):
        layers = list(names.layers().values())
        return {
            name: fine_tuning_rate * layer_rates ** (len(layers) - 1 - index)
            for index, layer in enumerate(layers)
            for name in layer
        }
    found: dict[str, float] = dict.fromkeys(names.of_engine, fine_tuning_rate)
    for pattern, factor in reversed(list(layer_rates.items())):  # so that the first that matches has the last word
        matched = names.matching(pattern)
        if not matched:
            raise SetupError(
                f"layer_rates has {pattern!r}, which matches none of the model's parameters; "
                f"there are, among others: {names.near(pattern)}"
            )
        found |= dict.fromkeys(matched, fine_tuning_rate * factor)
    return found


def as_patterns(names: Names, factors: Mapping[str, float]) -> dict[str, float]:
    """Factors of parameters as few patterns as say the same: one where all are alike, else one a layer."""
    if len(set(factors.values())) == 1:
        return {"*": next(iter(factors.values()))}
    found: dict[str, float] = {}
    for layer, members in names.layers().items():
        pattern = f"{glob.escape(layer)}.*"
        alike = len({factors[name] for name in members}) == 1
        if alike and layer and [name for name in names.of_engine if fnmatchcase(name, pattern)] == members:
            found[pattern] = factors[members[0]]
        else:
            found |= {glob.escape(name): factors[name] for name in members}
    return found


def check_rates(fine_tuning_rate: Any, layer_rates: Any, step: str) -> None:
    """Raise what can be told of the learning rates without a model.

    Raises:
        ProjectError: one is no positive number.
    """
    factors = {"fine_tuning_rate": fine_tuning_rate}
    if isinstance(layer_rates, Mapping):
        given = cast("Mapping[Any, Any]", layer_rates)
        factors |= {f"layer_rates[{pattern!r}]": factor for pattern, factor in given.items()}
    else:
        factors["layer_rates"] = layer_rates
    for name, factor in factors.items():
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not number or not math.isfinite(factor) or factor <= 0:
            raise ProjectError(
                f"{name}={factor!r} of step {step!r} is no positive factor on the learning rate; give e.g. 0.1"
            )


def thawing(names: Names, frozen: Sequence[str], epochs: int) -> tuple[tuple[str, ...], dict[int, tuple[str, ...]]]:
    """What is still frozen at first, and from which epoch on each of it is not: layer after layer, the last first.

    As in the paper above (section 3.3). With fewer epochs than frozen layers several thaw at once, so that all are thawed in the last epoch.
    """
    kept = set(frozen)
    layers = [found for layer in names.layers().values() if (found := [name for name in layer if name in kept])]
    layers.reverse()
    rounds = min(epochs, len(layers))
    groups = [layers[len(layers) * at // rounds : len(layers) * (at + 1) // rounds] for at in range(rounds)]
    thaw = {at: tuple(name for layer in group for name in layer) for at, group in enumerate(groups)}
    thawed = set(thaw.pop(0))
    return tuple(name for name in frozen if name not in thawed), thaw


def _patterns(freeze: str | Sequence[str] | Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Patterns, each with what the user wrote."""
    if isinstance(freeze, Mapping):
        return [(f"{module}.*", module) for module in _listed(freeze["modules"])]
    return [(pattern, pattern) for pattern in _listed(freeze)]


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _is_names(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value)
    if not isinstance(value, Sequence) or not value:
        return False
    return all(isinstance(one, str) and one for one in cast("Sequence[Any]", value))


def _modules(name: str) -> list[str]:
    """The modules that a parameter is in, from the innermost outwards, without the model itself."""
    return modules_around(layer_of(name))[:-1]
