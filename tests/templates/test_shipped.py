"""What the templates inside the package become."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import art_training
from art_training.errors import UsageError
from art_training.plugins import offered
from art_training.templates.finding import all_templates, find_template
from art_training.templates.rendering import render

KINDS = ["blank", "image", "sequence", "tabular", "text", "transfer"]
FILES = {
    ".copier-answers.yml", ".github/workflows/art.yml", ".gitignore", "README.md", "art_project.py", "data.py", "model.py",
    "pyproject.toml", "requirements.txt", "tests/test_data.py", "tests/test_model.py", "tests/test_project.py",
}  # fmt: skip


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "leaves"
    assert render(find_template(request.param), folder, {}) == []
    return folder


def test_every_kind_that_is_asked_for_is_offered_by_name_and_told_in_a_line() -> None:
    ours = {
        name: one
        for name, one in all_templates().items()
        if offered("templates")[name].value.startswith("art_training.")
    }
    assert sorted(ours) == KINDS
    assert all(one.about and one.name == name and str(one) == name for name, one in ours.items())
    settings = yaml.safe_load((Path(find_template("blank").source) / "copier.yml").read_text())
    assert sorted(settings["kind"]["choices"]) == KINDS


def test_the_guide_has_a_row_for_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "start_a_project.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == KINDS


def test_a_project_has_all_that_it_needs_and_nothing_that_is_unfinished(made: Path) -> None:
    files = {path.relative_to(made).as_posix(): path.read_text() for path in made.rglob("*") if path.is_file()}
    assert set(files) == FILES
    for name, text in files.items():
        assert text.strip(), name
        assert "{%" not in text, name
        assert "{{" not in text, name
        assert "TODO" not in text, name
    assert '"leaves",' in files["art_project.py"]
    assert files["README.md"].startswith("# leaves\n")
    assert f"art-training>={art_training.__version__}\n" in files["requirements.txt"]
    assert ".art/\n" in files[".gitignore"]


def test_its_ci_tests_diagnoses_and_runs_the_cheap_steps(made: Path) -> None:
    settings = yaml.safe_load((made / ".github" / "workflows" / "art.yml").read_text())
    steps = settings["jobs"]["check"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert runs[-4:] == ["ruff check .", 'pytest -m "not slow"', "art diagnose", "art run --until OverfitOneBatch"]
    assert next(step for step in steps if "with" in step)["with"]["python-version"] == "3.12"
    steps_of_the_recipe = [
        call.func.id
        for call in ast.walk(ast.parse((made / "art_project.py").read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    ]
    assert {"ExploreData", "Diagnose", "OverfitOneBatch", "FinalTest"} <= set(steps_of_the_recipe)


def test_its_code_is_tidy_by_its_own_settings(made: Path) -> None:
    tomllib.loads((made / "pyproject.toml").read_text())
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=made, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_of_the_ci_can_be_told_and_must_be_one_that_art_runs_on(tmp_path: Path) -> None:
    render(find_template("blank"), tmp_path / "a", {"python": "3.13"})
    assert 'python-version: "3.13"' in (tmp_path / "a" / ".github" / "workflows" / "art.yml").read_text()
    with pytest.raises(UsageError, match=r"ART needs Python 3\.11 or later"):
        render(find_template("blank"), tmp_path / "b", {"python": "3.8"})
    assert not (tmp_path / "b").exists()
