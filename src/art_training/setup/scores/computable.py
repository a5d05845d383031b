"""Whether metrics can be computed at all on what a model predicts, asked of fresh weights before any are trained."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from art_training.setup.observation import BatchObservation
from art_training.setup.scores.measures import Measure, Pool, Running, quiet
from art_training.setup.scores.outputs import Adapter, read_outputs
from art_training.setup.scores.scoring import why_raised
from art_training.setup.task import Task, TaskKind

_FITTING = {
    TaskKind.CLASSIFICATION: "a classification of {classes} classes", TaskKind.SEQUENCE: "one of {classes} classes a position",
    TaskKind.MULTI_LABEL: "a choice of labels, {classes} of them", TaskKind.REGRESSION: "a regression",
    TaskKind.RECONSTRUCTION: "a reconstruction",
}  # fmt: skip
_CHOICES = {
    TaskKind.CLASSIFICATION: "MulticlassAccuracy(num_classes={classes})",
    TaskKind.SEQUENCE: "MulticlassAccuracy(num_classes={classes})",
    TaskKind.MULTI_LABEL: "MultilabelAccuracy(num_labels={classes})",
    TaskKind.REGRESSION: "R2Score() or MeanAbsoluteError()",
    TaskKind.RECONSTRUCTION: "MeanSquaredError()",
}


class Trial:
    """Metrics on some batches of fresh weights; shown every batch by `see`.

    A metric may raise because of what is predicted, as where nothing is positive yet. It counts as one that cannot be
    computed if it raises on what fresh weights predict, on what would be right, and on a mixture of both alike.
    """

    def __init__(self, measures: Mapping[str, Measure], task: Task, adapter: Adapter | None) -> None:
        self._task = task
        self._adapter = adapter
        self._measures = measures
        self._running = {name: [one.start() for _ in range(_VARIANTS)] for name, one in measures.items()}
        self._raised: dict[str, dict[int, str]] = {name: {} for name in measures}
        self._pooled: list[tuple[Tensor, Tensor]] = []

    def see(self, observation: BatchObservation) -> None:
        """Take in a batch; one of which predictions are not known, or nothing counts, says nothing."""
        outputs = read_outputs(observation, self._task, self._adapter)
        if outputs.predictions is None or outputs.targets is None or len(outputs.targets) == 0:
            return
        if not self._pooled or any(one.needs_pool for one in self._measures.values()):
            self._pooled.append((outputs.predictions.cpu(), outputs.targets.cpu()))
        for at, predictions in enumerate(_variants(outputs.predictions, outputs.targets)):
            for name, running in self._running.items():
                if at not in self._raised[name]:
                    self._update(name, at, running[at], predictions, outputs.targets)

    @property
    def refused(self) -> dict[str, str]:
        """Why metrics cannot take in a batch that they were shown, by name: no other batch makes up for it."""
        return {name: raised[0] for name, raised in self._raised.items() if len(raised) == _VARIANTS}

    def uncomputed(self) -> dict[str, str]:
        """Why metrics cannot be computed over all that was shown, by name; other batches may make up for it."""
        if not self._pooled:
            return {}
        predictions, targets = (torch.cat(parts) for parts in zip(*self._pooled, strict=True))
        for at, variant in enumerate(_variants(predictions, targets)):
            for name, running in self._running.items():
                if at not in self._raised[name]:
                    self._compute(name, at, running[at], Pool(variant, targets))
        return self.refused

    def _update(self, name: str, at: int, running: Running, predictions: Tensor, targets: Tensor) -> None:
        try:
            with quiet():
                running.update(predictions, targets)
        except Exception as error:  # noqa: BLE001  A metric is the user's choice; whatever it raises is the answer.
            self._raised[name][at] = why_raised(name, error, predictions, targets)

    def _compute(self, name: str, at: int, running: Running, pool: Pool) -> None:
        try:
            with quiet():
                running.values(pool)
        except Exception as error:  # noqa: BLE001  As above.
            self._raised[name][at] = why_raised(name, error, pool.predictions, pool.targets)


_VARIANTS = 3


def _variants(predictions: Tensor, targets: Tensor) -> Iterable[Tensor]:
    """What was predicted, what would be right, and each of them on every second row."""
    right = _right(predictions, targets)
    mixed = right.clone()
    mixed[::2] = predictions[::2]
    return predictions, right, mixed


def _right(predictions: Tensor, targets: Tensor) -> Tensor:
    """Predictions of the same form that are right; the same ones where that is not known."""
    if predictions.shape == targets.shape:
        return targets.to(predictions.dtype)
    classes = predictions.shape[-1] if predictions.ndim == targets.ndim + 1 else 0
    if not classes or targets.is_floating_point() or targets.min() < 0 or targets.max() >= classes:
        return predictions
    return one_hot(targets.long(), classes).to(predictions.dtype)


def refusal(why: Mapping[str, str], task: Task) -> str:
    """One sentence on metrics that cannot be computed: what each raised, what the task is, what fits it.

    Args:
        why: what is said of each metric, by name.
        task: what the setup is for.
    """
    what, choice = _FITTING.get(task.kind, ""), _CHOICES.get(task.kind, "")
    if "{classes}" in what and task.classes is None:
        what = choice = ""
    fits = f"this is {what}, so choose {choice}" if what else "choose a metric that takes these"
    return (
        f"{'; '.join(why.values())}; nothing has been trained: {fits.format(classes=task.classes)}, give Setup(outputs=...) "
        f"that returns others, or leave it out of this step with skip_metrics={list(why)!r}"
    )
