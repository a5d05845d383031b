import subprocess
import sys

from art_training.records import ProcessId


def test_this_process_is_alive_and_survives_being_written() -> None:
    me = ProcessId.current()
    assert me.alive() is True
    assert ProcessId.parse(str(me)) == me


def test_a_process_that_ended_is_dead() -> None:
    code = "from art_training.records import ProcessId; print(ProcessId.current())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    other = ProcessId.parse(said)
    assert other is not None
    assert other.alive() is False


def test_a_number_that_was_given_again_is_another_process() -> None:
    me = ProcessId.current()
    assert ProcessId(me.host, me.pid, "1").alive() is False


def test_of_another_machine_nothing_can_be_told() -> None:
    assert ProcessId("elsewhere", 1).alive() is None


def test_other_texts_are_no_processes() -> None:
    assert ProcessId.parse("") is None
    assert ProcessId.parse("host:12:3") is None
