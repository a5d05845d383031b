"""How rows were divided into splits."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

MINE = {"ART150", "ART151", "ART152", "ART153", "ART154", "ART780"}
X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(Y)


class Net(L.LightningModule):
    def __init__(self, features=64, classes=10):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(features, 16), nn.ReLU(), nn.Linear(16, classes))

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index, dataloader_idx=0):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Regression(Net):
    def training_step(self, batch, index):
        return F.mse_loss(self.net(batch["x"]).squeeze(1), batch["y"])

    def validation_step(self, batch, index):
        self.log("val_loss", F.mse_loss(self.net(batch["x"]).squeeze(1), batch["y"]))


class Tokens(Net):
    """Predicts the next token."""

    def __init__(self, tokens=8):
        super().__init__()
        self.net = nn.Sequential(nn.Embedding(tokens, 8), nn.Linear(8, tokens))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch[0][:, :-1]).transpose(1, 2), batch[0][:, 1:])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))


def found(model, *data, **options):
    diagnosis = art.diagnose(model, data, trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=120, **options)
    return [one for one in diagnosis.findings + sum(diagnosis.symptoms.values(), ()) if one.code in MINE]


def loader(x, y, **options):
    return DataLoader(TensorDataset(x, y), batch_size=32, **options)


def train_and(rows):
    return loader(torch.cat([X[:400], X[rows]]), torch.cat([Y[:400], Y[rows]]), shuffle=True)


def test_rows_of_validation_in_training_are_seen():
    (seen,) = found(Net, train_and(slice(400, 420)), loader(X[400:550], Y[400:550]))
    assert seen.code == "ART150"
    assert seen.severity == "error"
    assert seen.evidence["rows"] == 20
    assert "by chance" in seen.confirmed_by


def test_rows_of_test_in_training_are_seen_in_named_batches():
    x, y = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    data = art.data(
        {"x": x[:400], "y": y[:400]}, {"x": x[400:480], "y": y[400:480]}, {"x": x[380:], "y": y[380:]}, batch_size=32
    )
    diagnosis = art.diagnose(
        lambda: Regression(30, 1), data, trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=120
    )
    codes = {one.code: one for one in diagnosis.findings}
    assert {"ART150", "ART780"} <= set(codes)
    assert codes["ART780"].category == "evaluation"
    assert "20 of 189 rows of test" in codes["ART150"].message


def test_the_test_split_as_validation_is_seen():
    test = loader(X[500:600], Y[500:600])
    (seen,) = found(Net, loader(X[:400], Y[:400], shuffle=True), test, test)
    assert seen.code == "ART780"
    assert seen.evidence["share"] == 1


def test_rows_that_repeat_within_training_are_not_accused():
    assert not found(Net, train_and(slice(0, 200)), loader(X[400:550], Y[400:550]), loader(X[550:650], Y[550:650]))


def grid(side):
    return torch.cartesian_prod(torch.arange(side), torch.arange(side)).float() / side


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        (
            grid(10)[torch.randint(100, (600,), generator=torch.Generator().manual_seed(0))],
            grid(10),
        ),  # each of few once
        (grid(16)[:168].repeat(3, 1)[:400], grid(16)[:168].repeat(3, 1)[400:500]),  # hours of weeks, in their order
        (grid(12), grid(12)),  # measured once for training and once for validation
        (torch.cat([X[:399, :5], torch.zeros(1, 5)]), torch.cat([X[400:500, :5], torch.zeros(20, 5)])),  # empty rows
    ],
)
def test_splits_that_hold_each_of_few_rows_or_repeat_one_are_not_accused(train, validation):
    y = [(one.sum(1) > 0.8).long() for one in (train, validation)]
    model = lambda: Net(train.shape[1], 2)
    assert not found(model, loader(train, y[0], shuffle=True), loader(validation, y[1]))


def test_inputs_that_were_measured_again_are_told_as_information():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 4, generator=generator)
    first, again = (x[:, :1] + 0.3 * torch.randn(500, 1, generator=generator) for _ in range(2))
    (seen,) = found(lambda: Forecast(4), loader(x, first, shuffle=True), loader(x[:200], again[:200]))
    assert (seen.code, seen.severity) == ("ART150", "info")


def test_inputs_of_which_there_are_few_are_not_accused():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(2, (900, 6), generator=generator).float()
    y = (x.sum(1) > 3).long()
    assert not found(lambda: Net(6, 2), loader(x[:600], y[:600], shuffle=True), loader(x[600:], y[600:]))


def test_windows_of_a_text_that_repeats_itself_are_not_accused():
    text = torch.arange(700) % 7
    windows = text.unfold(0, 12, 1)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    train, validation = windows[order[:500]], windows[order[500:]]
    assert not found(
        Tokens,
        DataLoader(TensorDataset(train), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(validation), batch_size=32),
    )


def test_training_rows_as_a_second_validation_loader_are_not_accused():
    train = loader(X[:400], Y[:400], shuffle=True)
    data = art.data(train, {"held": loader(X[400:500], Y[400:500]), "seen": loader(X[:400], Y[:400])})
    diagnosis = art.diagnose(Net, data, trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=120)
    assert not [one for one in diagnosis.findings if one.code in MINE]


def subjects():
    """Fifty subjects of ten rows: what they are, and features that follow them."""
    generator = torch.Generator().manual_seed(0)
    subject = torch.arange(500) // 10
    x = torch.randn(50, 8, generator=generator)[subject] + 0.3 * torch.randn(500, 8, generator=generator)
    return x, torch.randint(2, (50,), generator=generator)[subject], subject


class Grouped(Net):
    def training_step(self, batch, index):
        return super().training_step((batch["x"], batch["y"]), index)

    def validation_step(self, batch, index):
        return super().validation_step((batch["x"], batch["y"]), index)


def divided(train, validation):
    x, y, subject = subjects()
    parts = [{"x": x[one], "y": y[one], "subject": subject[one]} for one in (train, validation)]
    return art.data(*parts, batch_size=32)


RANDOM = torch.randperm(500, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"groups": lambda example: str(int(example["subject"]))}, "ART151"),
        ({"time": lambda example: float(example["subject"])}, "ART152"),
    ],
)
def test_declared_groups_and_times_are_held_to(declared, code):
    options = {"trainer": {"max_epochs": 1, "accelerator": "cpu"}, "budget": 120, **declared}
    wrong = art.diagnose(lambda: Grouped(8, 2), divided(RANDOM[:400], RANDOM[400:]), **options)
    right = art.diagnose(lambda: Grouped(8, 2), divided(slice(0, 400), slice(400, 500)), **options)
    (seen,) = (one for one in wrong.findings if one.code in MINE)
    assert seen.code == code
    assert seen.confirmed_by
    assert not [one for one in right.findings if one.code in MINE]


def test_what_a_declared_function_gives_must_be_of_each_example():
    diagnosis = art.diagnose(
        lambda: Grouped(8, 2),
        divided(slice(0, 400), slice(400, 500)),
        groups=lambda example: example["x"][:3],
        trainer={"max_epochs": 1, "accelerator": "cpu"},
        budget=120,
    )
    (judged,) = (one for one in diagnosis.judged if one.code == "ART151")
    assert judged.state == "not judged"
    assert "3 values, of shape (3,), for an example; it must give one" in judged.reason


def series(length):
    generator = torch.Generator().manual_seed(0)
    values = [0.0, 0.0]
    for shock in torch.randn(length, generator=generator).tolist():
        values.append(1.6 * values[-1] - 0.7 * values[-2] + shock)
    return torch.tensor(values) / 5


class Forecast(Net):
    def __init__(self, features=16):
        super().__init__(features, 1)

    def training_step(self, batch, index):
        return F.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.mse_loss(self.net(batch[0]), batch[1]))


class Last(nn.Module):
    def forward(self, given):
        return given[0][:, -1]


class Recurrent(Forecast):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.GRU(2, 8, batch_first=True), Last(), nn.Linear(8, 1))


def univariate():
    windows = series(600).unfold(0, 17, 1)
    return windows[:, :16], windows[:, 16:]


def bivariate():
    both = torch.stack([series(600), series(600).flip(0)], 1)
    windows = both.unfold(0, 17, 2).transpose(1, 2)  # (windows, steps, channels), every second step
    return windows[:, :16], windows[:, 16, :1]


@pytest.mark.parametrize(("model", "data"), [(Forecast, univariate), (Recurrent, bivariate)])
def test_overlapping_windows_that_were_divided_at_random_are_seen(model, data):
    x, y = data()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    cut = len(x) * 4 // 5
    mixed, rest = order[:cut], order[cut:]
    (seen,) = found(model, loader(x[mixed], y[mixed], shuffle=True), loader(x[rest], y[rest]))
    assert seen.code == "ART153"
    assert not found(model, loader(x[:cut], y[:cut], shuffle=True), loader(x[cut:], y[cut:]))
