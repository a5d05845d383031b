"""Whether two splits are parts of one dataset object, and whether code sets an attribute of it through one of them."""

import ast
import inspect
import textwrap
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Subset

from art_training.probes.specimen import Specimen
from art_training.records import Split

_LIBRARIES = ("lightning", "pytorch_lightning", "torch", "art_training")


@dataclass(frozen=True)
class Assignment:
    """An assignment such as `valid.dataset.transform = None`.

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
    try:
        lines, first = inspect.getsourcelines(owner)
        file = inspect.getsourcefile(owner) or ""
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return []
    return [
        Assignment(ast.unparse(node), f"{file}:{first + node.lineno - 1}", target.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Attribute)
        and target.value.attr == "dataset"
    ]
