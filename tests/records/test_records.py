"""What holds for every record."""

import dataclasses
import inspect
import subprocess
import sys

import pytest

from art_training import records

CLASSES = [value for name in records.__all__ if dataclasses.is_dataclass(value := getattr(records, name))]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_record_is_frozen_and_documented(kind: type) -> None:
    assert kind.__dataclass_params__.frozen
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_no_two_records_share_a_default(kind: type) -> None:
    for field in dataclasses.fields(kind):
        assert not isinstance(field.default, list | dict | set), field.name


def test_everything_public_is_exported_once_and_in_order() -> None:
    assert records.__all__ == sorted(set(records.__all__), key=records.__all__.index)
    public = {name for name, value in vars(records).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public == set(records.__all__)


def test_records_need_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, art_training.records\n"
        "own = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(own - set(sys.stdlib_module_names) - {'__main__', '__mp_main__', 'art_training'}))\n"
    )
    said = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == "[]"
