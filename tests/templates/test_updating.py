"""Projects of templates that others keep in git."""

from pathlib import Path

import pytest

from art_training.errors import UsageError
from art_training.templates.finding import find_template
from art_training.templates.rendering import render
from art_training.templates.repository import begin_repository
from art_training.templates.updating import update_project


@pytest.fixture
def project(versioned: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "leaves"
    render(find_template(f"git+file://{versioned}"), folder, {"classes": "4"})
    begin_repository(folder, "Begin")
    return folder


def new_version(versioned: Path, git, text: str = "NAME = '{{ name }}'\nCLASSES = {{ classes }}\nNEW = 1\n") -> None:
    (versioned / "template" / "art_project.py.jinja").write_text(text)
    git(versioned, "commit", "--quiet", "--all", "--message", "two")
    git(versioned, "tag", "v2")


def test_what_the_template_changed_comes_in_and_what_the_owner_changed_stays(
    project: Path, versioned: Path, git
) -> None:
    (project / "art_project.py").write_text("MINE = 1\nNAME = 'leaves'\nCLASSES = 4\n")
    git(project, "commit", "--quiet", "--all", "--message", "mine")
    new_version(versioned, git)
    assert update_project(project, {}) == ["Updated from v1 to v2: look at it with `git diff`, and commit it."]
    assert (project / "art_project.py").read_text() == "MINE = 1\nNAME = 'leaves'\nCLASSES = 4\nNEW = 1\n"
    assert "_commit: v2" in (project / ".copier-answers.yml").read_text()


def test_an_answer_can_be_changed_with_it(project: Path, versioned: Path, git) -> None:
    new_version(versioned, git)
    update_project(project, {"classes": "5"})
    assert "CLASSES = 5" in (project / "art_project.py").read_text()


def test_the_newest_version_is_told_to_be_it(project: Path) -> None:
    (told,) = update_project(project, {})
    assert told.endswith("is made of the newest version of its template already: v1.")


def test_changes_that_are_not_committed_are_not_mixed_with_the_update(project: Path, versioned: Path, git) -> None:
    new_version(versioned, git)
    (project / "art_project.py").write_text("MINE = 1\n")
    with pytest.raises(UsageError, match=r"leaves cannot be updated: .*[Cc]ommit"):
        update_project(project, {})
    assert (project / "art_project.py").read_text() == "MINE = 1\n"


def test_a_template_without_versions_cannot_be_followed(theirs: Path, tmp_path: Path) -> None:
    render(find_template("./theirs"), tmp_path / "leaves", {})
    with pytest.raises(UsageError, match=r"theirs, has no versions, so that nobody knows what has changed in it"):
        update_project(tmp_path / "leaves", {})


@pytest.mark.parametrize(
    ("text", "why"), [("a: [", "cannot be read"), ("- a\n", "holds no answers"), ("", "holds no answers")]
)
def test_answers_that_are_none_are_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / ".copier-answers.yml").write_text(text)
    with pytest.raises(UsageError, match=why) as caught:
        update_project(tmp_path, {})
    assert "\n" not in str(caught.value)
