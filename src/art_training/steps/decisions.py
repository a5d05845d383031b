"""Labels beside predictions: what was right, what was predicted, and how sure a model was of it, example by example."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from art_training.records import Plain
from art_training.setup.scores.measures import Pool
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from torch import Tensor

_SHOWN = 64  # numbers of one example that are written down
_DECIDING = {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL, TaskKind.SEQUENCE}


class Decisions:
    """What a model decided about each example.

    An example has one row (a class, a number) or several (a class a position); a row has one decision, or one a label.

    Attributes:
        form: `classes`, one of several a row; `labels`, yes or no a row or a label; `values`, numbers.
    """

    def __init__(self, pool: Pool, task: Task, examples: int | None = None) -> None:
        """Of `examples` examples, the last of which may have no rows; by default, of those that have."""
        self._pool = pool
        self._examples = pool.examples if examples is None else examples
        self.form: Literal["classes", "labels", "values"] = _form(pool, task)

    def __len__(self) -> int:
        return self._examples

    @property
    def decided(self) -> bool:
        """Whether there is right and wrong."""
        return self.form != "values"

    @cached_property
    def wrong(self) -> "Tensor":
        """(rows, decisions of a row) whether each decision is wrong."""
        pool = self._pool
        if self.form == "values":
            raise ValueError("values are not right or wrong")
        return (self._decision != pool.targets.to(self._decision.dtype)).reshape(len(pool.targets), -1)

    @cached_property
    def confidence(self) -> "Tensor | None":
        """(rows, decisions of a row) the probability that the model gave to what it decided; None where it gave none."""
        predictions = self._pool.predictions
        if not predictions.is_floating_point() or not self.decided:
            return None
        if self.form == "classes":
            return predictions.max(1).values.reshape(-1, 1)
        return predictions.maximum(1 - predictions).reshape(len(predictions), -1)

    @cached_property
    def wrong_decisions(self) -> "Tensor":
        """(examples,) how many decisions of each example are wrong."""
        return self._over_examples(self.wrong.sum(1).double())

    @property
    def positions(self) -> bool:
        """Whether an example has a decision at each of several positions, as a mask or a sequence has."""
        return self.decided and self._pool.example is not None

    @cached_property
    def wrong_share(self) -> "Tensor":
        """(examples,) the share of each example's decisions that are wrong; 0 of one that has none."""
        made = self._over_examples(self.wrong.new_ones(len(self.wrong)).double() * self.wrong.shape[1])
        return self.wrong_decisions / made.clamp(min=1)

    @cached_property
    def wrong_confidence(self) -> "Tensor | None":
        """(examples,) the probability of the decision that was most surely wrong; 0 where none was wrong."""
        import torch

        if self.confidence is None:
            return None
        worst = (self.confidence.double() * self.wrong).amax(1)
        if self._pool.example is None:
            return worst
        return torch.zeros(len(self), dtype=torch.float64).scatter_reduce_(0, self._pool.example, worst, "amax")

    @cached_property
    def residuals(self) -> "Tensor | None":
        """(examples,) prediction minus target, the mean over an example's numbers; None for decisions and other shapes."""
        pool = self._pool
        if self.decided or pool.predictions.shape != pool.targets.shape:
            return None
        apart = (pool.predictions.double() - pool.targets.double()).reshape(len(pool.targets), -1)
        if pool.example is None:
            return apart.mean(1)
        ones = apart.new_ones(len(apart))
        return self._over_examples(apart.mean(1)) / self._over_examples(ones).clamp(min=1)

    def shown(self, example: int) -> dict[str, Plain]:
        """Label and prediction of one example, as plain data."""
        rows = self._rows(example)
        if self.form == "values":
            shown: dict[str, Plain] = {
                "label": _listed(self._pool.targets[rows]),
                "predicted": _listed(self._pool.predictions[rows]),
            }
            if self.residuals is not None:
                shown["residual"] = _rounded(float(self.residuals[example]))
            return shown
        shown = {"label": self._said(self._pool.targets, rows), "predicted": self._said(self._decision, rows)}
        if self.confidence is not None:
            # Of one decision its probability, of several the least sure one: the whole is as sure as that.
            shown["confidence"] = _rounded(float(self.confidence[rows].min())) if rows.numel() else None
        if self.wrong.shape[1] > 1 or self._pool.example is not None:
            shown["wrong decisions"] = int(self.wrong_decisions[example])
        return shown

    def toward_label(self, example: int) -> list[float]:
        """The numbers that training should move for an example.

        Of a single row with classes or labels, the probability of each; of several rows, the probability of what is right
        in each; of values, the values. A model that gives decisions alone gives 1 for what it decided, 0 for the rest.
        """
        pool, rows = self._pool, self._rows(example)
        if self.form == "values":
            return _numbers(pool.predictions[rows])
        given = self._given[rows]
        if len(rows) == 1:
            return _numbers(given)
        targets = pool.targets[rows].long()
        if self.form == "classes":
            return _numbers(given.gather(1, targets.reshape(-1, 1)))
        return _numbers(given.where(targets.reshape(given.shape) > 0, 1 - given))

    def wanted(self, example: int) -> list[float]:
        """What `toward_label` should become."""
        import torch

        pool, rows = self._pool, self._rows(example)
        targets = pool.targets[rows]
        if self.form == "values":
            return _numbers(targets)
        if len(rows) > 1:
            return [1.0] * len(self.toward_label(example))
        if self.form == "labels":
            return _numbers(targets)
        return _numbers(torch.nn.functional.one_hot(targets.long(), self._given.shape[1]))

    @cached_property
    def _given(self) -> "Tensor":
        """(rows, classes or labels) probabilities; those of a model that gives decisions alone are 0 and 1."""
        import torch

        predictions = self._pool.predictions
        if predictions.is_floating_point():
            return predictions.reshape(len(predictions), -1)
        if self.form == "labels":
            return predictions.reshape(len(predictions), -1).double()
        classes = int(torch.maximum(predictions.max(), self._pool.targets.max())) + 1
        return torch.nn.functional.one_hot(predictions.long(), classes).double()

    @cached_property
    def _decision(self) -> "Tensor":
        predictions = self._pool.predictions
        if not predictions.is_floating_point():
            return predictions
        return predictions.argmax(1) if self.form == "classes" else (predictions > 0.5).long()

    def _said(self, decisions: "Tensor", rows: "Tensor") -> Plain:
        """A class; the numbers of the labels that are set; or one of either a position."""
        chosen = decisions[rows]
        if chosen.ndim == 2:
            sets: list[Plain] = [cast("list[Plain]", row.nonzero().reshape(-1)[:_SHOWN].tolist()) for row in chosen]
            return sets[0] if len(sets) == 1 else sets[:_SHOWN]
        return _listed(chosen)

    def _rows(self, example: int) -> "Tensor":
        import torch

        if self._pool.example is None:
            return torch.tensor([example])
        return (self._pool.example == example).nonzero().reshape(-1)

    def _over_examples(self, values: "Tensor") -> "Tensor":
        if self._pool.example is None:
            return values
        return values.new_zeros(len(self)).index_add_(0, self._pool.example, values)


def _form(pool: Pool, task: Task) -> Literal["classes", "labels", "values"]:
    predictions, targets = pool.predictions, pool.targets
    if not targets.is_floating_point():
        if predictions.ndim == 2 and targets.ndim == 1 and predictions.is_floating_point():
            return "classes"
        if predictions.shape == targets.shape and not predictions.is_floating_point():
            return "labels" if targets.ndim == 2 and _only_bits(targets) else "classes"
    same = predictions.shape == targets.shape
    return "labels" if same and task.kind in _DECIDING and _only_bits(targets) else "values"


def _only_bits(targets: "Tensor") -> bool:
    return bool(((targets == 0) | (targets == 1)).all())


def _listed(values: "Tensor") -> Plain:
    numbers = [_rounded(value) for value in values.reshape(-1)[:_SHOWN].tolist()]
    return numbers[0] if values.numel() == 1 else cast("list[Plain]", numbers)


def _numbers(values: "Tensor") -> list[float]:
    return [_rounded(value) for value in cast("list[float]", values.double().reshape(-1)[:_SHOWN].tolist())]


def _rounded(value: Any) -> Any:
    """Six significant digits are more than anyone compares by eye, and keep what is stored small."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
