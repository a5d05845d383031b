"""A user's mistakes: each gets one clear sentence with the value, the rule and the remedy, and nothing is lost."""

import subprocess
import sys
import textwrap
from pathlib import Path

import lightning as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import Above, Below, Between
from art_training.errors import CheckError, ProjectError, SetupError, UnknownMetric, UsageError
from art_training.steps import EvaluateBaseline, FinalTest, Overfit
from art_training.stores.memory import MemoryStore


class Net(L.LightningModule):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Disconnected(Net):
    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]).detach(), batch[1])


class TrainOnly(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.randn(8, 2), torch.tensor([0, 1] * 4)), batch_size=4)


def data() -> object:
    x, y = torch.randn(24, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 12)
    return art.data(train=(x[:16], y[:16]), validation=(x[16:], y[16:]), batch_size=4)


def project(*steps, model=Net, data=data, hparams=None, **arguments) -> art.ArtProject:
    setup = art.Setup(
        model,
        data() if data is not TrainOnly else data,
        hparams=hparams,
        trainer={"max_epochs": 1, "accelerator": "cpu"},
    )
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2)}
    return art.ArtProject("p", setup, metrics=metrics, steps=steps, store=MemoryStore(), **arguments)


@pytest.mark.parametrize(
    ("error", "says", "mistake"),
    [
        (
            UnknownMetric,
            "'acuracy'.*it will have: accuracy, loss",
            lambda: project(Overfit(checks=[Below("train/acuracy", 1)])),
        ),
        (CheckError, "'trian'.*train, validation, test", lambda: Below("trian/loss", 0.1)),
        (
            UnknownMetric,
            "'accuracy' of no split; name one: 'train/accuracy' or 'validation/accuracy'$",
            lambda: project(Overfit(checks=[Above("accuracy", 0.7)])),
        ),
        (
            UnknownMetric,
            "'loss' of no split; name one: .*'validation/loss' or 'test/loss'$",
            lambda: project(FinalTest(checks=[Below("loss", 0.7)])),
        ),
        (
            UnknownMetric,
            "'test/accuracy', but the test split is for the final test alone; name 'validation/accuracy', or ask it of Fin",
            lambda: project(Overfit(checks=[Above("test/accuracy", 0.7)])),
        ),
        (ProjectError, "two steps of project 'p' are named 'Overfit'", lambda: project(Overfit(), Overfit())),
        (SetupError, "instance of Net.*model=Net", lambda: project(Overfit(), model=Net())),
        (CheckError, "0.9.*0.1", lambda: Between("train/loss", 0.9, 0.1)),
        (SetupError, "'widht'.*width", lambda: project(Overfit(), hparams={"widht": 3}).run()),
        (SetupError, "validation.*val_dataloader", lambda: project(EvaluateBaseline(), data=TrainOnly).run()),
        (SetupError, "detach", lambda: project(Overfit(), model=Disconnected).run()),
        (SetupError, "None", lambda: project(Overfit(), model=lambda: None).run()),
        (UsageError, "tpu9", lambda: art.Setup(Net, data(), engine="tpu9").task),
    ],
)
def test_a_mistake_gets_one_sentence(error, says, mistake) -> None:
    with pytest.raises(error, match=says) as caught:
        mistake()
    assert "\n" not in str(caught.value)


PROJECT = """
import torch
from torch import nn
import art_training as art
from art_training.steps import ExploreData

x, y = torch.randn(24, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 12)
model = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
setup = art.Setup(model, art.data(train=(x[:16], y[:16]), validation=(x[16:], y[16:])))
project = art.ArtProject("p", setup, steps=[ExploreData()])
"""


def art_run(folder: Path, *arguments: str, limits: str = "") -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own; `limits` is Python that is executed in it first."""
    code = f"{limits}\nimport sys; sys.argv[0] = 'art'; from art_training.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "run", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "art_project.py").write_text(PROJECT)
    return tmp_path / "p"


def told(ended: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in ended.stderr + ended.stdout
    return ended.stderr


@pytest.mark.slow
def test_a_project_file_that_runs_its_project_when_imported_is_told_what_to_write(folder: Path) -> None:
    (folder / "art_project.py").write_text(PROJECT + "project.run()\n")
    ended = art_run(folder)
    assert ended.returncode == 2
    assert '__name__ == "__main__"' in told(ended)


@pytest.mark.slow
def test_a_project_file_that_raises_shows_the_line_and_no_traceback_of_art(folder: Path) -> None:
    (folder / "art_project.py").write_text("import art_training\n1 / 0\n")
    ended = art_run(folder)
    assert ended.returncode == 2
    assert "ZeroDivisionError" in told(ended)
    assert "art_project.py" in ended.stderr


@pytest.mark.slow
def test_a_folder_that_may_not_be_written_is_named(folder: Path) -> None:
    ended = art_run(folder, "--store", "/sys/art.db")  # not even root may write there
    assert ended.returncode in {2, 3}
    assert "/sys" in told(ended)
    assert "writ" in ended.stderr


@pytest.mark.slow
def test_a_full_disk_is_told_and_what_was_kept_before_stays(folder: Path) -> None:
    assert art_run(folder).returncode == 0
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\nimport signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    ended = art_run(folder, "--force", limits=full)
    assert ended.returncode == 3
    assert told(ended).strip()
    again = art_run(folder)
    assert again.returncode == 0
    assert "recalled" in again.stdout


@pytest.mark.slow
def test_a_corrupt_database_is_named_and_left_as_it_is(folder: Path) -> None:
    (folder / ".art").mkdir()
    (folder / ".art" / "art.db").write_bytes(b"this is no database" * 1000)
    ended = art_run(folder)
    assert ended.returncode in {2, 3}
    assert "art.db" in told(ended)
    assert (folder / ".art" / "art.db").read_bytes().startswith(b"this is no database")


@pytest.mark.slow
def test_a_second_run_at_the_same_time_is_refused_and_says_who_runs(folder: Path) -> None:
    (folder / "art_project.py").write_text(
        PROJECT
        + textwrap.dedent("""
        from pathlib import Path
        import time
        class Waits(ExploreData):
            def run(self, bench):
                Path("started").touch()
                time.sleep(60)
        project = art.ArtProject("p", setup, steps=[Waits()])
        """)
    )
    first = subprocess.Popen(
        [sys.executable, "-m", "art_training", "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not (folder / "started").exists():
            assert first.poll() is None
        ended = art_run(folder)
    finally:
        first.kill()
        first.wait()
    assert ended.returncode in {2, 3}
    assert str(first.pid) in told(ended)
    assert "'p'" in ended.stderr
