"""What a setup is for, told from one batch through its model; whatever the user declares stands."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from art_training.errors import SetupError, Unpaired
from art_training.records import Split
from art_training.setup.declaration import TaskDeclaration, declaration, plain_options
from art_training.setup.learned import learned
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.losses import LOSSES, activation_of
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import BatchOutputs
    from art_training.setup.setup import Setup

__all__ = ["Observer", "TaskDeclaration", "declaration", "infer", "told"]

_SEED = 0  # what a setup is for does not depend on the weights


class Observer(Protocol):
    """What inference needs of an engine."""

    def observe(self, setup: "Setup", *, seed: int, split: Split, limit: int) -> list[BatchObservation]:
        """The first batches of a split on their way through fresh weights, in evaluation mode."""
        ...


def infer(setup: "Setup", engine: Observer) -> Task:
    """What a setup is for, from the first batches of its training split through fresh weights.

    Raises:
        SetupError: the setup cannot be built, a batch does not pass through the model, or there is no batch.
        SetupError: the targets are none that the loss compares with.
        Unpaired: predictions would be compared each with every target.
    """
    try:
        observations = _observed(setup, engine, Split.TRAIN)
    except Unpaired:
        raise
    except Exception:
        # What is observed is a step of evaluation, and training may combine batches of another kind than validation has.
        observations = _of_validation(setup, engine)
        if not observations:
            raise
    if not observations:
        raise SetupError("the training split has no batch; give data with at least one example")
    return told(observations[0], setup)


def _observed(setup: "Setup", engine: Observer, split: Split) -> list[BatchObservation]:
    from art_training.setup.entering import followed

    with followed():
        return engine.observe(setup, seed=_SEED, split=split, limit=1)


def _of_validation(setup: "Setup", engine: Observer) -> list[BatchObservation]:
    try:
        return _observed(setup, engine, Split.VALIDATION)
    except Exception:  # noqa: BLE001  What training raised is told.
        return []


def told(observation: BatchObservation, setup: "Setup") -> Task:
    """The task as one observed batch tells it, with what the setup declares laid over."""
    from art_training.setup.scores.outputs import read_outputs
    from art_training.setup.scores.step_loss import main_call

    declared = dict(setup.declared)
    wanted = _declared_only(declared)
    call = main_call(observation, wanted)
    _require_targets_of_two(call)
    outputs = read_outputs(observation, wanted, setup.outputs)
    own = learned(observation) if call is None and outputs.predictions is None else None
    target = declared.get("target", _target_path(observation, call, outputs) if own is None else own.target)
    inputs, unread = _inputs(observation, target)
    is_own_input = _is_own_input(observation, target)
    if is_own_input:
        own = None
    inferred = Task(
        kind=_kind(call, outputs, is_own_input=is_own_input) if own is None else own.kind,
        inputs=inputs,
        target=target,
        loss=call.name if call is not None else "",
        loss_options=plain_options(call.options) if call is not None else {},
        classes=_classes(call, outputs) if own is None else own.classes,
        activation=activation_of(call) if call is not None else "none",
        source=outputs.source if outputs.predictions is not None else "",
        declared=tuple(declared),
        notes=(
            *_notes(call, outputs, target, declared),
            *_several(observation, call, declared),
            *_unread(unread, declared),
        ),
    )
    return dataclasses.replace(inferred, **declared)


def _require_targets_of_two(call: LossCall | None) -> None:
    """Labels such as 1 and 2 have a loss with logits that falls without end; nothing raises.

    Raises:
        SetupError: a target of binary cross entropy is not between 0 and 1.
    """
    if call is None or call.name not in {"binary_cross_entropy", "binary_cross_entropy_with_logits"}:
        return
    low, high = (float(one) for one in call.target.aminmax()) if call.target.numel() else (0.0, 1.0)
    if low < 0 or high > 1:
        raise SetupError(
            f"{call.name} compares with targets between 0 and 1, and those of the first batch go from {low:.4g} to "
            f"{high:.4g}; number two classes 0 and 1, e.g. labels - labels.min()"
        )


def _declared_only(declared: Mapping[str, Any]) -> Task | None:
    if not declared:
        return None
    return dataclasses.replace(Task(TaskKind.OTHER), **declared, declared=tuple(declared))


def _target_path(observation: BatchObservation, call: LossCall | None, outputs: "BatchOutputs") -> str | None:
    """The batch entry that is learned: the one whose numbers are compared, else one that is called so."""
    from art_training.setup.scores.alignment import same_values
    from art_training.setup.scores.step_loss import is_target_name, tensors_of

    tensors = tensors_of(observation.batch)
    candidates: list[Tensor] = []
    if call is not None and LOSSES[call.name].paired:
        candidates.append(call.target)
    if outputs.targets is not None:
        candidates.append(outputs.targets)
    for values in candidates:
        matching = [path for path, tensor in tensors.items() if same_values(values, tensor)]
        if matching:
            # An entry that is read, and is called a target, comes before one that merely holds the same numbers.
            return max(matching, key=lambda path: (_enters(observation, path), is_target_name(path)))
    return max(filter(is_target_name, tensors), key=lambda path: _enters(observation, path), default=None)


def _enters(observation: BatchObservation, path: str) -> bool:
    """Whether what the step computes depends on an entry, as far as it was followed."""
    return observation.entering is None or path in observation.entering.step


def _inputs(observation: BatchObservation, target: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The entries with one row an example that enter the step, and those that do not.

    The target is one of them where predictions are made of it. Where no entry was seen to enter, the batch took a way that
    cannot be followed, and all of them count as inputs.
    """
    from art_training.setup.scores.step_loss import tensors_of

    tensors = tensors_of(observation.batch)
    rows = [path for path, tensor in tensors.items() if tensor.ndim and len(tensor) == observation.weight]
    others = tuple(path for path in rows if path != target)
    entering = tuple(path for path in others if _enters(observation, path))
    if target is not None and _is_input(observation, target) and (not entering or tensors[target].ndim > 1):
        return (target, *(path for path in entering if tensors[path].shape == tensors[target].shape)), ()
    entering = entering or others
    return entering, tuple(path for path in others if path not in entering)


def _is_input(observation: BatchObservation, target: str) -> bool:
    """Whether predictions are made of the target itself: of what comes first in a batch, or of nothing else."""
    from art_training.setup.scores.step_loss import tensors_of

    first = next(iter(tensors_of(observation.batch)), None) == target
    if observation.entering is None or not observation.entering.predictions:
        return first
    made_of = observation.entering.predictions
    return target in made_of and (first or made_of == {target})


def _kind(call: LossCall | None, outputs: "BatchOutputs", *, is_own_input: bool) -> TaskKind:
    if call is None or not LOSSES[call.name].paired:
        return _kind_by_values(outputs)
    if call.name in {"cross_entropy", "nll_loss", "multi_margin_loss"}:
        positions = call.prediction.ndim > 2 or (outputs.example is not None)
        return TaskKind.SEQUENCE if positions else TaskKind.CLASSIFICATION
    if is_own_input:
        return TaskKind.RECONSTRUCTION
    if call.name in {"multilabel_soft_margin_loss", "multilabel_margin_loss"}:
        return TaskKind.MULTI_LABEL
    if call.name in {"binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss"}:
        if outputs.example is not None or (outputs.predictions is None and call.prediction.ndim > 2):
            return TaskKind.SEQUENCE
        labels = outputs.predictions.shape[1:] if outputs.predictions is not None else call.prediction.shape[1:]
        return TaskKind.MULTI_LABEL if labels.numel() > 1 else TaskKind.CLASSIFICATION
    return TaskKind.OTHER if call.name == "kl_div" else TaskKind.REGRESSION


def _kind_by_values(outputs: "BatchOutputs") -> TaskKind:
    """The kind of predictions that no known loss was seen for."""
    predictions, targets = outputs.predictions, outputs.targets
    if predictions is None or targets is None:
        return TaskKind.OTHER
    if targets.is_floating_point():
        return TaskKind.REGRESSION
    if outputs.example is not None:
        return TaskKind.SEQUENCE
    if predictions.shape == targets.shape and predictions.ndim > 1:
        return TaskKind.MULTI_LABEL
    return TaskKind.CLASSIFICATION


def _is_own_input(observation: BatchObservation, target: str | None) -> bool:
    """Whether the target is numbers that enter the model."""
    from art_training.setup.scores.step_loss import tensors_of

    if target is None or not _is_input(observation, target):
        return False
    return tensors_of(observation.batch)[target].is_floating_point()


def _classes(call: LossCall | None, outputs: "BatchOutputs") -> int | None:
    if call is not None and call.name in {"cross_entropy", "nll_loss"}:
        return int(call.prediction.shape[1 if call.prediction.ndim > 1 else 0])
    if call is not None and call.name in {"multi_margin_loss", "multilabel_soft_margin_loss", "multilabel_margin_loss"}:
        return int(call.prediction.shape[-1])
    predictions, targets = outputs.predictions, outputs.targets
    if predictions is None or targets is None:
        return None
    binary = {"binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss"}
    if call is not None and call.name in binary:
        return max(2, int(predictions.shape[1:].numel())) if predictions.ndim > 1 else 2
    if call is None and not targets.is_floating_point() and predictions.ndim == 2:
        return int(predictions.shape[1])
    return None


def _notes(
    call: LossCall | None, outputs: "BatchOutputs", target: str | None, declared: TaskDeclaration
) -> tuple[str, ...]:
    notes: list[str] = []
    if call is None and "loss" not in declared:
        notes.append(
            "no loss function of torch was called, so what its loss should be at first is not known; "
            "declare Setup(task={'loss': 'cross_entropy'}) if it is one of them written by hand"
        )
    if outputs.predictions is None:
        notes.append(f"predictions and targets were not found: {outputs.source}")
    if target is None and "target" not in declared:
        notes.append(
            "no entry of the batch is what the loss compares with; declare Setup(task={'target': '1'}) to name it"
        )
    return tuple(notes)


def _unread(paths: tuple[str, ...], declared: TaskDeclaration) -> tuple[str, ...]:
    if not paths or "inputs" in declared:
        return ()
    told = ", ".join(f"batch[{path}]" for path in paths)
    note = (
        f"nothing that a step of evaluation computes depends on {told}, so that it is no input; "
        "declare Setup(task={'inputs': (...)}) if it is one"
    )
    return (note,)


def _several(observation: BatchObservation, call: LossCall | None, declared: TaskDeclaration) -> tuple[str, ...]:
    """A note where the step compares with several entries and nobody has said which of them the task is."""
    from art_training.setup.scores.step_loss import targets_of

    if call is None or "target" in declared or "loss" in declared:
        return ()
    others = {
        path for other in observation.losses if LOSSES[other.name].paired for path in targets_of(observation, other)[:1]
    }
    others -= set(targets_of(observation, call))
    if not others:
        return ()
    more = ", ".join(f"batch[{path}]" for path in sorted(others))
    note = (
        f"the step has several losses; predictions and targets are those of {call.name}, and {more} is compared with "
        "too: declare Setup(task={'target': ...}) to choose another"
    )
    return (note,)
