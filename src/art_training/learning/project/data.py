"""Handwritten digits, which scikit-learn carries: 1,797 images of 8 x 8 pixels, in 0..16."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Shifted(Dataset):
    """The same images, each moved by at most a pixel whenever it is asked for."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        image, label = self.rows[index]
        across, down = torch.randint(-1, 2, (2,)).tolist()
        return torch.roll(image, (down, across), (1, 2)), label


class Digits(L.LightningDataModule):
    def __init__(self, batch_size=64):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        pixels, labels = load_digits(return_X_y=True)
        images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8)
        labels = torch.tensor(labels)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        images, labels = images[order], labels[order]
        first = images[:1200]
        images = (images - first.mean()) / first.std()
        self.train = TensorDataset(images[:1200], labels[:1200])
        self.validation = TensorDataset(images[1200:1500], labels[1200:1500])
        self.test = TensorDataset(images[1500:], labels[1500:])

    def plain(self):
        """Without augmentation."""
        twin = type(self)(self.batch_size)
        twin.augments = False
        return twin

    augments = True

    def train_dataloader(self):
        rows = Shifted(self.train) if self.augments else self.train
        return DataLoader(rows, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.validation, batch_size=150)

    def test_dataloader(self):
        return DataLoader(self.test, batch_size=150)
