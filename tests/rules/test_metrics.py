"""What a module logs of a validation against what its predictions give, on digits."""

import copy

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy
from torchmetrics.functional import f1_score

import art_training as art

pytestmark = pytest.mark.filterwarnings(
    "ignore:No positive samples:UserWarning",
    "ignore:No negative samples:UserWarning",
    "ignore:The ``compute`` method of metric:UserWarning",
)


def data():
    """The last batch of validation holds one row."""
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    train, validation = TensorDataset(x[:300], y[:300]), TensorDataset(x[300:400], y[300:400])
    return DataLoader(train, batch_size=50, shuffle=True), DataLoader(validation, batch_size=33)


def wrong(model):
    found = art.diagnose(model, data(), trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=120).findings
    return [one for one in found if one.code.startswith("ART71") and one.severity.value != "info"]


class Ten(L.LightningModule):
    """A classifier of ten digits; what it logs as its accuracy is exchanged."""

    outputs = 10

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, self.outputs))
        self.seen = []

    def loss(self, batch):
        outputs = self.net(batch[0])
        return outputs, F.cross_entropy(outputs, batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)[1]

    def validation_step(self, batch, index):
        outputs, loss = self.loss(batch)
        self.log("val_loss", loss)
        self.measure(outputs, batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Yes(Ten):
    """Tells odd digits from even ones by one logit."""

    outputs = 1

    def loss(self, batch):
        outputs = self.net(batch[0]).squeeze(1)
        return outputs, F.binary_cross_entropy_with_logits(outputs, (batch[1] % 2).float())


class Averaging(Ten):
    def measure(self, outputs, y):
        self.seen.append((outputs.argmax(1) == y).float().mean())

    def on_validation_epoch_end(self):
        self.log("val_acc", torch.stack(self.seen).mean())
        self.seen.clear()


class AveragingF1(Ten):
    def measure(self, outputs, y):
        self.log("val_f1", f1_score(outputs, y, task="multiclass", num_classes=10, average="macro"))


class Counting(Ten):
    """Counts and divides once."""

    sets_back = True

    def measure(self, outputs, y):
        self.seen.append(outputs.argmax(1) == y)

    def on_validation_epoch_end(self):
        self.log("val_acc", torch.cat(self.seen).float().mean())
        if self.sets_back:
            self.seen.clear()


class PutsBack(Counting):
    """The weights of the first epoch are put back at the end, as if they had been the best."""

    kept = None

    def on_train_epoch_end(self):
        self.kept = self.kept or copy.deepcopy(self.state_dict())

    def on_train_end(self):
        self.load_state_dict(self.kept)


class PutsBackLater(PutsBack):
    """The same in the very last hook."""

    def on_train_end(self):
        pass

    def on_fit_end(self):
        self.load_state_dict(self.kept)


class ValidatesAnAverage(Counting):
    """A moving average of the weights stands in for them while validation runs, as in many a callback."""

    average = kept = None

    def on_train_batch_end(self, outputs, batch, index):
        now = copy.deepcopy(self.state_dict())
        self.average = {name: 0.9 * old + 0.1 * now[name] for name, old in (self.average or now).items()}

    def on_validation_epoch_start(self):
        if self.average is not None:
            self.kept = copy.deepcopy(self.state_dict())
            self.load_state_dict(self.average)

    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        if self.kept is not None:
            self.load_state_dict(self.kept)


class NeverSetBack(Counting):
    sets_back = False


class Shared(Ten):
    def __init__(self):
        super().__init__()
        self.accuracy = MulticlassAccuracy(10, average="micro")

    def training_step(self, batch, index):
        outputs, loss = self.loss(batch)
        self.accuracy(outputs, batch[1])
        self.log("train_acc", self.accuracy, on_step=False, on_epoch=True)
        return loss

    def measure(self, outputs, y):
        self.accuracy(outputs, y)
        self.log("val_acc", self.accuracy)


class OfItsOwn(Shared):
    """Macro accuracy, and the best of it so far."""

    def __init__(self):
        super().__init__()
        self.validation, self.best = MulticlassAccuracy(10), 0.0

    def measure(self, outputs, y):
        self.validation(outputs, y)
        self.log("val_acc", self.validation)

    def on_validation_epoch_end(self):
        self.best = max(self.best, float(self.validation.compute()))
        self.log("val_acc_best", self.best)


def logging(metric, base=Yes):
    return type(
        "Logging", (base,), {"measure": lambda self, o, y: self.log("val_acc", metric(o, y % 2).float().mean())}
    )


class Ranking(Yes):
    decides = False

    def __init__(self):
        super().__init__()
        self.auroc = BinaryAUROC()

    def measure(self, outputs, y):
        self.auroc((outputs > 0).float() if self.decides else outputs.sigmoid(), y % 2)
        self.log("val_auroc", self.auroc)


class RankingDecisions(Ranking):
    decides = True


class RankingDecisionsAtTheEnd(RankingDecisions):
    """Of an object that tells nothing batch by batch."""

    def measure(self, outputs, y):
        self.auroc.update((outputs > 0).float(), y % 2)
        self.log("val_auroc", self.auroc, on_step=False, on_epoch=True)


class BySize(Ten):
    def measure(self, outputs, y):
        self.log("val_acc", (outputs.abs().argmax(1) == y).float().mean())


@pytest.mark.parametrize(
    ("code", "model"),
    [
        ("ART710", Averaging),
        ("ART711", Shared),
        ("ART711", NeverSetBack),
        ("ART712", logging(lambda o, y: (o > 0.5) == y.bool())),
        ("ART712", logging(lambda o, y: (o[:, None] > 0) == y.bool())),
        ("ART712", logging(lambda o, y: o[:, None].argmax(1) == y)),
        ("ART712", logging(lambda o, y: (o < 0) == y.bool())),
        ("ART712", BySize),
        ("ART712", RankingDecisions),
        ("ART712", RankingDecisionsAtTheEnd),
    ],
)
def test_a_wrong_number_is_recognised_and_computed_again(code, model):
    (found,) = wrong(model)
    assert found.code == code
    assert "computed again" in found.confirmed_by


class Bounded(Yes):
    """No logit comes to 0.5, where it would be a yes."""

    def loss(self, batch):
        outputs = 0.4 * torch.tanh(5 * self.net(batch[0]).squeeze(1))
        return outputs, F.binary_cross_entropy_with_logits(outputs, (batch[1] % 2).float())


def test_two_explanations_of_one_number_are_both_named_and_neither_is_confirmed():
    (found,) = wrong(logging(lambda o, y: (o > 0.5) == y.bool(), base=Bounded))
    assert found.code == "ART712"
    assert "argmax of a single output" in found.message
    assert "logits cut at 0.5" in found.message
    assert not found.confirmed_by


@pytest.mark.parametrize(
    "model",
    [
        Counting,
        PutsBack,
        PutsBackLater,
        ValidatesAnAverage,
        OfItsOwn,
        Ranking,
        logging(lambda o, y: (o > 0) == y.bool()),
    ],
)
def test_numbers_that_are_right_are_not_accused(model):
    assert not wrong(model)


def test_a_mean_over_batches_that_hardly_differs_is_information():
    found = art.diagnose(AveragingF1, data(), trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=120).findings
    assert {one.code for one in found if one.code.startswith("ART71")} <= {"ART710"}


class TwoTasks(Ten):
    """Logs the error of a second head, whose numbers are other than the classes."""

    outputs = 11

    def loss(self, batch):
        outputs = self.net(batch[0])
        half = batch[0][:, :32].mean(1)
        return outputs, F.cross_entropy(outputs[:, :10], batch[1]) + F.mse_loss(outputs[:, 10], half)

    def validation_step(self, batch, index):
        outputs, _ = self.loss(batch)
        self.log("val_mae", (outputs[:, 10] - batch[0][:, :32].mean(1)).abs().mean())


def test_the_error_of_another_head_is_not_held_against_the_classes():
    trainer = {"max_epochs": 2, "accelerator": "cpu"}
    diagnosis = art.diagnose(TwoTasks, data(), trainer=trainer, budget=120)
    assert not [one for one in diagnosis.findings if one.code.startswith("ART71")]
    assert not [one for one in diagnosis.judged if "the rule itself raised" in one.reason]
