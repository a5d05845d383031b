import copy
from collections import OrderedDict, UserDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import SetupError
from art_training.setup.data import batch as batches


class Pair(NamedTuple):
    image: Any
    label: Any


@dataclass
class Example:
    image: Any
    label: Any
    loaded: bool = field(default=True, init=False)


def tensors(rows: int = 3) -> st.SearchStrategy[torch.Tensor]:
    return st.integers(0, 2).map(lambda width: torch.ones(rows, *([2] * width)))


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.text(st.characters(whitelist_categories=["Ll"]), min_size=1, max_size=4)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.lists(inner, min_size=1, max_size=3).map(tuple),
            st.dictionaries(names, inner, min_size=1, max_size=3),
            st.tuples(inner, inner).map(lambda two: Pair(*two)),
            st.tuples(inner, inner).map(lambda two: Example(*two)),
        ),
        max_leaves=8,
    )


@given(nested(tensors()))
def test_every_entry_is_found_again_by_its_path(batch):
    for path, leaf in batches.entries(batch).items():
        assert batches.entry(batch, path) is leaf


@given(nested(tensors()))
def test_mapping_keeps_the_structure_and_leaves_the_batch_alone(batch):
    before = batches.entries(batch)
    after = batches.mapped(batch, lambda leaf: leaf + 1 if isinstance(leaf, torch.Tensor) else leaf)
    assert type(after) is type(batch)
    assert list(batches.entries(after)) == list(before)
    for path, leaf in batches.entries(after).items():
        if isinstance(leaf, torch.Tensor):
            assert torch.equal(leaf, before[path] + 1)


@given(nested(tensors(rows=5)))
def test_the_size_of_a_batch_is_the_length_of_its_leaves(batch):
    assert batches.size(batch) == 5


def test_paths_read_as_positions_and_names():
    batch = {"image": {"left": torch.zeros(2), "right": torch.zeros(2)}, "labels": [torch.zeros(2), Pair(1, 2)]}
    assert list(batches.entries(batch)) == ["image.left", "image.right", "labels.0", "labels.1.image", "labels.1.label"]
    assert batches.entry(batch, "image") is batch["image"]


def test_a_single_tensor_is_a_batch_with_the_empty_path():
    tensor = torch.zeros(4, 2)
    assert list(batches.entries(tensor)) == [""]
    assert batches.entry(tensor, "") is tensor
    assert batches.size(tensor) == 4


def test_a_column_of_strings_is_one_entry():
    batch = {"text": ["a", "b", "c"], "label": torch.tensor([0, 1, 0])}
    assert batches.entries(batch)["text"] == ["a", "b", "c"]
    assert batches.size(batch) == 3


def test_a_table_shared_by_all_examples_does_not_count_as_examples():
    assert batches.size({"mask": torch.ones(7, 7), "x": torch.ones(3, 7), "y": torch.ones(3)}) == 3


def test_a_batch_without_rows_is_one_example():
    assert batches.size({"x": torch.tensor(1.0), "name": "alone"}) == 1


def test_keys_with_dots_are_found_as_they_are_written():
    batch = {"image.left": torch.zeros(2), "image": {"right": torch.ones(2)}}
    assert batches.entry(batch, "image.left") is batch["image.left"]
    assert batches.entry(batch, "image.right") is batch["image"]["right"]


def test_two_entries_of_one_path_are_refused():
    with pytest.raises(SetupError, match=r"both called 'a\.b'"):
        batches.entries({"a.b": 1, "a": {"b": 2}})


def test_a_missing_entry_names_those_that_exist():
    with pytest.raises(SetupError, match="no entry 'label'; it has: 'x', 'y'"):
        batches.entry({"x": torch.zeros(1), "y": torch.zeros(1)}, "label")


def test_mappings_keep_their_types_and_odd_keys():
    assert type(batches.mapped(OrderedDict(a=1), str)) is OrderedDict
    assert type(batches.mapped(UserDict(a=1), str)) is UserDict
    assert batches.mapped({0: torch.zeros(1)}, lambda leaf: leaf.shape) == {0: torch.Size([1])}


def test_detached_copies_share_no_graph():
    weight = torch.ones(2, requires_grad=True)
    copy = batches.detached({"x": weight * 2, "name": "kept"})
    assert not copy["x"].requires_grad
    assert copy["name"] == "kept"


@pytest.mark.parametrize(
    ("leaf", "dtype"),
    [
        (torch.ones(2, dtype=torch.bfloat16), np.float32),
        (torch.ones(2, requires_grad=True), np.float32),
        (np.ones(2, dtype=np.int8), np.int8),
        ([1.0, 2.0], np.float64),
    ],
)
def test_leaves_become_arrays(leaf, dtype):
    assert batches.as_array(leaf).dtype == dtype


@pytest.mark.parametrize(
    ("batch", "path", "left"),
    [
        ({"ids": 1.0, "labels": 2}, "labels", {"ids": 1.0}),
        (({"ids": 1.0}, 2), "1", ({"ids": 1.0},)),
        ([[1.0], 2, [3.0]], "1", [[1.0], None, [3.0]]),
        ({"x": {"ids": 1, "y": 2}, "n": 3}, "x.y", {"x": {"ids": 1}, "n": 3}),
        ({"ids": 1}, "labels", {"ids": 1}),
        ({"a.b": 1, "c": 2}, "a.b", {"c": 2}),
        ("leaf", "", "leaf"),
    ],
)
def test_a_batch_without_its_target_is_a_copy_in_which_the_others_keep_their_places(batch, path, left):
    before = copy.deepcopy(batch)
    assert batches.without(batch, path) == left
    assert batch == before


def test_a_field_that_is_gone_holds_none():
    assert batches.without(Pair([1.0], 2), "label") == Pair([1.0], None)
    assert batches.without(Example({"a": 1}, {"y": 2, "z": 3}), "label.y") == Example({"a": 1}, {"z": 3})


IMAGES = [torch.zeros(3, 8 + at, 8) for at in range(5)]
SEQUENCES = [torch.zeros(length, 2) for length in (4, 2, 7, 4, 1)]
BOXES = [{"boxes": torch.zeros(count, 4), "labels": torch.zeros(count)} for count in (3, 3, 3, 2, 3)]


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ((IMAGES, torch.zeros(5)), 5),
        ({"images": tuple(IMAGES), "label": torch.zeros(5)}, 5),
        ((IMAGES, [torch.tensor(1)] * 5), 5),
        ((IMAGES, list(range(5))), 5),
        ((IMAGES, BOXES), 5),
        ((SEQUENCES, None), 5),
        ((SEQUENCES, [torch.zeros(len(one)) for one in SEQUENCES]), 5),
        (([torch.zeros(6, 2), torch.zeros(6, 3)], torch.zeros(6)), 6),
        (([torch.zeros(6, 2), torch.zeros(6, 3)], [torch.zeros(6), torch.zeros(6)]), 6),
        (([torch.zeros(6, 2), torch.zeros(6, 2)], None), 6),
        (([torch.zeros(6, 2), torch.zeros(9, 9)], torch.zeros(6)), 6),
        (([{"x": torch.zeros(6, 2), "table": torch.zeros(9, 9)}], torch.zeros(6)), 6),
    ],
)
def test_a_list_with_an_item_an_example_counts_with_its_own_length_and_one_of_columns_with_theirs(batch, count):
    assert batches.size(batch) == count


def test_a_list_with_an_item_an_example_is_one_column():
    assert list(batches.columns((IMAGES, torch.zeros(5)))) == ["0", "1"]
    assert list(batches.columns(([torch.zeros(6, 2)] * 2, torch.zeros(6)))) == ["0.0", "0.1", "1"]


def test_an_entry_is_put_in_the_place_of_another():
    batch = ({"a.b": 1, "c": [torch.zeros(2)]}, torch.zeros(2))
    changed = batches.with_entry(batches.with_entry(batch, "0.a.b", 5), "0.c", "text")
    assert changed[0] == {"a.b": 5, "c": "text"}
    assert changed[1] is batch[1]
    assert batch[0]["a.b"] == 1
