"""A change is made last of all, to every batch that enters the model, and to none that was given."""

import lightning.pytorch as pl
import pytest
import torch

from art_training.engines import EvaluateJob, FitJob
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.data import data
from art_training.setup.setup import Setup


def zeroed(batch):
    return torch.zeros_like(batch[0]), batch[1]


@pytest.fixture
def recording(net):
    class Recording(net):
        seen: list = []

        def training_step(self, batch, batch_idx):
            self.seen.append(("train", batch[0].abs().max().item()))
            return super().training_step(batch, batch_idx)

        def validation_step(self, batch, batch_idx):
            self.seen.append(("validation", batch[0].abs().max().item()))
            super().validation_step(batch, batch_idx)

    Recording.seen = []
    return Recording


def test_every_batch_of_training_and_validation_is_changed(engine, recording, points, ignore, tmp_path):
    setup = Setup(recording, points, trainer={"max_epochs": 2})
    engine.fit(FitJob(setup, 0, tmp_path, change=zeroed), ignore)
    assert [kind for kind, _ in recording.seen] == (["train"] * 5 + ["validation"] * 2) * 2
    assert {value for _, value in recording.seen} == {0.0}


@pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer` in `LightningModule`")
@pytest.mark.parametrize("owner", ["datamodule", "module"])
def test_a_change_comes_after_the_hooks(engine, recording, points, tmp_path, owner):
    def ignore(position):
        pass

    def shift(self, batch, dataloader_idx):
        return batch[0] + 100, batch[1]

    kind = points if owner == "datamodule" else recording
    own = type("Own", (kind,), {"on_after_batch_transfer": shift})
    setup = Setup(recording if owner == "datamodule" else own, own if owner == "datamodule" else points)
    setup = setup.but(trainer={"max_epochs": 1})

    def change(batch):
        assert batch[0].min() > 50
        return batch[0] * 0 + 7, batch[1]

    engine.fit(FitJob(setup, 0, tmp_path, change=change), ignore)
    assert {value for _, value in recording.seen} == {7.0}
    seen = []
    engine.evaluate(EvaluateJob(setup, 0, (Split.TRAIN, Split.VALIDATION), change=change), seen.append, ignore)
    assert all((one.batch[0] == 7).all() for one in seen)
    assert {one.split for one in seen} == {Split.TRAIN, Split.VALIDATION}


def test_what_is_read_is_changed_as_well(engine, net, points, ignore):
    seen = []
    job = EvaluateJob(Setup(net, points), 0, (Split.VALIDATION,), change=zeroed)
    engine.read(job, lambda split, loader, batch: seen.append(batch), ignore)
    assert all(not batch[0].any() for batch in seen)


def test_one_batch_is_changed_and_so_is_the_other_hierarchy(engine, package, ignore, tmp_path):
    seen = []

    class Module(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(4, 1)

        def training_step(self, batch, batch_idx):
            seen.append(batch[0].abs().max().item())
            return self.net(batch[0]).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    setup = Setup(Module, data((torch.randn(8, 4), torch.zeros(8))), trainer={"max_epochs": 1})
    engine.fit(FitJob(setup, 0, tmp_path, one_batch=3, change=zeroed), ignore)
    assert seen == [0.0] * 3


def test_the_data_that_was_given_stays_as_it_was(engine, net, ignore, tmp_path):
    x, y = torch.randn(32, 4), torch.zeros(32, dtype=torch.long)
    before = x.clone()
    setup = Setup(net, data((x, y), (x, y), batch_size=8), trainer={"max_epochs": 1})
    engine.fit(FitJob(setup, 0, tmp_path, change=zeroed), ignore)
    assert torch.equal(x, before)


def test_a_change_that_returns_nothing_is_told(engine, net, points, ignore, tmp_path):
    def forgets(batch):
        batch[0] * 0

    with pytest.raises(SetupError, match="change forgets returned None; it must return the batch"):
        engine.fit(FitJob(Setup(net, points, trainer={"max_epochs": 1}), 0, tmp_path, change=forgets), ignore)


def test_a_step_that_draws_its_own_batches_cannot_be_changed(engine, points, ignore, tmp_path):
    class Drawing(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(4, 1)

        def training_step(self, dataloader_iter):
            return self.net(next(dataloader_iter)[0][0]).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    with pytest.raises(SetupError, match="takes the loader's iterator"):
        engine.fit(FitJob(Setup(Drawing, points), 0, tmp_path, change=zeroed), ignore)
