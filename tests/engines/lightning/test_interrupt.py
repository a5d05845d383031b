"""A real Ctrl-C, and a process that is killed."""

import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import sys, time, torch
from pathlib import Path
import lightning.pytorch as pl
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from art_training.engines import EvaluateJob, FitJob
from art_training.engines.lightning import LightningEngine
from art_training.engines.lightning import checkpoint
from art_training.records import Split
from art_training.setup.setup import Setup

checkpoint._SHARE = float("inf")

class Data(pl.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.randn(64, 4, generator=torch.Generator().manual_seed(0))), 8, shuffle=True)

class Net(pl.LightningModule):
    pause = 0.02
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.2))
    def training_step(self, batch, batch_idx):
        time.sleep(self.pause)
        return self.net(batch[0]).pow(2).sum()
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)

def watch(position):
    if position.checkpoint:
        print("checkpoint", position.checkpoint, flush=True)

what, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(exist_ok=True)
resume = Path(sys.argv[3]) if len(sys.argv) > 3 else None
if what == "evaluate":
    Net.pause = 0.2
    print("ready", flush=True)
    LightningEngine().evaluate(EvaluateJob(Setup(Net, Data), 0, (Split.TRAIN,)), print, lambda position: None)
else:
    setup = Setup(Net, Data, trainer={"max_epochs": 8})
    result = LightningEngine().fit(FitJob(setup, 0, folder, resume=resume), watch)
    print("result", result.stopped, "|", result.message, "|", result.last, "|", result.epochs, flush=True)
    state = torch.load(result.last, weights_only=False)["state_dict"]
    print("weights", float(sum(value.double().sum() for value in state.values())).hex(), flush=True)
"""


@pytest.fixture
def start(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    running = []

    def start(*arguments, **how):
        command = [sys.executable, "-W", "ignore", str(script), *map(str, arguments)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


def until(process, word, count=1):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sum(one.startswith(word) for one in lines) == count:
            return lines[-1]
    raise AssertionError(f"no {word}: {lines}")


@pytest.mark.slow
def test_a_real_ctrl_c_ends_a_fit_with_its_last_epoch(start, tmp_path):
    process = start("fit", tmp_path / "fit")
    until(process, "checkpoint", 2)
    process.send_signal(signal.SIGINT)
    line = until(process, "result")
    assert line.startswith("result interrupted | interrupted by Ctrl-C in epoch 2, ")
    assert "epoch-2.ckpt" in line
    assert process.wait(20) == 0


@pytest.mark.slow
def test_a_real_ctrl_c_ends_an_evaluation_as_it_ends_any_python(start, tmp_path):
    process = start("evaluate", tmp_path / "fit", stderr=subprocess.PIPE)
    until(process, "BatchObservation")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert process.stderr.read().strip().endswith("KeyboardInterrupt")


@pytest.mark.slow
def test_a_killed_process_is_resumed_by_another_with_the_same_weights(start, tmp_path):
    straight = until(start("fit", tmp_path / "straight"), "weights")
    killed = start("fit", tmp_path / "killed")
    path = until(killed, "checkpoint", 3).split()[1]
    time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert until(start("fit", tmp_path / "killed", path), "weights") == straight
