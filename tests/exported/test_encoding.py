"""Values written as plain data and made again, and a sentence for those that cannot be."""

import functools
import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from art_training.exported.encoding import NotRebuilt, decode, encode


@dataclass(frozen=True)
class Settings:
    width: int
    activation: type = nn.ReLU


class Pair(NamedTuple):
    x: int
    y: tuple[int, int]


def there_and_back(value: Any) -> Any:
    tensors: dict[str, torch.Tensor] = {}
    return decode(json.loads(json.dumps(encode(value, tensors))), tensors)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_plain_value_goes_in_comes_out(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        nn.Linear,
        torch.nn.functional.relu,
        torch.float16,
        Path("a/b"),
        Settings(3, nn.GELU),
        Pair(1, (2, 3)),
        {"$import": "os:system"},  # a user's own mapping, which is no order to import
    ],
    ids=["class", "function", "dtype", "path", "settings", "pair", "mapping"],
)
def test_what_can_be_imported_or_spelt_out_is_made_again(value: Any) -> None:
    assert there_and_back(value) == value


def test_numbers_that_json_lacks_tensors_arrays_and_partials_are_made_again() -> None:
    assert math.isnan(there_and_back(math.nan))
    assert there_and_back(-math.inf) == -math.inf
    assert torch.equal(there_and_back({"weight": torch.arange(3.0)})["weight"], torch.arange(3.0))
    assert there_and_back(np.arange(3)).tolist() == [0, 1, 2]
    assert there_and_back(np.float32(0.5)) == 0.5
    made = there_and_back(functools.partial(nn.Linear, 2, out_features=3))
    assert made().weight.shape == (3, 2)
    assert there_and_back(OrderedDict(a=1)) == {"a": 1}


def test_what_cannot_be_made_again_is_told_with_its_place_and_the_remedy() -> None:
    class Inside(nn.Module):
        pass

    for value, sentence in (
        (Inside, "Inside is defined inside a function; move it to the top of a module"),
        (lambda x: x, "is a lambda, which no other process can import"),
        ({"activation": nn.ReLU()}, r"hparams\['activation'\]: an object of class ReLU is no value"),
    ):
        with pytest.raises(NotRebuilt, match=sentence):
            encode(value, {}, "hparams")


def test_a_class_of_a_console_cannot_be_imported() -> None:
    Typed = type("Typed", (nn.Module,), {"__module__": "__console__"})
    with pytest.raises(NotRebuilt, match="Typed is defined in a notebook or a console"):
        encode(Typed, {})


@pytest.mark.parametrize("name", ["os:system", "subprocess:Popen", "builtins:eval", "builtins:exec", "shutil:rmtree"])
def test_an_export_cannot_choose_what_is_called_of_the_standard_library(name: str) -> None:
    with pytest.raises(NotRebuilt, match="which is no part of a model"):
        decode({"$partial": {"$import": name}, "args": ["echo"], "keywords": {"$dict": []}}, {})


def test_a_module_that_is_gone_is_told_with_where_it_lay() -> None:
    with pytest.raises(
        NotRebuilt, match=r"nowhere cannot be imported here \(it lay in /gone\).*put its folder on the path"
    ):
        decode({"$import": "nowhere:Net", "folder": "/gone"}, {})
    with pytest.raises(NotRebuilt, match="needs Missing of torch, which has none any more"):
        decode({"$import": "torch:Missing", "folder": ""}, {})
    with pytest.raises(NotRebuilt, match=r"'\$new', which this version of ART does not know"):
        decode({"$new": 1}, {})
