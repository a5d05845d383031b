"""Models of sparse tensors are judged like others: graphs, and embeddings with sparse gradients."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

pytestmark = pytest.mark.slow

NODES = 60
FEATURES = torch.randn(NODES, 8, generator=torch.Generator().manual_seed(0))
LABELS = (FEATURES[:, 0] > 0).long()
EDGES = (torch.rand(NODES, NODES, generator=torch.Generator().manual_seed(1)) < 0.1).float() + torch.eye(NODES)
WORDS = torch.randint(0, 50, (200, 6), generator=torch.Generator().manual_seed(2))


class Classifier(L.LightningModule):
    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Graph(Classifier):
    """Labels of nodes, told by their neighbours."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(8, 16), nn.Linear(16, 2)
        self.register_buffer("edges", (EDGES / EDGES.sum(1, keepdim=True)).to_sparse())
        self.register_buffer("features", FEATURES)

    def forward(self, nodes):
        hidden = torch.relu(torch.sparse.mm(self.edges, self.inner(self.features)))
        return torch.sparse.mm(self.edges, self.outer(hidden))[nodes]


class Embedded(Classifier):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(50, 16, sparse=True), nn.Linear(16, 2)

    def forward(self, words):
        return self.head(self.words(words).mean(1))


TEXTS = TensorDataset(WORDS, (WORDS[:, 0] > 25).long())


@pytest.mark.parametrize(
    ("model", "loader"),
    [
        (Graph, DataLoader(TensorDataset(torch.arange(NODES), LABELS), 16, shuffle=True)),
        (Embedded, DataLoader(TEXTS, 16, shuffle=True)),
    ],
    ids=["a graph", "embeddings"],
)
def test_sparse_tensors_are_no_reason_not_to_judge(model, loader):
    found = art.diagnose(model, loader, trainer={"max_epochs": 5})
    assert found.status == "healthy", str(found)
    assert "raised" not in str(found)
