import logging
import math
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from art_training.setup.identity.copies import copy_sharing_buffers


class Slotted:
    __slots__ = ("tensor",)

    def __init__(self) -> None:
        self.tensor = torch.zeros(3)


class Module:
    def __init__(self) -> None:
        self.tensor = torch.zeros(3)
        self.computed = torch.ones(3, requires_grad=True) * 2
        self.array = np.zeros(3)
        self.frame = pd.DataFrame({"a": [1]})
        self.blob = b"x" * 10
        self.deep = {"list": [(torch.ones(2),)], "slotted": Slotted()}
        self.settings = {"batch_size": 8, "names": ["a"]}
        self.lock = threading.Lock()
        self.log = logging.getLogger("x")
        self.library = math
        self.generator = torch.Generator().manual_seed(3)
        self.itself = self


def test_buffers_are_shared_and_everything_else_is_its_own() -> None:
    one = Module()
    two = copy_sharing_buffers(one)
    assert two is not one
    assert two.itself is two
    for name in ("tensor", "computed", "array", "frame", "blob", "lock", "log", "library"):
        assert getattr(two, name) is getattr(one, name), name
    assert two.deep["list"][0][0] is one.deep["list"][0][0]
    assert two.deep["slotted"].tensor is one.deep["slotted"].tensor
    assert two.settings == one.settings
    assert two.settings["names"] is not one.settings["names"]


def test_a_generator_goes_on_from_where_it_stands_in_both() -> None:
    one = Module()
    two = copy_sharing_buffers(one)
    assert torch.rand(1, generator=two.generator) == torch.rand(1, generator=one.generator)


def test_a_trainer_does_not_come_along() -> None:
    class Trainer:
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("the trainer was copied")

    one: Any = Module()
    one.trainer = Trainer()
    assert copy_sharing_buffers(one).trainer is None
    assert isinstance(one.trainer, Trainer)


def test_what_cannot_be_copied_says_so() -> None:
    one: Any = Module()
    one.stream = (number for number in range(3))
    with pytest.raises(TypeError, match="generator"):
        copy_sharing_buffers(one)
