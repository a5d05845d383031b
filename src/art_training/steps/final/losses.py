"""How the losses of test examples are spread. None of them is named: whoever sees which ones fail mends what fails."""

from typing import Any

from art_training.records import Reading
from art_training.setup.scores.examples import Examples
from art_training.setup.task import Task
from art_training.steps.decisions import Decisions

SPREAD = "losses of test examples"
SURE = "surely wrong test examples"

_SURE = 0.9
_SHARES = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "largest": 1.0}


def spread(examples: Examples, task: Task) -> list[Reading]:
    """Quantiles of the losses, and how many examples have a wrong decision that was given a high probability."""
    found: list[Reading] = []
    if examples.losses is not None and examples.weights is not None:
        found += _quantiles(examples.losses[examples.weights > 0])
    decisions = None if examples.pool is None else Decisions(examples.pool, task, examples.count)
    if decisions is not None and decisions.decided and decisions.wrong_confidence is not None:
        sure = int((decisions.wrong_confidence >= _SURE).sum())
        wrong = int((decisions.wrong_decisions > 0).sum())
        note = f"of {wrong:,} with a wrong decision, those whose wrong one was given a probability of {_SURE:g} or more"
        found.append(Reading(SURE, sure, "examples", note))
    return found


def _quantiles(losses: Any) -> list[Reading]:
    import numpy as np

    if not len(losses):
        return []
    values = {name: float(f"{np.quantile(losses, share):.6g}") for name, share in _SHARES.items()}
    note = "how they are spread; which examples they are of is not told, so that nothing is mended by them"
    return [Reading(SPREAD, values, note=note)]
