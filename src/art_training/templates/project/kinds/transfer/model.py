"""The model: a backbone that has learned elsewhere, and a head. Any nn.Module will do, and any LightningModule."""

from torch import nn

from data import CLASSES


class Net(nn.Module):
    """Images (N, 1, 12, 12) to one score a class (N, CLASSES)."""

    def __init__(self, width=16, dropout=0.0):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(18 * width, CLASSES))

    def forward(self, image):
        return self.head(self.backbone(image))
