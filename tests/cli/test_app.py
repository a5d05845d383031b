import subprocess
import sys

import pytest

from art_training import __version__
from art_training.cli.app import _GROUPS, app

COMMANDS = [function.__name__ for functions in _GROUPS.values() for function in functions]


def test_help_groups_the_commands_by_task_and_documents_the_exit_codes(art, snapshot):
    answer = art("--help")
    assert answer.code == 0
    assert answer.out == snapshot


def test_without_a_command_the_help_is_shown(art):
    assert art() == art("--help")


def test_the_version_is_told(art):
    assert art("--version") == (0, f"art-training {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_its_line(art, command):
    assert command in {registered.name for registered in app.registered_commands}
    answer = art(command, "--help")
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= 80
    line = next(line for line in art("--help").out.splitlines() if line.strip().startswith(f"{command} "))
    assert not line.endswith("..."), "the first sentence is too long"


def test_every_command_that_shows_something_speaks_json(art):
    texts = {"demo", "docs", "explain", "learn", "new"}
    other_formats = {"dashboard", "diagnose", "report"}
    assert all("--json" in art(command, "--help").out for command in set(COMMANDS) - texts - other_formats)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shwo"], "No such command 'shwo'"),
        (["show"], "Missing argument"),
        (["runs", "--limit", "0"], "greater than or equal to 1"),
        (["runs", "--nothing"], "No such option: --nothing"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(art, arguments, sentence):
    answer = art(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Error: ")
    assert sentence in answer.err
    assert "--help` shows how it is used" in answer.err


def test_help_imports_nothing_heavy():
    code = "import sys; from art_training.cli.failing import run; run(['--help']); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines())
    assert "art_training.cli.app" in loaded
    assert loaded.isdisjoint({"torch", "lightning", "rich", "sqlalchemy", "numpy", "sklearn", "pydantic"})
