"""The weights that a step left."""

from art_training.records import Artifact, Outcome

LAST = "last.ckpt"
_BEST = "best.ckpt"
_CHECKPOINT = "checkpoint"


def checkpoint_of(outcome: Outcome) -> Artifact | None:
    """The weights that a step's scores are of: `last.ckpt`, else `best.ckpt`, else its only checkpoint."""
    found = {artifact.name: artifact for artifact in outcome.artifacts if artifact.kind == _CHECKPOINT}
    for name in (LAST, _BEST):
        if name in found:
            return found[name]
    return next(iter(found.values())) if len(found) == 1 else None
