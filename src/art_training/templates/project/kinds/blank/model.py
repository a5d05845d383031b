"""The model: replace it by yours. Any nn.Module will do, and any LightningModule."""

from torch import nn

from data import FEATURES


class Net(nn.Module):
    """Inputs (N, FEATURES) to one number each (N,). What the constructor takes are the hyper-parameters."""

    def __init__(self, width=32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        return self.layers(x).squeeze(1)
