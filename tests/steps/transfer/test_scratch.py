"""What can be told of a comparison with training from scratch before anything is trained, and of trainings that give none."""

from pathlib import Path
from typing import Any

import pytest

from art_training.engines import FitResult
from art_training.errors import ProjectError, SetupError
from art_training.records import Split
from art_training.steps.transfer.scratch import Trained, check_seeds, require_validation, steps_allowed, weights_of


@pytest.mark.parametrize("seeds", [-1, 1.5, True, "3"])
def test_seeds_are_a_whole_number(seeds: Any) -> None:
    with pytest.raises(ProjectError, match=r"scratch_seeds=.* of step 'T' must be a whole number, 0 for no comparison"):
        check_seeds(seeds, "T", pretrained=True)


def test_without_pretrained_weights_nobody_knows_what_is_from_scratch() -> None:
    check_seeds(0, "T", pretrained=False)
    check_seeds(3, "T", pretrained=True)
    with pytest.raises(ProjectError, match="never begins there; give pretrained="):
        check_seeds(3, "T", pretrained=False)


def test_data_that_are_known_to_have_no_validation_are_refused() -> None:
    require_validation(None, "T")  # not known yet
    require_validation((Split.TRAIN, Split.VALIDATION), "T")
    with pytest.raises(SetupError, match="step 'T' compares with training from scratch on validation"):
        require_validation((Split.TRAIN, Split.TEST), "T")


def test_a_training_that_came_to_no_end_of_its_own_is_not_compared(tmp_path: Path) -> None:
    assert weights_of(FitResult(last=tmp_path), "from scratch, seed 1") == tmp_path
    for result in (
        FitResult(stopped="loss is not finite", message="the training loss is not finite", last=tmp_path),
        FitResult(message="it left no weights"),
    ):
        with pytest.raises(SetupError, match=f"training 'from scratch, seed 1' cannot be compared: {result.message}"):
            weights_of(result, "from scratch, seed 1")


def result(steps: int, epochs: int, **trainer: Any) -> FitResult:
    return FitResult(steps=steps, epochs=epochs, parameters={"trainer": {"max_epochs": -1, "max_steps": -1} | trainer})


@pytest.mark.parametrize(
    ("trained", "allowed"),
    [
        (result(12, 4, max_epochs=4), 12),
        (result(6, 2, max_epochs=4), 12),  # ended early, after half of its epochs
        (result(6, 2, max_epochs=40, max_steps=10), 10),
        (result(5, 3, max_steps=5), 5),
        (result(6, 2), None),  # until a callback ends it
        (result(1, 0, max_epochs=4), 1),  # in the middle of the first epoch: nobody knows how long one is
        (FitResult(steps=6, epochs=2), 6),
    ],
)
def test_a_training_might_have_taken_as_many_steps_as_its_trainer_says(trained: FitResult, allowed: int | None) -> None:
    assert steps_allowed(trained) == allowed


def test_both_phases_together_have_no_end_where_one_has_none(tmp_path: Path) -> None:
    frozen, tuned = result(6, 2, max_epochs=4), result(9, 3, max_epochs=3)
    assert Trained(tmp_path, (frozen, tuned)).allowed == 21
    assert Trained(tmp_path, (frozen, tuned)).steps == 15
    assert Trained(tmp_path, (frozen, result(9, 3))).allowed is None
