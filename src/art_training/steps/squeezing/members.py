"""Which trainings an ensemble is made of: one setup under several seeds, or the best candidates of an earlier step."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from art_training.errors import ProjectError
from art_training.records import Candidate, Outcome
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench


def configurations(bench: Bench, count: int, of: str, step: str) -> list[tuple[str, Setup, int]]:
    """Label, setup and seed of each training; the first is the single model.

    Args:
        bench: for the setup, the seed and the outcomes.
        count: how many; 0: the single model alone.
        of: the earlier step whose candidates are meant; empty: seeds.
        step: the step's name, for what is said.

    Raises:
        ProjectError: there is no such step, or its candidates cannot be made again.
    """
    setups = [bench.setup] * max(count, 1) if not of else _of_candidates(bench, count, of, step)
    return [(f"member {at}", setup, seed_of(bench.seed, at)) for at, setup in enumerate(setups, start=1)]


def seed_of(seed: int, member: int) -> int:
    """The seed of a member: another for each, and the same whatever the number of members is."""
    return int.from_bytes(hashlib.sha256(f"{seed}:member {member}".encode()).digest()[:4], "big") >> 1


def _of_candidates(bench: Bench, count: int, of: str, step: str) -> list[Setup]:
    outcome = bench.outcomes.get(of)
    if outcome is None:
        known = ", ".join(bench.outcomes) or "none"
        raise ProjectError(f"of={of!r} of step {step!r} is no earlier step with an outcome; there are: {known}")
    ranked = _ranked(outcome)
    if len(ranked) < 2:
        raise ProjectError(
            f"of={of!r} of step {step!r} has {len(ranked)} candidates with scores and hyper-parameters; an ensemble needs "
            "2; leave `of` out to train one setup under several seeds"
        )
    return [bench.setup.but(hparams=hparams) for hparams in ranked[:count]]


def _ranked(outcome: Outcome) -> list[Mapping[str, Any]]:
    """Hyper-parameters of the candidates that were scored, best first, by the first score that all of them have."""
    scored = [one for one in outcome.candidates if one.scores and _plain(one)]
    shared = [name for name in (scored[0].scores if scored else ()) if all(name in one.scores for one in scored)]
    if not shared:
        return []
    by = shared[0]
    sign = -1 if scored[0].scores[by].direction == "maximize" else 1
    finite = [one for one in scored if math.isfinite(one.scores[by].value)]
    return [one.parameters for one in sorted(finite, key=lambda one: sign * one.scores[by].value)]


def _plain(one: Candidate) -> bool:
    """Whether all that it was can be laid over a setup again."""
    return bool(one.parameters) and all(
        value is None or isinstance(value, bool | int | float | str) for value in one.parameters.values()
    )
