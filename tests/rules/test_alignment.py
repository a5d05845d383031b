"""Images and maps that must lie on each other."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

import art_training as art
from art_training.probes.alignment import AS_THEY_ARE, TURNS, Maps, fit, turn, turn_back, within
from art_training.records import Severity


def scenes(count, seed, *, half=False):
    """Images with a bright spot, or a bright half; targets are its pixels."""
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(count, 1, 16, 16, generator=generator) * 0.3, torch.zeros(count, 16, 16, dtype=torch.long)
    for image, mask, (row, column) in zip(x, y, torch.randint(0, 6, (count, 2), generator=generator), strict=True):
        inside = (slice(0, 8), slice(None)) if half else (slice(row, row + 4), slice(column + 5, column + 9))
        image[0][inside] += 1
        mask[inside] = 1
    return x, y


class Moved(Dataset):
    """Applies a change to each item."""

    def __init__(self, x, y, change):
        self.x, self.y, self.change = x, y, change

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.change(self.x[index], self.y[index])


def data(change, *, half=False):
    train, validation = scenes(96, 0, half=half), scenes(40, 1, half=half)
    return (
        DataLoader(Moved(*train, change), batch_size=24, shuffle=True),
        DataLoader(Moved(*validation, lambda x, y: (x, y.float()) if change is depth else (x, y)), batch_size=20),
    )


def sometimes():
    return bool(torch.rand(()) < 0.5)


def mirrored(x, y):
    return (x.flip(2) if sometimes() else x), y


def depth(x, y):
    """A target of numbers, and images that are turned."""
    return (torch.rot90(x, 1, (1, 2)) if sometimes() else x), y.float()


def shifted(x, y):
    return (torch.roll(x, (6, 0), (1, 2)) if sometimes() else x), y


def both(x, y):
    return (x.flip(2), y.flip(1)) if sometimes() else (x, y)


def negative(x, y):
    return (-x if sometimes() else x), y


def noisy(x, y):
    return x + torch.randn_like(x), y


def cropped(x, y):
    row = int(torch.randint(0, 4, ()))
    return torch.roll(x, row, 1), torch.roll(y, row, 0)


class Pixels(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))

    def forward(self, x):
        return self.net(x)

    def loss(self, batch):
        x, y = batch
        outputs = self(x)
        return F.mse_loss(outputs[:, 0], y) if y.is_floating_point() else F.cross_entropy(outputs, y)

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def diagnosed(model, data):
    settings = {"max_epochs": 2, "accelerator": "cpu"}
    diagnosis = art.diagnose(model, data, trainer=settings, budget=120, imbalance_expected=True)
    assert not diagnosis.broken, diagnosis.broken
    return {one.code: one for one in diagnosis.findings}


@pytest.mark.slow
@pytest.mark.parametrize("change", [mirrored, depth, shifted])
def test_an_augmentation_of_the_image_alone_is_seen(change):
    found = diagnosed(Pixels, data(change))
    assert found["ART218"].severity is Severity.ERROR
    assert found["ART218"].confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize("change", [both, negative, noisy, cropped])
@pytest.mark.parametrize("half", [False, True])
def test_an_augmentation_that_leaves_targets_on_their_images_is_not_accused(change, half):
    assert "ART218" not in diagnosed(Pixels, data(change, half=half))


def channels_last(x, y):
    return art.data(train=DataLoader(TensorDataset(x.movedim(1, -1), y), batch_size=24, shuffle=True))


def as_usual(x, y):
    return art.data(train=DataLoader(TensorDataset(x, y), batch_size=24, shuffle=True))


class Permuted(Pixels):
    order = (0, 3, 2, 1)

    def forward(self, x):
        return self.net(x.permute(*self.order))


class RightlyPermuted(Permuted):
    order = (0, 3, 1, 2)


class Mirror(Pixels):
    def forward(self, x):
        return self.net(x).flip(3)


class Transposing(Pixels):
    def forward(self, x):
        return self.net(x).transpose(2, 3)


class Dense(Pixels):
    """Every output depends on all of the image."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 512), nn.Unflatten(1, (2, 16, 16))
        )


class Deep(Pixels):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(8, 2, 3, padding=1),
        )


@pytest.mark.parametrize(("model", "made"), [(Permuted, channels_last), (Mirror, as_usual), (Transposing, as_usual)])
def test_predictions_in_another_position_are_seen_and_confirmed(model, made, judged):
    found = judged(model, made(*scenes(96, 0)), codes="ART333")
    assert found["ART333"].severity is Severity.ERROR
    assert found["ART333"].confirmed_by


@pytest.mark.parametrize(
    ("model", "made"), [(RightlyPermuted, channels_last), (Pixels, as_usual), (Dense, as_usual), (Deep, as_usual)]
)
def test_predictions_that_lie_on_their_image_are_not_accused(model, made, judged):
    assert not judged(model, made(*scenes(96, 0)), codes="ART333")


def test_a_model_that_turns_what_its_targets_are_turned_by_is_not_accused(judged):
    x, y = scenes(96, 0)
    assert not judged(Transposing, as_usual(x, y.transpose(1, 2)), codes="ART333")


@pytest.mark.parametrize("how", TURNS)
def test_a_turn_that_is_turned_back_leaves_everything_as_it_was(how):
    x = torch.arange(12).reshape(1, 1, 3, 4)
    assert torch.equal(turn_back(turn(x, how), how), x)


@pytest.mark.parametrize("how", [one for one in TURNS if one != AS_THEY_ARE])
def test_the_position_that_an_image_fits_in_is_named(how):
    x, y = scenes(64, 2)
    assert within(Maps(x, y.unsqueeze(1).float())).as_they_are.mean() > 0.5
    targets = torch.rand(64, 1, 16, 16)
    seen = fit(turn_back(targets, how), targets)
    assert set(seen.how) == {how}
    assert (seen.turned > seen.as_they_are + 0.5).all()
