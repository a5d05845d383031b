"""A model whose code loads what an earlier step writes is made when the step runs, and not when it is planned."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.records import Outcome
from art_training.setup.setup import Setup
from art_training.steps import ExploreData, Overfit, TransferLearning
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.memory import MemoryStore

ROWS = (torch.eye(2).repeat(20, 1), torch.arange(2).repeat(20))


@dataclass(frozen=True)
class Pretrain(Step):
    path: str = ""

    def run(self, bench: Bench) -> Outcome:
        torch.save(nn.Linear(2, 4).state_dict(), self.path)
        return Outcome()


class Loading(nn.Module):
    def __init__(self, path: str, cut: int = 2) -> None:
        super().__init__()
        self.backbone = nn.Linear(2, 4)
        self.head = nn.Linear(4, 4 // cut)
        self.backbone.load_state_dict(torch.load(path))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.backbone(x)))


def by_class(path: Path, **more: Any) -> Setup:
    model = art.from_torch(Loading, loss=nn.CrossEntropyLoss, lr=0.1)
    return Setup(model, art.data(ROWS, ROWS), hparams={"path": str(path), **more}, trainer={"max_epochs": 1})


def by_function(path: Path) -> Setup:
    def make() -> Any:
        return art.from_torch(Loading, loss=nn.CrossEntropyLoss, lr=0.1)(path=str(path))

    return Setup(make, art.data(ROWS, ROWS), trainer={"max_epochs": 1})


def project(before: Step, setup: Setup) -> art.ArtProject:
    transfer = TransferLearning(freeze="*backbone*", setup=setup, frozen_epochs=1, epochs=1, examples=0)
    plain = art.from_torch(nn.Linear, loss=nn.CrossEntropyLoss, lr=0.1)
    own = Setup(plain, art.data(ROWS, ROWS), hparams={"in_features": 2, "out_features": 2}, trainer={"max_epochs": 1})
    return art.ArtProject("p", own, steps=[before, transfer], store=MemoryStore())


@pytest.mark.parametrize("setup_of", [by_class, by_function])
def test_a_file_that_an_earlier_step_writes_is_loaded_when_the_step_runs(
    setup_of: Callable[[Path], Setup], tmp_path: Path
) -> None:
    path = tmp_path / "backbone.pt"
    result = project(Pretrain(path=str(path), continue_on_failure=True), setup_of(path)).run()
    assert result["TransferLearning"].outcome is not None
    assert not result["TransferLearning"].outcome.reading("frozen part").value["changed"]


def test_a_file_that_nobody_may_write_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="its model cannot be made: FileNotFoundError"):
        project(ExploreData(), by_class(tmp_path / "missing.pt")).plan()


def test_another_mistake_of_the_model_is_refused_beside_a_step_that_may_write_files(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="its model cannot be made: ZeroDivisionError"):
        project(Overfit(), by_class(tmp_path / "missing.pt", cut=0)).plan()
