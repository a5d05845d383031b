"""Which rows a validation would serve, told without reading any."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import art_training as art
from art_training.engines import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes.serving import servings

X = torch.arange(160.0).reshape(40, 4) / 160
Y = (X.sum(1) > 1.0).long()


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Stream(IterableDataset):
    """Rows one after another, of which it is known how many there are."""

    def __iter__(self):
        yield from zip(X, Y, strict=True)

    def __len__(self):
        return len(X)


def served(validation, tmp_path):
    data = art.data(train=DataLoader(TensorDataset(X, Y), batch_size=8), validation=validation)
    setup = art.Setup(Net, data, trainer={"max_epochs": 1, "accelerator": "cpu"})
    found = []
    LightningEngine().experiment(ExperimentJob(setup, 0, tmp_path), lambda specimen: found.extend(servings(specimen)))
    return found


def test_rows_of_a_data_set_are_counted(tmp_path):
    (found,) = served(DataLoader(TensorDataset(X, Y), batch_size=16, drop_last=True), tmp_path)
    assert (found.rows, found.served, found.kept) == (40, 32, 40)


@pytest.mark.filterwarnings("ignore:Your `IterableDataset` has `__len__` defined")
def test_a_stream_is_left_out_though_it_has_a_length(tmp_path):
    assert served(DataLoader(Stream(), batch_size=16), tmp_path) == []
