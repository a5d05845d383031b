"""What an ensemble is made of: one setup under several seeds, or the best candidates of an earlier step."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from art_training.errors import ProjectError, StoreError
from art_training.records import Artifact, Outcome
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.weights import LAST


@dataclass(frozen=True)
class Planned:
    """A member before it is trained.

    Attributes:
        label: of its training.
        setup: what is trained.
        seed: of its training.
        candidate: the earlier step's name for it; empty for a seed.
        left: weights that the earlier step left of it, so that nothing need be trained.
    """

    label: str
    setup: Setup
    seed: int
    candidate: str = ""
    left: Artifact | None = None


def planned(bench: Bench, count: int, of: str, step: str) -> list[Planned]:
    """The members; the first is the single model.

    Args:
        bench: for the setup, the seed and the earlier steps.
        count: how many; 0: the single model alone.
        of: the earlier step whose candidates are meant; empty: seeds.
        step: the step's name, for what is said.

    Raises:
        ProjectError: there is no such step, or it has no setups to give.
    """
    if of:
        return _of_candidates(bench, count, of, step)
    members = range(1, max(count, 1) + 1)
    return [Planned(f"member {at}", bench.setup, seed_of(bench.seed, at)) for at in members]


def seed_of(seed: int, member: int) -> int:
    """The seed of a member: another for each, and the same whatever the number of members is."""
    return int.from_bytes(hashlib.sha256(f"{seed}:member {member}".encode()).digest()[:4], "big") >> 1


def _of_candidates(bench: Bench, count: int, of: str, step: str) -> list[Planned]:
    earlier = next((one for one in bench.earlier if one.name == of), None)
    if earlier is None or earlier.configured is None:
        known = ", ".join(one.name for one in bench.earlier) or "none"
        raise ProjectError(f"of={of!r} of step {step!r} is no earlier step with an outcome; there are: {known}")
    names = ranked(earlier.outcome)[:count]
    if len(names) < 2:
        raise ProjectError(
            f"of={of!r} of step {step!r} left {len(names)} candidates to make members of, and an ensemble needs 2; leave `of` "
            "out to train one setup under several seeds"
        )
    return [
        Planned(
            f"member {at}",
            earlier.configured(name),
            seed_of(bench.seed, at),
            name,
            _weights(bench, earlier.outcome, name),
        )
        for at, name in enumerate(names, start=1)
    ]


def ranked(outcome: Outcome) -> list[str]:
    """Candidates, best first: in the order in which the step gives their points, else by the score that the step chose by.

    Where the step names none, it is the first that all of them have.
    """
    points = outcome.parameters.get("points")
    if isinstance(points, Mapping):
        return [str(name) for name in cast("Mapping[str, object]", points)]
    scored = [one for one in outcome.candidates if one.scores]
    names = [str(outcome.parameters.get("by", "")), *(scored[0].scores if scored else ())]
    by = next((name for name in names if all(name in one.scores for one in scored)), "")
    finite = [one for one in scored if by and math.isfinite(one.scores[by].value)]
    sign = -1 if by and scored[0].scores[by].direction == "maximize" else 1
    return [one.name for one in sorted(finite, key=lambda one: sign * one.scores[by].value)]


def _weights(bench: Bench, outcome: Outcome, name: str) -> Artifact | None:
    """The weights that were left of a candidate, if they are still kept."""
    file = f"{name}.ckpt"
    artifact = outcome.artifact(file)
    if artifact is None or file == LAST:  # a candidate may be called so, and these weights are what the step hands on
        return None
    try:
        bench.fetch(artifact)
    except StoreError:  # freed since; the member is trained
        return None
    return artifact
