"""What people reach is declared by metrics that there are, on their scale, and with its source."""

from typing import Any

import pytest
from tests.steps.baselines.tasks import ACCURACY, CLASSES, digits, evaluate
from torchmetrics import regression
from torchmetrics.classification import (
    BinaryHingeLoss,
    MulticlassAccuracy,
    MulticlassF1Score,
)
from torchmetrics.regression import MeanSquaredError, R2Score
from torchmetrics.text import WordErrorRate

from art_training.errors import ProjectError
from art_training.setup.scores.metrics import MetricCalculator
from art_training.steps.baselines.people import require_human, require_known

METRICS = MetricCalculator(
    {
        "accuracy": MulticlassAccuracy(num_classes=3),
        "f1": MulticlassF1Score(num_classes=3),
        "r2": R2Score(),
        "mse": MeanSquaredError(),
        "hinge": BinaryHingeLoss(),
        "wer": WordErrorRate(),
        "own": lambda predictions, targets: 0.5,
    }
)


@pytest.mark.parametrize(
    ("human", "told"),
    [
        (
            {"accuracy": 98},
            r"human\['accuracy'\]=98 of step 'B' is more than 1, .* can be; give a share, 0\.98 if this is a percent$",
        ),
        ({"f1": 1.5}, "is more than 1, which is the best that f1 can be; give a share"),
        ({"r2": 250.0}, "is more than 1, which is the best that r2 can be; give what people reach on that scale$"),
        (
            {"acuracy": 0.9},
            r"has a number for 'acuracy' \(did you mean 'accuracy'\?\), which is no metric of this step; it has: accuracy, f1",
        ),
    ],
)
def test_a_number_that_no_model_could_reach_or_that_is_of_no_metric_is_refused(human: Any, told: str) -> None:
    with pytest.raises(ProjectError, match=told) as raised:
        require_known({**human, "source": "a"}, METRICS, "B")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "human",
    [
        {"accuracy": 1.0, "f1": 0},
        {"r2": -4},
        {"mse": 250},
        {"hinge": 3},  # the bounds of errors are for drawing alone
        {"wer": 1.3},
        {"own": 98},
        {"loss": 12},
        {},
    ],
)
def test_a_number_that_nothing_is_known_against_is_taken(human: dict[str, Any]) -> None:
    require_human({**human, "source": "a"}, "B")
    require_known({**human, "source": "a"}, METRICS, "B")


def test_what_a_metric_can_be_at_best_is_the_end_of_its_range() -> None:
    class Percent(MulticlassAccuracy):
        """Inherits a bound and computes something else."""

    assert METRICS.best("accuracy") == 1.0
    assert [METRICS.best(name) for name in ("mse", "hinge", "wer", "own")] == [0.0, 0.0, 0.0, None]
    assert MetricCalculator({"percent": Percent(num_classes=3)}).best("percent") is None


def test_a_sum_of_similarities_may_be_any_number_and_an_error_is_not_negative() -> None:
    metrics = MetricCalculator(
        {
            "sum": regression.CosineSimilarity(),
            "mean": regression.CosineSimilarity(reduction="mean"),
            "mae": regression.MeanAbsoluteError(),
        }
    )
    require_known({"sum": 57.3, "mean": 0.9, "mae": 0.1, "source": "a"}, metrics, "B")
    with pytest.raises(ProjectError, match="is more than 1, which is the best that mean can be"):
        require_known({"mean": 57.3}, metrics, "B")
    with pytest.raises(ProjectError, match="is less than 0, which is the best that mae can be; give what people reach"):
        require_known({"mae": -0.1}, metrics, "B")


def test_what_people_reach_is_declared_with_its_source_and_never_the_best():
    human = {"accuracy": 0.999, "source": "two annotators"}
    outcome = evaluate(digits(900), CLASSES, ACCURACY, human=human)
    candidate = outcome.candidate("human")
    assert candidate.parameters == {"kind": "human", "source": "two annotators"}
    assert candidate.scores["validation/accuracy"].source == "two annotators"
    assert outcome.parameters["best"] != "human"


def test_a_human_number_for_no_metric_is_refused():
    with pytest.raises(ProjectError, match="'f1', which is no metric of this step; it has: accuracy"):
        evaluate(digits(500), CLASSES, ACCURACY, human={"f1": 0.9, "source": "a"})
