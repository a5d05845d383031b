"""A candidate that fails is told by name, and the others are tried."""

import re
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from tests.steps.regularization.digits import DECAY, NOISY, VALIDATION, X, Y, project_of, run, setup_of, trained, winner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.errors import SetupError
from art_training.records import StepState


def nan(module: Any) -> Any:
    with torch.no_grad():
        module.net[0].weight.fill_(float("nan"))
    return module


class Hungry(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise MemoryError("no room")


def hungry(module: Any) -> Any:
    module.net[1] = Hungry()
    return module


def broken(module: Any) -> Any:
    module.net[1] = nn.Linear(3, 3)
    return module


def fewer(data: Any) -> Any:
    x, y = data.parts()["validation"]
    return data.but(validation=(x[:50], y[:50]))


def test_a_candidate_that_fails_keeps_its_sentence_and_stops_no_other() -> None:
    candidates = {
        "nan": art.Variant(model=nan),
        "broken": art.Variant(model=broken),
        "hungry": art.Variant(model=hungry),
        "fewer": art.Variant(data=fewer),
        "decay": DECAY,
    }
    outcome = run(candidates, seeds=1, setup=setup_of(epochs=2))
    notes = {one.name: one.note for one in outcome.candidates}
    assert notes["nan"].startswith("could not be trained under seed 1: the training loss is not finite")
    assert "layer net.1" in notes["broken"]
    assert "could not be trained under seed 1" in notes["hungry"]
    assert "memory" in notes["hungry"] or "no room" in notes["hungry"]
    assert "they were evaluated on 50 and on 360 examples" in notes["fewer"]
    assert notes["decay"] == ""
    assert outcome.scores["compared_candidates"].value == 1
    told = [finding for finding in outcome.findings if finding.code == "ART742"]
    assert [finding.evidence["candidate"] for finding in told] == ["nan", "broken", "hungry", "fewer"]


class Loads(L.LightningDataModule):
    """Its splits are there once it has been set up."""

    def setup(self, stage: str) -> None:
        self.rows = {"train": (X, NOISY), "validation": VALIDATION}

    def loader(self, split: str) -> Any:
        inputs, targets = (torch.as_tensor(np.asarray(part)) for part in self.rows[split])
        return DataLoader(TensorDataset(inputs.float(), targets), batch_size=50)

    def train_dataloader(self) -> Any:
        return self.loader("train")

    def val_dataloader(self) -> Any:
        return self.loader("validation")


class Unset(Loads):
    def setup(self, stage: str) -> None:
        """Forgets to load."""


class Unvalidated(L.LightningDataModule):
    train_dataloader = Loads.train_dataloader
    setup, loader = Loads.setup, Loads.loader


def too_early(data: Any) -> Any:
    data.rows = {**data.rows}
    return data


UNREADABLE = {
    "unset": (art.Variant(data=lambda _: Unset()), r"no attribute 'rows'; a modifier's data are set up after it, by"),
    "early": (art.Variant(data=too_early), r"no attribute 'rows'; a modifier's data are set up after it"),
    "unvalidated": (art.Variant(data=lambda _: Unvalidated()), "define val_dataloader in Unvalidated"),
    "empty": (art.Variant(data=lambda _: L.LightningDataModule()), "defines no train_dataloader; define it"),
}


def test_a_candidate_whose_data_give_no_batch_is_told_by_name_and_the_others_are_tried() -> None:
    candidates = {name: variant for name, (variant, _) in UNREADABLE.items()} | {"decay": DECAY}
    outcome = run(candidates, seeds=1, setup=setup_of(epochs=1, data=Loads))
    notes = {one.name: one.note for one in outcome.candidates}
    for name, (_, said) in UNREADABLE.items():
        assert re.search(f"^could not be trained for want of data: .*{said}", notes[name])
        assert f"; {name} could not be trained for want of data: " in outcome.summary
    assert notes["decay"] == ""
    assert trained(outcome) == {"reference, seed 1", "decay, seed 1"}


@pytest.mark.parametrize("name", UNREADABLE)
def test_where_no_candidate_has_data_nothing_is_trained(name: str) -> None:
    variant, said = UNREADABLE[name]
    phases: list[str] = []
    project = project_of({name: variant}, seeds=1, setup=setup_of(epochs=1, data=Loads))
    with pytest.raises(
        SetupError, match=f"candidate '{name}' of step 'Regularize': .*{said}.*; nothing is left to try"
    ):
        project.run(listen=lambda event: phases.append(str(getattr(event, "phase", ""))))
    assert not any(phase.startswith("fit") for phase in phases)


def test_where_no_candidate_can_be_compared_the_step_fails_and_the_reference_is_handed_on() -> None:
    result = project_of({"broken": art.Variant(model=broken)}, seeds=1, setup=setup_of(epochs=1)).run()
    assert result["Regularize"].state is StepState.FAILED
    assert winner(result["Regularize"].outcome) == "reference"


def test_a_reference_that_cannot_be_trained_ends_the_step() -> None:
    with pytest.raises(
        SetupError, match=r"the reference, which all candidates .* could not be trained under seed 1: the"
    ):
        run({"decay": DECAY}, setup=setup_of(data=art.data((X * np.nan, Y), VALIDATION)), seeds=1)
