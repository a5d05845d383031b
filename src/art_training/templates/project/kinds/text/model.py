"""The model: a small convolutional network over words. Any nn.Module will do, and any LightningModule."""

from torch import nn

from data import CLASSES, WORDS


class Net(nn.Module):
    """Numbers of words (N, LENGTH) to one score a class (N, CLASSES); 0 is padding, which counts nowhere."""

    def __init__(self, width=32, dropout=0.0):
        super().__init__()
        self.words = nn.Embedding(len(WORDS), width, padding_idx=0)
        self.neighbours = nn.Conv1d(width, 2 * width, 5, padding=2)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, CLASSES))

    def forward(self, tokens):
        there = (tokens != 0).unsqueeze(1)
        read = self.neighbours(self.words(tokens).transpose(1, 2)).relu() * there
        return self.head(read.sum(2) / there.sum(2))
