"""Examples in the help: every command has some, and each is a line that the command understands."""

import shlex

import pytest
from typer.main import get_command

from art_training.cli.app import app
from art_training.cli.examples import EXAMPLES, FIRST

GROUP = get_command(app)
TYPED = [typed for examples in (FIRST, *EXAMPLES.values()) for typed, _ in examples]


def test_every_command_has_examples_and_no_other():
    assert set(EXAMPLES) == set(GROUP.commands)


@pytest.mark.parametrize("typed", TYPED)
def test_each_is_understood(typed):
    art, command, *arguments = shlex.split(typed)
    assert art == "art"
    GROUP.commands[command].make_context(command, arguments)


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_help_ends_with_them_and_fits_a_terminal(art, command):
    answer = art(command, "--help")
    assert answer.code == 0
    told = answer.out.partition("\nExamples:\n")[2]
    for typed, what in EXAMPLES[command]:
        assert typed in told
        assert what in told
    assert max(map(len, answer.out.splitlines())) <= 80
