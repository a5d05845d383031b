"""`python -m benchmarks.overhead`: interleaved pairs in one process, three model sizes; what is measured anew is in REPORT.md.

Four arms train the same module on the same batches for the same number of steps:

- `art`: the step Overfit of a project with a SQLite store, with curves, heartbeat, progress events and checkpoints;
- `lightning`: `Trainer.fit` on the same module, which logs the same metrics, with neither a logger nor checkpoints;
- `watched`: the same with a `HealthMonitor` among its callbacks, and nothing else of ART;
- `bare`: a loop over the loader that steps the optimiser and validates, and logs nothing.

The first three are timed by the module itself, from its `on_fit_start` to its `on_fit_end`. Each round runs every arm three
times, in random order; the quickest of an arm counts, because what else a machine does only ever adds. Ratios are paired
within a round; the median of the ratios has a bootstrap interval. Scoring the final weights on whole splits is work that
the other arms do not do; it is timed apart.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import torch
import torchmetrics
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.lightning import HealthMonitor
from art_training.steps import Overfit

BATCH, BATCHES, VALIDATION = 64, 24, 4
FITS_A_ROUND = 3  # of each arm, of which the quickest counts: what else a machine does only ever adds
REPORT = Path(__file__).with_name("REPORT.md")


@dataclass(frozen=True)
class Size:
    """One model size: width of its layers, chosen for about this many milliseconds a step on two cores."""

    name: str
    width: int
    epochs: int


SIZES = (Size("small", 256, 12), Size("middle", 2048, 3), Size("large", 2816, 2))


FITS: list[float] = []  # seconds of every fit of a Net, in order


class Net(L.LightningModule):
    """A plain module that logs a loss and an accuracy, as users write it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
        )
        self.train_accuracy = torchmetrics.classification.MulticlassAccuracy(num_classes=10)
        self.val_accuracy = torchmetrics.classification.MulticlassAccuracy(num_classes=10)
        self.began = 0.0

    def on_fit_start(self) -> None:
        self.began = time.perf_counter()

    def on_fit_end(self) -> None:
        FITS.append(time.perf_counter() - self.began)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        logits = self.net(batch[0])
        loss = nn.functional.cross_entropy(logits, batch[1])
        self.train_accuracy(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        logits = self.net(batch[0])
        self.val_accuracy(logits, batch[1])
        self.log("val_loss", nn.functional.cross_entropy(logits, batch[1]))
        self.log("val_accuracy", self.val_accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class Data(L.LightningDataModule):
    """Random numbers: what is learned does not matter here."""

    def setup(self, stage: str) -> None:
        generator = torch.Generator().manual_seed(0)
        rows = BATCH * (BATCHES + VALIDATION)
        x, y = torch.randn(rows, 64, generator=generator), torch.randint(10, (rows,), generator=generator)
        self.train = TensorDataset(x[: BATCH * BATCHES], y[: BATCH * BATCHES])
        self.validation = TensorDataset(x[BATCH * BATCHES :], y[BATCH * BATCHES :])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=BATCH, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.validation, batch_size=BATCH)


def with_art(size: Size, folder: Path) -> tuple[float, float]:
    """Seconds of the fit, and of the whole run of the project."""
    setup = art.Setup(
        Net, Data, hparams={"width": size.width}, trainer={"max_epochs": size.epochs, "accelerator": "cpu"}
    )
    metrics = {"accuracy": torchmetrics.classification.MulticlassAccuracy(num_classes=10)}
    project = art.ArtProject("overhead", setup, metrics=metrics, steps=[Overfit()], store=folder / "art.db")
    began = time.perf_counter()
    project.run(force=True)
    return FITS[-1], time.perf_counter() - began


def with_lightning(size: Size, folder: Path, *, callbacks: Sequence[L.Callback] = ()) -> float:
    L.seed_everything(0, verbose=False)
    trainer = L.Trainer(
        max_epochs=size.epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        num_sanity_val_steps=0,
    )
    model, data = Net(size.width), Data()
    data.setup("fit")
    trainer.fit(model, datamodule=data)
    return FITS[-1]


def with_bare_loop(size: Size, folder: Path) -> float:
    torch.manual_seed(0)
    model, data = Net(size.width), Data()
    data.setup("fit")
    optimizer = model.configure_optimizers()
    began = time.perf_counter()
    for _ in range(size.epochs):
        model.train()
        for x, y in data.train_dataloader():
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.net(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, y in data.val_dataloader():
                nn.functional.cross_entropy(model.net(x), y)
    return time.perf_counter() - began


def measure(size: Size, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Seconds of each arm by round; the first round warms up and is not counted."""
    seconds: dict[str, list[float]] = {"art": [], "lightning": [], "watched": [], "bare": [], "whole": []}
    order = np.random.default_rng(0)

    def art_arm() -> float:
        fit, whole = with_art(size, folder)
        seconds["whole"].append(whole)
        return fit

    arms: dict[str, Callable[[], float]] = {
        "art": art_arm,
        "lightning": lambda: with_lightning(size, folder),
        "watched": lambda: with_lightning(size, folder, callbacks=[HealthMonitor()]),
        "bare": lambda: with_bare_loop(size, folder),
    }
    for _ in range(rounds + 1):
        fits: dict[str, list[float]] = {name: [] for name in arms}
        for name in order.permutation([name for name in arms for _ in range(FITS_A_ROUND)]):
            fits[name].append(arms[name]())
        for name, values in fits.items():
            seconds[name].append(min(values))
    return {name: values[FITS_A_ROUND if name == "whole" else 1 :] for name, values in seconds.items()}


def ratio(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """Median of the paired ratios with its 95 % bootstrap interval (10,000 resamples of the rounds)."""
    pairs = np.array(a) / np.array(b)
    draws = np.random.default_rng(0).choice(pairs, (10_000, len(pairs)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(np.median(pairs)), float(low), float(high)


def row(size: Size, seconds: dict[str, list[float]]) -> str:
    """The line of one size, as it stands in the report."""
    step = statistics.median(seconds["lightning"]) / (size.epochs * BATCHES) * 1000
    compared = (("art", "lightning"), ("watched", "lightning"), ("art", "bare"))
    ratios = [ratio(seconds[one], seconds[other]) for one, other in compared]
    cells = [
        size.name,
        str(len(seconds["art"])),
        f"{step:.1f}",
        *(f"{middle:.3f} [{low:.3f}, {high:.3f}]" for middle, low, high in ratios),
        f"{statistics.median(seconds['whole']) - statistics.median(seconds['art']):.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def report(rows: list[str]) -> str:
    return "\n".join(
        [
            "# Overhead of a project's training",
            "",
            "`python -m benchmarks.overhead --rounds N --size NAME`, in one process, on an otherwise idle machine. In a round each",
            f"arm runs {FITS_A_ROUND} times in random order, of which the quickest counts; medians of paired ratios with 95 % bootstrap",
            "intervals. A step is one optimiser step with its share of validation.",
            "",
            machine(),
            "",
            "| model | rounds | ms a step (lightning) | art / lightning | watched / lightning | art / bare loop | seconds outside the fit |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            "The last column is what a run of the project takes besides its fit: plan, fingerprints, the evaluation of the",
            "final weights on whole splits with intervals, storing the checkpoint. It does not grow with the epochs.",
            "",
            "The lightning arm writes no log and no checkpoint; the art arm writes its curves to the store and a checkpoint",
            "after every epoch. The watched arm is the lightning arm with `art_training.lightning.HealthMonitor()` as its one callback:",
            "every loss is read, and the gradients of the first few steps and of one in so many as is its default.",
            "",
        ]
    )


def machine() -> str:
    return (
        f"Machine: {platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {platform.system()} "
        f"{platform.release()}; Python {platform.python_version()}, torch {torch.__version__}, lightning {L.__version__}."
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", choices=[size.name for size in SIZES])
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="lightning")
    rows = {line.split("|")[1].strip(): line for line in REPORT.read_text().splitlines() if line.startswith("| ")}
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            if arguments.size in {None, size.name}:
                rows[size.name] = row(size, measure(size, arguments.rounds, Path(folder)))
                print(rows[size.name], file=sys.stderr, flush=True)
    text = report([rows[size.name] for size in SIZES])
    print(text)
    REPORT.write_text(text)


if __name__ == "__main__":
    main()
