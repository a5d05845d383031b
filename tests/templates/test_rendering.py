import sys
from pathlib import Path

import pytest

from art_training.errors import MissingExtra, UsageError
from art_training.templates import Template
from art_training.templates.finding import find_template
from art_training.templates.rendering import render


def test_a_template_of_somebody_else_gets_the_name_and_the_answers(theirs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "leaves"
    assert render(find_template("./theirs"), folder, {"classes": "4"}) == []
    assert (folder / "art_project.py").read_text() == "NAME = 'leaves'\nCLASSES = 4\n"


def test_what_the_user_says_comes_before_the_template_and_this_before_the_defaults(
    theirs: Path, tmp_path: Path
) -> None:
    template = Template(theirs, answers={"classes": 7})
    render(template, tmp_path / "a", {})
    render(template, tmp_path / "b", {"name": "other"})
    assert (tmp_path / "a" / "art_project.py").read_text() == "NAME = 'a'\nCLASSES = 7\n"
    assert (tmp_path / "b" / "art_project.py").read_text() == "NAME = 'other'\nCLASSES = 7\n"


def test_an_empty_folder_may_be_there_and_stays_where_rendering_fails(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "leaves").mkdir()
    with pytest.raises(UsageError):
        render(find_template("./theirs"), tmp_path / "leaves", {"classes": "many"})
    assert list((tmp_path / "leaves").iterdir()) == []
    render(find_template("./theirs"), tmp_path / "leaves", {})
    assert (tmp_path / "leaves" / "art_project.py").exists()


def test_what_is_there_already_is_never_touched(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "leaves").mkdir()
    (tmp_path / "leaves" / "mine").write_text("")
    with pytest.raises(UsageError, match="is not empty"):
        render(find_template("./theirs"), tmp_path / "leaves", {"classes": "many"})
    assert (tmp_path / "leaves" / "mine").exists()


def test_an_answer_to_no_question_names_the_questions_and_leaves_nothing(theirs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not ask for 'clases'; it asks for: name, classes$"):
        render(find_template("./theirs"), tmp_path / "leaves", {"clases": "4"})
    assert not (tmp_path / "leaves").exists()


def test_what_is_set_by_the_name_of_a_template_is_no_question(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"template image does not ask for 'kind'; it asks for: name, python$"):
        render(find_template("image"), tmp_path / "leaves", {"kind": "text"})


def test_a_question_without_an_answer_is_told_where_nobody_can_be_asked(theirs: Path, tmp_path: Path) -> None:
    (theirs / "copier.yml").write_text("_subdirectory: template\nname: {type: str}\nclasses: {type: int}\n")
    with pytest.raises(UsageError, match='"classes"'):
        render(find_template("./theirs"), tmp_path / "leaves", {})
    assert not (tmp_path / "leaves").exists()


def test_a_template_that_runs_commands_is_refused_until_it_is_trusted(theirs: Path, tmp_path: Path) -> None:
    with (theirs / "copier.yml").open("a") as settings:
        settings.write("_tasks: ['touch ran']\n")
    with pytest.raises(UsageError, match=r"run code of its own on this machine \(tasks\); .* add --trust"):
        render(find_template("./theirs"), tmp_path / "leaves", {})
    assert not (tmp_path / "leaves").exists()
    render(find_template("./theirs"), tmp_path / "leaves", {}, trust=True)
    assert (tmp_path / "leaves" / "ran").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [("copier.yml", "name: [\n"), ("copier.yml", "- a\n"), ("template/art_project.py.jinja", "{% if %}")],
)
def test_a_broken_template_is_one_sentence(theirs: Path, tmp_path: Path, file: str, text: str) -> None:
    (theirs / file).write_text(text)
    with pytest.raises(UsageError, match=r"^template .*theirs cannot be rendered: ") as caught:
        render(find_template("./theirs"), tmp_path / "leaves", {})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "leaves").exists()


def test_a_repository_that_is_not_there_is_told_in_the_words_of_git(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be rendered: git says .*fatal: .*nowhere"):
        render(find_template(f"git+file://{tmp_path}/nowhere"), tmp_path / "leaves", {})


def test_a_repository_gives_its_newest_tag(versioned: Path, tmp_path: Path) -> None:
    (versioned / "template" / "art_project.py.jinja").write_text("not committed\n")
    render(find_template(f"git+file://{versioned}"), tmp_path / "leaves", {})
    assert (tmp_path / "leaves" / "art_project.py").read_text() == "NAME = 'leaves'\nCLASSES = 10\n"
    assert "_commit: v1" in (tmp_path / "leaves" / ".copier-answers.yml").read_text()


def test_without_copier_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(MissingExtra, match=r"pip install 'art-training\[new\]'"):
        render(find_template("blank"), tmp_path / "leaves", {})
