"""The loss of a fresh model is measured, and compared with what knowing nothing should cost."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.records import Outcome, StepEnded, StepState
from art_training.setup.scores.expected_values import mirrored_share
from art_training.setup.task import Task, TaskKind
from art_training.steps import CheckLossOnInit, TransferLearning
from art_training.stores.memory import MemoryStore

G = torch.Generator().manual_seed(0)
X = torch.randn(240, 8, generator=G)
Y = torch.multinomial(torch.tensor([0.9, 0.05, 0.05]), 240, replacement=True, generator=G)


class Data(L.LightningDataModule):
    def __init__(self, targets: torch.Tensor = Y) -> None:
        super().__init__()
        self.targets = targets

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(X[:200], self.targets[:200]), batch_size=32, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(TensorDataset(X[200:], self.targets[200:]), batch_size=32)


class Net(L.LightningModule):
    """A classifier; `scale` makes its first predictions extreme, `prior` sets its final bias."""

    def __init__(self, scale: float = 0.1, prior: bool = False, dropout: float = 0.0, penalty: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Dropout(dropout), nn.Linear(8, 3))
        self.penalty = penalty
        with torch.no_grad():
            self.net[1].weight.mul_(scale)
            self.net[1].bias.zero_()
            if prior:
                self.net[1].bias.copy_(torch.tensor([0.9, 0.05, 0.05]).log())

    def loss(self, batch: Any) -> torch.Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1]) + self.penalty

    def training_step(self, batch: Any, index: int) -> Any:
        return self.loss(batch)

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def outcome_of(
    model: Any, data: Any = Data, metrics: Any = None, pretrained: Any = None, seed: int = 0, **hparams: Any
) -> tuple[Outcome, StepState, str]:
    ended: list[StepEnded] = []
    setup = art.Setup(model=model, data=data, hparams=hparams, trainer={"max_epochs": 1, "accelerator": "cpu"})
    if pretrained is not None:
        setup = setup.but(declarations={"pretrained": pretrained})
    project = art.ArtProject(
        "loss", setup, metrics=metrics or {}, steps=[CheckLossOnInit()], store=MemoryStore(), seed=seed
    )
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    assert ended[0].outcome is not None
    assert ended[0].judgement is not None
    reasons = "; ".join(verdict.reason for verdict in ended[0].judgement.verdicts)
    return ended[0].outcome, ended[0].judgement.state, reasons


def test_a_fresh_classifier_predicts_uniformly() -> None:
    outcome, state, _ = outcome_of(Net)
    assert state is StepState.PASSED
    assert outcome.scores["expected_loss"].value == pytest.approx(math.log(3))
    assert outcome.scores["uniform_loss"].value == pytest.approx(math.log(3))
    assert outcome.scores["train/loss"].value == pytest.approx(math.log(3), rel=0.05)
    assert outcome.scores["train/loss"].rows == 200
    assert outcome.scores["validation/loss"].rows == 40
    assert outcome.scores["train/loss"].interval is not None
    assert outcome.summary == (
        f"loss {outcome.scores['train/loss'].value:.4g} at initialisation, 1.099 expected of uniform predictions"
    )


def test_the_prior_and_the_bias_that_gives_it_are_told() -> None:
    outcome, _, _ = outcome_of(Net)
    counts = torch.bincount(Y[:200], minlength=3).double()
    share = counts / counts.sum()
    prior = -float((share * share.log()).sum())
    assert outcome.scores["prior_loss"].value == pytest.approx(prior)
    reading = outcome.reading("final bias")
    assert reading is not None
    assert torch.tensor(reading.value).softmax(0).tolist() == pytest.approx(share.tolist(), abs=0.01)
    assert f"{prior:.4g}" in reading.note


def test_a_model_that_begins_at_the_prior_passes_too() -> None:
    outcome, state, _ = outcome_of(Net, prior=True)
    assert state is StepState.PASSED
    assert outcome.scores["expected_loss"].value == outcome.scores["prior_loss"].value
    assert outcome.summary.endswith("expected of the label prior")


def test_a_model_that_is_sure_of_nothing_but_noise_fails() -> None:
    outcome, state, reasons = outcome_of(Net, scale=40.0)
    assert state is StepState.FAILED
    assert outcome.scores["train/loss"].value > 2 * math.log(3)
    assert "is expected" in reasons
    assert "at most 20% is allowed; fresh predictions are far from even: standardise the inputs, or make" in reasons


def test_training_mode_is_measured_beside_evaluation_mode() -> None:
    outcome, _, _ = outcome_of(Net, scale=3.0, dropout=0.9)
    training = outcome.scores["train/loss_in_training_mode"]
    assert training.value != pytest.approx(outcome.scores["train/loss"].value, rel=1e-3)
    assert "dropout on" in training.note
    outcome, _, _ = outcome_of(Net)
    assert outcome.scores["train/loss_in_training_mode"].value == pytest.approx(outcome.scores["train/loss"].value)


def test_what_the_step_adds_to_its_loss_is_expected_too() -> None:
    outcome, state, _ = outcome_of(Net, penalty=2.0)
    assert outcome.scores["expected_loss"].value == pytest.approx(math.log(3) + 2.0, rel=1e-3)
    assert state is StepState.PASSED


def test_metrics_are_scored_as_well() -> None:
    outcome, _, _ = outcome_of(Net, metrics={"accuracy": MulticlassAccuracy(num_classes=3, average="micro")})
    assert outcome.scores["validation/accuracy"].rows == 40


def regression(make: Any, target: torch.Tensor, loss: Any = nn.MSELoss) -> tuple[Outcome, StepState, str]:
    data = art.data(train=(X[:200], target[:200]), validation=(X[200:], target[200:]))
    return outcome_of(art.from_torch(make, loss=loss, lr=0.1), data)


def linear(bias: float = 0.0, scale: float = 1.0) -> nn.Module:
    layer = nn.Linear(8, 1)
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.fill_(bias)
    return layer


def test_a_regression_expects_what_the_best_constant_leaves() -> None:
    target = torch.randn(240, 1, generator=G) * 2 + 5
    outcome, _, _ = regression(linear, target)
    variance = float(target[:200].var(correction=0))
    assert outcome.scores["zero_loss"].value == pytest.approx(float((target[:200] ** 2).mean()), rel=1e-5)
    assert outcome.scores["prior_loss"].value == pytest.approx(variance, rel=1e-4)
    assert outcome.scores["expected_loss"].value == outcome.scores["prior_loss"].value
    assert "uniform_loss" not in outcome.scores
    assert outcome.summary.endswith(f"{variance:.4g} expected of the best constant")
    reading = outcome.reading("final bias")
    assert reading is not None
    assert reading.value == [pytest.approx(float(target[:200].mean()), rel=1e-4)]


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss])
def test_targets_far_from_zero_fail_with_the_bias_that_mends_it(loss: Any) -> None:
    target = torch.randn(240, 1, generator=torch.Generator().manual_seed(0)) * 77 + 300
    outcome, state, reasons = regression(linear, target, loss)
    assert state is StepState.FAILED
    reading = outcome.reading("final bias")
    assert reading is not None
    assert f"; start the final bias at {reading.value[0]:.4g} (or standardise the targets)" in reasons
    _, state, reasons = regression(lambda: linear(bias=reading.value[0]), target, loss)
    assert state is StepState.PASSED, reasons
    _, state, reasons = regression(linear, (target - target.mean()) / target.std(), loss)
    assert state is StepState.PASSED, reasons


def test_outputs_that_are_spread_too_far_are_not_blamed_on_the_bias() -> None:
    _, state, reasons = regression(lambda: linear(scale=40.0), torch.randn(240, 1, generator=G))
    assert state is StepState.FAILED
    assert "standardise the inputs and the targets, or make the initial weights of the final layer smaller" in reasons
    assert "start the final bias" not in reasons


def test_counts_may_begin_at_an_output_of_zero() -> None:
    outcome, state, _ = regression(
        lambda: linear(scale=0.0), torch.poisson(torch.full((240, 1), 20.0)), nn.PoissonNLLLoss
    )
    assert state is StepState.PASSED
    assert outcome.scores["zero_loss"].value == outcome.scores["expected_loss"].value == pytest.approx(1.0)
    assert "an output of zero" in outcome.summary


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_regression_as_torch_makes_it_passes_and_one_that_begins_far_out_fails(seed: int) -> None:
    target = X @ torch.randn(8, 1, generator=torch.Generator().manual_seed(seed))
    target /= target.std()
    data = art.data(train=(X[:200], target[:200]), validation=(X[200:], target[200:]))
    _, state, reasons = outcome_of(art.from_torch(lambda: nn.Linear(8, 1), loss=nn.MSELoss, lr=0.1), data)
    assert state is StepState.PASSED, reasons

    def far_out() -> nn.Module:
        layer = nn.Linear(8, 1)
        nn.init.normal_(layer.weight, std=3.0)
        return layer

    _, state, _ = outcome_of(art.from_torch(far_out, loss=nn.MSELoss, lr=0.1), data)
    assert state is StepState.FAILED


class HandWritten(Net):
    def loss(self, batch: Any) -> torch.Tensor:
        chosen = self.net(batch[0]).log_softmax(1)[torch.arange(len(batch[1])), batch[1]]
        return -chosen.mean()


def test_a_loss_that_nobody_knows_is_measured_and_not_judged() -> None:
    outcome, state, reasons = outcome_of(HandWritten)
    assert "expected_loss" not in outcome.scores
    assert outcome.scores["train/loss"].value == pytest.approx(math.log(3), rel=0.05)
    assert state is StepState.NOT_JUDGED
    assert "no loss function of torch was called" in reasons
    assert "what it should be is not known" in outcome.summary


class Focal(Net):
    def loss(self, batch: Any) -> torch.Tensor:
        each = F.cross_entropy(self.net(batch[0]), batch[1], reduction="none")
        return ((1 - torch.exp(-each)) ** 2 * each).mean()


def test_a_loss_that_weighs_examples_by_themselves_is_expected_as_the_step_makes_it_of_even_scores() -> None:
    outcome, state, reasons = outcome_of(Focal)
    assert state is StepState.PASSED, reasons
    assert outcome.scores["expected_loss"].value == pytest.approx((2 / 3) ** 2 * math.log(3), rel=1e-4)
    _, state, _ = outcome_of(Focal, scale=30.0)
    assert state is StepState.FAILED


@pytest.mark.slow
def test_a_focal_loss_of_a_fresh_layer_is_as_far_off_as_it_responds_to_its_cross_entropy() -> None:
    """A layer of torch over few standardised features is up to 20 % off by cross-entropy, and twice as much by this."""
    x, y = load_iris(return_X_y=True)
    iris = torch.as_tensor((x - x.mean(0)) / x.std(0)).float(), torch.as_tensor(y)

    class FocalOf(nn.Module):
        def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            each = F.cross_entropy(scores, targets, reduction="none")
            return ((1 - torch.exp(-each)) ** 2 * each).mean()

    for seed in range(3):
        model = art.from_torch(lambda: nn.Linear(4, 3), loss=FocalOf, lr=0.1)
        outcome, state, reasons = outcome_of(model, art.data(train=iris, batch_size=50), seed=seed)
        assert state is StepState.PASSED, reasons
        response = outcome.reading("response")
        assert response is not None
        assert response.value == pytest.approx(1 + 2 * math.log(3) / 3 / (1 - 1 / 3), rel=0.02)  # of (1 - p)^2 (-ln p)
    with_large = art.from_torch(lambda: nn.Sequential(nn.Linear(4, 3), Times(8.0)), loss=FocalOf, lr=0.1)
    _, state, reasons = outcome_of(with_large, art.data(train=iris, batch_size=50))
    assert state is StepState.FAILED
    assert "(20% of the loss that the step makes it of)" in reasons


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


class WithoutValidation(Data):
    val_dataloader = L.LightningDataModule.val_dataloader


def test_data_without_a_validation_split_is_enough() -> None:
    outcome, state, _ = outcome_of(Net, WithoutValidation)
    assert "validation/loss" not in outcome.scores
    assert state is StepState.PASSED


DIGITS = load_digits(return_X_y=True)
DIGITS = (torch.as_tensor(DIGITS[0][:600]).float() / 16, torch.as_tensor(DIGITS[1][:600]))


FITTED = LogisticRegression(C=0.02).fit(*(part.numpy() for part in DIGITS))


def knowing() -> nn.Module:
    """A model whose weights are fitted to digits already, as if they had been loaded."""
    layer = nn.Linear(64, 10)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(FITTED.coef_))
        layer.bias.copy_(torch.as_tensor(FITTED.intercept_))
    return layer


def test_pretrained_weights_are_judged_by_what_knowing_nothing_costs() -> None:
    model, data = art.from_torch(knowing, loss=nn.CrossEntropyLoss, lr=0.1), art.data(train=DIGITS)
    outcome, state, reasons = outcome_of(model, data, pretrained="logistic regression")
    assert state is StepState.PASSED
    assert outcome.scores["train/loss"].value < 0.7 * math.log(10)
    assert outcome.scores["expected_loss"].value == pytest.approx(math.log(10))
    assert "where at most 2.303 is expected" in reasons
    assert (
        "from weights that are pretrained (logistic regression), at most 2.303 expected of uniform" in outcome.summary
    )


@pytest.mark.parametrize("declared", [None, False, ""])
def test_weights_that_know_too_much_and_are_not_declared_fail(declared: Any) -> None:
    model, data = art.from_torch(knowing, loss=nn.CrossEntropyLoss, lr=0.1), art.data(train=DIGITS)
    _, state, reasons = outcome_of(model, data, pretrained=declared)
    assert state is StepState.FAILED
    assert "fresh weights cannot know this much: if they are pretrained, declare" in reasons


def test_pretrained_weights_that_know_less_than_nothing_fail() -> None:
    outcome, state, _ = outcome_of(Net, scale=40.0, pretrained=True)
    assert state is StepState.FAILED
    assert "pretrained (as declared), at most 1.099 expected" in outcome.summary


@pytest.mark.slow
def test_a_step_that_transfers_declares_what_later_models_begin_with(tmp_path: Path) -> None:
    torch.save(knowing().state_dict(), tmp_path / "known.pt")
    setup = art.Setup(
        model=art.from_torch(lambda: nn.Linear(64, 10), loss=nn.CrossEntropyLoss, lr=1e-4),
        data=art.data(train=DIGITS, batch_size=200),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
    )
    transfer = TransferLearning(
        freeze="bias", pretrained=tmp_path / "known.pt", frozen_epochs=1, continue_on_failure=True
    )
    project = art.ArtProject(
        "transferred", setup, steps=[transfer, CheckLossOnInit()], store=MemoryStore(), folder=tmp_path
    )
    outcome = project.run()["CheckLossOnInit"].outcome
    assert outcome is not None
    assert "from weights that are pretrained (known.pt), at most 2.303 expected" in outcome.summary
    assert outcome.scores["train/loss"].value < 0.7 * math.log(10)


def one_feature(seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 1, generator=generator)
    y = x + 0.1 * torch.randn(200, 1, generator=generator)
    return art.data(train=((x - x.mean()) / x.std(), (y - y.mean()) / y.std()))


def pointing(weight: float, bias: float) -> Any:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(weight)
        layer.bias.fill_(bias)
    return layer


def test_one_feature_may_point_the_wrong_way_by_chance() -> None:
    """The most that a linear layer of torch can be off: weight and bias are between -1 and 1."""
    model = art.from_torch(lambda: pointing(-1.0, 0.9), loss=nn.MSELoss, lr=0.1)
    outcome, state, reasons = outcome_of(model, one_feature(0))
    assert outcome.scores["train/loss"].value == pytest.approx(1 + 1 + 0.81 + 2, abs=0.05)
    assert state is StepState.PASSED, reasons
    chance = outcome.reading("chance")
    assert chance is not None
    assert chance.value == pytest.approx(2.0, abs=0.05)
    assert "more by chance, because fresh outputs happen to lie against the targets" in reasons


def test_one_feature_that_points_the_right_way_hides_no_output_that_is_too_large() -> None:
    model = art.from_torch(lambda: pointing(2.2, 0.0), loss=nn.MSELoss, lr=0.1)
    outcome, state, reasons = outcome_of(model, one_feature(0))
    assert outcome.scores["train/loss"].value < 3 * outcome.scores["prior_loss"].value
    assert state is StepState.FAILED
    assert "less by chance, because fresh outputs happen to lie along the targets" in reasons


def test_half_the_difference_to_the_mirrored_outputs_is_chance() -> None:
    """The mean over many fresh layers is what each of them loses without its chance, on average."""
    x = (X[:, :1] - X[:, :1].mean()) / X[:, :1].std()
    y = x
    raw, without = [], []
    torch.manual_seed(0)
    for _ in range(2000):
        with torch.no_grad():
            output = nn.Linear(1, 1)(x)
        loss = float(((output - y) ** 2).mean())
        share = mirrored_share(output, y, Task(TaskKind.REGRESSION, loss="mse_loss"))
        assert share is not None
        raw.append(loss)
        without.append(loss - loss * (1 - share) / 2)
    assert sum(without) == pytest.approx(sum(raw), rel=0.03)
    assert max(without) < 0.75 * max(raw)


class Sorted(L.LightningDataModule):
    """Digits, class after class, as many files are."""

    def __init__(self, in_order: bool = True) -> None:
        super().__init__()
        order = DIGITS[1].argsort(stable=True) if in_order else torch.randperm(600, generator=G)
        self.rows = TensorDataset(DIGITS[0][order], DIGITS[1][order])

    def train_dataloader(self) -> Any:
        return DataLoader(self.rows, batch_size=50, shuffle=True)


def normed() -> nn.Module:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    with torch.no_grad():
        net[3].weight.mul_(5)
    return net


def test_batch_norm_in_training_mode_sees_batches_as_training_makes_them_of_a_sorted_file() -> None:
    model = art.from_torch(normed, loss=nn.CrossEntropyLoss, lr=0.1)
    values = []
    for in_order in (True, False):
        outcome, _, _ = outcome_of(model, lambda in_order=in_order: Sorted(in_order))
        values.append(outcome.scores["train/loss_in_training_mode"].value)
        assert "of shuffled batches" in outcome.scores["train/loss_in_training_mode"].note
    batches = zip(*(part[DIGITS[1].argsort(stable=True)].split(50) for part in DIGITS), strict=True)
    with torch.no_grad():
        net = normed()
        misleading = sum(float(F.cross_entropy(net(x), y)) for x, y in batches) / 12
    # What the file's order would have given is far off; two orders that were drawn are not.
    assert abs(values[0] - values[1]) < 0.25 * abs(misleading - values[1])
    assert abs(misleading / values[1] - 1) > 0.03


CANCER = load_breast_cancer(return_X_y=True)
CANCER = (
    torch.as_tensor((CANCER[0] - CANCER[0].mean(0)) / CANCER[0].std(0)).float()[:350],
    torch.as_tensor(CANCER[1]).float()[:350],
)


def yes_or_no(scale: float = 1.0) -> nn.Module:
    layer = nn.Linear(30, 1)
    with torch.no_grad():
        layer.weight.mul_(scale)
    return nn.Sequential(layer, nn.Flatten(0))


@pytest.mark.slow
def test_a_clean_classifier_does_not_fail_by_the_luck_of_its_draw() -> None:
    """Every third layer of torch is more than 20 % off here."""
    model = art.from_torch(yes_or_no, loss=nn.BCEWithLogitsLoss, lr=0.1)
    off = []
    for seed in range(8):
        outcome, state, reasons = outcome_of(model, art.data(train=CANCER, batch_size=70), seed=seed)
        assert state is StepState.PASSED, reasons
        off.append(abs(outcome.scores["train/loss"].value / outcome.scores["expected_loss"].value - 1))
        chance = outcome.reading("chance")
        assert chance is None or "5 draws of fresh weights lose" in chance.note
    assert max(off) > 0.2


@pytest.mark.slow
def test_scores_that_are_too_large_in_every_draw_fail() -> None:
    model = art.from_torch(lambda: yes_or_no(4.0), loss=nn.BCEWithLogitsLoss, lr=0.1)
    for seed in range(4):
        _, state, reasons = outcome_of(model, art.data(train=CANCER, batch_size=70), seed=seed)
        assert state is StepState.FAILED, reasons
