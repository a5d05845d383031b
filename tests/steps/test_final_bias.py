"""The final bias is found only where it is seen to be one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import art_training as art
from art_training.records import Outcome
from art_training.steps import CheckLossOnInit
from art_training.stores.memory import MemoryStore

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X[:200], dtype=torch.float32) / 16, torch.tensor(Y[:200])


def outcome_of(model: Callable[..., Any], y: Tensor = Y, loss: Any = nn.CrossEntropyLoss, x: Tensor = X) -> Outcome:
    setup = art.Setup(
        model=art.from_torch(model, loss=loss, lr=0.1),
        data=art.data(train=(x, y), batch_size=64),
        trainer={"accelerator": "cpu"},
    )
    result = art.ArtProject("final bias", setup, steps=[CheckLossOnInit()], store=MemoryStore()).run()
    outcome = result["CheckLossOnInit"].outcome
    assert outcome is not None
    return outcome


def note_of(outcome: Outcome) -> str:
    reading = outcome.reading("final bias")
    assert reading is not None
    return reading.note


class Named(nn.Module):
    """Ten outputs, and two other parameters of ten numbers, of which one comes after the final bias."""

    def __init__(self, scale: float = 1.0, offset: bool = True) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 10)
        self.scale = scale
        self.out = nn.Linear(10, 10, bias=offset)
        self.unused = nn.Parameter(torch.zeros(10))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.out(torch.relu(self.hidden(x)))


def test_it_is_told_from_other_parameters_of_its_length_and_called_as_the_user_knows_it() -> None:
    outcome = outcome_of(Named)
    assert note_of(outcome).startswith("of out.bias; measured: ")
    assert outcome.scores["train/loss_with_final_bias"].rows == 200


@pytest.mark.parametrize("model", [lambda: Named(scale=2.0), lambda: Named(offset=False)])
def test_where_none_moves_the_outputs_as_it_is_moved_its_loss_is_computed_and_said_to_be(model: Any) -> None:
    outcome = outcome_of(model)
    assert "train/loss_with_final_bias" not in outcome.scores
    prior = outcome.scores["prior_loss"].value
    assert f"gives a loss of {prior:.4g}" in note_of(outcome)
    assert note_of(outcome).endswith("computed, because no parameter was seen to be this bias")


def test_the_same_numbers_can_be_pasted() -> None:
    reading = outcome_of(Named).reading("final bias")
    assert reading is not None

    def pasted() -> nn.Module:
        model = Named()
        with torch.no_grad():
            model.out.bias.copy_(torch.tensor(reading.value))
        return model

    found = outcome_of(Named).scores["train/loss_with_final_bias"].value
    assert outcome_of(pasted).scores["train/loss"].value == pytest.approx(found, rel=1e-4)


def test_a_head_of_channels_has_a_number_a_channel() -> None:
    """Pixels above a half, and above a quarter, from the image: one bias for all pixels of a channel."""
    images = X.reshape(-1, 1, 8, 8)
    wanted = torch.cat([images > 0.5, images > 0.25], 1).float()
    outcome = outcome_of(lambda: nn.Conv2d(1, 2, 3, padding=1), wanted, nn.BCEWithLogitsLoss, images)
    reading = outcome.reading("final bias")
    assert reading is not None
    assert torch.tensor(reading.value).sigmoid().tolist() == pytest.approx(wanted.mean((0, 2, 3)).tolist(), abs=1e-3)
    assert outcome.scores["train/loss_with_final_bias"].value < outcome.scores["train/loss"].value


def test_a_head_that_all_positions_share_has_one_number() -> None:
    outcome = outcome_of(
        lambda: nn.Sequential(nn.Unflatten(1, (8, 8)), nn.Linear(8, 1), nn.Flatten()),
        10 + X.reshape(-1, 8, 8).mean(2),
        nn.MSELoss,
    )
    reading = outcome.reading("final bias")
    assert reading is not None
    assert reading.value == [pytest.approx(10 + float(X.mean()), rel=1e-3)]
    assert note_of(outcome).startswith("of 1.bias; measured")


def test_a_head_of_all_outputs_has_a_number_an_output() -> None:
    outcome = outcome_of(lambda: nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 64)), X, nn.MSELoss)
    reading = outcome.reading("final bias")
    assert reading is not None
    assert reading.value == pytest.approx(X.mean(0).tolist(), abs=1e-4)
    assert outcome.scores["train/loss_with_final_bias"].value < outcome.scores["train/loss"].value


def test_layers_that_take_their_shape_from_the_first_batch_do_no_harm() -> None:
    outcome = outcome_of(lambda: nn.Sequential(nn.LazyLinear(10)))
    assert outcome.scores["uniform_loss"].value == pytest.approx(2.302585)
    assert outcome.reading("final bias") is not None


def test_a_batch_norm_in_the_way_changes_nothing_because_the_pass_is_in_evaluation_mode() -> None:
    outcome = outcome_of(lambda: nn.Sequential(nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10)))
    assert note_of(outcome).startswith("of 2.bias; measured")
