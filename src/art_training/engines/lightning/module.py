"""`ArtModule`: a LightningModule whose step is split into named stages, shared by training, validation and test."""

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from lightning import LightningModule
from torch import Tensor

from art_training.errors import SetupError
from art_training.setup.all_pairs import refuse_broadcast
from art_training.setup.data.batch import children, entry, mapped, size
from art_training.setup.forward import has_names, parameters_of, target_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parsed: TypeAlias = dict[str, Any]


class ArtModule(LightningModule):
    """A LightningModule that is written in stages, each of which can be overridden alone.

    A batch passes through `parse_data`, `predict`, `compute_loss` and `compute_metrics`; each takes the dictionary that
    the one before returned and returns it with more in it. A simple model needs `forward`, `loss_function` and
    `configure_optimizers`:

        class Net(art.ArtModule):
            loss_function = nn.functional.cross_entropy

            def __init__(self, lr: float) -> None:
                super().__init__()
                self.lr = lr
                self.net = nn.Linear(64, 10)

            def forward(self, x):
                return self.net(x)

            def configure_optimizers(self):
                return torch.optim.AdamW(self.parameters(), lr=self.lr)

    It logs `train_loss`, `validation_loss`, `test_loss` over each epoch, and what `compute_metrics` returns as
    `<stage>_<name>`. Predictions and targets are returned by each step, where ART finds them. It trains under any
    Trainer, with or without the rest of ART.

    A baseline that is not neural overrides `baseline_train` and `predict`, and needs no optimiser.

    Attributes:
        loss_function: function of prediction and target that returns a scalar: a function in the class's body, a
            method, or a module set in `__init__`.
    """

    # Declared only: a value here would hide a module of this name, which torch keeps outside the instance's dictionary.
    loss_function: Callable[..., Tensor]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        function = cls.__dict__.get("loss_function")
        if isinstance(function, FunctionType) and (parameters_of(function) or ["self"])[0] != "self":
            cls.loss_function = staticmethod(function)  # `loss_function = cross_entropy` shall not be given `self`

    def parse_data(self, batch: Any) -> Parsed:
        """Tell `input` and `target` of a batch; a batch without a target gives `input` alone.

        Understands `(x, y)`, `(x,)` and a tensor alone, and dictionaries, dataclasses and named tuples that have
        `input` or one entry besides the target, which is called target, targets, label, labels or y.

        Raises:
            SetupError: neither is the case; the message names the entries that there are.
        """
        top = children(batch)
        if top is None:
            return {"input": batch}
        if not has_names(batch):
            if len(top) > 2:
                raise _unparsed(self, top)
            return dict(zip(("input", "target"), top.values(), strict=False))
        path = target_path(batch)
        others = [name for name in top if name != path]
        chosen = [name for name in ("input", "inputs", "x") if name in others] or others
        if len(chosen) != 1:
            raise _unparsed(self, top)
        return {"input": entry(batch, chosen[0]), "target": entry(batch, path)}

    def predict(self, parsed: Parsed) -> Parsed:
        """Add `prediction`; by default what `forward` makes of the input."""
        return {**parsed, "prediction": self(parsed["input"])}

    def compute_loss(self, parsed: Parsed) -> Parsed:
        """Add `loss`, a scalar; by default `loss_function` of prediction and target.

        Raises:
            SetupError: there is no `loss_function`, the batch has no target for it, or `(N, 1)` meets `(N,)`.
        """
        # A module set in __init__ comes before a function of the class, which Python would find first.
        function = self._modules.get("loss_function") or getattr(self, "loss_function", None)
        if function is None:
            raise SetupError(
                f"{type(self).__name__} has no loss_function; set it, e.g. "
                "loss_function = torch.nn.functional.cross_entropy, or override compute_loss"
            )
        if "target" not in parsed:
            raise SetupError(
                f"{type(self).__name__} compares with a target, and parse_data found none; override parse_data, or compute_loss"
            )
        refuse_broadcast(parsed["prediction"], parsed["target"])
        return {**parsed, "loss": function(parsed["prediction"], parsed["target"])}

    def compute_metrics(self, parsed: Parsed) -> Mapping[str, Any]:
        """Numbers of this batch to log, by name. The project's own metrics need nothing here."""
        return {}

    def process(self, batch: Any) -> Parsed:
        """Pass a batch through all stages that need no trainer."""
        return self.compute_loss(self.predict(self.parse_data(batch)))

    def training_step(self, batch: Any, *_: Any) -> Parsed:
        """One batch of training."""
        return self._step("train", batch)

    def validation_step(self, batch: Any, *_: Any) -> Parsed:
        """One batch of validation."""
        return self._step("validation", batch)

    def test_step(self, batch: Any, *_: Any) -> Parsed:
        """One batch of the test."""
        return self._step("test", batch)

    def predict_step(self, batch: Any, *_: Any) -> Any:
        """The prediction of one batch."""
        return self.predict(self.parse_data(batch))["prediction"]

    def baseline_train(self, batches: Iterable[Parsed]) -> None:
        """Learn from the training split without a Trainer, as baselines that are not neural do.

        Args:
            batches: each batch as `parse_data` returned it, on the CPU; `flattened` makes two arrays of them.

        Raises:
            SetupError: it is not overridden.
        """
        raise SetupError(
            f"{type(self).__name__} is used as a baseline and has no baseline_train; override baseline_train(batches), "
            "which learns from parsed batches, and predict(parsed), which adds the prediction"
        )

    @staticmethod
    def flattened(batches: Iterable[Parsed]) -> "tuple[NDArray[Any], NDArray[Any]]":
        """Inputs (N, features) and targets (N, ...) of parsed batches as arrays, for models of other libraries."""
        inputs: list[Tensor] = []
        targets: list[Tensor] = []
        for parsed in batches:
            inputs.append(parsed["input"].detach().cpu().flatten(1))
            targets.append(parsed["target"].detach().cpu())
        return torch.cat(inputs).numpy(), torch.cat(targets).numpy()

    def _step(self, stage: str, batch: Any) -> Parsed:
        done = self.process(batch)
        if self._trainer is not None:
            self._log(stage, batch, done)
        told = {f"{name}s": _detached(done[name]) for name in ("prediction", "target") if name in done}
        return {"loss": done["loss"], **told}

    def _log(self, stage: str, batch: Any, done: Parsed) -> None:
        rows = size(batch)
        values = {"loss": done["loss"], **self.compute_metrics(done)}
        for name, value in values.items():
            bar = name == "loss"
            self.log(f"{stage}_{name}", value, batch_size=rows, prog_bar=bar, on_step=False, on_epoch=True)


def _detached(value: Any) -> Any:
    """Without the graph, which would otherwise be kept alive; on the device, so that a step does not wait for it."""
    return mapped(value, lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf)


def _unparsed(module: ArtModule, top: Mapping[str, Any]) -> SetupError:
    return SetupError(
        f"{type(module).__name__} cannot tell the input among the entries {', '.join(map(repr, top))} of a batch; "
        "override parse_data(batch), which returns {'input': ..., 'target': ...}"
    )
