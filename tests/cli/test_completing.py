"""What a shell offers: asked of the program as bash asks it."""

import os
import subprocess
import sys

import pytest

from art_training.cli.completing import complete_pages, complete_probes, complete_steps


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("art di", {"diagnose", "diff"}),
        ("art docs sta", {"stale"}),
        ("art run --probe Overfit:b", {"Overfit:batches"}),
        ("art show Over", {"Overfit"}),
    ],
)
def test_bash_is_offered_what_can_follow(toy, words, offered):
    asked = {**os.environ, "_ART_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    asked["ART_STORE"] = str(toy / ".art" / "art.db")
    answer = subprocess.run(
        [sys.executable, "-m", "art_training"], env=asked, capture_output=True, text=True, check=False, cwd=toy
    )
    assert offered <= set(answer.stdout.split())
    assert all(one.startswith(words.rpartition(" ")[2]) for one in answer.stdout.split())


def test_where_no_project_is_nothing_is_offered(capsys):
    assert complete_steps("") == []
    assert capsys.readouterr() == ("", "")


def test_pages_and_probes_begin_as_is_typed():
    assert complete_pages("stal") == ["stale"]
    assert complete_probes("gr") == ["gradients"]
    assert complete_probes("Tune:s") == ["Tune:statistics"]
