from pathlib import Path

import pytest

from art_training.cli.locating import Place, locate
from art_training.errors import ProjectError


@pytest.fixture
def here(tmp_path) -> Path:
    return tmp_path.resolve()


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_nearest_project_file_upward_is_found(here):
    file = write(here / "art_project.py")
    inner = here / "a" / "b"
    inner.mkdir(parents=True)
    assert locate(None, inner) == Place(here, file)
    nearer = write(here / "a" / "art_project.py")
    assert locate(None, inner) == Place(here / "a", nearer)


def test_pyproject_names_a_module_or_a_file(here):
    settings = write(here / "pyproject.toml", '[tool.art]\nproject = "pack.train:digits"\n')
    assert locate(None, here) == Place(here, module="pack.train", name="digits")
    inner = here / "a"
    inner.mkdir()
    assert locate(None, inner) == Place(here, module="pack.train", name="digits")
    write(settings, '[tool.art]\nproject = "train.py:digits"\n')
    write(here / "train.py")
    assert locate(None, inner) == Place(here, here / "train.py", name="digits")


def test_a_pyproject_without_art_is_passed_by(here):
    write(here / "art_project.py")
    write(here / "a" / "pyproject.toml", "[project]\nname = 'a'\n")
    assert locate(None, here / "a").folder == here


@pytest.mark.parametrize("text", ["train.py", "./train.py", "sub/../train.py"])
def test_a_file_is_named_by_its_path(here, text):
    (here / "sub").mkdir()
    file = write(here / "train.py")
    assert locate(text, here) == Place(here, file)
    assert locate(f"{text}:mine", here).name == "mine"


def test_a_folder_stands_for_the_project_in_it(here):
    file = write(here / "sub" / "art_project.py")
    assert locate("sub", here) == Place(here / "sub", file)
    assert locate("sub:mine", here) == Place(here / "sub", file, name="mine")


def test_a_module_is_named_with_dots(here):
    assert locate("pack.train:digits", here) == Place(here, module="pack.train", name="digits")
    assert locate("pack.train", here) == Place(here, module="pack.train")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no art_project.py in"),
        ("nothing.py", "there is no file nothing.py"),
        ("nothing.py:project", "there is no file nothing.py"),
        ("sub/nothing", "there is no file sub/nothing"),
        ("empty", "the folder empty has no art_project.py"),
        ("not a module", "'not a module' is neither a file nor a module"),
        ("Overfit small", "if it is a step, write --force-step 'Overfit small', --only 'Overfit small' or --until"),
    ],
)
def test_a_project_that_is_not_there_gives_one_sentence(here, text, sentence):
    (here / "empty").mkdir()
    with pytest.raises(ProjectError) as raised:
        locate(text, here)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("[tool.art\n", "cannot be read"),
        ("[tool.art]\nproject = 3\n", "project = 3 in [tool.art]"),
        ('[tool.art]\nproject = ""\n', "is no place"),
    ],
)
def test_a_broken_pyproject_gives_one_sentence(here, settings, sentence):
    write(here / "pyproject.toml", settings)
    with pytest.raises(ProjectError) as raised:
        locate(None, here)
    assert sentence in str(raised.value)
