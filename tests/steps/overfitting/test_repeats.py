"""Two trainings are the same bit by bit, or the place where they part is told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from art_training.engines import FitResult, Position
from art_training.errors import ProjectError
from art_training.steps.overfitting.repeats import (
    LossTrace,
    Repetition,
    readings_of,
    repeat,
    require_repeats,
    scores_of,
)


def position(*losses: float, first: int = 1) -> Position:
    points = [("train/loss", first + at, 0, loss) for at, loss in enumerate(losses)]
    return Position("fit", points=(*points, ("lr/Adam", 1, 0, 0.5)))


def repeated(
    *weights: dict[str, torch.Tensor], losses: tuple[tuple[float, ...], ...] = ((), ())
) -> tuple[Repetition, ...]:
    """Trainings that end with these weights and saw these losses."""
    files = {Path(str(at)): one for at, one in enumerate(weights)}
    engine: Any = SimpleNamespace(weights=files.__getitem__)
    first = LossTrace()
    first.see(position(*losses[0]))

    def train(label: str, trace: LossTrace) -> FitResult:
        number = int(label.removeprefix("repetition ")) - 1
        trace.see(position(*losses[min(number, len(losses) - 1)]))
        return FitResult(last=Path(str(number)))

    return repeat(engine, FitResult(last=Path("0")), first, len(weights), train)


A = {"one": torch.tensor([1.0, 2.0]), "two": torch.tensor([3])}


def test_the_same_bits_are_the_same() -> None:
    (found,) = repeated(A, {name: tensor.clone() for name, tensor in A.items()})
    assert found == Repetition(2, (), 2)
    assert scores_of((found,))["differing_tensors"].value == 0
    assert [one.name for one in readings_of((found,))] == ["repetitions"]


def test_nan_is_itself_and_the_smallest_difference_counts() -> None:
    nan = {"one": torch.tensor([float("nan")])}
    assert repeated(nan, {"one": torch.tensor([float("nan")])})[0].differing == ()
    nearly = {"one": torch.tensor([1.0, torch.nextafter(torch.tensor(2.0), torch.tensor(3.0))]), "two": A["two"]}
    assert repeated(A, nearly)[0].differing == ("one",)
    assert repeated({"z": torch.tensor([0.0])}, {"z": torch.tensor([-0.0])})[0].differing == ("z",)


@pytest.mark.parametrize(
    ("other", "differing", "largest"),
    [
        ({"one": torch.tensor([1.0, 2.5]), "two": torch.tensor([4])}, ("one", "two"), 0.5),
        ({"one": torch.tensor([1.0]), "two": torch.tensor([3])}, ("one",), None),
        ({"one": torch.tensor([1.0, 2.0])}, ("two",), None),
        ({**A, "three": torch.ones(1)}, ("three",), None),
        ({"one": torch.tensor([1.0, 2.0]), "two": torch.tensor([3.0])}, ("two",), 0.0),
    ],
)
def test_the_first_tensor_that_differs_is_told(
    other: dict[str, torch.Tensor], differing: tuple[str, ...], largest: float | None
) -> None:
    (found,) = repeated(A, other)
    assert (found.differing, found.largest) == (differing, largest)
    assert f"first {differing[0]}" in found.told
    assert scores_of((found,))["differing_tensors"].value == len(differing)
    assert [one.name for one in readings_of((found,))] == ["repetitions", "remedy for differing_tensors"]


def test_the_first_step_whose_loss_differs_is_told() -> None:
    other = {"one": torch.tensor([1.0, 9.0]), "two": A["two"]}
    (found,) = repeated(A, other, losses=((3.0, 2.0, float("nan"), 1.0), (3.0, 2.0, float("nan"), 1.5)))
    assert found.step == 4
    assert found.told.endswith("the loss differs from step 4 on")
    (unknown,) = repeated(A, other)
    assert unknown.step is None
    assert "step" not in unknown.told


def test_the_worst_of_several_repetitions_counts() -> None:
    found = repeated(A, dict(A), {"one": torch.zeros(2), "two": torch.tensor([0])})
    assert [len(one.differing) for one in found] == [0, 2]
    assert scores_of(found)["differing_tensors"].value == 2


def test_nothing_repeated_leaves_nothing() -> None:
    assert repeated(A) == ()
    assert scores_of(()) == {}
    assert readings_of(()) == []


@pytest.mark.parametrize("repeats", [0, -1, 1.5, "2"])
def test_repeats_is_a_number_of_trainings(repeats: Any) -> None:
    with pytest.raises(ProjectError, match="must be a whole number of trainings"):
        require_repeats(repeats, "Overfit")
