"""What is done to inputs and targets before a model sees them."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_wine
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split

import art_training as art

MINE = {"ART210", "ART211", "ART212", "ART213", "ART214", "ART216", "ART217", "ART219"}
X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X, dtype=torch.float32) / 16, torch.tensor(Y)
TRAINER = {"max_epochs": 1, "accelerator": "cpu"}


class Net(L.LightningModule):
    optimizer, rate = torch.optim.Adam, 3e-3

    def __init__(self, features=64, outputs=10):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, outputs))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return self.optimizer(self.parameters(), lr=self.rate)


class Sgd(Net):
    optimizer, rate = torch.optim.SGD, 0.1


class Normed(Sgd):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


class Named(Net):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3), nn.Linear(288, 10)

    def loss(self, batch):
        return F.cross_entropy(self.head(self.conv(batch["image"]).relu().flatten(1)), batch["label"])


def diagnosed(model, data, **options):
    diagnosis = art.diagnose(model, data, **{"trainer": TRAINER, "budget": 120, **options})
    assert not diagnosis.broken, diagnosis.broken
    return {one.code: one for one in diagnosis.findings + sum(diagnosis.symptoms.values(), ()) if one.code in MINE}


def pairs(train=lambda x: x, validation=lambda x: x):
    return art.data((train(X[:400]), Y[:400]), (validation(X[400:560]), Y[400:560]), batch_size=32)


def named(train=lambda x: x, validation=lambda x: x):
    def part(rows, change):
        return {"image": change(X[rows]).reshape(-1, 1, 8, 8), "label": Y[rows]}

    return art.data(part(slice(0, 400), train), part(slice(400, 560), validation), batch_size=32)


def bytes_of(x):
    return (x * 255).round()


def wine():
    x, y = load_wine(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(x, dtype=torch.float32)[order], torch.tensor(y)[order]
    return art.data((x[:140], y[:140]), (x[140:], y[140:]), batch_size=16)


@pytest.mark.parametrize(
    ("model", "data", "severity"),
    [
        (Sgd, lambda: pairs(bytes_of, bytes_of), "error"),
        (Net, lambda: pairs(bytes_of, bytes_of), "warning"),
        (lambda: Sgd(13, 3), wine, "error"),
        (lambda: Net(13, 3), wine, "error"),
    ],
)
def test_inputs_on_a_scale_that_training_cannot_use_are_seen(model, data, severity):
    seen = diagnosed(model, data())
    assert set(seen) == {"ART210"}
    assert seen["ART210"].severity == severity
    assert "standardised" in seen["ART210"].confirmed_by


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Net, lambda x: x),
        (Net, lambda x: (x - 0.3) / 0.37 * 1.5),
        (Net, lambda x: x * 16),
        (Normed, bytes_of),
        (lambda: nn.Sequential(nn.Linear(64, 10)), lambda x: (x > 0.5).float()),
    ],
)
def test_inputs_that_training_can_use_are_not_accused(model, change):
    if isinstance(model, type):
        assert not diagnosed(model, pairs(change, change))
    else:
        options = {"loss": nn.CrossEntropyLoss(), "optimizer": lambda given: torch.optim.Adam(given, lr=1e-3)}
        assert not diagnosed(model, pairs(change, change), **options)


class Regression(Net):
    rate = 1e-3

    def __init__(self):
        super().__init__(10, 1)

    def loss(self, batch):
        return F.mse_loss(self.net(batch[0]).squeeze(1), batch[1])


def diabetes(scale):
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.tensor(20 * x, dtype=torch.float32), torch.tensor(scale(y), dtype=torch.float32)
    return art.data((x[:350], y[:350]), (x[350:], y[350:]), batch_size=32)


def test_targets_out_of_reach_are_seen():
    seen = diagnosed(Regression, diabetes(lambda y: 5e4 + 100 * y))
    assert set(seen) == {"ART216"}
    assert "with standardised targets" in seen["ART216"].confirmed_by
    shifted = type(
        "Shifted", (Regression,), {"loss": lambda self, batch: F.l1_loss(self.net(batch[0])[:, 0], batch[1])}
    )
    assert set(diagnosed(shifted, diabetes(lambda y: 2e4 + y))) == {"ART216"}
    assert "ART216" in diagnosed(Regression, diabetes(lambda y: 300 * y + 1000))  # twice their deviation from 0


@pytest.mark.parametrize("scale", [lambda y: (y - y.mean()) / y.std(), lambda y: y / 100, lambda y: y])
def test_targets_within_reach_are_not_accused(scale):
    assert "ART216" not in diagnosed(Regression, diabetes(scale), trainer={**TRAINER, "max_epochs": 20})


def test_a_head_that_begins_with_the_mean_is_not_accused():
    class Begins(Regression):
        def __init__(self):
            super().__init__()
            nn.init.constant_(self.net[2].bias, 5e4 + 100 * 152)

    assert "ART216" not in diagnosed(Begins, diabetes(lambda y: 5e4 + 100 * y))


MEAN, DEVIATION = X[:400].mean(0), X[:400].std(0) + 0.05


class ScalesInItsStep(Named):
    def training_step(self, batch, index):
        return self.loss({**batch, "image": batch["image"] - 0.4})


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Net, lambda: pairs(lambda x: x, lambda x: 16 * x)),
        (Net, lambda: pairs(lambda x: (x - MEAN) / DEVIATION, lambda x: x)),
        (Named, lambda: named(lambda x: x - 0.3)),
        (ScalesInItsStep, named),
    ],
)
def test_other_preparation_of_validation_is_seen(model, data):
    seen = diagnosed(model, data())
    assert set(seen) == {"ART211"}
    assert seen["ART211"].confirmed_by


def test_a_validation_before_training_is_not_taken_for_the_one_of_an_epoch():
    def trainer():
        return L.Trainer(max_epochs=1, accelerator="cpu", num_sanity_val_steps=2, logger=False)

    assert set(diagnosed(Net, pairs(train=lambda x: (x - 0.3) * 40), trainer=trainer)) == {"ART211"}


class DropsInputs(Net):
    def training_step(self, batch, index):
        return self.loss((F.dropout(batch[0], 0.3), batch[1]))


class AddsNoise(Net):
    def training_step(self, batch, index):
        return self.loss((batch[0] + 0.2 * torch.randn_like(batch[0]), batch[1]))


class MixesUp(Net):
    def training_step(self, batch, index):
        share = float(torch.rand(()))
        return self.loss((share * batch[0] + (1 - share) * batch[0].flip(0), batch[1]))


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Net, pairs),
        (DropsInputs, pairs),
        (AddsNoise, pairs),
        (MixesUp, pairs),
        (Net, lambda: pairs(lambda x: x, lambda x: (1.6 * x).clamp(0, 1))),  # brighter pictures, prepared alike
        (Named, named),
    ],
)
def test_the_same_preparation_of_other_rows_is_not_accused(model, data):
    assert not diagnosed(model, data())


def fainter(x):
    return (1 - x) * 0.5 + 0.3 * x


def test_a_domain_that_training_holds_beside_another_is_not_accused():
    def domains(x):
        return torch.where(torch.arange(len(x))[:, None] % 2 == 0, x, fainter(x))

    assert "ART211" not in diagnosed(Net, pairs(domains, fainter))
    assert "ART211" in diagnosed(Net, pairs(validation=fainter))


def test_a_count_that_grows_is_not_accused():
    counts = torch.arange(700) // 4 + 10.0 + torch.randint(0, 9, (700,), generator=torch.Generator().manual_seed(0))
    windows = counts.unfold(0, 11, 1) / 100
    data = art.data((windows[:500, :10], windows[:500, 10]), (windows[520:, :10], windows[520:, 10]), batch_size=32)
    assert "ART211" not in diagnosed(Regression, data)


class Augmented(Dataset):
    def __init__(self, rows, transform):
        self.rows, self.transform = rows, transform

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        x = X[self.rows[index]]
        return (x if self.transform is None else self.transform(x)), Y[self.rows[index]]


def noisy(x):
    return x + 0.1 * torch.randn_like(x)


def loaders(train, validation):
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(validation, batch_size=32)


def test_augmentation_in_validation_is_seen_and_in_training_not():
    train, validation = range(400), range(400, 560)
    wrong = loaders(Augmented(train, noisy), Augmented(validation, noisy))
    assert set(diagnosed(Net, wrong)) == {"ART213"}
    assert not diagnosed(Net, wrong, stochastic_eval=True)
    assert not diagnosed(Net, loaders(Augmented(train, noisy), Augmented(validation, None)))


class Autoencoder(Net):
    def __init__(self):
        super().__init__(64, 64)

    def loss(self, batch):
        return F.mse_loss(self.net(noisy(batch[0])), batch[0])


def test_inputs_that_are_disturbed_on_purpose_are_not_accused():
    assert not diagnosed(Autoencoder, loaders(TensorDataset(X[:400]), TensorDataset(X[400:560])))


class Parts(L.LightningDataModule):
    def setup(self, stage=None):
        whole = Augmented(range(560), noisy)
        self.train, self.valid = random_split(whole, [400, 160])
        self.valid.dataset.transform = None

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.valid, batch_size=32)


class Apart(Parts):
    def setup(self, stage=None):
        self.train = Subset(Augmented(range(560), noisy), range(400))
        self.valid = Subset(Augmented(range(560), noisy), range(400, 560))
        self.valid.dataset.transform = None


class Alike(Parts):
    def setup(self, stage=None):
        self.train, self.valid = random_split(Augmented(range(560), None), [400, 160])


def test_a_transform_that_is_set_for_both_splits_is_seen():
    seen = diagnosed(Net, Parts)
    assert set(seen) == {"ART212"}
    assert seen["ART212"].where.rpartition(":")[0] == __file__
    assert not diagnosed(Net, Apart)
    assert not diagnosed(Net, Alike)


class Album(Dataset):
    """Rows that are disturbed, or not, as its mode says."""

    def __init__(self):
        self.disturbed, self.opened = True, False

    def __len__(self):
        return 560

    def __getitem__(self, index):
        return (noisy(X[index]) if self.disturbed else X[index]), Y[index]

    def open(self):
        self.opened = True
        return self

    def plain(self):
        self.disturbed = False
        return self


class OneAlbum(Parts):
    def setup(self, stage=None):
        self.train = self.valid = Album().open()

    def train_dataloader(self):
        return DataLoader(Subset(self.train, range(400)), batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(Subset(self.valid.plain(), range(400, 560)), batch_size=32)


class TwoAlbums(OneAlbum):
    def setup(self, stage=None):
        self.train, self.valid = Album(), Album()


class OpenAlbum(OneAlbum):
    def val_dataloader(self):
        return DataLoader(Subset(self.valid.open(), range(400, 560)), batch_size=32)


def test_a_method_that_sets_one_dataset_for_both_splits_is_seen():
    seen = diagnosed(Net, OneAlbum)
    assert seen["ART212"].evidence["attribute"] == "disturbed"
    assert "ART212" not in diagnosed(Net, TwoAlbums)
    assert "ART212" not in diagnosed(Net, OpenAlbum, stochastic_eval=True)


class Channels(Net):
    def __init__(self, *, view):
        super().__init__()
        self.view, self.conv, self.head = view, nn.Conv2d(3, 8, 3), nn.Linear(288, 10)

    def loss(self, batch):
        last = torch.stack([batch[0], 1 - batch[0], batch[0] ** 2], -1).reshape(-1, 8, 8, 3)
        first = last.view(-1, 3, 8, 8) if self.view else last.permute(0, 3, 1, 2)
        return F.cross_entropy(self.head(self.conv(first).relu().flatten(1)), batch[1])


class Waves(Net):
    def __init__(self, *, view):
        super().__init__()
        self.view, self.gru, self.head = view, nn.GRU(4, 8, batch_first=True), nn.Linear(8, 2)

    def loss(self, batch):
        x = batch["x"].view(-1, 32, 4) if self.view else batch["x"].transpose(1, 2)
        return F.cross_entropy(self.head(self.gru(x)[0][:, -1]), batch["y"])


def waves():
    """(rows, channels, steps)"""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (500,), generator=generator)
    phase = 6 * torch.rand(500, 4, 1, generator=generator)
    x = torch.sin(torch.arange(32) / (3 + 2 * y[:, None, None]) + phase)
    return art.data({"x": x[:400], "y": y[:400]}, {"x": x[400:], "y": y[400:]}, batch_size=32)


@pytest.mark.parametrize(("model", "data"), [(Channels, pairs), (Waves, waves)])
def test_a_view_that_exchanges_axes_is_seen(model, data):
    seen = diagnosed(lambda: model(view=True), data())
    assert set(seen) == {"ART214"}
    assert "rises from" in seen["ART214"].confirmed_by
    assert not diagnosed(lambda: model(view=False), data())


WORDS = [f"word{number}" for number in range(60)]


class Texts(Dataset):
    def __init__(self, count, vocabulary, change=str):
        generator = np.random.default_rng(count)
        self.labels = torch.tensor(generator.integers(2, size=count))
        self.texts = [" ".join(generator.choice(WORDS[:40] if one else WORDS[20:], 12)) for one in self.labels]
        self.vocabulary, self.change = vocabulary, change

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, index):
        numbers = [self.vocabulary.get(word, 1) for word in self.change(self.texts[index]).split()]
        return torch.tensor(numbers + [0] * (16 - len(numbers))), self.labels[index]


class Bag(Net):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.EmbeddingBag(62, 8), nn.Linear(8, 2))


def numbered(words):
    return {"<pad>": 0, "<unk>": 1, **{word: number + 2 for number, word in enumerate(words)}}


def texts(train, validation=None, change=str):
    validation = train if validation is None else validation
    return loaders(Texts(320, train, change), Texts(96, validation, change))


@pytest.mark.parametrize("words", [set(WORDS), set(WORDS[:40]) | set(WORDS[20:])], ids=["one set", "a union of two"])
def test_numbers_of_words_that_follow_a_set_are_seen(words):
    seen = diagnosed(Bag, texts(numbered(words)))
    assert set(seen) == {"ART217"}
    assert "with other hashes" in seen["ART217"].confirmed_by


def test_another_vocabulary_in_validation_is_seen():
    seen = diagnosed(Bag, texts(numbered(WORDS), numbered(WORDS[::-1])))
    assert set(seen) == {"ART217"}


def test_tokens_that_are_mostly_unknown_are_seen():
    assert set(diagnosed(Bag, texts(numbered(WORDS), change=str.upper))) == {"ART219"}


def encoded(known):
    """Ids without a table of words: of 60 words as many are known as this, and the others have the number 1."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(60, (420, 8), generator=generator)
    labels = (words < 30).sum(1) > 4
    ids = torch.where(words < known, words + 2, 1)
    rows = torch.utils.data.TensorDataset(ids, labels.long())
    return loaders(*(torch.utils.data.Subset(rows, part) for part in (range(320), range(320, 420))))


def test_tokens_that_are_mostly_unknown_are_seen_without_a_vocabulary_and_explain_equal_rows():
    assert set(diagnosed(Bag, encoded(2))) == {"ART219"}
    assert not diagnosed(Bag, encoded(60))


class Marked(Texts):
    def __getitem__(self, index):
        numbers, label = super().__getitem__(index)
        return {"ids": numbers, "mask": (numbers > 0).long(), "label": label}


class MaskedBag(Net):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(62, 8), nn.Linear(8, 2)

    def loss(self, batch):
        mask = batch["mask"][:, :, None].float()
        mean = (self.table(batch["ids"]) * mask).sum(1) / mask.sum(1)
        return F.cross_entropy(self.head(mean), batch["label"])


def test_unknown_tokens_are_seen_beside_a_mask():
    def data(change):
        return loaders(*(Marked(rows, numbered(WORDS), change) for rows in (320, 96)))

    assert set(diagnosed(MaskedBag, data(str.title))) == {"ART219"}
    assert not diagnosed(MaskedBag, data(str))


def test_vocabularies_of_a_fixed_order_with_a_few_unknown_words_are_not_accused():
    assert not diagnosed(Bag, texts(numbered(WORDS[:-3])))
    assert not diagnosed(Bag, texts(numbered(WORDS[::3] + WORDS[1::3] + WORDS[2::3])))
