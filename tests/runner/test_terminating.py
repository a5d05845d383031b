"""SIGTERM in a process of its own, where it comes from outside as `timeout` and `docker stop` send it."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from art_training.runner.terminating import ending_on_sigterm, is_interruption

PROJECT = """
import sys, time, torch
import lightning.pytorch as pl
from torch.utils.data import DataLoader, TensorDataset
import art_training as art
from art_training.steps import Step
from art_training.records import Outcome


class Data(pl.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.randn(64, 4), torch.zeros(64, 1)), 8, num_workers=WORKERS)


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)
    def training_step(self, batch, batch_idx):
        print("batch", flush=True)
        time.sleep(0.05)
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Trains(Step):
    def run(self, bench):
        bench.fit()
        return Outcome()


project = art.ArtProject("toy", art.Setup(Net, Data, trainer={"max_epochs": 3000, "accelerator": "cpu"}), steps=[Trains()])
if __name__ == "__main__":
    project.run()
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def toy(*, workers=0):
        (tmp_path / "art_project.py").write_text(PROJECT.replace("WORKERS", str(workers)))

    return toy


def terminated(*command, group=False):
    """Start a program, end it in the midst of its training, and give its exit code and what it said."""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said = []  # `art run` sends what the user's code prints to stderr
    stream = child.stderr if "run" in command else child.stdout
    for line in stream:
        said.append(line)
        if said.count("batch\n") == 10:
            break
    (os.killpg if group else os.kill)(child.pid, signal.SIGTERM)
    if group:
        child.send_signal(signal.SIGTERM)  # as `timeout` does: twice
    _, err = child.communicate(timeout=60)
    return child.returncode, [line for line in err.splitlines() if line != "batch"]


def state():
    done = subprocess.run(
        [sys.executable, "-m", "art_training", "plan"], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_sigterm_ends_art_run_as_ctrl_c_does_with_the_exit_code_143(toy, workers):
    toy(workers=workers)
    code, said = terminated("-m", "art_training", "run", group=True)
    assert code == 143, said
    assert said[-1].startswith("Interrupted by SIGTERM: what was measured is kept. Next: Trains was interrupted;")
    assert not any("Traceback" in line or "raised" in line for line in said)
    assert "interrupted" in state()


@pytest.mark.slow
def test_sigterm_ends_a_program_that_runs_a_project_likewise(toy):
    toy()
    code, said = terminated("art_project.py")
    assert code == 143, said
    assert said == ["Interrupted by SIGTERM: what was measured is kept, and the next run goes on from there."]
    assert "interrupted" in state()


@pytest.fixture
def handler():
    before = signal.getsignal(signal.SIGTERM)
    yield lambda new: signal.signal(signal.SIGTERM, new)
    signal.signal(signal.SIGTERM, before)


def told_to_end():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0)


def test_sigterm_leaves_a_block_with_the_exit_code_of_a_program_that_it_ends(handler):
    handler(signal.SIG_DFL)
    with pytest.raises(SystemExit) as left, ending_on_sigterm(told=True):
        told_to_end()
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_sigterm_that_is_sent_twice_does_not_break_off_the_keeping(handler):
    handler(signal.SIG_DFL)
    kept = []

    def works():
        try:
            told_to_end()
        finally:
            told_to_end()
            kept.append("kept")

    with pytest.raises(SystemExit), ending_on_sigterm(told=True):
        works()
    assert kept == ["kept"]


def test_a_handler_of_the_users_is_called_and_decides(handler):
    called = []
    handler(lambda *_: called.append("called"))
    with ending_on_sigterm():
        told_to_end()
    assert called == ["called"]


def test_sigterm_that_is_ignored_stays_ignored(handler):
    handler(signal.SIG_IGN)
    with ending_on_sigterm():
        told_to_end()


def test_a_child_that_is_forked_is_ended_at_once(handler):
    handler(signal.SIG_DFL)
    with ending_on_sigterm():
        child = os.fork()
        if child == 0:
            told_to_end()
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGTERM


def test_other_threads_leave_signals_alone(handler):
    handler(signal.SIG_DFL)
    seen = []

    def works():
        with ending_on_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=works)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_what_breaks_while_an_interruption_is_handled_is_part_of_it():
    died = RuntimeError("a worker is gone")
    assert not is_interruption(died)
    died.__context__ = KeyboardInterrupt()
    assert is_interruption(died)
