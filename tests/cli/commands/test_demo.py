import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from art_training import templates

TEMPLATE = Path(templates.__file__).parent / "digits" / "art_project.py"


@pytest.fixture
def no_work(monkeypatch):
    """The demo up to the point where it would train."""
    from art_training.cli.commands import run

    asked: list = []

    def watched(project, wish, **_):
        from art_training.records import StepState
        from art_training.runner import ProjectResult, StepResult

        asked.append((project, wish))
        return ProjectResult(project.name, (StepResult("A", "A", StepState.PASSED),), "Next: type `art run`.")

    monkeypatch.setattr(run, "watched", watched)
    return asked


def test_the_demo_writes_its_project_and_says_what_to_type_next(art, tmp_path, no_work, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    answer = art("demo")
    assert answer.code == 0
    assert (tmp_path / "art-demo" / "art_project.py").read_text() == TEMPLATE.read_text()
    assert "    cd art-demo\n    art run " in answer.out
    ((project, wish),) = no_work
    assert [step.name for step in project.steps] == [
        "ExploreData", "Diagnose", "EvaluateBaseline", "CheckLossOnInit", "OverfitOneBatch", "Overfit", "Pretrain",
        "TransferLearning", "Regularize", "Tune", "Squeeze", "FinalTest",
    ]  # fmt: skip
    assert wish == {"until": "FinalTest"}
    assert project.folder == tmp_path / "art-demo"


def test_where_the_shell_does_not_find_this_art_the_demo_prints_its_path(art, tmp_path, no_work, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    answer = art("demo")
    command = re.search(r"Next: type `(.*) run`", answer.out)
    assert command
    assert command[1].endswith("/art")
    for name in ("run", "status", "show FinalTest"):
        assert f"    {command[1]} {name} " in answer.out
    called = subprocess.run(f"{command[1]} --version", shell=True, cwd=tmp_path / "art-demo", check=True, capture_output=True)  # fmt: skip
    assert called.stdout.startswith(b"art-training ")


def test_a_project_that_is_there_already_stays_as_it_is(art, tmp_path, no_work):
    folder = tmp_path / "mine"
    folder.mkdir()
    source = TEMPLATE.read_text().replace('"digits"', '"my digits"')
    (folder / "art_project.py").write_text(source)
    answer = art("demo", folder, "--quick")
    assert "found" in answer.err
    assert (folder / "art_project.py").read_text() == source
    assert no_work[0][1] == {"until": "Overfit"}


def test_a_quick_demo_of_another_project_runs_all_of_it(art, tmp_path, no_work):
    (tmp_path / "art_project.py").write_text(
        TEMPLATE.read_text().replace("        Overfit(checks=", "        Overfit(name='A', checks=")
    )
    art("demo", tmp_path, "--quick")
    assert no_work[0][1] == {"until": "FinalTest"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(art, tmp_path):
    tmp_path.chmod(0o500)
    answer = art("demo")
    tmp_path.chmod(0o700)
    assert answer.code == 2
    assert "cannot be written: Permission denied; name another folder" in answer.err


def test_a_file_in_the_place_of_the_folder_is_one_sentence(art, tmp_path):
    (tmp_path / "art-demo").write_text("")
    answer = art("demo")
    assert answer.code == 2
    assert "cannot be written" in answer.err


@pytest.mark.slow
def test_the_quick_demo_passes_five_steps_and_the_diagnosis_and_is_recalled_afterwards(tmp_path):
    def demo() -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "art_training", "demo", "--quick"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    first = demo()
    assert first.returncode == 0, first.stderr
    assert first.stdout.count(" passed ") == 6
    report = tmp_path / "art-demo" / "art-report.html"
    assert "The report is art-demo/art-report.html" in first.stdout
    assert "<!doctype html>" in report.read_text()[:200].lower()
    assert report.stat().st_size < 2_000_000
    again = demo()
    assert again.returncode == 0
    assert again.stderr.count(": recalled, passed") == 6
