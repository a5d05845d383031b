"""What is known of the examples of a batch."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.engines import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes.passes import examples, memory, smaller

ROWS = 16


class OfFeatures(L.LightningModule):
    """Reads each row of a table by itself."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(ROWS, 2)

    def training_step(self, batch, index):
        return F.cross_entropy(self.predicted(batch[0]), batch[1])

    def predicted(self, x):
        return self.net(x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class OfNeighbours(OfFeatures):
    """Reads a table as who is whose neighbour, in two layers, as networks on graphs do."""

    def predicted(self, x):
        return x @ self.net(x @ x)


class OfDistances(OfFeatures):
    """Compares distances between rows with those that are given."""

    def training_step(self, batch, index):
        outputs = self.net(torch.eye(ROWS)[: len(batch[1])])
        return F.mse_loss(torch.cdist(outputs, outputs), batch[0].abs())


@pytest.mark.parametrize(("model", "known"), [(OfFeatures, ROWS), (OfNeighbours, None), (OfDistances, None)])
def test_a_square_batch_has_examples_where_it_can_lose_one(model, known, tmp_path):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2 * ROWS, ROWS, generator=generator), torch.randint(0, 2, (2 * ROWS,), generator=generator)
    setup = art.Setup(model, art.data((x, y), batch_size=ROWS), trainer={"max_epochs": 1, "accelerator": "cpu"})
    found = []
    LightningEngine().experiment(
        ExperimentJob(setup, 0, tmp_path), lambda one: found.append(examples(one, one.batches[0]))
    )
    assert found == [known]


def test_a_smaller_batch_has_the_first_items_of_its_lists_and_items_stay_whole():
    images = [torch.full((3, 4, 4), float(at)) for at in range(4)] + [torch.zeros(5, 4, 4)]
    cut = smaller({"images": images, "side": {"label": torch.arange(5)}}, 5, 2)
    assert [one[0, 0, 0].item() for one in cut["images"]] == [0, 1]
    assert cut["side"]["label"].tolist() == [0, 1]
    whole = smaller((images[3:], torch.arange(2)), 2, 2)
    assert [len(one) for one in whole[0]] == [3, 5]
    columns = smaller(([torch.zeros(5, 2), torch.zeros(5, 3)], torch.arange(5)), 5, 2)
    assert [one.shape for one in columns[0]] == [(2, 2), (2, 3)]


def test_a_gradient_without_strides_is_known_by_itself():
    table = nn.Embedding(5, 2, sparse=True)
    table(torch.tensor([1, 3])).sum().backward()
    sparse = table.weight.grad
    assert sparse.is_sparse
    assert memory(sparse) == memory(sparse) != memory(sparse.clone())
    whole = torch.zeros(4, 2)
    assert memory(whole.view(8)) == memory(whole) != memory(whole[:2])


def test_of_padded_sequences_the_longest_stays():
    lengths = torch.tensor([3, 2, 5, 1])
    tokens = torch.arange(1, 6) * (torch.arange(5) < lengths[:, None])
    few = smaller({"tokens": tokens, "lengths": lengths}, 4, 2)
    assert few["lengths"].tolist() == [5, 3]
    assert few["tokens"].tolist() == [[1, 2, 3, 4, 5], [1, 2, 3, 0, 0]]
    assert smaller((tokens, lengths + 1), 4, 2)[1].tolist() == [4, 3]
