"""Projects of ART's own templates, when ART has a later release."""

import zipfile
from pathlib import Path

import pytest

import art_training
from art_training.errors import UsageError
from art_training.templates.finding import find_template
from art_training.templates.rendering import render
from art_training.templates.repository import begin_repository
from art_training.templates.shipped import PROJECT
from art_training.templates.updating import update_project

EARLIER = "1.99.0"
NOW = art_training.__version__
CHANGED = {
    # What an earlier release had: a README that begins otherwise, a file that there is no more, and one less that there is.
    "template/README.md.jinja": lambda text: text.replace("# {{ name }}\n", "# {{ name }}, a project\n"),
    "template/tests/test_model.py.jinja": None,
}


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel of an earlier release, where pip looks first and last; the wheel's template, unpacked."""
    wheels, unpacked = tmp_path / "wheels", tmp_path / "unpacked"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / f"art_training-{EARLIER}-py3-none-any.whl", "w") as wheel:
        information = f"art_training-{EARLIER}.dist-info"
        wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: art-training\nVersion: {EARLIER}\n")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
        for path in PROJECT.rglob("*"):
            name = path.relative_to(PROJECT).as_posix()
            change = CHANGED.get(name, str)
            if path.is_file() and path.suffix != ".pyc" and change is not None:
                wheel.writestr(f"art_training/templates/project/{name}", change(path.read_text()))
        wheel.writestr("art_training/templates/project/template/gone.txt", "of the earlier release\n")
        wheel.extractall(unpacked)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return unpacked / "art_training" / "templates" / "project"


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    from dataclasses import replace

    folder = tmp_path / "leaves"
    now = find_template("blank")
    earlier = replace(now, source=released, answers={**now.answers, "art_version": EARLIER})
    render(earlier, folder, {"python": "3.13"})
    begin_repository(folder, "Begin")
    return folder


def commit(project: Path, git) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "mine")


def test_what_art_changed_comes_in_and_what_the_owner_changed_stays(project: Path, git) -> None:
    (project / "README.md").write_text((project / "README.md").read_text() + "\nMine.\n")
    (project / "model.py").write_text("mine = 1\n")
    commit(project, git)
    told = update_project(project, {})
    assert told == [
        "README.md: updated.",
        "gone.txt: removed, as the template has it no more.",
        "requirements.txt: updated.",
        "tests/test_model.py: new.",
        f"Updated from {EARLIER} to {NOW}: look at it with `git diff`, and commit it.",
    ]
    readme = (project / "README.md").read_text()
    assert readme.startswith("# leaves\n")
    assert readme.endswith("\nMine.\n")
    assert (project / "model.py").read_text() == "mine = 1\n"
    assert not (project / "gone.txt").exists()
    answers = (project / ".copier-answers.yml").read_text()
    assert f"art_version: {NOW}\n" in answers
    assert 'python: "3.13"' in answers
    commit(project, git)
    assert "newest version" in update_project(project, {})[0]


def test_lines_that_both_have_changed_are_marked_and_named(project: Path, git) -> None:
    (project / "README.md").write_text((project / "README.md").read_text().replace("# leaves, a project", "# Leaves"))
    (project / "gone.txt").write_text("mine\n")
    (project / "requirements.txt").unlink()
    commit(project, git)
    told = update_project(project, {})
    assert "README.md: changed here and in the template; settle what lies between <<<<<<< and >>>>>>>." in told
    assert "gone.txt: stays, because it was changed here; the template has it no more." in told
    assert "requirements.txt: stays away, as it was removed here." in told
    readme = (project / "README.md").read_text()
    assert "<<<<<<< yours\n# Leaves\n" in readme
    assert "# leaves\n>>>>>>> the template now\n" in readme


def test_an_answer_can_be_changed_without_another_release(tmp_path: Path, git) -> None:
    render(find_template("blank"), tmp_path / "leaves", {})
    begin_repository(tmp_path / "leaves", "Begin")
    told = update_project(tmp_path / "leaves", {"python": "3.13"})
    assert told[0] == ".github/workflows/art.yml: updated."
    assert 'python-version: "3.13"' in (tmp_path / "leaves" / ".github" / "workflows" / "art.yml").read_text()


def test_changes_that_are_not_committed_stay_apart(project: Path) -> None:
    (project / "model.py").write_text("mine = 1\n")
    with pytest.raises(UsageError, match=r"has changes that are not committed, and would be mixed with the update"):
        update_project(project, {})


def test_without_git_nothing_could_be_taken_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.rmtree(project / ".git")
    with pytest.raises(UsageError, match=r"is in no git repository, and an update could not be taken back"):
        update_project(project, {})
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"without git, which is not installed"):
        update_project(project, {})


def test_a_release_that_pip_cannot_fetch_is_named_with_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(
        UsageError, match=r"since art-training==1\.99\.0 cannot be told, .*; PIP_FIND_LINKS names a folder"
    ):
        update_project(project, {})
    assert (project / "gone.txt").exists()


@pytest.mark.parametrize(("version", "why"), [("99.0.0", "update art-training first"), ("odd", "is no version")])
def test_a_version_that_cannot_be_brought_up_to_date_is_refused(project: Path, git, version: str, why: str) -> None:
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(EARLIER, version))
    commit(project, git)
    with pytest.raises(UsageError, match=why):
        update_project(project, {})
