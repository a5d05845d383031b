"""Metrics are tried on fresh weights before a step trains: one that cannot be computed is told before a night, not after it."""

from collections.abc import Collection
from dataclasses import replace

from art_training.engines import Engine, EvaluateJob, Position
from art_training.errors import Interrupted, ProjectError, StoreError
from art_training.records import Fingerprint, plain
from art_training.setup.identity.fingerprint import setup_components
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.task import Task
from art_training.stores import Store


def require_computable(metrics: MetricCalculator, task: Task, job: EvaluateJob, engine: Engine, store: Store) -> None:
    """Refuse to train where a metric is going to raise, whatever is learned.

    One batch is passed through fresh weights. What a metric raises when it is shown the batch is final, because that
    batch is part of what is scored; what it raises when it is computed may be due to so few examples, so that the whole split is asked
    before it is refused. It is done once for a setup and metrics, and remembered by the store.

    Args:
        metrics: those that the step computes.
        task: what the setup is for.
        job: a pass over the split that is asked.
        engine: makes the pass.
        store: remembers that nothing was wrong.

    Raises:
        ProjectError: a metric cannot be computed.
    """
    key = _key(metrics, task, job, store)
    if not metrics.names or store.memo(key) is not None:
        return
    suspicious = _asked(metrics, metrics.names, task, replace(job, limit=1), engine)
    if suspicious:
        _asked(metrics, suspicious, task, job, engine, whole=True)
    store.remember(key, True)


def _asked(
    metrics: MetricCalculator,
    names: Collection[str],
    task: Task,
    job: EvaluateJob,
    engine: Engine,
    *,
    whole: bool = False,
) -> tuple[str, ...]:
    """The metrics that could not be computed over the pass.

    Raises:
        ProjectError: that is final.
    """
    from art_training.setup.scores.computable import Trial, refusal

    trial = Trial({name: one for name, one in metrics.measures.items() if name in names}, task, job.setup.outputs)
    try:
        engine.evaluate(job, trial.see, _nobody_watches)
    except (Interrupted, StoreError):
        raise
    except Exception:  # noqa: BLE001  Whatever the user's code raises is the training's or the scoring's to tell.
        return ()
    if trial.refused:
        raise ProjectError(refusal(trial.refused, task))
    why = trial.uncomputed()
    if why and whole:
        raise ProjectError(refusal(why, task))
    return tuple(why)


def _key(metrics: MetricCalculator, task: Task, job: EvaluateJob, store: Store) -> str:
    """What the answer depends on, as far as it is cheap to tell: what is missed is told after the training."""
    components, _ = setup_components(job.setup, memo=store.memo, remember=store.remember)
    asked = {**components, "task": plain(task), "metrics": plain(metrics.described())}
    return "metrics tried:" + Fingerprint(asked).digest


def _nobody_watches(position: Position) -> None:
    """Nothing is told of it."""
