"""The loss that is told from predictions is what torch gives of the scores that they were made of."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from art_training.setup.declaration import plain_options
from art_training.setup.scores.told_loss import of_likelihood, told_loss
from art_training.setup.task import Task, TaskKind

G = torch.Generator().manual_seed(0)
SCORES, YES = torch.randn(40, generator=G), torch.randint(0, 2, (40,), generator=G)
LABELS, OF_LABELS = torch.randn(40, 3, generator=G), torch.randint(0, 2, (40, 3), generator=G)


@pytest.mark.parametrize(
    "weight", [torch.tensor(2.0), torch.tensor([2.0]), torch.tensor(0.6, dtype=torch.float64), torch.tensor(3)]
)
@pytest.mark.parametrize("name", ["weight", "pos_weight"])
def test_a_weight_of_one_number_is_given_as_the_users_loss_had_it(name: str, weight: torch.Tensor) -> None:
    wanted: Any = {name: weight}
    task = Task(
        TaskKind.CLASSIFICATION, loss="binary_cross_entropy_with_logits", loss_options=plain_options({name: weight})
    )
    found = told_loss(SCORES.sigmoid(), YES, task)
    assert found.value == pytest.approx(
        float(F.binary_cross_entropy_with_logits(SCORES, YES.float(), **wanted)), rel=1e-4
    )
    assert found.terms is not None
    assert not found.why_none


def test_a_weight_for_each_label_and_one_for_all_are_told_apart() -> None:
    for weight in (torch.tensor(2.0), torch.tensor([1.0, 2.0, 3.0])):
        options = plain_options({"pos_weight": weight, "reduction": "sum"})
        task = Task(TaskKind.MULTI_LABEL, loss="binary_cross_entropy_with_logits", loss_options=options)
        wanted = F.binary_cross_entropy_with_logits(LABELS, OF_LABELS.float(), pos_weight=weight)
        assert told_loss(LABELS.sigmoid(), OF_LABELS, task).value == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "options", "predictions", "why"),
    [
        ("", {}, SCORES.sigmoid(), "not a function of torch that was seen"),
        ("ctc_loss", {}, SCORES.sigmoid(), "does not follow from what is predicted alone"),
        ("binary_cross_entropy", {}, YES, "it predicts decisions (int64)"),
        ("binary_cross_entropy", {"weight": [1.0] * 32}, SCORES.sigmoid(), "cannot be computed of it"),
        ("binary_cross_entropy", plain_options({"weight": torch.ones(4, 1)}), SCORES.sigmoid(), "shape (4, 1)"),
    ],
)
def test_a_loss_that_is_not_known_says_why(loss: str, options: Any, predictions: torch.Tensor, why: str) -> None:
    found = told_loss(predictions, YES, Task(TaskKind.CLASSIFICATION, loss=loss, loss_options=options))
    assert found.value != found.value
    assert found.terms is None
    assert why in found.why_none


def test_the_likelihood_knows_neither_weights_nor_smoothing() -> None:
    options = {"weight": [1.0, 5.0, 1.0], "label_smoothing": 0.3, "ignore_index": -1}
    targets = torch.tensor([0, 1, 2, -1]).repeat(10)
    task = Task(TaskKind.CLASSIFICATION, loss="nll_loss", loss_options=options, classes=3)
    found = told_loss(LABELS.softmax(1), targets, of_likelihood(task, binary=False))
    assert found.value == pytest.approx(float(F.cross_entropy(LABELS, targets, ignore_index=-1)), rel=1e-4)
    found = told_loss(SCORES.sigmoid(), YES, of_likelihood(task, binary=True))
    assert found.value == pytest.approx(float(F.binary_cross_entropy_with_logits(SCORES, YES.float())), rel=1e-4)
