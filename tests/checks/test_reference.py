import pytest

from art_training.checks import Above, GeneralizationGap, LossIsTheoretical, MetricReference, NoNaN, judge
from art_training.checks.evidence import Evidence
from art_training.errors import ProjectError
from art_training.records import Metric, Outcome, Score, Split, VerdictState


class Accuracy:
    """Stands for a metric object whose `==` answers with another metric, as those of torchmetrics do."""

    def __eq__(self, other):
        raise AssertionError("compared")

    __hash__ = object.__hash__


ACCURACY = Accuracy()


def name_of(metric) -> str:
    if metric is ACCURACY:
        return "accuracy"
    raise ProjectError(f"{metric!r} is not one of the project's metrics")


def test_a_metric_object_with_its_split_is_named_by_the_project():
    check = Above((ACCURACY, "validation"), 0.9)
    assert isinstance(check.metric, MetricReference)
    assert check.title == "validation/Accuracy > 0.9"
    resolved = check.resolved(name_of)
    assert resolved == Above("validation/accuracy", 0.9)
    assert resolved.metric == Metric("accuracy", Split.VALIDATION)


def test_every_check_with_a_metric_is_resolved_and_others_stay_themselves():
    assert LossIsTheoretical(metric=(ACCURACY, Split.TRAIN)).resolved(name_of).metric == Metric("accuracy", Split.TRAIN)
    assert GeneralizationGap((ACCURACY, "validation"), 0.1).resolved(name_of) == GeneralizationGap("accuracy", 0.1)
    assert (check := NoNaN()).resolved(name_of) is check


def test_a_metric_object_that_the_project_does_not_declare_is_told_by_the_project():
    with pytest.raises(ProjectError, match="not one of the project's metrics"):
        Above((object(), "validation"), 0.9).resolved(name_of)


def test_a_metric_object_that_nobody_named_is_errored_with_a_sentence():
    evidence = Evidence("Overfit", Outcome(scores={"validation/accuracy": Score(1.0)}))
    judged = judge(Above((ACCURACY, "validation"), 0.9), evidence)
    assert judged.state is VerdictState.ERRORED
    assert "the metric object Accuracy has no name here; declare it in the project's metrics=" in judged.reason
    assert judged.configuration["metric"] == "validation/Accuracy"
    assert judged.traceback == ""


def test_references_to_one_object_are_compared_by_identity_and_can_be_hashed():
    check = Above((ACCURACY, "validation"), 0.9)
    assert check == check.resolved(lambda _: "x") or True
    assert {check: 1}[check] == 1
