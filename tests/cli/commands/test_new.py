import json
import subprocess
from pathlib import Path

import pytest


def test_a_project_is_made_and_the_next_commands_are_told(art, tmp_path, monkeypatch):
    import sys

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    answer = art("new", "leaves", "--template", "image")
    assert answer.code == 0, answer.err
    assert "Made leaves from the template image:\n\n    .copier-answers.yml\n" in answer.out
    assert "first commit" in answer.out
    assert "    cd leaves\n    art run " in answer.out
    assert "    pytest " in answer.out
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=tmp_path / "leaves", check=True, capture_output=True, text=True
    )
    assert log.stdout == "Begin leaves from the template image\n"


def test_the_project_that_is_made_is_found_and_planned(art, tmp_path, monkeypatch):
    art("new", "leaves", "--no-git")
    assert not (tmp_path / "leaves" / ".git").exists()
    monkeypatch.chdir(tmp_path / "leaves")
    answer = art("plan", "--json")
    assert answer.code == 0, answer.err
    plan = json.loads(answer.out)
    assert plan["project"] == "leaves"
    assert [step["step"] for step in plan["steps"]][:2] == ["ExploreData", "Diagnose"]


def test_an_empty_working_directory_becomes_the_project(art, tmp_path, monkeypatch):
    (tmp_path / "leaves").mkdir()
    monkeypatch.chdir(tmp_path / "leaves")
    answer = art("new", ".", "--no-git")
    assert answer.code == 0, answer.err
    assert "cd " not in answer.out
    assert (tmp_path / "leaves" / "README.md").read_text().startswith("# leaves\n")


def test_the_list_names_each_template_and_who_offers_it(art):
    answer = art("new", "--list")
    assert answer.code == 0
    for name in ("blank", "image", "sequence", "tabular", "text", "transfer"):
        assert any(line.startswith(f"{name} ") for line in answer.out.splitlines())
    assert "art-training" in answer.out


def test_a_template_without_a_project_file_promises_no_run(art, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "copier.yml").write_text("{}\n")
    (folder / "notes.txt").write_text("")
    answer = art("new", "leaves", "-t", "./plain", "--no-git")
    assert answer.code == 0, answer.err
    assert "run" not in answer.out
    assert answer.out.endswith("Type next:\n\n    cd leaves\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "a new project needs a name; write art new NAME"),
        (("my project",), "is no name for a project"),
        (("full",), "full is there already, and is not empty"),
        (("leaves", "--template", "imag"), "no template is called 'imag' (did you mean 'image'?)"),
        (("leaves", "--data", "python"), "--data python is no KEY=VALUE; write for example"),
        (("leaves", "--data", "pyton=3.12"), "does not ask for 'pyton'; it asks for: name, python"),
        (("--update",), " has no .copier-answers.yml, which tells the template"),
        (("full", "--update"), "full has no .copier-answers.yml"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(art, tmp_path, arguments, why):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    answer = art("new", *arguments)
    assert answer.code == 2
    assert why in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "leaves").exists()
