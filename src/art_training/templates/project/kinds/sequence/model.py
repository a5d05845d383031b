"""The model: a small convolutional network over time. Any nn.Module will do, and any LightningModule."""

from torch import nn

from data import PAST


class Net(nn.Module):
    """What was (N, 1, PAST) to what comes (N,)."""

    def __init__(self, width=16, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, width, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(width * PAST, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, past):
        return self.layers(past).squeeze(1)
