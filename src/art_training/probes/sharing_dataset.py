"""Whether two splits are parts of one dataset object, and whether code sets an attribute of it through one of them."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Subset

from art_training.probes.specimen import Specimen
from art_training.records import Split

_OF_ONE_SPLIT = {"train_dataloader", "val_dataloader"}  # what they set is meant for their own split
_LIBRARIES = ("lightning", "pytorch_lightning", "torch", "art_training")


@dataclass(frozen=True)
class Assignment:
    """An assignment such as `valid.dataset.transform = None`, or a call of a method that makes one.

    Attributes:
        text: as it is written.
        where: file and line.
        attribute: that is set.
    """

    text: str
    where: str
    attribute: str


def shared_assignments(specimen: Specimen) -> tuple[Assignment, ...]:
    """Assignments through a part to the dataset that training and validation have in common; none where they have not."""
    train, validation = _wholes(specimen, Split.TRAIN), _wholes(specimen, Split.VALIDATION)
    common = [one for one in train if any(one is other for other in validation)]
    if not common:
        return ()
    found: list[Assignment] = []
    for owner in written(specimen):
        found += [one for one in _assignments(owner) if any(hasattr(whole, one.attribute) for whole in common)]
        if owner.__name__ in _OF_ONE_SPLIT:
            found += [one for whole in common for one in _calls(owner, type(whole))]
    return tuple(dict.fromkeys(found))


def _wholes(specimen: Specimen, split: Split) -> list[Any]:
    """The datasets that the split's loaders have parts of."""
    found: list[Any] = []
    for loader in specimen.loaders.get(split, {}).values():
        dataset: Any = getattr(loader, "dataset", None)
        while isinstance(dataset, Subset):
            dataset = dataset.dataset
            found.append(dataset)
    return found


def written(specimen: Specimen) -> list[Any]:
    """The functions whose code made the data; of a class its methods, as they are inherited."""
    found: list[Any] = []
    for one in specimen.data:
        if inspect.isfunction(one):
            found.append(one)
            continue
        owner = one if inspect.isclass(one) else type(one)
        found += [method for _, method in inspect.getmembers(owner, inspect.isfunction)]
    return [one for one in dict.fromkeys(found) if not one.__module__.startswith(_LIBRARIES)]


def _assignments(owner: Any) -> list[Assignment]:
    """Assignments to attributes of the dataset of a part; where loaders of one split are made, of whatever is not `self`."""
    tree, place = _parsed(owner)
    one_split = owner.__name__ in _OF_ONE_SPLIT
    return [
        Assignment(ast.unparse(node), place(node), target.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Attribute)
        and (one_split or target.value.attr == "dataset")
    ]


def _calls(owner: Any, kind: type[Any]) -> list[Assignment]:
    """Calls of methods of the dataset's class that set an attribute which its `__getitem__` reads."""
    if kind.__module__.startswith(_LIBRARIES):
        return []
    read = {
        node.attr
        for node in ast.walk(_parsed(getattr(kind, "__getitem__", None))[0])
        if isinstance(node, ast.Attribute)
    }
    tree, place = _parsed(owner)
    found: list[Assignment] = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        method = inspect.getattr_static(kind, node.func.attr, None)
        if inspect.isfunction(method):
            attributes = [one for one in _set_to_constants(method) if one in read]
            found += [Assignment(ast.unparse(node), place(node), one) for one in attributes]
    return found


def _set_to_constants(method: Any) -> list[str]:
    """The attributes of its object that a method sets to a constant, as `self.training = False` does."""
    return [
        target.attr
        for node in ast.walk(_parsed(method)[0])
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
    ]


def _parsed(owner: Any) -> tuple[ast.AST, Callable[[Any], str]]:
    """The code of a function, empty where it cannot be read, and what tells the file and line of a part of it."""
    try:
        lines, first = inspect.getsourcelines(owner)
        file, tree = inspect.getsourcefile(owner) or "", ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        file, first, tree = "", 1, ast.Module([], [])
    return tree, lambda node: f"{file}:{first + node.lineno - 1}"
