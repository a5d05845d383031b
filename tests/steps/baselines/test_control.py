"""Inputs are hidden, whatever form a batch has; targets and what says how to read the rest are not."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.errors import ProjectError, SetupError
from art_training.setup.data.batch import entries
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.control import Shuffled, Zeroed, hidden_paths, hiding, require_inputs


class Pair(NamedTuple):
    image: torch.Tensor
    label: torch.Tensor


@dataclass
class Inner:
    left: torch.Tensor
    right: torch.Tensor


def task(*inputs: str, target: str | None = "1") -> Task:
    return Task(TaskKind.CLASSIFICATION, inputs=inputs, target=target)


X, Y = torch.arange(12.0).reshape(4, 3) + 1, torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("batch", "inputs", "target"),
    [
        ((X, Y), ("0",), "1"),
        ([X, Y], ("0",), "1"),
        ({"x": X, "label": Y}, ("x",), "label"),
        (Pair(X, Y), ("image",), "label"),
        ({"views": Inner(X, X * 2), "deep": [{"y": Y}]}, ("views.left", "views.right"), "deep.0.y"),
        ({"views": Inner(X, X * 2), "y": Y}, ("views",), "y"),
    ],
)
@pytest.mark.parametrize("how", ["zeroed", "shuffled"])
def test_inputs_of_any_batch_are_hidden_and_nothing_else(batch: Any, inputs: Any, target: str, how: Any) -> None:
    before = {path: leaf.clone() for path, leaf in entries(batch).items()}
    made = hiding(how, task(*inputs, target=target))(batch)
    assert type(made) is type(batch)
    assert all(torch.equal(leaf, before[path]) for path, leaf in entries(batch).items()), "what was given is as it was"
    after = entries(made)
    assert torch.equal(after[target], Y)
    for path in set(before) - {target}:
        if how == "zeroed":
            assert not after[path].any()
        else:
            assert torch.equal(after[path], before[path][[2, 3, 0, 1]])


def test_tokens_become_one_constant_that_is_no_padding_and_the_mask_stays() -> None:
    ids, mask = torch.tensor([[5, 6, 0], [7, 0, 0]]), torch.tensor([[1, 1, 0], [1, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": mask, "lengths": torch.tensor([2, 1]), "y": torch.tensor([0, 1])}
    change = Zeroed(hidden_paths(task("input_ids", "attention_mask", "lengths", target="y")))
    made = change(batch)
    assert (made["input_ids"] == 1).all()
    assert torch.equal(made["attention_mask"], mask)
    assert torch.equal(made["lengths"], torch.tensor([2, 1]))
    assert change.changed == ("input_ids",)


def test_a_column_of_yes_and_no_is_a_mask_beside_other_inputs_and_an_input_alone() -> None:
    yes = torch.tensor([True, False, True, True])
    zero = Zeroed(("0", "1"))
    assert torch.equal(zero((X, yes))[1], yes)
    assert not Zeroed(("0",))((yes, Y))[0].any()


def test_shuffled_masks_and_lengths_go_with_their_inputs_and_weights_with_their_targets() -> None:
    batch = {"x": X, "mask": X > 4, "sample_weight": torch.arange(4.0), "y": Y}
    made = Shuffled(("x", "mask", "sample_weight"))(batch)
    assert torch.equal(made["mask"], made["x"] > 4)
    assert torch.equal(made["sample_weight"], batch["sample_weight"])


def test_texts_are_hidden_too() -> None:
    texts = ["a", "b", "c", "d"]
    assert Zeroed(("0",))((texts, Y))[0] == ["", "", "", ""]
    assert Shuffled(("0",))((texts, Y))[0] == ["c", "d", "a", "b"]


@given(st.integers(2, 40), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_shuffling_gives_every_example_the_inputs_of_another_one_and_loses_none(count: int, width: int) -> None:
    x = torch.arange(count * width).reshape(count, width)
    made, _ = Shuffled(("0",))((x, torch.arange(count)))
    assert sorted(made[:, 0].tolist()) == x[:, 0].tolist()
    assert not (made[:, 0] == x[:, 0]).any()


def test_batches_of_one_example_cannot_be_shuffled_but_a_last_one_may_be() -> None:
    with pytest.raises(SetupError, match="a batch is one example here; give a larger batch_size, or inputs='zeroed'"):
        Shuffled(("0",))((X[:1], Y[:1]))
    shuffle = Shuffled(("0",))
    shuffle((X, Y))
    assert torch.equal(shuffle((X[:1], Y[:1]))[0], X[:1])


def test_inputs_that_nobody_can_zero_are_told() -> None:
    with pytest.raises(
        SetupError, match=r"found nothing in a batch that can be zeroed: batch\[0\] \(object\); give a fun"
    ):
        Zeroed(("0",))((object(), Y))


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (task("0", target=None), "the target was not recognised"),
        (task(), "the inputs were not recognised"),
        (task("0", target="0"), "the target is the input itself"),
        (task("0.a", target="0"), "the target is the input itself"),
    ],
)
def test_without_inputs_apart_from_targets_nothing_is_changed(of: Task, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        hiding("zeroed", of)


def test_a_target_among_the_inputs_stays() -> None:
    assert hidden_paths(task("ids", "labels", target="labels")) == ("ids",)


def swaps_targets(batch: Any) -> Any:
    return batch[0] * 0, batch[1].flip(0)


def loses_examples(batch: Any) -> Any:
    return batch[0][:2], batch[1][:2]


def without_red(batch: Any) -> Any:
    return batch[0] * torch.tensor([0.0, 1.0, 1.0]), batch[1]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (swaps_targets, r"inputs=swaps_targets changed the target batch\[1\]"),
        (loses_examples, "inputs=loses_examples made 2 examples of 4"),
        (lambda batch: None, "returned None"),
    ],
)
def test_a_function_must_leave_targets_and_examples(function: Any, told: str) -> None:
    with pytest.raises(SetupError, match=told):
        hiding(function, task("0"))((X, Y))


def test_a_function_hides_what_it_likes() -> None:
    made, _ = hiding(without_red, task("0"))((X, Y))
    assert not made[:, 0].any()
    assert torch.equal(made[:, 1:], X[:, 1:])


@pytest.mark.parametrize("wrong", ["zero", 0, True, Zeroed, np.zeros(3)])
def test_what_hides_no_inputs_is_refused(wrong: Any) -> None:
    with pytest.raises(ProjectError, match="give 'zeroed', 'shuffled', or a function of a batch"):
        require_inputs(wrong, "EvaluateBaseline")
