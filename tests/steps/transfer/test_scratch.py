"""What can be told of a comparison with training from scratch before anything is trained, and of trainings that give none."""

from pathlib import Path
from typing import Any

import pytest

from art_training.engines import FitResult
from art_training.errors import ProjectError, SetupError
from art_training.records import Split
from art_training.steps.transfer.scratch import check_seeds, require_validation, weights_of


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
