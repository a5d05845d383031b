import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from art_training.records import plain
from art_training.setup.identity.provenance import collect


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    for arguments in (
        ["init", "-q"],
        ["config", "user.email", "me@example.com"],
        ["config", "user.name", "me"],
    ):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    (folder / "train.py").write_text("lr = 1\n")
    subprocess.run(["git", "-C", folder, "add", "."], check=True)
    subprocess.run(["git", "-C", folder, "commit", "-qm", "first"], check=True)
    return folder


def test_everything_that_a_later_reader_needs_is_collected() -> None:
    found = collect(command=["art", "run"], data_digest="abc", seeds={"project": 1})
    assert found.command == ("art", "run")
    assert found.versions["pytest"] == pytest.__version__
    assert found.hardware["processors"] >= 1
    assert found.hardware["memory_bytes"] > 0
    assert found.python.startswith("3.")
    assert (found.data_digest, found.seeds) == ("abc", {"project": 1})
    assert json.loads(json.dumps(plain(found)))


def test_outside_of_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    found = collect(folder=tmp_path)
    assert (found.git_commit, found.git_dirty, found.git_diff) == ("", False, "")


def test_a_clean_repository_has_a_commit_and_no_difference(repository: Path) -> None:
    found = collect(folder=repository)
    assert len(found.git_commit) == 40
    assert (found.git_dirty, found.git_diff) == (False, "")


def test_a_changed_file_is_kept_with_secrets_masked(repository: Path) -> None:
    (repository / "train.py").write_text('lr = 2\npassword = "hunter2"\n')
    (repository / "new.py").write_text("x = 1\n")
    found = collect(folder=repository)
    assert found.git_dirty
    assert "-lr = 1\n+lr = 2\n" in found.git_diff
    assert "hunter2" not in found.git_diff
    assert found.git_diff.endswith("untracked files:\n  new.py\n")


def test_a_repository_without_a_commit_yet_is_told_by_its_files(tmp_path: Path) -> None:
    subprocess.run(["git", "-C", tmp_path, "init", "-q"], check=True)
    (tmp_path / "new.py").write_text("x = 1\n")
    found = collect(folder=tmp_path)
    assert found.git_commit == ""
    assert "new.py" in found.git_diff


def test_a_long_difference_is_shortened_and_says_so(repository: Path) -> None:
    (repository / "train.py").write_text("x = 1\n" * 300_000)
    found = collect(folder=repository)
    assert len(found.git_diff) <= 2**20
    assert found.git_diff.endswith("the rest is left out]\n")


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert collect(folder=repository).git_commit == ""


def test_a_folder_that_is_not_there_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert collect(folder=tmp_path / "no").git_commit == ""


def test_secrets_of_the_command_line_are_masked() -> None:
    assert collect(command=["train.py", "--token", "hunter2"]).command == ("train.py", "--token", "***")


def test_it_is_quick_and_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from art_training.setup.identity.provenance import collect\n"
        "start = time.perf_counter(); collect(); print(time.perf_counter() - start)\n"
        "print([name for name in ('torch', 'numpy', 'lightning') if name in sys.modules])\n"
    )
    seconds, imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout.splitlines()
    assert float(seconds) < 0.5  # a tenth of it on a machine that does nothing else
    assert imported == "[]"


def test_devices_are_told_where_torch_is_imported() -> None:
    import torch

    assert ("accelerators" in collect().hardware) == (torch.cuda.is_available() or torch.backends.mps.is_available())


TELL = "import sys\nfrom art_training.setup.identity.provenance import collect\nprint(*collect().command, sep='\\n')\n"


@pytest.mark.parametrize("options", [[], ["-X", "utf8"]])
@pytest.mark.parametrize("program", [["train.py"], ["-m", "train"], ["./train.py"]])
def test_the_command_is_what_was_typed(tmp_path: Path, program: list[str], options: list[str]) -> None:
    (tmp_path / "train.py").write_text(TELL)
    typed = [sys.executable, *options, *program, "run", "--lr", "1e 3"]
    told = subprocess.run(typed, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert told == typed


@pytest.mark.parametrize(
    ("on_path", "typed", "told"), [(True, "art-told", "art-told"), (False, "bin/art-told", "bin/art-told")]
)
def test_an_installed_script_is_told_by_its_name(tmp_path: Path, on_path: bool, typed: str, told: str) -> None:
    """As `art` is: where the shell found it by its name, and else as it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(sys.executable)
    (tmp_path / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    script = folder / "art-told"
    script.write_text(f"#!{python}\n{TELL}")
    script.chmod(0o755)
    beside = [entry for entry in sys.path if entry]
    environment = {
        "PYTHONPATH": os.pathsep.join(beside),
        "PATH": f"{folder}:/usr/bin:/bin" if on_path else "/usr/bin:/bin",
    }
    answer = subprocess.run(
        ["/bin/sh", "-c", f"{typed} run"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines() == [told, "run"]
