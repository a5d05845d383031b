"""Which parameters the patterns of a job mean."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from art_training.engines.lightning.failures import name_of
from art_training.engines.shaping import Parts
from art_training.errors import SetupError

_SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Plan:
    """What happens to each parameter.

    Attributes:
        frozen: names of those that do not train at the beginning, in the order of the model.
        thaw: the epoch from which on some of these do.
        rates: the pattern and the factor of those that have one.
        names: of all parameters by identity.
    """

    frozen: tuple[str, ...] = ()
    thaw: Mapping[str, int] = field(default_factory=dict[str, int])
    rates: Mapping[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    names: Mapping[int, str] = field(default_factory=dict[int, str])

    def is_frozen(self, name: str, epoch: int) -> bool:
        """Whether a parameter is frozen in an epoch."""
        return name in self.frozen and not self.thaw.get(name, epoch + 1) <= epoch


def plan(parts: Parts, module: Any) -> Plan:
    """Read the patterns of a job against the parameters of a model.

    Raises:
        SetupError: a pattern matches nothing, a pattern thaws what is not frozen, or nothing is left that trains.
    """
    parameters = list(module.named_parameters())
    names = [name for name, _ in parameters]
    wants = {name for name, one in parameters if one.requires_grad}
    model = name_of(type(module))
    frozen = {name for pattern in parts.frozen for name in _matches("frozen", pattern, names, model)}
    thaw: dict[str, int] = {}
    for epoch, patterns in sorted(parts.thaw.items()):
        for pattern in patterns:
            found = [name for name in _matches("thaw", pattern, names, model) if name in frozen]
            if not found:
                raise SetupError(
                    f"thaw has {pattern!r} in epoch {epoch}, which matches no frozen parameter of {model}; "
                    f"frozen are: {_some(sorted(frozen))}"
                )
            for name in found:
                thaw.setdefault(name, epoch)
    if not any(name not in frozen or thaw.get(name, 1) <= 0 for name in wants):
        raise SetupError(
            f"frozen={list(parts.frozen)} matches every parameter of {model} that trains ({len(wants)}), so nothing would "
            f"be learned in epoch 0; leave some out, among: {_some(names[::-1])}"
        )
    rates: dict[str, tuple[str, float]] = {}
    for pattern, factor in parts.rates.items():
        for name in _matches("rates", pattern, names, model):
            rates.setdefault(name, (pattern, factor))
    # What the model itself keeps from training does not begin to train when a pattern thaws.
    return Plan(
        tuple(name for name in names if name in frozen and name in wants),
        {name: epoch for name, epoch in thaw.items() if name in wants},
        rates,
        {id(one): name for name, one in parameters},
    )


def _matches(what: str, pattern: str, names: list[str], model: str) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise SetupError(
            f"{what} has {pattern!r}, which matches no parameter of {model}; near it are: {_some(_near(pattern, names))}"
        )
    return found


def _near(pattern: str, names: list[str]) -> list[str]:
    """Names that the pattern may have meant; those that begin alike, else the first of the model."""
    plain = pattern.strip("*?.")
    below = [name for name in names if plain and plain in name]
    return below or difflib.get_close_matches(pattern, names, _SHOWN, 0.4) or names


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f", and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
