"""A model that was exported, loaded again: one module or several, their average, and the temperature."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from art_training.errors import SetupError
from art_training.exported import bundle
from art_training.exported.encoding import NotRebuilt, decode, encode
from art_training.exported.member import Call, by_step, load, make, parts_of
from art_training.records import Plain, plain
from art_training.setup.data.batch import entries
from art_training.setup.identity.code import code_components
from art_training.setup.identity.written import digest_hex
from art_training.setup.modified import name_of
from art_training.setup.scores.calibration import tempered
from art_training.setup.scores.outputs import Adapter
from art_training.setup.setup import Setup
from art_training.setup.task import Task


@dataclass(frozen=True)
class Part:
    """One module of an exported model.

    Attributes:
        name: of the training that it comes from.
        factory: returns the module.
        hparams: that the factory is called with.
        weights: parameters and buffers by name; an engine's own names are understood.
        weight: what it counts in the average.
    """

    name: str
    factory: Callable[..., Any]
    hparams: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    weight: float = 1.0

    @classmethod
    def of(cls, name: str, setup: Setup, weights: Mapping[str, Tensor], weight: float = 1.0) -> "Part":
        """The module of a setup with these weights."""
        return cls(name, *parts_of(setup), weights, weight)


class ExportedModel(nn.Module):
    """Gives what a trained model predicts: probabilities where its loss is one of classes or labels, values elsewhere.

    It is a module in evaluation mode, whose parameters do not train; `model.to("cuda")` moves it. It is called with the
    inputs (a tensor where there is one, else a batch that holds them), or with a whole batch as the model was trained on;
    where the model's own `forward` takes a batch, with a batch, which needs no targets.
    Where the model has no `forward` that gives its predictions, only whole batches are understood, targets included,
    and there is one row a decision: masked positions are left out. `Squeeze` says so where it exports such a model.

    Attributes:
        task: what it is for.
        names: of the trainings that its modules come from.
        weights: what each counts.
        temperature: that the scores are divided by.
        call: how `forward` is called; None where the model is asked through its step.
        description: everything that is known of it, as plain data.
    """

    def __init__(
        self,
        members: "list[tuple[str, nn.Module, float]]",
        task: Task,
        *,
        temperature: float = 1.0,
        call: Call | None = None,
        outputs: Adapter | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.task = task
        self.names = tuple(name for name, _, _ in members)
        self.weights = tuple(weight for _, _, weight in members)
        self.members = nn.ModuleList(module for _, module, _ in members)
        self.temperature = temperature
        self.call = call
        self.outputs = outputs
        self.description = dict(description or {})
        self.eval()

    def train(self, mode: bool = True) -> "ExportedModel":
        """It stays in evaluation mode: what it predicts was measured in it."""
        return super().train(mode=False)

    @torch.no_grad()
    def forward(self, batch: Any) -> Tensor:
        """Predictions of a batch.

        Raises:
            SetupError: an input is missing.
        """
        total: Tensor | None = None
        for module, weight in zip(self.members, self.weights, strict=True):
            one = self.ask(module, batch) * weight
            total = one if total is None else total + one
        assert total is not None
        return self._tempered(total)

    def ask(self, module: nn.Module, batch: Any) -> Tensor:
        """What one of its modules predicts, without temperature."""
        if self.call is not None:
            return self.call(module, batch)
        return by_step(module, batch, self.task, self.outputs)

    def _tempered(self, predictions: Tensor) -> Tensor:
        if self.temperature == 1.0:
            return predictions
        at = -1 if self.call is None or predictions.ndim == 1 else self.call.classes
        yes_or_no = predictions.ndim == 1 or predictions.shape[at] == 1  # one probability, and no classes beside it
        rows = predictions if yes_or_no else predictions.movedim(at, -1)
        flat = rows.reshape(-1) if yes_or_no else rows.reshape(-1, rows.shape[-1])
        cooled = torch.from_numpy(tempered(flat.cpu().numpy(), self.temperature)).to(predictions).reshape(rows.shape)
        return cooled if yes_or_no else cooled.movedim(-1, at)


def export(
    path: Path,
    parts: "list[Part]",
    setup: Setup,
    task: Task,
    *,
    temperature: float = 1.0,
    call: Call | None = None,
    batch: Any = None,
    versions: Mapping[str, str] | None = None,
) -> str:
    """Write a model as one archive.

    Args:
        path: of the archive.
        parts: its modules.
        setup: the first module's; its outputs adapter is kept where predictions are found by it.
        task: what it is for.
        temperature: that scores are divided by.
        call: how `forward` is called; None: through the step.
        batch: one as it enters the model; its schema is kept.
        versions: of what it was made with.

    Returns:
        Why no other process can make it again, in one sentence; empty where one can.
    """
    tensors: dict[str, Tensor] = {}
    told: list[dict[str, Plain]] = []
    why = ""
    for at, part in enumerate(parts):
        one: dict[str, Plain] = {"name": part.name, "weight": part.weight, "prefix": f"{at}."}
        try:
            one["factory"] = encode(part.factory, tensors, "the model")
            one["code"] = _code(part.factory)
        except NotRebuilt as error:
            one["factory"], why = None, why or str(error)
        try:
            one["hparams"] = encode(dict(part.hparams), tensors, "hparams")
        except NotRebuilt as error:
            one["hparams"], why = None, why or str(error)
        own = make(part.factory, part.hparams)
        tensors |= {f"{at}.{name}": value for name, value in load(own, part.weights).state_dict().items()}
        one["module"] = name_of(part.factory)
        one["parameters"] = sum(one.numel() for one in own.parameters())
        told.append(one)
    adapter: Plain = None
    if call is None and setup.outputs is not None:
        try:
            adapter = encode(setup.outputs, tensors, "outputs")
        except NotRebuilt as error:
            why = why or str(error)
    description = {
        "members": told,
        "task": plain(task),
        "temperature": temperature,
        "call": None if call is None else plain(asdict(call)),
        "outputs": adapter,
        "inputs": schema(batch),
        "versions": dict(versions or {}),
        "not_rebuilt": why,
    }
    bundle.write(path, description, tensors)
    return why


def load_model(path: Path | str, *, factory: Callable[..., Any] | None = None) -> ExportedModel:
    """Load a model that `Squeeze` exported.

    Its classes are imported by the names that they had, so that an export runs code as an import does: load those of
    your own, or of whom you trust. Nothing is unpickled.

    Args:
        path: the archive, or the folder that it was unpacked to.
        factory: stands in for what made the modules, where that cannot be imported: called with the hyper-parameters
            of each.

    Raises:
        SetupError: it is no export, its bytes were changed, or the model cannot be made again here.
    """
    path = Path(path)
    description, tensors = bundle.read(path)
    members: list[tuple[str, nn.Module, float]] = []
    for told in description["members"]:
        made = factory or _factory(told, path)
        hparams = _hparams(told, tensors, made, given=factory is not None)
        module = make(made, hparams)
        prefix = told["prefix"]
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        load(module, own)
        if factory is None and told.get("code") not in {None, _code(made)}:
            warnings.warn(
                f"the code of {told['module']} is not what it was when {path.name} was exported; its weights fit, and "
                "what it predicts may differ",
                stacklevel=2,
            )
        members.append((told["name"], module, told["weight"]))
    told_call: dict[str, Any] | None = description["call"]
    if told_call is not None:
        told_call["positional"] = tuple(told_call["positional"])
    adapter = description["outputs"]
    return ExportedModel(
        members,
        Task.parse(description["task"]),
        temperature=description["temperature"],
        call=None if told_call is None else Call(**told_call),
        outputs=None if adapter is None else decode(adapter, tensors),
        description=description,
    )


def schema(batch: Any) -> dict[str, Plain]:
    """Shape and type of each entry of a batch by path; the first dimension is its size and is not told."""
    told: dict[str, Plain] = {}
    for path, leaf in (entries(batch) if batch is not None else {}).items():
        shape = getattr(leaf, "shape", None)
        if shape is None:
            told[path] = {"type": type(leaf).__name__}
        else:
            sizes: list[Plain] = [None, *(int(one) for one in shape[1:])]
            told[path] = {"shape": sizes[: len(shape)], "type": str(leaf.dtype).removeprefix("torch.")}
    return told


def of_parts(parts: "list[Part]", task: Task, **settings: Any) -> ExportedModel:
    """The model of these parts in this process, without a file between."""
    members = [(part.name, load(make(part.factory, part.hparams), part.weights), part.weight) for part in parts]
    return ExportedModel(members, task, **settings)


def _factory(told: Mapping[str, Any], path: Path) -> Callable[..., Any]:
    if told["factory"] is None:
        raise SetupError(
            f"{told['module']} of {path.name} could not be imported by its name when it was exported; "
            f"give it: load_model(path, factory={told['module']})"
        )
    return decode(told["factory"], {})


def _hparams(
    told: Mapping[str, Any], tensors: Mapping[str, Tensor], factory: Callable[..., Any], *, given: bool
) -> Mapping[str, Any]:
    if told["hparams"] is None:
        takes = inspect.signature(factory).parameters.values() if given else ()
        if given and all(
            one.default is not one.empty or one.kind in {one.VAR_KEYWORD, one.VAR_POSITIONAL} for one in takes
        ):
            return {}
        raise SetupError(
            f"the hyper-parameters of {told['module']} could not be written down when it was exported; give a factory "
            "that needs none: load_model(path, factory=lambda: Net(...))"
        )
    return cast("Mapping[str, Any]", decode(told["hparams"], tensors))


def _code(factory: Any) -> str:
    components, _ = code_components(factory, label="model")
    return digest_hex(cast("Plain", components))
