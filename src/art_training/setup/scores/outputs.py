"""What a model's predictions and targets are, and what its loss is, found without the user's help where possible."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import Tensor

from art_training.errors import SetupError
from art_training.setup.data.batch import children
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.alignment import Raw, aligned, is_probability, same_values
from art_training.setup.scores.losses import LOSSES, activation_of
from art_training.setup.scores.step_loss import StepLoss, is_sequence, main_call, step_loss, tensors_of
from art_training.setup.task import Activation, Task

Adapter = Callable[[Any, Any], Any]

REMEDY = "give Setup(outputs=lambda batch, returned: (predictions, targets))"

_SCORES = ("logits", "logit", "scores")
_PROBABILITIES = ("probabilities", "probs", "prob", "proba")
_PREDICTIONS = ("predictions", "prediction", "preds", "pred", "y_hat", "y_pred", "yhat", "output", "outputs", "out")
_TARGETS = ("targets", "target", "labels", "label", "y_true", "y")


@dataclass(frozen=True)
class BatchOutputs:
    """What one batch gave.

    Attributes:
        predictions: probabilities, labels or values, one row a decision, classes last; None where they were not found.
        targets: as long as the predictions.
        loss: the step's loss; None where it has none.
        loss_weight: what the loss counts in a mean over batches: examples, positions that are not masked, or weights.
        per_example_loss: (examples,) the sum of the loss over each example, from the call of the loss.
        per_example_weight: (examples,) what each adds to the denominator.
        loss_summed: whether the loss is an example's share of a sum over the batch.
        call_loss: the part of the loss that the call of the loss accounts for; None where there was no such call.
        example: (rows,) the example that each row belongs to; None where a row is an example.
        source: where predictions and targets were found, or a sentence why they were not.
        call: the call of the main loss, if one was seen.
    """

    predictions: Tensor | None
    targets: Tensor | None
    loss: float | None
    loss_weight: float
    per_example_loss: Tensor | None
    source: str
    per_example_weight: Tensor | None = None
    loss_summed: bool = False
    call_loss: float | None = None
    example: Tensor | None = None
    call: LossCall | None = None


@dataclass(frozen=True)
class _Found:
    raw: Raw
    source: str


def read_outputs(observation: BatchObservation, task: Task | None, adapter: Adapter | None) -> BatchOutputs:
    """Find predictions, targets and loss of one batch.

    Predictions and targets are looked for in this order: the user's adapter; what the step returned; what entered its
    loss and its metrics. Probabilities are made of scores where the loss says that they are scores.

    Raises:
        SetupError: the adapter raises, or what it returns is not a pair of tensors that belong together.
    """
    call = main_call(observation, task)
    found, why = _find(observation, task, adapter, call)
    outputs = _with_loss(step_loss(observation, call))
    if found is None:
        return replace(outputs, source=why)
    try:
        rows = aligned(_with_activation(found.raw, task, call), observation.weight)
    except (ValueError, RuntimeError) as error:
        if adapter is not None:
            raise SetupError(
                f"outputs= gave what cannot be compared: {error}; return one target a prediction"
            ) from error
        return replace(outputs, source=f"{found.source}: {error}; {REMEDY}")
    return replace(
        outputs, predictions=rows.predictions, targets=rows.targets, example=rows.example, source=found.source
    )


def read_loss(observation: BatchObservation, task: Task | None) -> BatchOutputs:
    """The loss of one batch alone, where nobody asks for predictions."""
    return _with_loss(step_loss(observation, main_call(observation, task)))


def _with_loss(loss: StepLoss) -> BatchOutputs:
    parts = loss.parts
    return BatchOutputs(
        predictions=None,
        targets=None,
        loss=loss.value,
        loss_weight=loss.weight,
        per_example_loss=None if parts is None else parts.total,
        source="",
        per_example_weight=None if parts is None else parts.weight,
        loss_summed=loss.summed,
        call_loss=loss.call_value,
        call=loss.call,
    )


def _find(
    observation: BatchObservation, task: Task | None, adapter: Adapter | None, call: LossCall | None
) -> tuple[_Found | None, str]:
    if adapter is not None:
        return _adapted(observation, adapter), ""
    found = _returned(observation, task, call)
    if found is not None:
        return _richer(found, call), ""
    if call is not None and LOSSES[call.name].paired:
        return _called(call), ""
    for name, arguments in observation.metric_inputs:
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        if len(tensors) >= 2:
            return _Found(Raw(tensors[0], tensors[1], classes_last=False), f"{name} call"), ""
    if call is not None:
        return None, f"{call.name} compares no predictions with targets, so neither was found; {REMEDY}"
    return None, f"the step returned neither, and called no loss of torch and no torchmetrics object; {REMEDY}"


def _adapted(observation: BatchObservation, adapter: Adapter) -> _Found:
    try:
        pair = adapter(observation.batch, observation.returned)
    except Exception as error:  # the adapter is the user's code
        raise SetupError(
            f"outputs= raised {type(error).__name__}: {error}; it is called with the batch and with what the step "
            f"returned ({_kind(observation.returned)}), and returns (predictions, targets)"
        ) from error
    if not isinstance(pair, tuple | list) or len(cast("tuple[Any, ...]", pair)) != 2:
        raise SetupError(f"outputs= returned {_kind(pair)}; it must return a pair (predictions, targets)")
    prediction, target = cast("tuple[Any, Any]", pair)
    if not isinstance(prediction, Tensor) or not isinstance(target, Tensor):
        kinds = f"({_kind(prediction)}, {_kind(target)})"
        raise SetupError(f"outputs= returned {kinds}; predictions and targets must be tensors")
    return _Found(Raw(prediction.detach(), target.detach()), "outputs= adapter")


def _returned(observation: BatchObservation, task: Task | None, call: LossCall | None) -> _Found | None:
    returned = observation.returned
    if isinstance(returned, Tensor):
        target = _batch_target(observation, task, None)
        if call is not None or target is None or returned.ndim == 0 or len(returned) != observation.weight:
            return None
        return _Found(Raw(returned.detach(), target), "what the step returned, targets of the batch")
    named = children(returned)
    if named is None:
        return None
    if is_sequence(observation.returned):
        return _returned_in_order(list(named.values()), observation, task)
    return _returned_by_name(named, observation, task, call)


def _returned_by_name(
    named: Mapping[str, Any], observation: BatchObservation, task: Task | None, call: LossCall | None
) -> _Found | None:
    lower = {name.lower(): value for name, value in named.items() if isinstance(value, Tensor) and value.ndim}
    name = next((name for name in (*_PROBABILITIES, *_SCORES, *_PREDICTIONS) if name in lower), None)
    if name is None:
        return None
    key = next((key for key in _TARGETS if key in lower), None)
    target = lower[key] if key else _batch_target(observation, task, call)
    if target is None:
        return None
    where = f"what the step returned ({name}" + (f", {key})" if key else " of it, targets of the batch)")
    return _Found(Raw(lower[name].detach(), target.detach(), "none" if name in _PROBABILITIES else None), where)


def _returned_in_order(returned: list[Any], observation: BatchObservation, task: Task | None) -> _Found | None:
    tensors = [item.detach() for item in returned if isinstance(item, Tensor) and item.ndim]
    if len(tensors) != 2 or len(tensors[0]) != len(tensors[1]):
        return None
    first, second = tensors
    target = _batch_target(observation, task, None)
    if target is not None and same_values(first, target) and not same_values(second, target):
        first, second = second, first
    return _Found(Raw(first, second), "what the step returned (a tuple)")


def _batch_target(observation: BatchObservation, task: Task | None, call: LossCall | None) -> Tensor | None:
    tensors = tensors_of(observation.batch)
    if task is not None and task.target in tensors:
        return tensors[task.target]
    if call is not None and LOSSES[call.name].paired:
        return call.target
    return next((tensors[key] for key in _TARGETS if key in tensors), None)


def _called(call: LossCall) -> _Found:
    ignore = call.options.get("ignore_index")
    prediction, target = call.prediction, call.target
    if call.name in {"cross_entropy", "nll_loss"} and target.is_floating_point():  # probabilities as targets
        target = target.argmax(1)
    elif call.name == "soft_margin_loss":
        target = (target > 0).to(target.dtype)
    raw = Raw(prediction, target, activation_of(call), classes_last=False, ignore_index=ignore)
    return _Found(raw, f"{call.name} call")


def _richer(found: _Found, call: LossCall | None) -> _Found:
    """The scores that entered the loss in place of returned decisions that follow from them."""
    prediction = found.raw.prediction
    if call is None or prediction.is_floating_point() or not LOSSES[call.name].paired:
        return found
    scores, activation = call.prediction, activation_of(call)
    if call.name in {"cross_entropy", "nll_loss"} and scores.ndim >= 2:
        decided = scores.argmax(1)
    elif activation == "sigmoid":
        decided = (scores > 0).long()
    else:
        return found
    if same_values(decided, prediction) and same_values(call.target, found.raw.target):
        return _called(call)
    return found


def _with_activation(raw: Raw, task: Task | None, call: LossCall | None) -> Raw:
    """Decide what makes probabilities of a prediction that did not come from the call of the loss itself."""
    if call is not None and raw.prediction is call.prediction:
        return raw
    ignore = call.options.get("ignore_index") if call is not None else None
    usual = activation_of(call) if call is not None else task.activation if task is not None else "none"
    if not raw.prediction.is_floating_point():
        usual = "none"
    elif call is None and usual == "none" and (task is None or "activation" not in task.declared):
        usual = _by_shape(raw)
    elif task is not None and "activation" in task.declared:
        usual = task.activation
    elif call is not None and same_values(raw.prediction, call.prediction):
        pass
    elif is_probability(raw.prediction, usual):  # activated by the model, or by the step after its loss
        usual = "none"
    return replace(raw, activation=usual, ignore_index=ignore)


def _by_shape(raw: Raw) -> Activation:
    """What makes probabilities of predictions of classes whose loss nobody knows; they are none yet."""
    prediction, target = raw.prediction, raw.target
    if target.is_floating_point() or not target.numel():
        return "none"
    if prediction.ndim == target.ndim + 1 and prediction.shape[-1] > 1:
        return "none" if is_probability(prediction, "softmax") else "softmax"
    decisions = bool(((target == 0) | (target == 1)).all())
    return "sigmoid" if decisions and not is_probability(prediction, "sigmoid") else "none"


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a mapping of {', '.join(str(key) for key in cast('Mapping[Any, Any]', value)) or 'nothing'}"
    return "None" if value is None else " ".join(f"{type(value).__name__} {value!r:.80}".split())
