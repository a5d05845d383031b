"""`art run --tracker`."""

from pathlib import Path

import pytest

DECLARED = """
from dataclasses import dataclass

import torch
from torch import nn

import art_training as art
from art_training.checks import Above
from art_training.records import Outcome, Score
from art_training.steps.step import Step

setup = art.Setup(
    art.from_torch(lambda: nn.Linear(4, 2), loss=nn.functional.cross_entropy, lr=0.1),
    art.data(train=(torch.eye(4), torch.arange(4) % 2)),
)


@dataclass(frozen=True)
class Measure(Step):
    def run(self, bench):
        return Outcome(scores={"accuracy": Score(0.9)})


project = art.ArtProject("toy", setup, steps=[Measure(checks=[Above("accuracy", 0.5)])])
"""


@pytest.fixture(autouse=True)
def _declared(tmp_path: Path) -> None:
    (tmp_path / "art_project.py").write_text(DECLARED)


@pytest.mark.slow
def test_a_run_is_mirrored_and_its_log_says_where(art, tmp_path) -> None:
    assert art("run", "--tracker", "tensorboard", "--tracker", "tensorboard").code == 0
    (events,) = (tmp_path / "runs" / "toy" / "Measure").glob("*/events.*")
    assert f"mirroredbytensorboard:{events.parent}" in "".join(art("log", "Measure").out.split())


def test_a_tracker_that_comes_later_mirrors_what_is_recalled(art, tmp_path) -> None:
    assert art("run").code == 0
    assert not (tmp_path / "runs").exists()
    assert "recalled" in art("run", "--tracker", "tensorboard").out
    assert len(list((tmp_path / "runs").rglob("events.*"))) == 1


def test_a_name_that_no_tracker_has_is_wrong_use(art) -> None:
    answer = art("run", "--tracker", "tensorbord")
    assert (answer.code, answer.out) == (2, "")
    assert "Error: no tracker is called 'tensorbord' (did you mean 'tensorboard'?); installed are: " in answer.err
