import json
import subprocess
import sys
from typing import Any

import pytest

import art_training


def in_a_process(code: str) -> Any:
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return json.loads(said.splitlines()[-1])


def test_importing_costs_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import art_training, json\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(new - set(sys.stdlib_module_names))))\n"
    )
    assert in_a_process(code) == ["art_training"]


@pytest.mark.parametrize(
    "module", ["records", "errors", "plugins", "setup.setup", "setup.identity.fingerprint", "setup.identity.provenance"]
)
def test_what_does_not_train_imports_none_of_the_heavy_libraries(module: str) -> None:
    code = (
        f"import art_training.{module}, sys, json\n"
        "heavy = ('torch', 'lightning', 'pytorch_lightning', 'torchmetrics', 'rich', 'typer', 'sqlalchemy', 'pandas',\n"
        "         'numpy', 'sklearn', 'scipy')\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))\n"
    )
    assert in_a_process(code) == []


def test_importing_leaves_the_folder_and_the_log_alone(tmp_path: Any) -> None:
    code = (
        "import logging, os, json\n"
        "handler = logging.NullHandler(); logging.getLogger().addHandler(handler)\n"
        "import art_training\n"
        "print(json.dumps([os.listdir(), handler in logging.getLogger().handlers]))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path / "home"
    ).stdout
    assert json.loads(said) == [[], True]


def test_the_exported_names_exist_and_are_all_there_is() -> None:
    assert sorted(art_training.__all__) == dir(art_training) == sorted(set(art_training.__all__))
    for name in art_training.__all__:
        assert getattr(art_training, name) is not None
    assert set(art_training.__all__) - {"__version__"} == set(art_training._WHERE)


def test_the_exported_names_are_the_ones_that_the_type_checker_sees() -> None:
    import ast
    from pathlib import Path

    tree = ast.parse(Path(art_training.__file__).read_text())
    seen = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(art_training._WHERE) <= seen


def test_another_name_is_refused_as_a_module_does() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Trainer'"):
        art_training.Trainer  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert art_training.__version__ == version("art-training")
