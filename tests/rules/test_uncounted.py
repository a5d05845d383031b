"""Losses of two classes of which one counts for nothing."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art


def scenes():
    """Images with a bright square; targets are its pixels."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(48, 1, 12, 12, generator=generator) * 0.3, torch.zeros(48, 12, 12, dtype=torch.long)
    for image, mask, (row, column) in zip(x, y, torch.randint(0, 8, (48, 2), generator=generator), strict=True):
        image[0, row : row + 4, column : column + 4] += 1
        mask[row : row + 4, column : column + 4] = 1
    return art.data(train=DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True))


def series():
    """Steps of series, some of which are high."""
    x = torch.randn(64, 20, 3, generator=torch.Generator().manual_seed(1))
    return art.data(train=DataLoader(TensorDataset(x, (x[..., 0] > 0.8).long()), batch_size=16, shuffle=True))


class Pixels(L.LightningModule):
    outputs = 2

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, self.outputs, 3, padding=1))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Steps(Pixels):
    def __init__(self):
        super().__init__()
        self.net = nn.GRU(3, 8, batch_first=True)
        self.head = nn.Linear(8, self.outputs)

    def training_step(self, batch, index):
        return self.loss(self.head(self.net(batch[0])[0]), batch[1])


def pixels(loss, outputs=2):
    return type("Made", (Pixels,), {"loss": lambda self, o, y: loss(o, y), "outputs": outputs})


def of_steps(loss, outputs=2):
    return type("Made", (Steps,), {"loss": lambda self, o, y: loss(o, y), "outputs": outputs})


def masked(outputs, mask):
    """The mean over what is not masked, with the mask the wrong way round."""
    each = F.binary_cross_entropy_with_logits(outputs[:, 0], mask.float(), reduction="none")
    return each[mask == 0].mean()


def dice(outputs, mask):
    foreground = outputs.softmax(1)[:, 1]
    return 1 - 2 * (foreground * mask).sum() / (foreground.sum() + mask.sum() + 1)


def hardest(outputs, mask):
    """A hundred positions with the largest loss."""
    return F.cross_entropy(outputs, mask, reduction="none").flatten().topk(100).values.mean()


def biased(outputs, mask):
    return hardest(outputs + torch.tensor([5.0, 0.0])[:, None, None], mask)


@pytest.mark.parametrize(
    ("model", "data", "silent"),
    [
        (pixels(lambda o, y: F.cross_entropy(o, y, ignore_index=1)), scenes, 1),
        (pixels(lambda o, y: F.cross_entropy(o, y, weight=torch.tensor([1.0, 0.0]))), scenes, 1),
        (pixels(lambda o, y: F.nll_loss(o.log_softmax(1), y, ignore_index=0)), scenes, 0),
        (pixels(masked, outputs=1), scenes, 1),
        (of_steps(lambda o, y: F.cross_entropy(o.reshape(-1, 2), y.reshape(-1), ignore_index=1)), series, 1),
        (of_steps(lambda o, y: F.cross_entropy(o.transpose(1, 2), y, ignore_index=0)), series, 0),
    ],
)
def test_a_class_of_two_that_does_not_count_is_seen_and_confirmed(model, data, silent, judged):
    found = judged(model, data())["ART433"]
    assert found.evidence["class"] == silent
    assert found.confirmed_by


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (pixels(F.cross_entropy), scenes),
        (pixels(lambda o, y: F.cross_entropy(o, torch.where(y == 1, 2, y)[..., :], ignore_index=1), outputs=3), scenes),
        (pixels(lambda o, y: F.cross_entropy(o, y, ignore_index=1) + dice(o, y)), scenes),
        (pixels(lambda o, y: F.cross_entropy(o, y, ignore_index=1) + F.cross_entropy(o, y, ignore_index=0)), scenes),
        (pixels(lambda o, y: F.cross_entropy(o, y, weight=torch.tensor([1.0, 0.01]))), scenes),
        (pixels(hardest), scenes),
        (pixels(biased), scenes),
        (pixels(lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y.float()), outputs=1), scenes),
        (of_steps(lambda o, y: F.cross_entropy(o.reshape(-1, 2), y.reshape(-1))), series),
        (
            of_steps(
                lambda o, y: (
                    F.cross_entropy(o.permute(0, 2, 1).contiguous(), y, ignore_index=1) + dice(o.permute(0, 2, 1), y)
                )
            ),
            series,
        ),
    ],
)
def test_a_loss_to_which_both_classes_matter_is_not_accused(model, data, judged):
    assert "ART433" not in judged(model, data())


def test_a_class_that_is_declared_as_reserved_need_not_count(judged):
    model = pixels(lambda o, y: F.cross_entropy(o, y, ignore_index=1))
    assert "ART433" not in judged(model, scenes(), reserved_classes=[1])
