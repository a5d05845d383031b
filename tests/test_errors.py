import inspect
import re

import pytest

from art_training import errors
from art_training.errors import ARTError

CLASSES = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}


def drawn() -> dict[str, tuple[str, str | None]]:
    """The tree in the module's docstring: each class with its parent and its second base."""
    found: dict[str, tuple[str, str | None]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        node = re.match(r"^(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w+)(?: \((?P<second>\w+)\))?(?:   .*)?$", line)
        if node is None or node["name"] not in CLASSES:
            continue
        depth = len(node["indent"])
        above = [item for item in above if item[0] < depth]
        found[node["name"]] = (above[-1][1] if above else "Exception", node["second"])
        above.append((depth, node["name"]))
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    bases = {name: [base.__name__ for base in kind.__bases__] for name, kind in CLASSES.items()}
    assert {name: [parent, *([second] if second else [])] for name, (parent, second) in drawn().items()} == bases


def test_every_error_is_exported() -> None:
    assert sorted(CLASSES) == errors.__all__


@pytest.mark.parametrize("kind", CLASSES.values())
def test_every_error_has_one_root_and_prints_its_sentence(kind: type[Exception]) -> None:
    assert issubclass(kind, ARTError)
    sentence = "no metric 'test/acc' in this outcome"
    assert str(kind(sentence)) == sentence
    assert str(kind()) == ""


@pytest.mark.parametrize("kind", CLASSES.values())
def test_every_error_says_what_it_is_for(kind: type[Exception]) -> None:
    assert kind.__doc__
    assert kind.__doc__.endswith(".")
