"""A squeeze that is killed goes on where it was: what was trained to its end is not trained again."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from art_training.records import Outcome, RunStatus
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore

# Each training leaves lines in a file that nobody but the operating system keeps; its folder says which one it is.
PROJECT = """
import os, time
from pathlib import Path
import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
import art_training as art
from art_training.steps import Squeeze

class Slow(lightning.Callback):
    def on_train_start(self, trainer, module):
        say(trainer, f"began {trainer.current_epoch}")
    def on_train_epoch_end(self, trainer, module):
        time.sleep(0.05)
    def on_train_end(self, trainer, module):
        say(trainer, "ended")

def say(trainer, text):
    folder = Path(trainer.default_root_dir).name.removeprefix("fit-").rpartition("-")[0]
    with open(os.environ["ART_TEST_DIARY"], "a") as file:
        file.write(f"{folder} {text}\\n")

def net():
    return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))

def project(store):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)
    setup = art.Setup(
        art.from_torch(net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
        art.data(train=(x[:200], y[:200]), validation=(x[200:400], y[200:400]), batch_size=50),
        trainer={"max_epochs": 6, "accelerator": "cpu", "callbacks": [Slow()]},
    )
    steps = [Squeeze(ensemble=3, longer=2.0, export=False, examples=4, prefer="best")]
    return art.ArtProject("squeezed", setup, steps=steps, store=store)
"""
ZYGOTE = """
import os, sys, warnings
import lightning, sklearn.datasets, sqlalchemy, torch, torchmetrics
import art_training.engines.lightning.engine, art_training.project, art_training.steps, art_training.stores.sql
warnings.simplefilter("ignore")
sys.path.insert(0, os.getcwd())
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        import art_project
        os._exit(0 if art_project.project(line.strip()).run().passed else 1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
TRAININGS = {"member-1", "member-2", "member-3", "longer", "student"}
KILLED = ("member-2", "longer", "student")


class Zygote:
    """Starts runs of the project, each in a process of its own; it has imported torch, which takes seconds."""

    def __init__(self, folder: Path) -> None:
        self.stderr = folder / "stderr.txt"
        with self.stderr.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", ZYGOTE],
                cwd=folder,
                env={**os.environ, "ART_TEST_DIARY": str(folder / "diary.txt")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def start(self, store: Path) -> int:
        """The process of a run."""
        self._process.stdin.write(f"{store}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        """How it ended."""
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    (tmp_path / "art_project.py").write_text(PROJECT)
    zygote = Zygote(tmp_path)
    yield zygote
    zygote.close()


def lines(folder: Path) -> list[str]:
    diary = folder / "diary.txt"
    return diary.read_text().splitlines() if diary.exists() else []


def outcome_of(where: Path) -> Outcome:
    store = SqlStore(where)
    [run] = store.runs(RunQuery(status=RunStatus.COMPLETED))
    outcome = store.outcome(run.id)
    store.close()
    assert outcome is not None
    return outcome


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_squeeze_that_is_killed_trains_nothing_again_that_had_come_to_its_end(zygote: Zygote, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "art.db", tmp_path / "killed" / "art.db"
    zygote.start(whole)
    assert zygote.wait() == 0, zygote.stderr.read_text()
    assert Counter(lines(tmp_path)) == {f"{name} {what}": 1 for name in TRAININGS for what in ("began 0", "ended")}
    (tmp_path / "diary.txt").unlink()

    # In the middle of the second member, of the longer training, of the student.
    for training in KILLED:
        process = zygote.start(killed)
        while not any(line.startswith(f"{training} began") for line in lines(tmp_path)):
            assert Path(f"/proc/{process}").exists(), zygote.stderr.read_text()
            time.sleep(0.01)
        time.sleep(0.15)
        os.kill(process, signal.SIGKILL)
        assert zygote.wait() == -signal.SIGKILL, zygote.stderr.read_text()
    zygote.start(killed)
    assert zygote.wait() == 0, zygote.stderr.read_text()

    seen = lines(tmp_path)
    for name in TRAININGS:
        mine = [line.removeprefix(f"{name} ") for line in seen if line.startswith(f"{name} ")]
        assert mine.count("ended") == 1, seen
        assert mine[-1] == "ended", seen
        # Only the one that was killed in its middle began a second time.
        assert len(mine) - 1 == (2 if name in KILLED else 1), seen
    one, other = outcome_of(whole), outcome_of(killed)
    left_out = {"seconds_a_batch", "relative_inference_time", "training_seconds"}
    for ours, theirs in zip(one.candidates, other.candidates, strict=True):
        assert ours.scores == theirs.scores
        kept = {name: value for name, value in ours.parameters.items() if name not in left_out}
        assert kept == {name: theirs.parameters[name] for name in kept}
    assert one.parameters == other.parameters
    assert one.scores == other.scores
    assert set(other.curves) == set(one.curves)
