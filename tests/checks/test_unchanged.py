"""Weights that stayed, and weights that did not."""

import pytest

from art_training.checks import Changed, Evidence, Unchanged, judge
from art_training.errors import CheckError
from art_training.records import Outcome, Reading, VerdictState


def weights(**value: object) -> Evidence:
    return Evidence("TransferLearning", Outcome(readings=(Reading("frozen part", value or None, note="it broke off"),)))


def test_a_part_that_changed_is_named_with_its_tensors() -> None:
    evidence = weights(before="a" * 64, after="b" * 64, tensors=5, changed=["1.running_mean", "1.running_var"])
    verdict = judge(Unchanged("frozen part"), evidence)
    assert verdict.state is VerdictState.FAILED
    assert verdict.reason == (
        "the frozen part, 5 tensors, became another (aaaaaaaa to bbbbbbbb): 1.running_mean, 1.running_var"
    )


def test_a_part_that_was_to_train_and_did_not_fails() -> None:
    verdict = judge(Changed("frozen part"), weights(before="a" * 64, after="a" * 64, tensors=2, changed=[]))
    assert verdict.state is VerdictState.FAILED
    assert "it was not trained" in verdict.reason


def test_digests_are_needed_to_compare_weights() -> None:
    assert judge(Unchanged(), weights(tensors=5)).state is VerdictState.ERRORED
    assert (
        "no reading 'head' in this outcome; it has: 'frozen part'" in judge(Changed("head"), weights(tensors=5)).reason
    )


@pytest.mark.parametrize("part", ["", 3])
def test_a_part_needs_a_name(part: object) -> None:
    with pytest.raises(CheckError, match="is not the name of a reading"):
        Unchanged(part)  # type: ignore[arg-type]
