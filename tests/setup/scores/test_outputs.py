"""Predictions, targets and loss are found in every style of step, or a sentence says why not."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from art_training.errors import SetupError
from art_training.setup.scores.outputs import read_outputs
from art_training.setup.task import Task, TaskKind

G = torch.Generator().manual_seed(0)
X, Y = torch.randn(8, 4, generator=G), torch.randint(0, 3, (8,), generator=G)
BATCH = (X, Y)
CLASSIFICATION = Task(
    TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=3, activation="softmax"
)


class Net(nn.Module):
    """A model whose step is given to it; its root is never called through forward."""

    def __init__(self, step: Any, outputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(4, outputs)
        self.loss = nn.CrossEntropyLoss()
        self.accuracy = MulticlassAccuracy(num_classes=3)
        self.step = step

    def log(self, name: str, value: Any, **_: Any) -> None:
        pass

    def validation_step(self, batch: Any, index: int) -> Any:
        return self.step(self, batch)


def returns_nothing(self: Net, batch: Any) -> None:
    scores = self.net(batch[0])
    self.log("val_loss", F.cross_entropy(scores, batch[1]))


def loss_module(self: Net, batch: Any) -> Any:
    return self.loss(self.net(batch[0]), batch[1])


def metric_only(self: Net, batch: Any) -> None:
    scores = self.net(batch[0])
    self.accuracy(scores, batch[1])
    chosen = scores.log_softmax(1)[torch.arange(len(scores)), batch[1]]  # a hand-written cross-entropy
    self.log("val_loss", -chosen.mean())


def returns_dict(self: Net, batch: Any) -> Any:
    scores = self.net(batch[0])
    return {"loss": F.cross_entropy(scores, batch[1]), "logits": scores, "labels": batch[1]}


def returns_probabilities(self: Net, batch: Any) -> Any:
    scores = self.net(batch[0])
    return {"loss": F.cross_entropy(scores, batch[1]), "preds": scores.softmax(1), "targets": batch[1]}


def returns_tuple(self: Net, batch: Any) -> Any:
    scores = self.net(batch[0])
    return F.cross_entropy(scores, batch[1]), scores, batch[1]


def returns_decisions(self: Net, batch: Any) -> Any:
    scores = self.net(batch[0])
    return {"loss": F.cross_entropy(scores, batch[1]), "preds": scores.argmax(1), "target": batch[1]}


def returns_dataclass(self: Net, batch: Any) -> Any:
    @dataclass
    class Output:
        loss: torch.Tensor
        logits: torch.Tensor

    scores = self.net(batch[0])
    return Output(F.cross_entropy(scores, batch[1]), scores)


STEPS = [
    returns_nothing,
    loss_module,
    metric_only,
    returns_dict,
    returns_probabilities,
    returns_tuple,
    returns_decisions,
    returns_dataclass,
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_each_style_gives_probabilities_targets_and_loss(watch: Any, step: Any) -> None:
    module = Net(step)
    outputs = read_outputs(watch(module, [BATCH])[0], CLASSIFICATION, None)
    assert outputs.predictions is not None
    assert outputs.targets is not None
    with torch.no_grad():
        scores = module.net(X)
    assert torch.allclose(outputs.predictions, scores.softmax(1), atol=1e-6)
    assert torch.equal(outputs.targets, Y)
    assert outputs.loss == pytest.approx(float(F.cross_entropy(scores, Y)), rel=1e-5)
    assert outputs.loss_weight == len(Y)


def test_values_of_single_examples_come_from_the_call_of_the_loss(watch: Any) -> None:
    module = Net(returns_nothing)
    outputs = read_outputs(watch(module, [BATCH])[0], CLASSIFICATION, None)
    assert outputs.per_example_loss is not None
    expected = F.cross_entropy(module.net(X).detach(), Y, reduction="none")
    assert torch.allclose(outputs.per_example_loss.float(), expected, atol=1e-5)


def test_a_batch_of_a_dictionary(watch: Any) -> None:
    def step(self: Net, batch: Any) -> None:
        F.cross_entropy(self.net(batch["pixels"]), batch["label"])

    outputs = read_outputs(watch(Net(step), [{"pixels": X, "label": Y}])[0], None, None)
    assert outputs.predictions is not None
    assert outputs.predictions.shape == (8, 3)
    assert outputs.source == "cross_entropy call"


def test_the_adapter_comes_first(watch: Any) -> None:
    module = Net(returns_dict)
    observation = watch(module, [BATCH])[0]
    outputs = read_outputs(observation, CLASSIFICATION, lambda batch, returned: (returned["logits"].flip(1), batch[1]))
    assert outputs.source == "outputs= adapter"
    assert outputs.predictions is not None
    assert torch.allclose(outputs.predictions, module.net(X).softmax(1).flip(1), atol=1e-6)


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        (lambda batch, returned: returned["nothing"], "outputs= raised KeyError: 'nothing'"),
        (lambda batch, returned: batch[0], "outputs= returned a tensor of shape"),
        (lambda batch, returned: (batch[0], None), "predictions and targets must be tensors"),
        (lambda batch, returned: (batch[0], batch[1][:3]), "cannot be compared"),
    ],
)
def test_a_wrong_adapter_is_told_in_a_sentence(watch: Any, adapter: Any, sentence: str) -> None:
    observation = watch(Net(returns_dict), [BATCH])[0]
    with pytest.raises(SetupError, match=re.escape(sentence)) as caught:
        read_outputs(observation, CLASSIFICATION, adapter)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_seen_is_said_with_the_remedy(watch: Any) -> None:
    def step(self: Net, batch: Any) -> None:
        scores = self.net(batch[0])
        self.log("val_loss", -(scores.log_softmax(1)[torch.arange(8), batch[1]]).mean())

    outputs = read_outputs(watch(Net(step), [BATCH])[0], CLASSIFICATION, None)
    assert outputs.predictions is None
    assert "outputs=" in outputs.source
    assert outputs.loss is not None


def test_a_loss_on_embeddings_says_why_there_are_no_predictions(watch: Any) -> None:
    def step(self: Net, batch: Any) -> Any:
        found = self.net(batch[0])
        return F.triplet_margin_loss(found, found.flip(0), found.roll(1, 0))

    outputs = read_outputs(watch(Net(step), [BATCH])[0], None, None)
    assert outputs.predictions is None
    assert outputs.source.startswith("triplet_margin_loss compares no predictions")


def test_the_main_loss_is_the_one_that_the_target_enters(watch: Any) -> None:
    def step(self: Net, batch: Any) -> Any:
        scores = self.net(batch[0])
        rebuilt = F.mse_loss(scores @ self.net.weight, batch[0])
        return F.cross_entropy(scores, batch[1]) + 0.1 * rebuilt

    for task in (None, CLASSIFICATION):
        outputs = read_outputs(watch(Net(step), [BATCH])[0], task, None)
        assert outputs.source == "cross_entropy call"
        assert outputs.call_loss is not None
        assert outputs.loss is not None
        assert outputs.loss > outputs.call_loss


def test_positions_are_rows_that_remember_their_example(watch: Any) -> None:
    tokens = torch.randint(0, 3, (8, 5))
    tokens[0, 3:] = -100

    def flat(self: Net, batch: Any) -> Any:
        scores = self.net(batch[0].unsqueeze(1).expand(8, 5, 4))
        return F.cross_entropy(scores.reshape(-1, 3), batch[1].reshape(-1))

    def shaped(self: Net, batch: Any) -> Any:
        scores = self.net(batch[0].unsqueeze(1).expand(8, 5, 4))
        return F.cross_entropy(scores.transpose(1, 2), batch[1])

    for step in (flat, shaped):
        outputs = read_outputs(watch(Net(step), [(X, tokens)])[0], None, None)
        assert outputs.predictions is not None
        assert outputs.targets is not None
        assert outputs.example is not None
        assert outputs.predictions.shape == (38, 3)
        assert outputs.loss_weight == 38
        assert outputs.example.bincount().tolist() == [3] + [5] * 7
        assert torch.equal(outputs.targets, tokens[tokens != -100])
        assert outputs.per_example_loss is not None
        assert outputs.per_example_loss.shape == (8,)


def test_columns_of_one_are_no_dimension(watch: Any) -> None:
    target = torch.randint(0, 2, (8, 1)).float()

    def step(self: Net, batch: Any) -> Any:
        return F.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1])

    outputs = read_outputs(watch(Net(step, outputs=1), [(X, target)])[0], None, None)
    assert outputs.predictions is not None
    assert outputs.targets is not None
    assert outputs.predictions.shape == outputs.targets.shape == (8,)
    assert bool(((outputs.predictions > 0) & (outputs.predictions < 1)).all())


def test_logits_between_zero_and_one_are_still_logits(watch: Any) -> None:
    """torchmetrics guesses by the values of each batch; ART knows by the loss."""
    target = torch.randint(0, 2, (8,)).float()
    logits = torch.linspace(0.1, 0.9, 8)

    def step(self: Net, batch: Any) -> Any:
        return {"loss": F.binary_cross_entropy_with_logits(logits, batch[1]), "preds": logits, "target": batch[1]}

    outputs = read_outputs(watch(Net(step), [(X, target)])[0], None, None)
    assert outputs.predictions is not None
    assert torch.allclose(outputs.predictions, logits.sigmoid())


def test_a_mean_over_a_mask_is_weighted_by_the_mask(watch: Any) -> None:
    target = torch.randint(0, 3, (8, 5))
    mask = (torch.arange(5) < torch.tensor([5, 4, 3, 2, 1, 5, 5, 5])[:, None]).float()

    def step(self: Net, batch: Any) -> Any:
        scores = self.net(batch["x"].unsqueeze(1).expand(8, 5, 4))
        losses = F.cross_entropy(scores.transpose(1, 2), batch["y"], reduction="none")
        return (losses * batch["mask"]).sum() / batch["mask"].sum()

    outputs = read_outputs(watch(Net(step), [{"x": X, "y": target, "mask": mask}])[0], None, None)
    assert outputs.loss_weight == float(mask.sum())


def test_a_sum_is_reported_as_the_share_of_an_example(watch: Any) -> None:
    def step(self: Net, batch: Any) -> Any:
        return F.cross_entropy(self.net(batch[0]), batch[1], reduction="sum")

    module = Net(step)
    outputs = read_outputs(watch(module, [BATCH])[0], CLASSIFICATION, None)
    assert outputs.loss == pytest.approx(float(F.cross_entropy(module.net(X).detach(), Y)), rel=1e-5)


def test_smoothed_labels_given_as_probabilities_have_their_class_as_target(watch: Any) -> None:
    soft = F.one_hot(Y, 3).float() * 0.9 + 0.1 / 3

    def step(self: Net, batch: Any) -> Any:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    outputs = read_outputs(watch(Net(step), [(X, soft)])[0], None, None)
    assert outputs.targets is not None
    assert torch.equal(outputs.targets, Y)


def test_scores_of_a_loss_that_nobody_knows_become_probabilities(watch: Any) -> None:
    """Otherwise torchmetrics decides for each batch by its values whether they are scores."""

    def step(self: Net, batch: Any) -> Any:
        scores = self.net(batch[0])
        return {"loss": -scores.log_softmax(1)[torch.arange(8), batch[1]].mean(), "y_hat": scores, "y": batch[1]}

    module = Net(step)
    outputs = read_outputs(watch(module, [BATCH])[0], None, None)
    assert outputs.predictions is not None
    assert torch.allclose(outputs.predictions, module.net(X).softmax(1), atol=1e-6)
    declared = Task(TaskKind.CLASSIFICATION, activation="none", declared=("activation",))
    outputs = read_outputs(watch(module, [BATCH])[0], declared, None)
    assert outputs.predictions is not None
    assert torch.allclose(outputs.predictions, module.net(X), atol=1e-6)


def test_a_returned_tensor_is_a_prediction_where_no_loss_was_called(watch: Any) -> None:
    outputs = read_outputs(watch(Net(lambda self, b: self.net(b[0])), [BATCH])[0], CLASSIFICATION, None)
    assert outputs.predictions is not None
    assert outputs.predictions.shape == (8, 3)
    assert outputs.loss is None
