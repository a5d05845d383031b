"""What a search may choose from, in plain Python next to the hyper-parameters.

    space = {
        "lr": art.space.log_uniform(1e-5, 1e-1),
        "width": art.space.integer(16, 256, log=True),
        "optimizer": art.space.choice("adam", "sgd"),
        "momentum": art.space.uniform(0.0, 0.99).when("optimizer", "sgd"),
        "trainer.gradient_clip_val": art.space.choice(None, 1.0),
        "augmentation": art.space.choice(none=art.Variant(), flips=art.Variant(data=with_flips)),
    }

A name is that of a hyper-parameter; `trainer.<name>` is a setting of the Trainer; a chosen `Variant` is applied to the
setup whatever its name is. What a condition leaves out keeps the value that the setup has.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from art_training.errors import ProjectError
from art_training.setup.setup import Setup
from art_training.setup.variant import Variant
from art_training.tuning.dimension import (
    Choice,
    Condition,
    Dimension,
    Integer,
    Uniform,
    Value,
    choice,
    integer,
    log_uniform,
    uniform,
)

__all__ = ["Choice", "Dimension", "Integer", "Point", "Space", "Uniform", "choice", "integer", "log_uniform", "uniform"]

Point: TypeAlias = Mapping[str, Value]
"""One point of a space: a number for each dimension that is one, and for each choice the label of what was chosen."""

TRAINER = "trainer."


@dataclass(frozen=True)
class Space:
    """A search space: dimensions by name.

    Raises:
        ProjectError: there is no dimension, a name is none, or a condition can never hold.
    """

    dimensions: Mapping[str, Dimension]

    def __post_init__(self) -> None:
        if not isinstance(self.dimensions, Mapping):
            raise ProjectError(f"space={self.dimensions!r} is not a mapping; give {_EXAMPLE}")
        if not self.dimensions:
            raise ProjectError(f"space={{}} has no dimension, so there is nothing to search; give {_EXAMPLE}")
        for name, dimension in self.dimensions.items():
            if not isinstance(name, str) or not name or name == TRAINER:
                raise ProjectError(f"space has the name {name!r}; give that of a hyper-parameter, or trainer.<setting>")
            if not isinstance(dimension, Dimension):
                raise ProjectError(
                    f"space[{name!r}]={dimension!r} is no dimension; give art.space.uniform(...), log_uniform, integer "
                    "or choice, and put what is fixed into hparams"
                )
        object.__setattr__(self, "dimensions", MappingProxyType(_ordered(dict(self.dimensions))))

    def is_active(self, name: str, point: Point) -> bool:
        """Whether a dimension counts at a point that holds those before it."""
        for condition in self.dimensions[name].conditions:
            other = self.dimensions[condition.name]
            allowed = {other.of(value) for value in condition.values}
            if condition.name not in point or point[condition.name] not in allowed:
                return False
        return True

    @property
    def hparams(self) -> tuple[str, ...]:
        """Names of dimensions that are hyper-parameters."""
        return tuple(
            name
            for name, one in self.dimensions.items()
            if not name.startswith(TRAINER)
            and not (isinstance(one, Choice) and all(isinstance(option, Variant) for option in one.options.values()))
        )

    def keeps_parameters(self, setup: Setup) -> bool:
        """Whether models of all points have the parameters that those of the setup have, by their names."""
        for name, one in self.dimensions.items():
            options = tuple(one.options.values()) if isinstance(one, Choice) else (one,)
            variants = [option for option in options if isinstance(option, Variant)]
            if len(variants) < len(options) and not name.startswith(TRAINER):
                variants.append(Variant(hparams={name: one}))
            if not all(variant.keeps_parameters(setup) for variant in variants):
                return False
        return True

    def first(self) -> Point:
        """Some point: the lowest of everything."""
        point: dict[str, Value] = {}
        for name, dimension in self.dimensions.items():
            if self.is_active(name, point):
                point[name] = dimension.lowest
        return point

    def points(self) -> Iterator[Point] | None:
        """All points, each once; None where they cannot be counted."""
        if any(dimension.values() is None for dimension in self.dimensions.values()):
            return None
        return self._points({}, list(self.dimensions))

    def apply(self, setup: Setup, point: Point) -> Setup:
        """The setup that a point stands for.

        Raises:
            ProjectError: the point is none of this space.
            SetupError: settings of a Trainer meet a setup that makes its Trainer by a function.
        """
        given = self.given(point)
        for value in given.values():
            if isinstance(value, Variant):
                setup = value.apply(setup)
        plain_ones = {name: value for name, value in given.items() if not isinstance(value, Variant)}
        trainer = {name.removeprefix(TRAINER): value for name, value in plain_ones.items() if name.startswith(TRAINER)}
        hparams = {name: value for name, value in plain_ones.items() if not name.startswith(TRAINER)}
        return Variant(hparams=hparams, trainer=trainer).apply(setup)

    def given(self, point: Point) -> dict[str, Any]:
        """What a setup is given at a point, by name.

        Raises:
            ProjectError: the point is none of this space.
        """
        given: dict[str, Any] = {}
        for name, value in point.items():
            dimension = self.dimensions.get(name)
            if dimension is None or (isinstance(dimension, Choice) and value not in dimension.options):
                raise ProjectError(f"{name}={value!r} is no part of this space any more; run the search again")
            given[name] = dimension.given(value)
        return given

    def shown(self, point: Point) -> dict[str, Any]:
        """A point as a person reads it: values where they are plain data, else their labels."""
        simple = (bool, int, float, str, type(None))
        return {name: value if isinstance(value, simple) else point[name] for name, value in self.given(point).items()}

    def _points(self, so_far: dict[str, Value], names: list[str]) -> Iterator[Point]:
        if not names:
            yield dict(so_far)
            return
        name, *others = names
        if not self.is_active(name, so_far):
            yield from self._points(so_far, others)
            return
        for value in self.dimensions[name].values() or ():
            yield from self._points({**so_far, name: value}, others)


_EXAMPLE = "space={'lr': art.space.log_uniform(1e-5, 1e-1)}"


def _ordered(dimensions: dict[str, Dimension]) -> dict[str, Dimension]:
    """The same with every dimension after those that its conditions name.

    Raises:
        ProjectError: a condition names no other dimension, or a value that it cannot have, or they go in a circle.
    """
    for name, dimension in dimensions.items():
        for condition in dimension.conditions:
            _check_condition(name, condition, dimensions)
    done: dict[str, Dimension] = {}
    waiting = dict(dimensions)
    while waiting:
        ready = [name for name, one in waiting.items() if all(other.name in done for other in one.conditions)]
        if not ready:
            raise ProjectError(
                f"the conditions of {' and '.join(map(repr, waiting))} wait for each other; leave one out"
            )
        # One at a time, so that the order of declaration is kept wherever conditions allow it.
        done[ready[0]] = waiting.pop(ready[0])
    return done


def _check_condition(name: str, condition: Condition, dimensions: Mapping[str, Dimension]) -> None:
    other = dimensions.get(condition.name)
    if other is None or condition.name == name:
        others = [one for one in dimensions if one != name]
        raise ProjectError(
            f"space[{name!r}] counts when {condition.name!r} has a value, which is no other dimension; "
            f"there are: {', '.join(others) or 'none'}"
        )
    if other.values() is None:
        raise ProjectError(
            f"space[{name!r}] counts when {condition.name!r} is {condition.values[0]!r}, and that is a real number; "
            "a condition needs a choice or an integer"
        )
    for value in condition.values:
        if other.of(value) is None:
            can = list(itertools.islice(other.values() or (), 10))
            raise ProjectError(
                f"space[{name!r}] counts when {condition.name!r} is {value!r}, which it never is; "
                f"it can be: {', '.join(map(str, can))}"
            )
