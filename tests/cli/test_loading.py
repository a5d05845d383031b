import sys
import textwrap
from pathlib import Path

import pytest

from art_training.cli.loading import load_project
from art_training.cli.locating import locate
from art_training.errors import ProjectError

DECLARED = """
import art_training as art
setup = art.Setup(dict, dict)
project = art.ArtProject("toy", setup)
"""


def load(folder: Path, source: str, text: str = "art_project.py"):
    (folder / "art_project.py").write_text(textwrap.dedent(source))
    return load_project(locate(text, folder))


def refused(folder: Path, source: str, text: str = "art_project.py") -> tuple[str, str]:
    with pytest.raises(ProjectError) as raised:
        load(folder, source, text)
    return str(raised.value), "\n".join(getattr(raised.value, "__notes__", ()))


def test_the_only_project_of_a_file_is_found(tmp_path):
    project = load(tmp_path, DECLARED)
    assert (project.name, project.folder) == ("toy", tmp_path.resolve())


def test_a_project_is_found_by_its_name(tmp_path):
    two = DECLARED + 'other = art.ArtProject("other", setup)\n'
    assert load(tmp_path, two, "art_project.py:other").name == "other"
    assert load(tmp_path, two + "again = other\n", "art_project.py:again").name == "other"


def test_a_project_with_two_names_is_one_project(tmp_path):
    assert load(tmp_path, DECLARED + "alias = project\n").name == "toy"


def test_a_file_may_import_its_neighbours(tmp_path):
    (tmp_path / "my_neighbour.py").write_text("NAME = 'from a neighbour'")
    source = "from my_neighbour import NAME\n" + DECLARED.replace('"toy"', "NAME")
    assert load(tmp_path, source).name == "from a neighbour"


def test_a_module_is_imported_from_the_working_directory(tmp_path):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "train.py").write_text(DECLARED)
    assert load_project(locate("my_package.train:project", tmp_path)).name == "toy"
    with pytest.raises(ProjectError, match=r"there is no module 'my_package\.nothing' in"):
        load_project(locate("my_package.nothing", tmp_path))


def test_a_project_file_can_be_loaded_again_after_a_change(tmp_path):
    assert load(tmp_path, DECLARED).name == "toy"
    assert load(tmp_path, DECLARED.replace('"toy"', '"changed"')).name == "changed"


def test_the_store_can_be_chosen_from_outside(tmp_path):
    (tmp_path / "art_project.py").write_text(DECLARED.replace("setup)", "setup, store='mine.db')"))
    project = load_project(locate("art_project.py", tmp_path), store=str(tmp_path / "other.db"))
    assert project.store.location == str(tmp_path / "other.db")
    project.store.close()


def test_a_file_without_a_project_says_what_to_write(tmp_path):
    sentence, _ = refused(tmp_path, "x = 1\n")
    assert sentence.endswith(
        "art_project.py declares no project; write there: project = art.ArtProject('name', setup, steps=[...])"
    )


def test_a_file_with_two_projects_names_them(tmp_path):
    sentence, _ = refused(tmp_path, DECLARED + 'other = art.ArtProject("other", setup)\n')
    assert "declares 2 projects: project, other; name one: " in sentence
    assert sentence.endswith("art_project.py:project")


def test_a_name_that_is_not_there_names_those_that_are(tmp_path):
    sentence, _ = refused(tmp_path, DECLARED, "art_project.py:mine")
    assert "has no project 'mine'; it has: project" in sentence


def test_a_name_that_is_something_else_is_told(tmp_path):
    sentence, _ = refused(tmp_path, DECLARED, "art_project.py:setup")
    assert sentence.endswith("art_project.py:setup is of type Setup, not an ArtProject")


def test_a_file_that_raises_gives_one_sentence_and_the_users_own_frames(tmp_path):
    source = """
    def inner():
        return {}["missing"]

    def outer():
        return inner()

    outer()
    """
    sentence, frames = refused(tmp_path, source)
    assert sentence == "art_project.py:3 raises when it is imported: KeyError: 'missing'"
    assert "art_project.py" in frames
    assert "in outer" in frames
    assert "art_training" not in frames
    assert "importlib" not in frames
    assert "art_project" not in sys.modules


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import nothing_of_this_name", "art_project.py:1 raises when it is imported: ModuleNotFoundError: No module"),
        ("x = (\n", "art_project.py:1 raises when it is imported: SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(3)", "art_project.py:2 leaves Python (SystemExit: 3) when it is imported"),
        ("raise ValueError", "art_project.py:1 raises when it is imported: ValueError"),
        (
            "import art_training as art\nart.Setup(model=3, data=dict)",
            "art_project.py:2: model=3 cannot be called; give a class, a factory, or art.from_torch(...)",
        ),
        (
            DECLARED + "project.run()\n",
            "art_project.py:5: project 'toy' is run while its file is imported; put project.run() under `if __name__",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_gives_one_sentence(tmp_path, source, sentence):
    said, _ = refused(tmp_path, source)
    assert said.startswith(sentence)
    assert "\n" not in said


def test_a_file_that_hides_a_loaded_module_is_told_to_take_another_name(tmp_path):
    (tmp_path / "textwrap.py").write_text(DECLARED)
    with pytest.raises(ProjectError, match=r"textwrap\.py has the name of a module that is loaded already"):
        load_project(locate("textwrap.py", tmp_path))
    assert textwrap.dedent(" a") == "a"


@pytest.mark.parametrize(
    "line", ["Between('train/mae', 50, 10)", "Above('train/mae', 'high')", "Overfit(checks=[Above])"]
)
def test_a_mistake_in_a_step_or_check_is_told_with_the_users_own_line(tmp_path, line):
    source = f"from art_training.checks import Above, Between\nfrom art_training.steps import Overfit\nx = {line}\n"
    sentence, notes = refused(tmp_path, source)
    assert "art_project.py:3: " in sentence
    assert "<string>" not in sentence + notes
