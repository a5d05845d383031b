"""All that a job may ask of a training at once, in both hierarchies, and after a kill."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from art_training.engines import Averaging, FitJob, Look, Parts, Teaching
from art_training.engines.lightning import checkpoint
from art_training.setup.setup import Setup


def model(package):
    class Net(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.body(x))

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", functional.cross_entropy(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=0.05)

    return Net


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_everything_together_goes_on_after_a_kill_as_if_nothing_had_been(
    engine, package, points, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)
    kept = tmp_path / "kept"
    seen = []

    def watch(position):
        if position.checkpoint is not None and position.epoch == 2:
            kept.write_bytes(position.checkpoint.read_bytes())

    def fit(name, **how):
        seen.clear()
        (tmp_path / name).mkdir()
        asked = {
            "change": lambda batch: (batch[0] * 2, batch[1]),
            "looks": (Look(lambda epochs, batch: seen.append((epochs, float(batch.batch[0].std()))), share=1e9),),
            "rate": lambda step: 0.05 / (1 + step),
            "parts": Parts(frozen=("body.*",), thaw={3: ("body.1.*",)}, rates={"body.*": 0.5}),
            "averaging": Averaging("swa", first_epoch=1),
            "teaching": Teaching(lambda batch: torch.full((len(batch[0]), 2), 0.5), share=0.2),
        }
        setup = Setup(model(package), points, trainer={"max_epochs": 5})
        return engine.fit(
            FitJob(setup, 0, tmp_path / name, **asked, **how), watch if not how else lambda position: None
        )

    straight = fit("straight")
    assert [epochs for epochs, _ in seen] == [0, 1, 2, 3, 4, 5]
    resumed = fit("resumed", resume=kept)
    assert [epochs for epochs, _ in seen] == [2, 3, 4, 5]
    assert len({spread for _, spread in seen}) == 1
    one, other = engine.weights(straight.last), engine.weights(resumed.last)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (resumed.steps, resumed.epochs, resumed.findings) == (straight.steps, straight.epochs, ())
    assert resumed.parameters == straight.parameters
