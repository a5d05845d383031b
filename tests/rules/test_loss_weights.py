"""Weights of positives, on tumours, and on pages with several labels."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, make_multilabel_classification
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art


def tumours():
    """Two measures that tell the malignant ones, 37 in a hundred, only roughly."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = ((x - x.mean(0)) / x.std(0))[order][:, [4, 6]], (1 - y)[order]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]


def pages():
    x, y = make_multilabel_classification(400, 25, n_classes=4, n_labels=1, length=60, random_state=2)
    return torch.tensor(x, dtype=torch.float32).log1p(), torch.tensor(y, dtype=torch.float32)


class Model(L.LightningModule):
    def __init__(self, data, weigh):
        super().__init__()
        x, y = data()
        self.net = nn.Sequential(nn.Linear(x.shape[1], 24), nn.Tanh(), nn.Linear(24, y.shape[1]))
        self.loss = nn.BCEWithLogitsLoss(pos_weight=weigh(y.mean(0)))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def found(data, weigh):
    x, y = data()
    loaders = (
        DataLoader(TensorDataset(x[:-100], y[:-100]), batch_size=40, shuffle=True),
        DataLoader(TensorDataset(x[-100:], y[-100:]), batch_size=50),
    )
    trainer = {"max_epochs": 20, "accelerator": "cpu"}
    diagnosis = art.diagnose(Model, loaders, trainer=trainer, hparams={"data": data, "weigh": weigh}, budget=120)
    assert not [one for one in diagnosis.judged if "the rule itself raised" in one.reason]
    return [one for one in diagnosis.findings if one.code == "ART447"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "weigh"),
    [(tumours, lambda share: 0.1 * share / (1 - share)), (pages, lambda share: share**2 / (1 - share))],
)
def test_weights_that_teach_a_model_to_say_no_are_seen(data, weigh):
    (one,) = found(data, weigh)
    assert "without the weights" in one.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "weigh"),
    [
        (tumours, lambda share: (1 - share) / share),
        (tumours, lambda share: torch.full_like(share, 0.5)),  # for precision
        (pages, torch.ones_like),
        (pages, lambda share: (1 - share) / share),
    ],
)
def test_weights_that_leave_positives_to_be_found_are_not_accused(data, weigh):
    assert not found(data, weigh)
