"""What a step computes is followed back to the entries of its batch."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from art_training.setup.entering import followed, following
from art_training.setup.observer import observe_calls

G = torch.Generator().manual_seed(0)
X, ID, Y = torch.rand(8, 6, generator=G), torch.arange(8), torch.randint(0, 3, (8,), generator=G)
NET, TABLE, LSTM = nn.Linear(6, 3), nn.Embedding(8, 3), nn.LSTM(1, 3, batch_first=True)
SCRIPTED = torch.jit.trace(nn.Linear(6, 3), X)

Step = Callable[[Any], Any]


def entering(step: Step, batch: Any) -> set[str]:
    with torch.no_grad(), followed(), observe_calls(NET) as calls, following(batch, first=True) as found:
        assert found is not None
        returned = step(batch)
    return set(found.entering(returned, calls.losses, calls.metric_inputs).step)


def batch() -> dict[str, Tensor]:
    return {"x": X.clone(), "id": ID.clone(), "label": Y.clone()}


def loss(prediction: Tensor, b: Any) -> Tensor:
    return F.cross_entropy(prediction, b["label"])


def _kept_by_floats(b: Any) -> Tensor:
    b = {name: one.to(torch.float64) if name == "id" else one for name, one in b.items()}
    return loss(NET(b["x"]), b)


class _Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, one: Tensor) -> Tensor:
        return one * 2

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * 2


def _written(b: Any) -> Tensor:
    whole = torch.zeros(8, 6)
    whole[:, :5] = b["x"][:, :5]
    whole[:, 5] = b["id"]
    return loss(NET(whole), b)


def _over_the_input(b: Any) -> Tensor:
    b["x"][:, 5].mul_(b["id"])
    return loss(NET(b["x"]), b)


def _lengths(b: Any) -> Tensor:
    packed = nn.utils.rnn.pack_padded_sequence(b["x"][..., None], b["id"].clamp(1, 6), True, enforce_sorted=False)
    return loss(LSTM(packed)[1][0][0], b)


NOT_READ: dict[str, Step] = {
    "never touched": lambda b: loss(NET(b["x"]), b),
    "its shape alone": lambda b: loss(NET(b["x"][: b["id"].shape[0]]), b),
    "moved and never used": _kept_by_floats,
    "handed back as it came": lambda b: {"loss": loss(NET(b["x"]), b), "id": b["id"], "label": b["label"]},
    "inside a scripted module": lambda b: loss(SCRIPTED(b["x"]), b),
    "behind a sparse matrix": lambda b: loss(NET(torch.sparse.mm(b["x"].to_sparse(), torch.eye(6))), b),
    "inside a function of its own gradient": lambda b: loss(NET(_Twice.apply(b["x"])), b),
}
READ: dict[str, Step] = {
    "an embedding": lambda b: loss(NET(b["x"]) + TABLE(b["id"]), b),
    "a mask": lambda b: loss(NET(b["x"] * (b["id"] > 3)[:, None]), b),
    "an index": lambda b: loss(NET(b["x"][b["id"]]), b),
    "lengths": _lengths,
    "lengths as a list": lambda b: loss(NET(torch.stack([X[i] for i in b["id"].tolist()])), b) + b["x"].sum(),
    "an array": lambda b: loss(NET(b["x"]) + torch.from_numpy(b["id"].numpy().copy())[:, None], b),
    "a branch": lambda b: loss(NET(b["x"]) * (2 if b["id"].sum() > 3 else 1), b),
    "a copy": lambda b: loss(NET(b["x"]) + copy.deepcopy(b["id"])[:, None], b),
    "a weight of the loss": lambda b: (F.cross_entropy(NET(b["x"]), b["label"], reduction="none") * b["id"]).mean(),
    "written into a part of another tensor": _written,
    "written over the input": _over_the_input,
    "a scripted module": lambda b: loss(SCRIPTED(b["x"] + b["id"][:, None]), b),
    "behind a switched gradient": lambda b: loss(NET(b["x"] + _Twice.apply(b["id"].float())[:, None]), b),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_an_entry_that_the_loss_does_not_depend_on_does_not_enter(name: str) -> None:
    found = entering(lambda b: {"loss": step} if isinstance(step := NOT_READ[name](b), Tensor) else step, batch())
    assert found == {"x", "label"}


@pytest.mark.parametrize("name", READ)
def test_an_entry_that_is_read_enters_whatever_it_is_read_as(name: str) -> None:
    assert entering(lambda b: {"loss": READ[name](b)}, batch()) == {"x", "id", "label"}


def test_gradients_that_are_on_change_nothing() -> None:
    def step(b: Any) -> Tensor:
        with torch.enable_grad():
            return loss(NET(b["x"].view(8, 6).T.T), b)

    assert entering(step, batch()) == {"x", "label"}


@dataclass
class Row:
    x: Tensor
    id: Tensor
    y: Tensor


@pytest.mark.parametrize("made", [lambda *one: one, list, Row], ids=["tuple", "list", "dataclass"])
def test_batches_of_any_kind(made: Any) -> None:
    given = made([X, ID, Y]) if made is list else made(X, ID, Y)
    names = ("x", "id", "y") if made is Row else ("0", "1", "2")

    def step(b: Any) -> Tensor:
        x, _, y = (b.x, b.id, b.y) if made is Row else b
        return F.cross_entropy(NET(x), y)

    assert entering(step, given) == {names[0], names[2]}


def test_entries_that_are_windows_of_one_tensor_are_told_apart() -> None:
    whole = torch.cat([X, ID[:, None], Y[:, None]], 1)
    views = {"x": whole[:, :6], "id": whole[:, 6], "label": whole[:, 7]}
    assert entering(lambda b: F.mse_loss(NET(b["x"])[:, 0], b["label"]), views) == {"x", "label"}


def test_parameters_that_are_made_of_the_first_batch_stop_nothing() -> None:
    given, layer = batch(), nn.LazyLinear(3)
    parameters = list(layer.parameters())
    with (
        torch.no_grad(),
        followed(),
        observe_calls(layer) as calls,
        following(given, first=True, parameters=parameters) as found,
    ):
        assert found is not None
        returned = loss(layer(given["x"]), given)
    assert set(found.entering(returned, calls.losses, calls.metric_inputs).step) == {"x", "label"}


def test_a_hand_written_loss_is_what_the_step_returns() -> None:
    assert entering(lambda b: (NET(b["x"])[:, 0] - b["label"]).abs().mean(), batch()) == {"x", "label"}


def test_what_predictions_are_made_of_is_told_apart_from_what_they_are_compared_with() -> None:
    given = batch()
    with torch.no_grad(), followed(), observe_calls(NET) as calls, following(given, first=True) as found:
        assert found is not None
        loss(NET(given["x"]), given)
    told = found.entering(None, calls.losses, ())
    assert (told.predictions, told.step) == ({"x"}, {"x", "label"})


def test_nothing_is_followed_unless_asked_nor_after_the_first_batch() -> None:
    with following(batch(), first=True) as found:
        assert found is None
    with followed(), following(batch(), first=False) as found:
        assert found is None


def test_following_changes_no_value() -> None:
    with torch.no_grad():
        plain = [step(batch()) for step in (_lengths, _written)]
        with followed(), following(batch(), first=True):
            again = [step(batch()) for step in (_lengths, _written)]
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
