"""What a step hands over as its model, as plain data of its outcome: the one place where later steps look for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from art_training.records import Outcome, Plain, plain
from art_training.steps.weights import checkpoint_of

DELIVERED = "delivered"  # the parameter of an outcome that says it


@dataclass(frozen=True)
class Member:
    """The weights of one training.

    Attributes:
        artifact: the checkpoint's name among the artifacts of the outcome.
        weight: what its predictions count in the mean; those of all members add up to one.
        of: the earlier step whose candidate was trained; empty: the setup is that of the step that delivers.
        candidate: that step's name for it.
    """

    artifact: str
    weight: float = 1.0
    of: str = ""
    candidate: str = ""


@dataclass(frozen=True)
class Delivery:
    """A model: the weighted mean of what its members predict, at a temperature.

    Attributes:
        members: one or more.
        temperature: that the scores are divided by; 1 changes nothing.
    """

    members: tuple[Member, ...]
    temperature: float = 1.0

    @property
    def described(self) -> Plain:
        """As plain data, for the parameter `DELIVERED`."""
        return plain(self)


def delivered(outcome: Outcome) -> Delivery | None:
    """What a step delivers: what its outcome says, else its checkpoint; None where it left no weights."""
    told = outcome.parameters.get(DELIVERED)
    if isinstance(told, Mapping):
        values = cast("Mapping[str, Any]", told)
        return Delivery(tuple(Member(**one) for one in values["members"]), float(values["temperature"]))
    artifact = checkpoint_of(outcome)
    return None if artifact is None else Delivery((Member(artifact.name),))
