import subprocess
import sys

import pytest

from art_training.cli.exits import ExitCode, exit_code
from art_training.cli.failing import run, told
from art_training.cli.frames import folded, is_users
from art_training.errors import Interrupted, OutOfMemory, ProjectError, ProjectLocked, StoreCorrupt, UnknownMetric
from art_training.records import StepState


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ProjectError("no such project"), 2, "Error: no such project\n"),
        (UnknownMetric("no metric 'x'"), 2, "Error: no metric 'x' (`art docs scores` tells more)\n"),
        (StoreCorrupt("not a store"), 3, "Error: not a store (`art docs store` tells more)\n"),
        (ProjectLocked("it runs"), 3, "Error: it runs\n"),
        (OutOfMemory("the device is full"), 3, "Error: the device is full (`art docs resume` tells more)\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (Interrupted("in epoch 3"), 130, "Interrupted: in epoch 3\n"),
        (SystemExit(143), 143, ""),  # whoever watches is told by a note; else the log has said it
    ],
)
def test_every_error_has_a_sentence_and_an_exit_code(error, code, said, capsys):
    assert told(error) == code
    assert capsys.readouterr() == ("", said)


def test_a_value_that_an_option_does_not_take_is_told_without_the_validators_words(capsys):
    assert run(["diagnose", "--format", "docx"]) == 2
    assert "Invalid value for '--format': 'docx' is not one of 'text', 'json'" in capsys.readouterr().err


def test_notes_of_an_error_are_told_after_its_sentence(capsys):
    error = ProjectError("it raises")
    error.add_note("  line 3")
    told(error)
    assert capsys.readouterr().err == "Error: it raises\n  line 3\n"


def test_an_error_of_the_users_code_shows_their_frames_and_not_those_of_art_and_lightning(capsys, tmp_path):
    source = tmp_path / "net.py"
    source.write_text("def training_step(call):\n    return call()\n\ndef inner():\n    raise ValueError('shapes')\n")
    names: dict = {}
    exec(compile(source.read_text(), str(source), "exec"), names)

    from art_training.checks.values import with_interval

    class Raises:
        interval = None

        @property
        def value(self):
            return names["inner"]()

    with pytest.raises(ValueError, match="shapes") as raised:
        names["training_step"](lambda: with_interval(Raises()))
    assert told(raised.value) == 3
    said = capsys.readouterr().err
    assert "in training_step" in said
    assert "in inner" in said
    assert "checks/values.py" not in said
    assert "1 frames of ART, of Lightning and of torch are left out" in said
    assert said.splitlines()[-2] == "ValueError: shapes"


def test_a_fault_without_a_line_of_the_users_is_shown_whole_and_called_ours(monkeypatch):
    from art_training.cli import frames

    monkeypatch.setattr(frames, "is_users", lambda _: False)
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 / 0
    said = folded(raised.value)
    assert "test_failing.py" in said
    assert "it may be a fault of ART; please report it" in said


def test_code_of_packages_and_of_python_is_not_the_users(tmp_path):
    import subprocess as standard

    import rich

    import art_training

    assert is_users(str(tmp_path / "net.py"))
    assert is_users("<ipython-input-3>")
    for module in (standard, rich, art_training):
        assert not is_users(str(module.__file__))
    assert not is_users("<frozen importlib._bootstrap>")
    assert not is_users("<string>"), "the __init__ of a dataclass"


def test_the_exit_code_is_that_of_the_worst_step():
    passed, failed = StepState.PASSED, StepState.FAILED
    assert exit_code([passed, StepState.NOT_RUN]) == ExitCode.PASSED
    assert exit_code([]) == exit_code([passed, failed]) == exit_code([StepState.UNCHECKED]) == ExitCode.FAILED
    assert exit_code([failed, StepState.ERRORED]) == exit_code([StepState.NOT_JUDGED, failed]) == ExitCode.NOT_JUDGED
    assert exit_code([failed, StepState.INTERRUPTED]) == ExitCode.INTERRUPTED


def test_every_state_of_a_step_has_an_exit_code():
    assert {exit_code([state]) for state in StepState} == {0, 1, 3, 130}


def test_a_reader_that_has_seen_enough_is_no_error(toy):
    command = f"{sys.executable} -m art_training show Overfit --json | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_reader_of_a_table_that_has_seen_enough_is_no_error_either(toy):
    # `true` reads nothing: the pipe is broken before the first line is written.
    command = f"{sys.executable} -m art_training show Overfit | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
