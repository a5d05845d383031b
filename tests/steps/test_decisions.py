"""Labels beside predictions, whatever their form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.setup.scores.measures import Pool
from art_training.setup.task import Task, TaskKind
from art_training.steps.decisions import Decisions

CLASSES = Task(TaskKind.CLASSIFICATION)
LABELS = Task(TaskKind.MULTI_LABEL)
SEQUENCE = Task(TaskKind.SEQUENCE)
VALUES = Task(TaskKind.REGRESSION)


def tensor(*rows: object, dtype: torch.dtype | None = None) -> torch.Tensor:
    return torch.tensor(list(rows), dtype=dtype)


def test_one_of_several_classes() -> None:
    pool = Pool(tensor([0.1, 0.9], [0.8, 0.2], [0.3, 0.7]), tensor(1, 1, 0))
    found = Decisions(pool, CLASSES)
    assert (found.form, found.decided, len(found)) == ("classes", True, 3)
    assert found.wrong.reshape(-1).tolist() == [False, True, True]
    assert found.wrong_confidence is not None
    assert found.wrong_confidence.tolist() == pytest.approx([0, 0.8, 0.7])
    assert found.shown(1) == {"label": 1, "predicted": 0, "confidence": pytest.approx(0.8)}
    assert found.toward_label(1) == pytest.approx([0.8, 0.2])
    assert found.wanted(1) == [0.0, 1.0]


def test_yes_or_no_by_one_probability() -> None:
    found = Decisions(Pool(tensor(0.9, 0.4, 0.2), tensor(0.0, 1.0, 0.0)), CLASSES)
    assert found.form == "labels"
    assert found.wrong.reshape(-1).tolist() == [True, True, False]
    assert found.shown(1) == {"label": 1.0, "predicted": 0, "confidence": pytest.approx(0.6)}


def test_several_labels_are_told_by_the_numbers_of_those_that_are_set() -> None:
    predictions = tensor([0.9, 0.2, 0.6], [0.1, 0.2, 0.3])
    found = Decisions(Pool(predictions, tensor([1, 1, 0], [0, 0, 0])), LABELS)
    assert found.wrong.tolist() == [[False, True, True], [False, False, False]]
    assert found.wrong_decisions.tolist() == [2, 0]
    shown = found.shown(0)
    assert (shown["label"], shown["predicted"], shown["wrong decisions"]) == ([0, 1], [0, 2], 2)
    assert shown["confidence"] == pytest.approx(0.6)  # of the least sure label
    assert found.wanted(0) == [1.0, 1.0, 0.0]


def test_positions_belong_to_their_example_also_where_some_have_none() -> None:
    predictions = torch.eye(3)[tensor(0, 1, 2, 0)] * 0.9
    pool = Pool(predictions, tensor(0, 2, 2, 0), example=tensor(0, 0, 1, 3))
    found = Decisions(pool, SEQUENCE, examples=5)
    assert found.wrong_decisions.tolist() == [1, 0, 0, 0, 0]
    assert found.wrong_confidence is not None
    assert found.wrong_confidence.tolist() == pytest.approx([0.9, 0, 0, 0, 0])
    assert found.shown(0)["label"] == [0, 2]
    assert found.shown(0)["predicted"] == [0, 1]
    assert found.toward_label(0) == pytest.approx([0.9, 0.0])
    assert found.wanted(0) == [1.0, 1.0]
    assert found.shown(2)["confidence"] is None  # every position of it is ignored


def test_decisions_without_probabilities_have_no_confidence() -> None:
    found = Decisions(Pool(tensor(0, 2, 1), tensor(0, 1, 1)), CLASSES)
    assert found.form == "classes"
    assert found.confidence is None
    assert found.wrong_confidence is None
    assert found.shown(1) == {"label": 1, "predicted": 2}
    assert found.toward_label(1) == [0.0, 0.0, 1.0]


def test_values_have_residuals_and_nothing_right_or_wrong() -> None:
    found = Decisions(Pool(tensor([1.0, 2.0], [0.0, 0.0]), tensor([0.0, 0.0], [0.0, 3.0])), VALUES)
    assert (found.form, found.decided) == ("values", False)
    assert found.residuals is not None
    assert found.residuals.tolist() == [1.5, -1.5]
    assert found.shown(1) == {"label": [0.0, 3.0], "predicted": [0.0, 0.0], "residual": -1.5}
    with pytest.raises(ValueError, match="not right or wrong"):
        _ = found.wrong


def test_targets_of_zero_and_one_are_values_where_the_task_is_a_regression() -> None:
    assert Decisions(Pool(tensor(0.9, 0.4), tensor(0.0, 1.0)), VALUES).form == "values"


@settings(max_examples=50, deadline=None)
@given(
    targets=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    positions=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 99),
)
def test_every_example_has_as_many_wrong_decisions_as_a_loop_counts(
    targets: list[int], positions: int, seed: int
) -> None:
    rows = torch.tensor(targets).repeat_interleave(positions)
    predictions = torch.rand(len(rows), 4, generator=torch.Generator().manual_seed(seed)).softmax(1)
    example = None if positions == 1 else torch.arange(len(targets)).repeat_interleave(positions)
    found = Decisions(Pool(predictions, rows, example), SEQUENCE)
    for one in range(len(targets)):
        mine = slice(one * positions, (one + 1) * positions)
        wrong = predictions[mine].argmax(1) != rows[mine]
        assert int(found.wrong_decisions[one]) == int(wrong.sum())
        surest = max([0.0, *predictions[mine].amax(1)[wrong].tolist()])
        assert found.wrong_confidence is not None
        assert float(found.wrong_confidence[one]) == pytest.approx(surest)
