"""Which of six valves is leaking, from the counts of ten pressure gauges: a plain module and arrays."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

import art_training as art
from art_training.records import Split
from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled

VALVES, GAUGES = 6, 10


def logged(seed: int, n: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts of a converter with twelve bits, and the valve."""
    rng = np.random.default_rng(20 + seed)
    drop = np.random.default_rng(5).normal(0, 150, (VALVES, GAUGES))
    valve = rng.integers(0, VALVES, n)
    level = rng.normal(2300, 25, (n, 1))
    counts = level + drop[valve] + rng.normal(0, spread, (n, GAUGES))
    return counts.round().clip(0, 4095).astype(np.float32), valve.astype(np.int64)


def alarms(hidden: int = 40) -> nn.Module:
    return nn.Sequential(
        nn.Linear(GAUGES, hidden), nn.Hardswish(), nn.Linear(hidden, hidden), nn.Hardswish(), nn.Linear(hidden, VALVES)
    )


def project(seed: int, *, scaled: bool = True, spread: float = 150.0, lr: float = 0.05) -> Project:
    counts, valve = logged(seed, 900 + 80 * seed, spread)
    cut = len(valve) - 300
    if scaled:
        counts = (counts - counts[:cut].mean(0)) / counts[:cut].std(0)
    return Project(
        alarms,
        art.data((counts[:cut], valve[:cut]), (counts[cut:], valve[cut:]), batch_size=20),
        {"max_epochs": 10},
        {},
        {"loss": nn.CrossEntropyLoss, "optimizer": partial(torch.optim.SGD, lr=lr, momentum=0.9)},
    )


def measure(model: Any, clean: Project) -> tuple[float, float]:
    (loader,) = clean.data.loaders(Split.VALIDATION).values()
    return accuracy(*pooled(model, loader))


CASES = (
    Case(
        "gauges-raw-counts",
        "counts of thousands go in as they are: differences of some dozen drown in the level, and steps are far too large",
        ("preprocessing", "optimizer"),
        partial(project, scaled=False),
        project,
        "P01",
    ),
    Case(
        "gauges-easy",
        "the valves hardly overlap: nearly all is right after an epoch",
        (),
        None,
        partial(project, spread=40.0),
        "N20",
    ),
)
