"""`python -m benchmarks.tune`: what a trial costs beside its training; report in REPORT.md.

- proposing a trial when there are 10, 50, 200 and 500 already, with nine values a trial for pruning;
- remembering a trial;
- a whole trial, its training (one step) and evaluation left out, on a model with 650 parameters.
"""

import math
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

import art_training as art
from art_training.runner.bench import RunnerBench
from art_training.steps import Tune
from art_training.stores.sql import SqlStore
from art_training.tuning.space import Space
from art_training.tuning.study import Pruning, Search
from art_training.tuning.trial import Trial

REPORT = Path(__file__).with_name("REPORT.md")
EPOCHS = 9
ROUNDS = 9
SPACE = Space(
    {
        "lr": art.space.log_uniform(1e-5, 1e-1),
        "width": art.space.integer(16, 256, log=True),
        "optimizer": art.space.choice("adam", "sgd"),
        "momentum": art.space.uniform(0, 0.9).when("optimizer", "sgd"),
    }
)


def history(search: Search, count: int) -> list[Trial]:
    """Trials at random points, none of them pruned."""
    drawn = replace(search, sampler="random", pruning=None)
    trials: list[Trial] = []
    for number in range(count):
        asked = drawn.ask(trials[-1:])
        assert asked is not None
        value = (math.log10(float(asked.point["lr"])) + 3) ** 2 + number * 1e-3
        curve = {epoch: value + 5 / (epoch + 1) for epoch in range(EPOCHS)}
        point = {**asked.point, "lr": float(asked.point["lr"]) * (1 + number * 1e-6)}
        trials.append(Trial(number, "finished", point, value, "validation/loss", curve, EPOCHS, EPOCHS))
    return trials


def median(work: Callable[[], object]) -> float:
    """Milliseconds, the median of several rounds after one that warms up."""
    spent = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent[1:])


def proposing(pruning: Pruning, count: int) -> float:
    """Milliseconds of one proposal and of nine reports to the pruner."""
    search = Search(SPACE, "minimize", "tpe", pruning, 0, EPOCHS)
    trials = history(search, count)

    def work() -> None:
        asked = search.ask(trials)
        assert asked is not None
        for epoch in range(EPOCHS):
            asked.report(epoch, 1.0)

    return median(work)


def whole_trials(folder: Path, trials: int = 20) -> tuple[float, float]:
    """Milliseconds of a trial without the work of the engine and without evaluating, and of remembering alone."""
    x, y = torch.randn(64, 64), torch.randint(0, 10, (64,))
    setup = art.Setup(
        art.from_torch(lambda: nn.Linear(64, 10), loss=nn.CrossEntropyLoss, lr=0.1),
        art.data(train=(x, y), validation=(x, y), batch_size=64),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
    )
    spent = {"fit": 0.0, "evaluate": 0.0, "remember": 0.0}
    counts = dict.fromkeys(spent, 0)

    def timed(name: str) -> Callable[..., object]:
        original = getattr(RunnerBench, name)

        def measured(self: RunnerBench, *given: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return original(self, *given, **named)
            finally:
                spent[name] += time.perf_counter() - began
                counts[name] += 1

        setattr(RunnerBench, name, measured)
        return original

    originals = {name: timed(name) for name in spent}
    step = Tune({"lr": art.space.log_uniform(1e-5, 1e-1)}, trials=trials, seeds_for_winner=1, top=1)
    store = SqlStore(folder / "art.db")
    try:
        result = art.ArtProject("measured", setup, steps=[step], store=store).run()["Tune"]
    finally:
        for name, original in originals.items():
            setattr(RunnerBench, name, original)
        store.close()
    assert result.run is not None
    assert result.run.ended is not None
    whole = (result.run.ended - result.run.started).total_seconds()
    beside = whole - spent["fit"] - spent["evaluate"]
    return beside / trials * 1000, spent["remember"] / counts["remember"] * 1000


def main() -> None:
    warnings.simplefilter("ignore")
    rows = []
    for count in (10, 50, 200, 500):
        both = [proposing(pruning, count) for pruning in ("median", "hyperband")]
        rows.append(f"| proposing trial {count}, and nine values to the pruner | {both[0]:.1f} | {both[1]:.1f} |")
    with tempfile.TemporaryDirectory() as name:
        beside, remembering = whole_trials(Path(name))
    rows += [
        f"| remembering a trial durably | {remembering:.1f} | |",
        f"| a whole search of 20 trials, a trial, without `fit` and `evaluate` | {beside:.1f} | |",
    ]
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}; Python {platform.python_version()}"
    REPORT.write_text(
        "# What a trial costs beside its training\n\n"
        "`python -m benchmarks.tune`: milliseconds of wall time, medians; a space of four dimensions, TPE.\n\n"
        f"Machine: {machine}, art-training {art.__version__}, one thread.\n\n"
        "| what | median | hyperband |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        "A study is built anew for each proposal, so that what is proposed follows from the trials alone; that is why it "
        "costs more as trials become many. The search of 20 trials holds what is done once as well: choosing, the table, "
        "the importances.\n"
    )
    print(REPORT.read_text())


if __name__ == "__main__":
    main()
