"""`HealthMonitor` in a Trainer of the user's own."""

import pickle
import subprocess
import sys
import warnings

import lightning as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from art_training.errors import DiagnosisError, SetupError
from art_training.lightning import HealthMonitor

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))


class Net(L.LightningModule):
    def __init__(self, bad_from=None, manual=False):
        super().__init__()
        self.net = nn.Linear(4, 1)
        self.bad_from, self.automatic_optimization = bad_from, not manual

    def training_step(self, batch, index):
        z = self.net(batch[0])
        loss = z.square().mean()
        if self.bad_from is not None and self.trainer.global_step >= self.bad_from:
            loss = loss + (z * 0).square().sum().sqrt()  # finite, and its derivative is not
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(module, monitor, tmp_path, **settings):
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", callbacks=[monitor], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path, **settings,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TensorDataset(X), batch_size=8))
    return trainer


def test_a_healthy_training_is_not_disturbed(tmp_path):
    torch.manual_seed(0)
    watched, monitor = Net(), HealthMonitor()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="ART")
        fit(watched, monitor, tmp_path)
    torch.manual_seed(0)
    plain = Net()
    fit(plain, L.Callback(), tmp_path)
    assert monitor.healthy
    assert all(torch.equal(a, b) for a, b in zip(watched.parameters(), plain.parameters(), strict=True))


@pytest.mark.parametrize("manual", [False, True])
def test_a_gradient_that_is_no_number_is_told(tmp_path, manual):
    monitor = HealthMonitor(every=1)
    with pytest.warns(UserWarning, match=r"ART912: .*`art explain ART912`"):
        fit(Net(bad_from=3, manual=manual), monitor, tmp_path)
    (found,) = monitor.findings
    assert found.evidence["step"] == 3
    assert not monitor.healthy


def test_it_ends_the_training_where_it_is_asked_to(tmp_path):
    with pytest.raises(DiagnosisError, match="ART91"):
        fit(Net(bad_from=0), HealthMonitor(raise_for_findings=True), tmp_path)


def test_a_second_training_is_watched_anew(tmp_path):
    monitor = HealthMonitor(every=1)
    with pytest.warns(UserWarning, match="ART912"):
        fit(Net(bad_from=0), monitor, tmp_path)
    fit(Net(), monitor, tmp_path)
    assert monitor.healthy


def test_it_is_a_callback_that_can_be_pickled():
    assert isinstance(HealthMonitor(), L.Callback)
    assert isinstance(pickle.loads(pickle.dumps(HealthMonitor())), HealthMonitor)


def test_wrong_use_is_one_sentence():
    with pytest.raises(SetupError, match="at least 1"):
        HealthMonitor(every=0)


@pytest.mark.slow
def test_it_is_a_callback_of_the_other_hierarchy_where_that_is_what_was_imported():
    code = (
        "import pytorch_lightning as pl\n"
        "from art_training.lightning import HealthMonitor\n"
        "assert isinstance(HealthMonitor(), pl.Callback)\n"
        "pl.Trainer(callbacks=[HealthMonitor()], accelerator='cpu', logger=False, enable_checkpointing=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_monitor_is_reached_from_the_package():
    import subprocess
    import sys

    code = "import art_training as art; print(art.lightning.HealthMonitor.__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "HealthMonitor"
