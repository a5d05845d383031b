import json
import sys
from pathlib import Path

import pytest
import torch

from art_training.setup.identity.origin import (
    home_of,
    is_local_class,
    is_local_file,
    is_local_module,
    module_name,
    portable,
    qualified_name,
)


class Own:
    def method(self) -> None: ...


def test_what_is_installed_is_a_librarys_and_the_rest_the_projects_own(tmp_path: Path) -> None:
    assert is_local_file(__file__)
    assert is_local_file("<stdin>")
    assert is_local_file("/tmp/ipykernel_1/2.py")
    assert is_local_file(str(tmp_path / "anything.py"))
    assert not is_local_file(json.__file__)
    assert not is_local_file(torch.__file__)
    assert not is_local_file("<frozen importlib._bootstrap>")
    assert not is_local_file("<attrs generated init x.Y>")


def test_arts_own_code_is_a_librarys_except_its_templates() -> None:
    import art_training

    folder = Path(art_training.__file__).parent
    assert not is_local_file(str(folder / "steps" / "step.py"))
    assert is_local_file(str(folder / "templates" / "digits" / "art_project.py"))


def test_classes_follow_their_modules() -> None:
    assert is_local_class(Own)
    assert not is_local_class(torch.nn.Linear)
    assert not is_local_class(int)
    assert not is_local_class(type(torch.ops.aten.add))
    assert is_local_class(type("Cell", (), {"__module__": "__main__"}))
    assert is_local_class(type("Made", (), {"__module__": "executed_by_hand"}))
    assert is_local_module(sys.modules[__name__])
    assert not is_local_module(json)


def test_a_package_installed_from_a_folder_is_the_projects_own(tmp_path: Path) -> None:
    installed = tmp_path / "lib" / "site-packages"
    for name, direct in (("mine", {"url": "file:///home/x", "dir_info": {}}), ("theirs", None)):
        record = installed / f"{name}-1.0.dist-info"
        (installed / name).mkdir(parents=True)
        record.mkdir()
        (record / "RECORD").write_text(f"{name}/__init__.py,,\n")
        if direct:
            (record / "direct_url.json").write_text(json.dumps(direct))
    assert is_local_file(str(installed / "mine" / "__init__.py"))
    assert not is_local_file(str(installed / "theirs" / "__init__.py"))


def test_names_read_as_they_are_written() -> None:
    assert qualified_name(torch.nn.Linear) == "torch.nn.modules.linear.Linear"
    assert qualified_name(len) == "len"
    assert qualified_name(Own.method).endswith("Own.method")
    assert qualified_name(3) == "int"
    assert module_name("some.module") == "some.module"


def test_a_script_is_called_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    main = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert module_name("__main__") == "__main__"
    main.__file__ = "/somewhere/art_project.py"
    assert module_name("__main__") == "art_project"


def test_a_home_is_the_folder_with_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "work" / "package").mkdir(parents=True)
    (tmp_path / "work" / "pyproject.toml").touch()
    (tmp_path / "work" / "package" / "module.py").touch()
    assert home_of(str(tmp_path / "work" / "package" / "module.py")) == str(tmp_path / "work")
    assert home_of("<stdin>") is None


def test_paths_are_told_from_the_home() -> None:
    assert portable("/home/me/work/data/x", ["/home/me", "/home/me/work"]) == "<project>/data/x"
    assert portable("/home/me/work", ["/home/me/work"]) == "<project>"
    assert portable("/elsewhere/x", ["/home/me/work"]) == "/elsewhere/x"
    assert portable("/home/me/workshop", ["/home/me/work"]) == "/home/me/workshop"
    assert portable("data/x", ["/home/me/work"]) == "data/x"
