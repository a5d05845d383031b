"""The validation split is passed through trained weights: twice, and where need be through the step of training too."""

from contextlib import suppress
from dataclasses import replace

import torch

from art_training.engines import Engine, EvaluateJob, Position
from art_training.probes import Evaluation
from art_training.probes.recomputed import compares
from art_training.setup.data.batch import detached
from art_training.setup.entering import followed
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.step_loss import tensors_of


def evaluated(engine: Engine, job: EvaluateJob, *, again: int) -> Evaluation:
    """What two passes showed.

    Args:
        engine: that passes.
        job: of the validation split.
        again: batches of the second pass, at most, which has another seed, and one batch less than the first at least, so that
            what is logged once a pass is seen of two different sets of rows.

    Raises:
        Exception: whatever the user's code raises.
    """
    seen: list[list[BatchObservation]] = [[], []]
    first = engine.evaluate(job, lambda one: seen[0].append(_on_cpu(one)), _unwatched)
    other = replace(job, limit=min(again, max(1, len(seen[0]) - 1)), seed=job.seed + 1)
    second = engine.evaluate(other, lambda one: seen[1].append(_on_cpu(one)), _unwatched)
    logged = {name: value for one in first.logged.values() for name, value in one.items()}
    return Evaluation(
        tuple(seen[0]),
        tuple(seen[1]),
        logged,
        first.rows.get("validation"),
        _learned(engine, job, seen[0]),
        logged_again={name: value for one in second.logged.values() for name, value in one.items()},
    )


def _learned(engine: Engine, job: EvaluateJob, seen: list[BatchObservation]) -> tuple[BatchObservation, ...]:
    """The same batches through the training step, where that of validation is not seen to compare predictions."""
    found: list[BatchObservation] = []
    if all(map(compares, seen)):
        return ()
    # What is called at the end of a validation may miss what only its own step collects; all has been shown by then.
    with suppress(Exception, SystemExit), followed(every=True):
        engine.evaluate(replace(job, as_training=True), lambda one: found.append(_on_cpu(one)), _unwatched)
    return tuple(found) if len(found) == len(seen) and all(map(_is_same_batch, found, seen)) else ()


def _is_same_batch(one: BatchObservation, other: BatchObservation) -> bool:
    first, second = tensors_of(one.batch), tensors_of(other.batch)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _on_cpu(observation: BatchObservation) -> BatchObservation:
    return replace(
        observation,
        batch=detached(observation.batch),
        returned=detached(observation.returned),
        losses=tuple(
            replace(one, prediction=one.prediction.cpu(), target=one.target.cpu(), value=one.value.cpu())
            for one in observation.losses
        ),
        compared=tuple(
            replace(one, prediction=one.prediction.cpu(), target=one.target.cpu()) for one in observation.compared
        ),
    )


def _unwatched(position: Position) -> None:
    """Nobody is told how far a pass is."""
    del position
