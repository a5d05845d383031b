"""What is seen inside one call of a step, and that nothing of it stays."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics import MeanSquaredError
from torchmetrics.classification import MulticlassAccuracy

from art_training.setup.observer import answering, observe_calls
from art_training.setup.scores.losses import LOSSES

SCORES = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 2, 1, 1])
VALUES = torch.rand(4, 3, generator=torch.Generator().manual_seed(1))
SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0])
CTC = (torch.randn(5, 4, 3).log_softmax(2), torch.ones(4, 2).long(), torch.full((4,), 5), torch.full((4,), 2))

FUNCTIONS = {
    "cross_entropy": lambda: F.cross_entropy(SCORES, CLASSES),
    "nll_loss": lambda: F.nll_loss(SCORES.log_softmax(1), CLASSES),
    "binary_cross_entropy": lambda: F.binary_cross_entropy(VALUES, VALUES),
    "binary_cross_entropy_with_logits": lambda: F.binary_cross_entropy_with_logits(SCORES, VALUES),
    "mse_loss": lambda: F.mse_loss(SCORES, VALUES),
    "l1_loss": lambda: F.l1_loss(SCORES, VALUES),
    "smooth_l1_loss": lambda: F.smooth_l1_loss(SCORES, VALUES),
    "huber_loss": lambda: F.huber_loss(SCORES, VALUES),
    "kl_div": lambda: F.kl_div(SCORES.log_softmax(1), VALUES.softmax(1), reduction="batchmean"),
    "gaussian_nll_loss": lambda: F.gaussian_nll_loss(SCORES, VALUES, VALUES),
    "poisson_nll_loss": lambda: F.poisson_nll_loss(SCORES, VALUES),
    "soft_margin_loss": lambda: F.soft_margin_loss(SCORES[:, 0], SIGNS),
    "multilabel_soft_margin_loss": lambda: F.multilabel_soft_margin_loss(SCORES, VALUES.round()),
    "multilabel_margin_loss": lambda: F.multilabel_margin_loss(SCORES, torch.tensor([[0, 1, -1]] * 4)),
    "multi_margin_loss": lambda: F.multi_margin_loss(SCORES, CLASSES),
    "hinge_embedding_loss": lambda: F.hinge_embedding_loss(SCORES[:, 0], SIGNS),
    "ctc_loss": lambda: F.ctc_loss(*CTC),
    "cosine_embedding_loss": lambda: F.cosine_embedding_loss(SCORES, VALUES, SIGNS),
    "margin_ranking_loss": lambda: F.margin_ranking_loss(SCORES[:, 0], VALUES[:, 0], SIGNS),
    "linear_cross_entropy": lambda: F.linear_cross_entropy(SCORES, VALUES, CLASSES),
    "triplet_margin_loss": lambda: F.triplet_margin_loss(SCORES, VALUES, VALUES.flip(0)),
    "triplet_margin_with_distance_loss": lambda: F.triplet_margin_with_distance_loss(SCORES, VALUES, VALUES.flip(0)),
}
if not hasattr(F, "linear_cross_entropy"):
    del FUNCTIONS["linear_cross_entropy"]
MODULES = {
    "cross_entropy": lambda: nn.CrossEntropyLoss()(SCORES, CLASSES),
    "nll_loss": lambda: nn.NLLLoss()(SCORES.log_softmax(1), CLASSES),
    "binary_cross_entropy": lambda: nn.BCELoss()(VALUES, VALUES),
    "binary_cross_entropy_with_logits": lambda: nn.BCEWithLogitsLoss()(SCORES, VALUES),
    "mse_loss": lambda: nn.MSELoss()(SCORES, VALUES),
    "l1_loss": lambda: nn.L1Loss()(SCORES, VALUES),
    "smooth_l1_loss": lambda: nn.SmoothL1Loss()(SCORES, VALUES),
    "huber_loss": lambda: nn.HuberLoss()(SCORES, VALUES),
    "gaussian_nll_loss": lambda: nn.GaussianNLLLoss()(SCORES, VALUES, VALUES),
    "poisson_nll_loss": lambda: nn.PoissonNLLLoss()(SCORES, VALUES),
    "kl_div": lambda: nn.KLDivLoss(reduction="batchmean")(SCORES.log_softmax(1), VALUES.softmax(1)),
    "ctc_loss": lambda: nn.CTCLoss()(*CTC),
    "triplet_margin_loss": lambda: nn.TripletMarginLoss()(SCORES, VALUES, VALUES.flip(0)),
}


def test_every_known_loss_is_tried() -> None:
    assert set(FUNCTIONS) == {name for name in LOSSES if hasattr(F, name)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_loss_function_is_seen_with_its_value(name: str) -> None:
    with observe_calls(nn.Linear(1, 1)) as calls:
        value = FUNCTIONS[name]()
    assert [call.name for call in calls.losses] == [name]
    assert torch.equal(calls.losses[0].value, value)


@pytest.mark.parametrize("name", MODULES)
def test_a_loss_module_is_seen_as_its_function(name: str) -> None:
    with observe_calls(nn.Linear(1, 1)) as calls:
        MODULES[name]()
    assert [call.name for call in calls.losses] == [name]


def test_options_are_seen_whether_given_or_not() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0])
    with observe_calls(nn.Linear(1, 1)) as calls:
        F.cross_entropy(SCORES, CLASSES, weight, label_smoothing=0.1)
    options = calls.losses[0].options
    assert torch.equal(options["weight"], weight)
    assert (options["label_smoothing"], options["ignore_index"], options["reduction"]) == (0.1, -100, "mean")


def test_what_is_seen_holds_no_graph() -> None:
    with observe_calls(nn.Linear(1, 1)) as calls:
        F.mse_loss(SCORES.clone().requires_grad_(), VALUES)
    assert not calls.losses[0].prediction.requires_grad
    assert not calls.losses[0].value.requires_grad


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.accuracy = MulticlassAccuracy(num_classes=3)
        self.error = MeanSquaredError()
        self.kept: dict[str, Any] = {}

    def log(self, name: str, value: Any, **_: Any) -> None:
        self.kept[name] = value

    def log_dict(self, dictionary: dict[str, Any], **options: Any) -> None:
        for name, value in dictionary.items():
            self.log(name, value, **options)


def test_metrics_are_seen_once_whether_called_or_updated() -> None:
    module = Module()
    with observe_calls(module) as calls:
        module.accuracy(SCORES, CLASSES)
        module.error.update(target=VALUES, preds=SCORES)
    names = [name for name, _ in calls.metric_inputs]
    assert names == ["MulticlassAccuracy", "MeanSquaredError"]
    assert torch.equal(calls.metric_inputs[1][1][0], SCORES)
    assert torch.equal(calls.metric_inputs[1][1][1], VALUES)


class LossLikeMetric(MeanSquaredError):
    def update(self, preds: torch.Tensor, target: torch.Tensor) -> None:
        F.l1_loss(preds, target)
        super().update(preds, target)


def test_what_a_metric_computes_with_is_not_the_loss_of_the_model() -> None:
    module = Module()
    module.error = LossLikeMetric()
    with observe_calls(module) as calls:
        module.error(SCORES, VALUES)
        F.mse_loss(SCORES, VALUES)
    assert [call.name for call in calls.losses] == ["mse_loss"]


def test_logged_values_are_seen_as_numbers() -> None:
    module = Module()
    with observe_calls(module) as calls:
        module.log("val_loss", torch.tensor(0.5))
        module.log_dict({"a": 1, "b": torch.tensor([2.0]), "many": torch.ones(3)})
        module.accuracy(SCORES, CLASSES)
        module.log("acc", module.accuracy)
    assert {name: calls.logged[name] for name in ("val_loss", "a", "b")} == {"val_loss": 0.5, "a": 1.0, "b": 2.0}
    assert "many" not in calls.logged
    assert 0 <= calls.logged["acc"] <= 1
    assert set(module.kept) == {"val_loss", "a", "b", "many", "acc"}


def test_everything_is_restored_even_when_the_step_raises() -> None:
    module = Module()
    before, metric_before = dict(module.__dict__), dict(module.accuracy.__dict__)

    def broken() -> None:
        with observe_calls(module) as calls:
            module.accuracy(SCORES, CLASSES)
            assert calls.metric_inputs
            raise RuntimeError("the step is broken")

    with pytest.raises(RuntimeError, match="the step is broken"):
        broken()
    assert module.__dict__.keys() == before.keys()
    assert module.accuracy.__dict__.keys() == metric_before.keys()
    assert module.accuracy.__dict__["update"] is metric_before["update"]
    with observe_calls(nn.Linear(1, 1)) as calls:
        pass
    F.mse_loss(SCORES, VALUES)
    assert calls.losses == ()


def test_a_seen_metric_counts_what_it_would_have_counted() -> None:
    seen, plain = Module(), Module()
    with observe_calls(seen):
        seen.accuracy(SCORES, CLASSES)
    plain.accuracy(SCORES, CLASSES)
    assert torch.equal(seen.accuracy.compute(), plain.accuracy.compute())
    assert seen.accuracy.update_count == plain.accuracy.update_count


def test_a_step_that_is_given_another_loss_says_what_it_makes_of_it() -> None:
    predictions, targets = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
    module = torch.nn.Linear(1, 1)
    with answering(lambda call, before: torch.full_like(call.value, 1.0 + before)), observe_calls(module) as calls:
        first = F.cross_entropy(predictions, targets)
        second = 10 * F.cross_entropy(predictions, targets, reduction="none").mean()
    assert (float(first), float(second)) == (1.0, 20.0)
    assert [float(call.value.mean()) for call in calls.losses] == [1.0, 2.0]
    with observe_calls(module):
        assert float(F.cross_entropy(predictions, targets)) == pytest.approx(math.log(3))
