import dataclasses
import enum
import functools
import json
import logging
import random
import re
import threading
import warnings
from collections import OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from art_training.records import Fingerprint
from art_training.setup.identity.values import ValueReader, value_component


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: Any = None


class Pair(NamedTuple):
    x: int
    y: int


class Slotted:
    __slots__ = ("__hidden", "a")

    def __init__(self, a: int) -> None:
        self.a = a
        self.__hidden = 2


class Refuses:
    def __reduce__(self) -> Any:
        raise RuntimeError("no")


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def read(value: Any) -> Any:
    plain, unknown = value_component(value)
    assert unknown == ()
    return plain


@given(plain_data)
def test_plain_data_is_read_alike_each_time_and_survives_a_store(value: Any) -> None:
    plain = read(value)
    assert json.loads(json.dumps(plain)) == plain
    assert plain == read(value)


@given(plain_data, plain_data)
def test_different_plain_data_has_different_components(one: Any, other: Any) -> None:
    same = json.dumps(one) == json.dumps(other)
    assert (Fingerprint({"v": read(one)}).digest == Fingerprint({"v": read(other)}).digest) == same


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_a_mapping_is_part_of_it_and_the_order_of_attributes_is_not(names: list[str]) -> None:
    class Settings:
        pass

    one, other = Settings(), Settings()
    vars(one).update({name: {"z": 1, "a": 2} for name in "abcd"})
    vars(other).update({name: {"z": 1, "a": 2} for name in names})
    assert read(one) == read(other)
    for item in (1, "x" * 500):  # shown, and as a digest
        digests = [Fingerprint({"v": read(dict.fromkeys(order, item))}).digest for order in ("abcd", names)]
        assert (digests[0] == digests[1]) == (names == list("abcd"))


def test_plain_data_stays_as_it_is() -> None:
    value = {"lr": 1e-3, "layers": [64, 32], "name": "net", "bias": True, "drop": None}
    assert read(value) == value
    assert read((1, 2)) == [1, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.float32, "torch.float32"),
        (torch.device("cpu"), "device(type='cpu')"),
        (nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (torch.nn.functional.relu, "torch.nn.functional.relu"),
        (len, "len"),
        (Colour.RED, "Colour.RED"),
        (Point(1), "Point(x=1, y=None)"),
        (Point(1, [Colour.RED, Point(2)]), "Point(x=1, y=[Colour.RED, Point(x=2, y=None)])"),
        (Slotted(3), "Slotted(_Slotted__hidden=2, a=3)"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1 + 2j, "(1+2j)"),
        (range(3), "range(0, 3)"),
        (np.dtype("int8"), "dtype('int8')"),
        (list[int], "list[int]"),
        (re.compile("a+"), "re.compile('a+')"),
        (functools.partial(int, base=2), "partial(int, base=2)"),
        (object(), "object()"),
        (threading.Lock(), "_thread.lock"),
        (logging.getLogger("some"), "logging.Logger"),
    ],
)
def test_what_is_not_plain_data_reads_as_one_would_write_it(value: Any, text: str) -> None:
    assert read(value)["__repr__"] == text


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        (deque([1, 2]), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        ({3: "a", None: "b"}, {"3": "a", "None": "b"}),
        ({"b", "a"}, ["a", "b"]),
        (Pair(1, 2), [1, 2]),
        (Path("some") / "where", "some/where"),
        (torch.Size([2, 3]), [2, 3]),
    ],
)
def test_relatives_of_plain_data_are_plain(value: Any, plain: Any) -> None:
    assert read(value) == plain


def sparse_rows(n: int) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this layout a beta
        return torch.eye(n).to_sparse_csr()


CONTENTS = [
    torch.arange,
    lambda n: torch.arange(n, dtype=torch.bfloat16),
    lambda n: torch.arange(n).to(torch.complex64),
    lambda n: torch.eye(n).to_sparse(),
    sparse_rows,
    lambda n: nn.Parameter(torch.ones(n)),
    lambda n: torch.ones(3, n).T,
    np.arange,
    lambda n: np.arange(2 * n)[::2],
    lambda n: np.array([f"{n}", "b"]),
    lambda n: np.array([f"{n}", None], dtype=object),
    np.array,
    lambda n: np.ma.masked_array([1, 2], [n % 2, 0]),
    lambda n: np.zeros(n, dtype=[("a", "i4"), ("b", "f8")]),
    lambda n: pd.DataFrame({"a": [n, 2], "b": ["x", None]}),
    lambda n: pd.Series([n, 2], name="s"),
    lambda n: pd.Index([n, 2]),
    lambda n: pd.MultiIndex.from_tuples([(n, 2)]),
    lambda n: pd.Series(pd.Categorical(["a", str(n)])),
    lambda n: b"x" * n,
    bytearray,
    lambda n: nn.Linear(2, 2) if torch.manual_seed(n) else None,
    lambda n: nn.CrossEntropyLoss(weight=torch.ones(n)),
    lambda n: {"weights": [torch.ones(n)]},
]


@pytest.mark.parametrize("make", CONTENTS)
def test_buffers_are_compared_by_their_content(make: Any) -> None:
    assert read(make(3)) == read(make(3))
    assert read(make(3)) != read(make(4))


def test_type_and_shape_belong_to_the_content() -> None:
    values = [torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.int32), np.zeros(4, dtype="f4"), bytes(16)]
    assert len({json.dumps(read(value)) for value in values}) == len(values)


@pytest.mark.parametrize(
    "make", [random.Random, np.random.default_rng, np.random.RandomState, lambda n: torch.Generator().manual_seed(n)]
)
def test_generators_are_compared_by_their_state(make: Any) -> None:
    assert read(make(3)) == read(make(3))
    assert read(make(3)) != read(make(4))


def test_hooks_of_a_module_do_not_count_by_their_numbers() -> None:
    one, other = nn.ReLU(), nn.ReLU()
    nn.Linear(1, 1).register_forward_hook(lambda *_: None)
    other.register_forward_hook(lambda *_: None)
    assert read(one) == read(other)


def test_what_holds_itself_can_be_read() -> None:
    knot: list[Any] = [1]
    knot.append(knot)
    assert read(knot)[0] == 1
    assert read(knot) == read(knot)


def test_what_cannot_be_read_is_unknown_and_named() -> None:
    plain, unknown = value_component({"client": Refuses()})
    assert plain["client"]["__repr__"] == "unknown"
    assert unknown == ("the value.client (" + f"{Refuses.__module__}.Refuses) cannot be read: RuntimeError: no",)


def test_code_that_is_met_is_told_of() -> None:
    met: list[Any] = []
    ValueReader(met.append).read({"act": nn.ReLU, "point": Point(1), "init": [read]}, "hparams")
    assert met == [nn.ReLU, Point, read]


def test_a_long_list_is_a_digest_and_quick() -> None:
    long = list(range(500_000))
    assert set(read(long)) == {"digest"}
    assert read(long) != read([*long[:-1], 0])


def test_an_endless_structure_is_given_up() -> None:
    class Endless(dict[Any, Any]):
        def items(self) -> Any:
            yield "more", Endless()

    _, unknown = value_component(Endless())
    assert unknown == ("the value holds values inside values more than 100 deep",)
