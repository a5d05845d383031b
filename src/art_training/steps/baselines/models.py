"""Baselines of scikit-learn: a dummy, a linear model and gradient boosting, for the kinds of tasks they make sense for.

Every baseline learns from a table of features and one of targets, and predicts probabilities or values.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUMMY, LINEAR, BOOSTING = "dummy", "linear", "boosting"

_MOST_TREES = 1_000  # of all classes together; the time of boosting grows with them
_MOST_OUTPUTS = 10  # one boosted model an output
_SMALL = 2_000_000  # numbers in a table below which threads cost more than they give
_ROWS_TO_STOP_EARLY = 500

Estimator: TypeAlias = Any
Make: TypeAlias = Callable[[], Estimator]


@dataclass
class Baseline(ABC):
    """Something to beat.

    Attributes:
        name: dummy, linear or boosting.
        parameters: what it is (plain data).
        notes: what was noticed while it learned.
    """

    name: str
    parameters: dict[str, Any]
    notes: list[str] = field(default_factory=list[str], init=False)

    @abstractmethod
    def fit(self, inputs: "NDArray[Any]", targets: "NDArray[Any]") -> None:
        """Learn from `inputs` (rows, features) and `targets`: (rows,) classes, or (rows, outputs) numbers."""

    @abstractmethod
    def predict(self, inputs: "NDArray[Any]") -> "NDArray[Any]":
        """(rows, classes) probabilities, or (rows, outputs) probabilities or numbers."""

    def learn(self, inputs: "NDArray[Any]", targets: "NDArray[Any]") -> None:
        """`fit`; warnings become notes, and a small table is not spread over threads."""
        from threadpoolctl import threadpool_limits

        threads = 1 if inputs.size < _SMALL else None
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(threads):
            warnings.simplefilter("always")
            self.fit(inputs, targets)
        self.notes += list(dict.fromkeys(_sentence(one.message) for one in caught))


@dataclass
class Classes(Baseline):
    """One of several classes: probabilities of all classes of the task, also of those that the sample lacks."""

    make: Make
    classes: int

    def fit(self, inputs: "NDArray[Any]", targets: "NDArray[Any]") -> None:
        self._fitted = self.make().fit(inputs, targets)

    def predict(self, inputs: "NDArray[Any]") -> "NDArray[Any]":
        import numpy as np

        probabilities = np.zeros((len(inputs), self.classes))
        probabilities[:, self._fitted.classes_] = self._fitted.predict_proba(inputs)
        return probabilities


@dataclass
class Outputs(Baseline):
    """One estimator for each output: a number, or the probability of a label."""

    make: Make
    labels: bool

    def fit(self, inputs: "NDArray[Any]", targets: "NDArray[Any]") -> None:
        self._fitted = [self._fit_one(inputs, column) for column in targets.T]

    def predict(self, inputs: "NDArray[Any]") -> "NDArray[Any]":
        import numpy as np

        return np.stack([self._predict_one(one, inputs) for one in self._fitted], 1)

    def _fit_one(self, inputs: Any, column: Any) -> Estimator:
        if self.labels and (column == column[0]).all():  # a label that is always, or never, there
            return float(column[0])
        return self.make().fit(inputs, column)

    def _predict_one(self, fitted: Estimator, inputs: Any) -> Any:
        import numpy as np

        if isinstance(fitted, float):
            return np.full(len(inputs), fitted)
        return fitted.predict_proba(inputs)[:, 1] if self.labels else fitted.predict(inputs)


def choose(task: Task, *, flat: str, classes: int, outputs: int, seed: int, rows: int) -> "Chosen":
    """The baselines that make sense for a task, and why the others do not.

    Args:
        task: what is learned.
        flat: why the inputs are no table of features; empty where they are.
        classes: how many classes there are, for a classification.
        outputs: how many numbers a target has.
        seed: of what is random in them.
        rows: how many rows they learn from.
    """
    chosen = Chosen()
    if task.kind not in {TaskKind.CLASSIFICATION, TaskKind.REGRESSION, TaskKind.MULTI_LABEL}:
        why = f"one target an example is needed, and the task is {task.kind.value}"
        chosen.left_out = {LINEAR: why, BOOSTING: why}
        return chosen
    chosen.baselines.append(_dummy(task, classes))
    if flat:
        chosen.left_out = {LINEAR: flat, BOOSTING: flat}
        return chosen
    chosen.baselines.append(_linear(task, classes))
    trees = classes if task.kind is TaskKind.CLASSIFICATION and classes > 2 else 1
    if trees * 5 > _MOST_TREES:
        chosen.left_out[BOOSTING] = f"{classes} classes take too many trees; {_MOST_TREES // 5} are the most"
    elif outputs > _MOST_OUTPUTS and task.kind is not TaskKind.CLASSIFICATION:
        chosen.left_out[BOOSTING] = f"{outputs} outputs take one model each; {_MOST_OUTPUTS} are the most"
    else:
        chosen.baselines.append(_boosting(task, classes, min(100, _MOST_TREES // trees), seed, rows))
    return chosen


@dataclass
class Chosen:
    """Baselines, and why others were left out, by name."""

    baselines: list[Baseline] = field(default_factory=list[Baseline])
    left_out: dict[str, str] = field(default_factory=dict[str, str])


def _dummy(task: Task, classes: int) -> Baseline:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if task.kind is TaskKind.REGRESSION:
        return Outputs(DUMMY, {"model": "DummyRegressor", "strategy": "mean"}, DummyRegressor, labels=False)
    told = {"model": "DummyClassifier", "strategy": "prior"}
    if task.kind is TaskKind.CLASSIFICATION:
        return Classes(DUMMY, told, lambda: DummyClassifier(strategy="prior"), classes)
    return Outputs(DUMMY, told, lambda: DummyClassifier(strategy="prior"), labels=True)


def _linear(task: Task, classes: int) -> Baseline:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def after_scaling(model: Estimator) -> Estimator:
        return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), model)

    if task.kind is TaskKind.REGRESSION:
        told = {"model": "Ridge", "alpha": 1.0, "scaled": True}
        return Outputs(LINEAR, told, lambda: after_scaling(Ridge(alpha=1.0)), labels=False)
    told = {"model": "LogisticRegression", "C": 1.0, "max_iter": 200, "scaled": True}

    def make() -> Estimator:
        return after_scaling(LogisticRegression(C=1.0, max_iter=200))

    if task.kind is TaskKind.CLASSIFICATION:
        return Classes(LINEAR, told, make, classes)
    return Outputs(LINEAR, told, make, labels=True)


def _boosting(task: Task, classes: int, rounds: int, seed: int, rows: int) -> Baseline:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings: dict[str, Any] = {
        "max_iter": rounds,
        "learning_rate": 0.2,
        "max_leaf_nodes": 15,
        "early_stopping": rows >= _ROWS_TO_STOP_EARLY,
        "n_iter_no_change": 5,
        "random_state": seed % 2**32,
    }
    if task.kind is TaskKind.REGRESSION:
        told = {"model": "HistGradientBoostingRegressor", **settings}
        return Outputs(BOOSTING, told, lambda: HistGradientBoostingRegressor(**settings), labels=False)
    told = {"model": "HistGradientBoostingClassifier", **settings}
    if task.kind is TaskKind.CLASSIFICATION:
        return Classes(BOOSTING, told, lambda: HistGradientBoostingClassifier(**settings), classes)
    return Outputs(BOOSTING, told, lambda: HistGradientBoostingClassifier(**settings), labels=True)


def _sentence(message: object) -> str:
    lines: Sequence[str] = str(message).strip().splitlines()
    return lines[0].strip() if lines else type(message).__name__
