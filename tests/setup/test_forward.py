from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from art_training.errors import SetupError
from art_training.setup.forward import forward_arguments, target_path

X, MASK, Y = torch.zeros(3, 2), torch.ones(3, 2), torch.arange(3)


class Row(NamedTuple):
    features: Any
    label: Any


@dataclass
class Example:
    features: Any
    y: Any


class Masked(nn.Module):
    def forward(self, features, mask=None):
        return features


class Anything(nn.Module):
    def forward(self, **entries):
        return entries


class Two(nn.Module):
    def forward(self, left, right):
        return left + right


@pytest.mark.parametrize(
    ("batch", "path"),
    [
        ((X, Y), "1"),
        ([X, MASK, Y], "2"),
        ({"x": X, "label": Y}, "label"),
        ({"x": X, "targets": Y, "id": Y}, "targets"),
        (Row(X, Y), "label"),
        (Example(X, Y), "y"),
    ],
)
def test_the_target_is_last_or_goes_by_its_name(batch, path):
    assert target_path(batch) == path


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        ((X,), "one entry only"),
        (X, "a single Tensor without a target"),
        ({"x": X, "z": Y}, "none of them is called 'target'"),
        ({"x": X, "y": Y, "label": Y}, "several of them are called 'label', 'y'"),
    ],
)
def test_a_batch_without_a_clear_target_is_refused(batch, sentence):
    with pytest.raises(SetupError, match=sentence):
        target_path(batch)


def test_a_declared_target_must_be_there():
    assert target_path((X, Y), "0") == "0"
    with pytest.raises(SetupError, match="no entry 'z'; it has: 'x'"):
        target_path({"x": X}, "z")


def arguments(module, batch, target, declared=None):
    positional, named = forward_arguments(module, batch, target, declared)
    return [id(one) for one in positional], {name: id(one) for name, one in named.items()}


@pytest.mark.parametrize(
    ("module", "batch", "target", "declared", "expected"),
    [
        (Masked(), (X, Y), "1", None, ([X], {})),
        (Masked(), (X, MASK, Y), "2", None, ([X, MASK], {})),
        (Masked(), {"features": X, "mask": MASK, "id": Y, "y": Y}, "y", None, ([], {"features": X, "mask": MASK})),
        (Masked(), {"pixels": X, "y": Y}, "y", None, ([X], {})),
        (Masked(), {"pixels": X, "m": MASK, "y": Y}, "y", ("pixels", "m"), ([X, MASK], {})),
        (Masked(), {"a": {"b": X}, "y": Y}, "y", {"features": "a.b"}, ([], {"features": X})),
        (Anything(), {"a": X, "b": MASK, "y": Y}, "y", None, ([], {"a": X, "b": MASK})),
        (Masked(), Row(X, Y), "label", None, ([], {"features": X})),
        (nn.Linear(2, 1), (X,), "0", None, ([X], {})),
        (nn.Linear(2, 1), X, "", None, ([X], {})),
    ],
)
def test_entries_become_arguments_of_forward(module, batch, target, declared, expected):
    positional, named = expected
    found = arguments(module, batch, target, declared)
    assert found == ([id(one) for one in positional], {name: id(one) for name, one in named.items()})


def test_a_parameter_that_the_batch_does_not_have_is_named():
    with pytest.raises(SetupError, match=r"Two\.forward needs 'right', and the batch has: 'left', 'z', 'y'"):
        forward_arguments(Two(), {"left": X, "z": X, "y": Y}, "y")
