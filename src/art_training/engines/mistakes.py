"""What a model raises on its first batch is a mistake in the setup, and is told as one: in one sentence.

Frameworks raise deep inside, in their own terms (`mat1 and mat2 shapes cannot be multiplied`). The frames of the traceback
still hold what the sentence needs: the batch, the layer with its input, the predictions and the targets, the user's line.
"""

import re
from collections.abc import Callable, Collection, Mapping
from types import FrameType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from art_training.errors import SetupError
from art_training.setup.data.batch import children, entries
from art_training.setup.frames import users_lines

_SHOWN = 6  # entries of a batch


class Scene(NamedTuple):
    """What was going on when an error was raised.

    Attributes:
        error: what was raised.
        frames: from the step of the model on, down to where it was raised.
        module: the model.
        batch: as the step has it.
    """

    error: Exception
    frames: tuple[FrameType, ...]
    module: nn.Module
    batch: Any

    def last(self, name: str) -> Mapping[str, Any]:
        """The local values of the innermost call of a function; empty where it takes no part."""
        return next((one.f_locals for one in reversed(self.frames) if one.f_code.co_name == name), {})


class Told(NamedTuple):
    """What is wrong and what to do."""

    what: str
    remedy: str


def step_of(error: BaseException, module: object, names: Collection[str]) -> tuple[FrameType, ...]:
    """The frames of an error from the first call of a method of `module` with one of these names on; empty for none."""
    frames: list[FrameType] = []
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frames or (frame.f_code.co_name in names and argument(frame, 0) is module):
            frames.append(frame)
        trace = trace.tb_next
    return tuple(frames)


def argument(frame: FrameType, index: int) -> Any:
    """What a function was given at a position, as it is in the frame; None where it takes no such argument."""
    code = frame.f_code
    if index < code.co_argcount:
        return frame.f_locals.get(code.co_varnames[index])
    rest = frame.f_locals.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount]) if _takes_more(code) else ()
    more = index - code.co_argcount
    return rest[more] if isinstance(rest, tuple) and more < len(cast("tuple[Any, ...]", rest)) else None


def batch_mistake(scene: Scene, name: str, index: int, *, known_only: bool = False) -> SetupError | None:
    """The sentence for what a step of the model raised on a batch.

    Args:
        scene: what was going on.
        name: how a sentence calls the model, or its step.
        index: of the batch.
        known_only: leave alone whatever is not a known sign of data that does not fit the model.
    """
    told = next((told for rule in _RULES if (told := rule(scene)) is not None), None)
    if told is None and known_only:
        return None
    what, remedy = told or Told(_own_words(scene.error), "mend that line, or the data that it is given")
    which = "its first batch" if not index else f"batch {index}"
    return SetupError(f"{name} cannot take {which} ({shapes(scene.batch)}): {what}{_at(scene.error)}; {remedy}")


def optimizer_mistake(error: Exception, name: str) -> SetupError:
    """The sentence for what the model raised where it makes its optimiser."""
    found = re.match(r"Invalid (learning rate|[\w ]+?)(?: parameter[\w ]*| value)?: (.+)", str(error))
    said, remedy = _own_words(error), "mend that line" if users_lines(error) else "give it other arguments"
    if text := _text_for_a_number(error):
        said, remedy = f"{text[0]}={text[1]!r} is text, and not a number", f"write {text[0]}={text[1]}"
    elif found:
        setting = "lr" if found[1] == "learning rate" else found[1].strip()
        said = f"{setting}={found[2]} is outside of what it takes"
        remedy = "give a number above zero, e.g. lr=0.001" if setting == "lr" else f"give another {setting}"
    return SetupError(f"the optimiser of {name} cannot be made: {said}{_at(error)}; {remedy}")


def constructor_mistake(error: Exception, what: str) -> str:
    """The sentence for what the user's constructor raised of the hyper-parameters that it was given."""
    remedy = "mend that line, or give other hparams" if users_lines(error) else "give other hparams"
    return f"{what} cannot be made: {_own_words(error)}{_at(error)}; {remedy}"


def _text_for_a_number(error: Exception) -> tuple[str, str] | None:
    """The argument of an optimiser that is text where a number belongs, e.g. from a YAML file, which reads `1e-3` as text."""
    if not isinstance(error, TypeError) or error.__traceback__ is None:
        return None
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    for name, value in trace.tb_frame.f_locals.items():
        if isinstance(value, str) and trace.tb_frame.f_code.co_name == "__init__" and _is_number(value):
            return name, value
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def shapes(batch: Any) -> str:
    """The entries of a batch in a few words: `0: (64, 30) float32, 1: (64,) int64`."""
    if children(batch) is None:
        return _shape(batch)
    found = [f"{path}: {_shape(value)}" for path, value in entries(batch).items()]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return ", ".join([*found[:_SHOWN], *more]) or "empty"


def _shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__


def _at(error: Exception) -> str:
    lines = users_lines(error)
    return f", at {lines[-1]}" if lines else ""


def _own_words(error: Exception) -> str:
    said = str(error).strip().partition("\n")[0].rstrip(". ")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _takes_more(code: Any) -> bool:
    return bool(code.co_flags & 0x04)  # inspect.CO_VARARGS


# What torch says, and what it means. Each rule is asked in turn, and answers None where it is not about this.


def _missing_entry(scene: Scene) -> Told | None:
    key = scene.error.args[0] if isinstance(scene.error, KeyError) and scene.error.args else None
    if key is None or not isinstance(scene.batch, Mapping) or key in scene.batch:
        return None
    has = ", ".join(map(repr, cast("Mapping[Any, Any]", scene.batch)))
    return Told(f"the batch has no {key!r}", f"it has: {has}; name one of these")


def _class_out_of_bounds(scene: Scene) -> Told | None:
    found = re.fullmatch(r"Target (-?\d+) is out of bounds\.?", str(scene.error))
    if found is None:
        return None
    values = scene.last("cross_entropy") or scene.last("nll_loss")
    target, prediction = values.get("target"), values.get("input")
    if not isinstance(target, Tensor) or not isinstance(prediction, Tensor):
        return Told(f"the class {found[1]} is none of those that the model predicts", _COUNT_FROM_ZERO)
    classes = prediction.shape[1 if prediction.ndim > 1 else 0]
    low, high = int(target.min()), int(target.max())
    what = (
        f"it predicts {classes} classes, which are numbered 0 to {classes - 1}, and the labels go from {low} to {high}"
    )
    if low >= 1 and high <= classes:
        return Told(what, "count the labels from zero: labels - 1")
    return Told(
        what, f"let the last layer have {high + 1} outputs, or mend the labels" if low >= 0 else _COUNT_FROM_ZERO
    )


_COUNT_FROM_ZERO = "count the labels from zero, or let the last layer have as many outputs as there are classes"


def _sizes_of_two(scene: Scene) -> Told | None:
    said = r"(?:Using a target size|Target size) \(torch\.Size\((\[.*?\])\)\) .*input size \(torch\.Size\((\[.*?\])\)\)"
    found = re.search(said, str(scene.error))
    if found is None:
        return None
    theirs, ours = (tuple(int(part) for part in re.findall(r"\d+", text)) for text in found.groups())
    what = f"the prediction has shape {ours} and the target {theirs}"
    if ours == (*theirs, 1):
        return Told(
            what, "give the target a last dimension, y[:, None], or the prediction none, prediction.squeeze(-1)"
        )
    if theirs == (*ours, 1):
        return Told(
            what, "give the prediction a last dimension, prediction[:, None], or the target none, y.squeeze(-1)"
        )
    return Told(what, "give both the same shape")


def _probabilities(scene: Scene) -> Told | None:
    found = re.search(r"all elements of (input|target) should be between 0 and 1", str(scene.error))
    if found is None:
        return None
    value = scene.last("binary_cross_entropy").get(found[1])
    span = f", and goes from {_number(value.min())} to {_number(value.max())}" if isinstance(value, Tensor) else ""
    if found[1] == "target":
        return Told(
            f"the target must lie between 0 and 1{span}", "number two classes 0 and 1, e.g. labels - labels.min()"
        )
    return Told(
        f"the prediction must be a probability{span}",
        "end the model with a sigmoid, or use binary_cross_entropy_with_logits, which needs none",
    )


def _types(scene: Scene) -> Told | None:
    said = str(scene.error)
    if not re.search(r"(same dtype|expected scalar type|Found dtype|can't be cast to the desired)", said):
        return None
    remedy = "convert the batch: inputs with x.float(), class labels with y.long(), numbers to predict with y.float()"
    layer = _layer(scene)
    return Told(f"{said.strip().partition(chr(10))[0]}{f' in {layer.told}' if layer else ''}", remedy)


def _layer_and_input(scene: Scene) -> Told | None:
    layer = _layer(scene)
    if layer is None or layer.input is None or not isinstance(scene.error, RuntimeError):
        return None
    kind, given = layer.module, layer.input
    what = f"{layer.told} was given an input of shape {tuple(given.shape)}"
    if isinstance(kind, nn.Linear) and given.ndim and given.shape[-1] != kind.in_features:
        features = given.shape[-1]
        return Told(
            f"{what}, which has {features} features and not {kind.in_features}",
            f"write nn.Linear({features}, {kind.out_features})",
        )
    return Told(f"{what}: {_own_words(scene.error)}", "change the layer, or the shape of what it is given")


class _Layer(NamedTuple):
    told: str
    module: nn.Module
    input: Tensor | None


def _layer(scene: Scene) -> _Layer | None:
    """The innermost layer of torch that was being called."""
    paths = {id(layer): path for path, layer in scene.module.named_modules() if path}
    for frame in reversed(scene.frames):
        layer = argument(frame, 0)
        if isinstance(layer, nn.Module) and id(layer) in paths and type(layer).__module__.startswith("torch."):
            if frame.f_code.co_name not in {"forward", "_conv_forward"}:
                continue
            given = argument(frame, 1)
            described = f"{type(layer).__name__}({layer.extra_repr()})"
            return _Layer(
                f"layer {paths[id(layer)]}, {described},", layer, given if isinstance(given, Tensor) else None
            )
    return None


def _matrices(scene: Scene) -> Told | None:
    found = re.search(r"shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", str(scene.error))
    if found is None:
        return None
    _, has, needs, _ = found.groups()
    return Told(f"{has} features meet weights for {needs}", f"make weights for {has} features, or give {needs}")


def _number(value: Tensor) -> str:
    return f"{float(value.detach().to(torch.float64)):.4g}"


_RULES: tuple[Callable[[Scene], Told | None], ...] = (
    _missing_entry,
    _class_out_of_bounds,
    _sizes_of_two,
    _probabilities,
    _types,
    _layer_and_input,
    _matrices,
)
