"""The model: a small fully connected network. Any nn.Module will do, and any LightningModule."""

from torch import nn

from data import COLUMNS


class Net(nn.Module):
    """Rows (N, columns) to one number each (N,)."""

    def __init__(self, width=64, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(len(COLUMNS), width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1))

    def forward(self, row):
        return self.layers(row).squeeze(1)
