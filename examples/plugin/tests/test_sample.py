"""What the plug-in offers, put through the suites that ART puts its own through."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import torch
from art_sample.check import Steady
from art_sample.rules import same_columns
from art_sample.standard import sample
from art_sample.step import TrySeeds
from art_sample.tracker import JsonLinesTracker
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.errors import ProjectError
from art_training.records import StepState
from art_training.testing.checks import CheckContract
from art_training.testing.rules import RuleContract
from art_training.testing.standards import StandardContract, made_up_record, made_up_step
from art_training.testing.steps import StepContract
from art_training.testing.trackers import Seen, TrackerContract


class TestTrySeeds(StepContract):
    step = TrySeeds(seeds=2)


class TestSteady(CheckContract):
    check = Steady


def _setup(x: torch.Tensor) -> art.Setup:
    rows = TensorDataset(x, x.sum(1, keepdim=True))
    data = art.data(DataLoader(rows, batch_size=16, shuffle=True), DataLoader(rows, batch_size=16))
    net = art.from_torch(
        lambda: nn.Linear(x.shape[1], 1), loss=nn.functional.mse_loss, optimizer=torch.optim.SGD, lr=0.01
    )
    return art.Setup(net, data, trainer={"max_epochs": 1, "accelerator": "cpu"})


class TestSameColumns(RuleContract):
    rule = same_columns

    def faulty(self) -> Iterable[art.Setup]:
        x = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))
        yield _setup(torch.cat([x, x[:, :1]], 1))
        yield _setup(torch.cat([x, x], 1))

    def clean(self) -> Iterable[art.Setup]:
        x = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))
        yield _setup(x)
        yield _setup(torch.cat([x, torch.ones(48, 2)], 1))  # two constants are another matter
        yield _setup(torch.cat([x, -x[:, :1]], 1))


class TestJsonLines(TrackerContract):
    cannot = frozenset({"files", "pictures"})

    def tracker(self, folder: Path) -> JsonLinesTracker:
        return JsonLinesTracker(folder)

    def read(self, folder: Path) -> Mapping[str, Seen]:
        found = {}
        for path in sorted(folder.glob("*.jsonl")):
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            step = next(one["said"]["step"] for one in lines if one["what"] == "run")
            found[step] = _seen(lines)
        return found


def _seen(lines: list[dict]) -> Seen:
    merged: dict[str, dict] = {"parameters": {}, "metrics": {}, "tags": {}}
    curves: dict[str, list[tuple[int, float]]] = {}
    tables: dict[str, str] = {}
    for one in lines:
        what, said = one["what"], one["said"]
        if what in merged:
            merged[what].update(said)
        elif what == "points":
            for name, step, _, value in said:
                curves.setdefault(name, []).append((step, float(value)))
        elif what.startswith("table "):
            tables[what.removeprefix("table ")] = json.dumps(said, ensure_ascii=False)
    return Seen(
        parameters=merged["parameters"],
        metrics={name: float(value) for name, value in merged["metrics"].items()},
        curves=curves,
        verdicts=tables.get("verdicts", ""),
        findings=tables.get("findings", ""),
        state=merged["tags"].get("art.state", ""),
        tags=merged["tags"],
    )


class TestSample(StandardContract):
    standard = sample
    meets = (made_up_record(made_up_step("TrySeeds")),)
    fails = (made_up_record(made_up_step("TrySeeds", state=StepState.FAILED)), made_up_record(made_up_step("Overfit")))


def test_one_seed_compares_nothing() -> None:
    with pytest.raises(ProjectError, match="seeds=1 of step 'TrySeeds' compares nothing; give 2 or more"):
        TrySeeds(seeds=1)
