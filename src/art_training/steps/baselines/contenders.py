"""What EvaluateBaseline compares: each learns from batches of the training split and predicts others."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from art_training.errors import SetupError
from art_training.setup.data.batch import as_array, detached, entry, size
from art_training.setup.task import Activation, Task, TaskKind
from art_training.steps.baselines.models import DUMMY, Baseline, Classes
from art_training.steps.baselines.tables import Flattening
from art_training.steps.exploration.statistics import FeatureStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_ONE_OUTPUT = {"binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss"}
_MOST_CLASSES = 100_000


class Contender(ABC):
    """Something that predicts.

    Attributes:
        name: unique in the step.
        parameters: what it is (plain data).
        notes: what a reader of its scores must know.
        users: whether it is the user's own code, so that what it raises is shown as it is.
    """

    users: ClassVar[bool] = False

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        self.name = name
        self.parameters = parameters
        self.notes: list[str] = []

    @abstractmethod
    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        """Predictions of a batch on the CPU, as probabilities or values, and the targets they are compared with."""


class Tabular(Contender):
    """A model of scikit-learn that has learned from flat features."""

    def __init__(self, baseline: Baseline, flattening: Flattening, task: Task) -> None:
        super().__init__(baseline.name, baseline.parameters)
        self.notes = baseline.notes
        self._baseline = baseline
        self._flattening = flattening
        self._one_output = task.kind is not TaskKind.CLASSIFICATION or task.loss in _ONE_OUTPUT

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        import numpy as np
        import torch

        target = required(target)
        inputs = self._flattening.of(batch)
        if inputs is None and self._baseline.name != DUMMY:
            raise ValueError(self._flattening.why_not)
        # A dummy looks at no feature, so that it also predicts where there are none.
        predicted = self._baseline.predict(np.zeros((len(target), 1), np.float32) if inputs is None else inputs)
        tensor = torch.from_numpy(predicted).float()
        if not self._one_output:
            return tensor, target
        # Of two classes, a model with one output predicts the probability of the second.
        tensor = tensor[:, 1] if isinstance(self._baseline, Classes) else tensor
        return tensor.reshape(target.shape), target


class Prior(Contender):
    """Predicts at every position how often each class occurs in the training split.

    Where the loss takes one output a position, yes or no, that is how often the answer is yes.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(DUMMY, {"model": "class frequencies of all positions"})
        self._ignored = task.loss_options.get("ignore_index", -100)
        self._classes = task.classes
        self._one_output = task.loss in _ONE_OUTPUT
        self._signed = task.loss == "soft_margin_loss"  # its targets are -1 and 1
        self._counts: Counter[int] = Counter()

    def add(self, target: "NDArray[Any]") -> None:
        """Learn from the targets of a batch."""
        import numpy as np

        target = target > 0.5 if self._one_output else target
        classes, counts = np.unique(target.astype(np.int64), return_counts=True)
        for one, count in zip(classes.tolist(), counts.tolist(), strict=True):
            if one != self._ignored and 0 <= one < _MOST_CLASSES:
                self._counts[one] += count

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        import torch

        target = required(target)
        if self._one_output:
            yes = self._counts[1] / max(1, self._counts.total())
            return torch.full(target.shape, yes), (target > 0).to(target.dtype) if self._signed else target
        classes = self._classes or max(self._counts, default=1) + 1
        prior = torch.zeros(classes)
        for one, count in self._counts.items():
            if one < classes:
                prior[one] = count
        return (prior / prior.sum()).expand(*target.shape, classes), target


class Mean(Contender):
    """Predicts the mean of the training split's targets, value by value."""

    def __init__(self) -> None:
        super().__init__(DUMMY, {"model": "mean target"})
        self._statistics = FeatureStatistics()

    def add(self, target: "NDArray[Any]") -> None:
        """Learn from the targets of a batch."""
        self._statistics.add(target)

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        import torch

        target = required(target)
        mean = torch.from_numpy(self._statistics.mean).float()
        if mean.numel() == 1:  # rows of varying size share one mean
            return mean.expand(target.shape).clone(), target
        return mean.reshape(1, *target.shape[1:]).expand(target.shape).clone(), target


LEARNER = ("baseline_train", "parse_data", "predict")


def lacking(learner: Any) -> list[str]:
    """What a class, or an instance, needs in order to learn as a baseline, and has not; ArtModule's own is no training."""
    train = getattr(learner, "baseline_train", None)
    unwritten = {"baseline_train"} if getattr(train, "__qualname__", "") == "ArtModule.baseline_train" else set[str]()
    return [name for name in LEARNER if name in unwritten or not callable(getattr(learner, name, None))]


class Module(Contender):
    """An ArtModule, or what looks like one, that learns without a trainer, through `baseline_train` and `predict`.

    Raises:
        SetupError: it has not what that takes.
    """

    users = True

    def __init__(self, name: str, module: Any, task: Task) -> None:
        missing = lacking(module)
        if missing:
            raise SetupError(
                f"it is of class {type(module).__name__}, which has no {' and no '.join(missing)}; let it be an ArtModule "
                "with baseline_train and predict"
            )
        super().__init__(name, {"model": f"{type(module).__module__}.{type(module).__qualname__}"})
        self._module = module
        self._activation: Activation = task.activation

    def train(self, batches: Iterable[Any]) -> None:
        """Learn from batches of the training split."""
        self._module.baseline_train([self._module.parse_data(batch) for batch in batches])

    def predict(self, batch: Any, target: "Tensor | None") -> "tuple[Tensor, Tensor]":
        import torch

        from art_training.setup.scores.alignment import is_probability
        from art_training.setup.scores.losses import activate

        with torch.no_grad():
            parsed = detached(self._module.predict(self._module.parse_data(batch)))
        prediction = torch.as_tensor(parsed["prediction"])
        if prediction.is_floating_point() and not is_probability(prediction, self._activation):
            prediction = activate(prediction, self._activation)
        return prediction, required(parsed.get("target", target))


class NoTarget(ValueError):
    """A batch has nothing that predictions could be compared with."""


def required(target: "Tensor | None") -> "Tensor":
    """The target of a batch.

    Raises:
        NoTarget: there is none.
    """
    if target is None:
        raise NoTarget("the batch has no target with one row an example")
    return target


def target_of(batch: Any, task: Task) -> "Tensor | None":
    """The target of a batch as a tensor on the CPU; None where none with one row an example is recognised."""
    import torch

    if task.target is None:
        return None
    target = torch.from_numpy(as_array(entry(batch, task.target)).copy())
    return target if target.ndim and len(target) == size(batch) else None


def table_of(target: "Tensor", task: Task) -> "NDArray[Any]":
    """Targets as models of scikit-learn take them: (rows,) classes, or (rows, outputs) numbers."""
    flat = target.reshape(len(target), -1)
    if task.kind is not TaskKind.CLASSIFICATION:
        return as_array(flat.double())
    if flat.shape[1] > 1:  # probabilities of the classes
        return as_array(flat.argmax(1))
    if task.loss == "soft_margin_loss":  # classes are -1 and 1
        return as_array((flat[:, 0] > 0).long())
    return as_array(flat[:, 0].round().long())
