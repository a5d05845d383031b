"""Churn of customers from numbers and categories: embeddings, unequal classes with pos_weight, warm-up and cosine."""

import math
from functools import partial

import lightning as L
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import BinaryAUROC, BinaryF1Score

NUMERIC = ["age", "income", "tenure", "calls", "usage"]
CATEGORICAL = ["region", "plan", "device"]
CARDINALITIES = [6, 4, 3]


def customers(rows=1600, seed=3):
    """A table as it would come from a warehouse."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(45, 14, rows).clip(18, 90),
            "income": rng.lognormal(10.3, 0.5, rows),
            "tenure": rng.exponential(30, rows),
            "calls": rng.poisson(3, rows).astype(float),
            "usage": rng.gamma(2.0, 40.0, rows),
            "region": rng.integers(0, 6, rows),
            "plan": rng.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05]),
            "device": rng.integers(0, 3, rows),
        }
    )
    score = (
        -2.6
        + 0.5 * (frame["calls"] - 3)
        - 0.04 * (frame["tenure"] - 30)
        + np.array([0.0, 0.8, -0.6, 1.2])[frame["plan"]]
        + np.array([0.3, -0.5, 0.0, 0.6, -0.2, 0.1])[frame["region"]]
        + 0.6 * ((frame["age"] < 30) & (frame["usage"] > 80))
    )
    frame["churned"] = (rng.uniform(size=rows) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return frame


class FrameDataset(Dataset):
    def __init__(self, frame, scaler):
        self.numeric = torch.tensor(scaler.transform(frame[NUMERIC]), dtype=torch.float32)
        self.categorical = torch.tensor(frame[CATEGORICAL].to_numpy(), dtype=torch.long)
        self.target = torch.tensor(frame["churned"].to_numpy())

    def __len__(self):
        return len(self.target)

    def __getitem__(self, index):
        return {"numeric": self.numeric[index], "categorical": self.categorical[index], "target": self.target[index]}


class ChurnDataModule(L.LightningDataModule):
    def __init__(self, batch_size=128):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        frame = customers()
        rest, test = train_test_split(frame, test_size=0.2, stratify=frame["churned"], random_state=0)
        train, valid = train_test_split(rest, test_size=0.2, stratify=rest["churned"], random_state=0)
        scaler = StandardScaler().fit(train[NUMERIC])
        self.train, self.valid, self.test = (FrameDataset(one, scaler) for one in (train, valid, test))

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.valid, 2 * self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.test, 2 * self.batch_size)


class TabularNet(nn.Module):
    def __init__(self, numeric, cardinalities, hidden=(64, 32), dropout=0.2):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(n, min(8, (n + 1) // 2)) for n in cardinalities)
        width = numeric + sum(one.embedding_dim for one in self.embeddings)
        layers = []
        for size in hidden:
            layers += [nn.Linear(width, size), nn.BatchNorm1d(size), nn.SiLU(), nn.Dropout(dropout)]
            width = size
        self.mlp = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, numeric, categorical):
        embedded = [one(categorical[:, index]) for index, one in enumerate(self.embeddings)]
        return self.mlp(torch.cat([numeric, *embedded], 1)).squeeze(-1)


class ChurnModel(L.LightningModule):
    def __init__(self, *, hidden=(64, 32), dropout=0.2, lr=2e-3, weight_decay=1e-2, warmup_epochs=2, pos_weight=4.0):
        super().__init__()
        self.save_hyperparameters()
        self.net = TabularNet(len(NUMERIC), CARDINALITIES, hidden, dropout)
        self.register_buffer("pos_weight", torch.tensor(pos_weight))
        self.val_auc, self.val_f1 = BinaryAUROC(), BinaryF1Score()
        self.test_auc = BinaryAUROC()

    def forward(self, batch):
        return self.net(batch["numeric"], batch["categorical"])

    def loss(self, logits, target):
        return nn.functional.binary_cross_entropy_with_logits(logits, target.float(), pos_weight=self.pos_weight)

    def training_step(self, batch, batch_idx):
        loss = self.loss(self(batch), batch["target"])
        self.log("train_loss", loss, batch_size=len(batch["target"]))
        return loss

    def validation_step(self, batch, batch_idx):
        logits, size = self(batch), len(batch["target"])
        self.log("val_loss", self.loss(logits, batch["target"]), batch_size=size)
        probability = logits.sigmoid()
        self.val_auc.update(probability, batch["target"])
        self.val_f1.update(probability, batch["target"])

    def on_validation_epoch_end(self):
        self.log("val_auc", self.val_auc.compute(), prog_bar=True)
        self.log("val_f1", self.val_f1.compute())
        self.val_auc.reset()
        self.val_f1.reset()

    def test_step(self, batch, batch_idx):
        self.test_auc(self(batch).sigmoid(), batch["target"])
        self.log("test_auc", self.test_auc, batch_size=len(batch["target"]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr, weight_decay=self.hparams.weight_decay)
        warmup, epochs = self.hparams.warmup_epochs, self.trainer.max_epochs

        def factor(epoch):
            if epoch < warmup:
                return (epoch + 1) / (warmup + 1)
            return 0.5 * (1 + math.cos(math.pi * (epoch - warmup) / max(1, epochs - warmup)))

        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, factor)]


SETUP = {
    "model": ChurnModel,
    "data": ChurnDataModule,
    "hparams": {"hidden": (64, 32), "pos_weight": 4.0},
    "trainer": {
        "max_epochs": 25,
        "accelerator": "cpu",
        "callbacks": [
            partial(EarlyStopping, "val_auc", mode="max", patience=6),
            partial(ModelCheckpoint, monitor="val_auc", mode="max"),
        ],
    },
}
