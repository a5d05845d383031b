"""One process at a time, however the one before ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from art_training.errors import ProjectLocked, StoreError
from art_training.stores.lock import Holder, file_lock, lock_name, locked

HOLDING = """
import os, sys, time
from functools import partial
from pathlib import Path
from art_training.stores.lock import file_lock, locked
with file_lock(Path(sys.argv[1]), partial(locked, "digits")):
    child = os.fork() if sys.argv[2] == "fork" else -1
    if child == 0:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
"""

refusal = partial(locked, "digits")


@contextmanager
def another_process(path: Path, how: str = "") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDING, str(path), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process
        finally:
            process.kill()
            if child > 0:
                os.kill(child, signal.SIGKILL)


def test_another_process_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with another_process(path) as process, pytest.raises(ProjectLocked) as caught, file_lock(path, refusal):
        pass
    sentence = str(caught.value)
    assert f"project 'digits' is being run by process {process.pid} on host {socket.gethostname()} since " in sentence
    assert sentence.endswith(f"wait for it to end, or stop it with `kill {process.pid}`")


def test_a_killed_process_gives_its_lock_back_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with file_lock(path, refusal):
            pass


def test_workers_that_a_killed_process_had_forked_do_not_keep_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with another_process(path, "fork") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        # The worker may hold it for an instant, until it has run what a fork runs first; then it lets go.
        with file_lock(path, refusal, wait_seconds=10):
            pass


def test_a_fork_does_not_take_the_lock_from_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with another_process(path, "fork"), pytest.raises(ProjectLocked), file_lock(path, refusal):
        pass


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with another_process(path) as process:
        began = time.monotonic()
        with pytest.raises(ProjectLocked), file_lock(path, refusal, wait_seconds=0.1):
            pass
        assert time.monotonic() - began >= 0.1
        process.kill()
        with file_lock(path, refusal, wait_seconds=10):
            pass


def test_a_holder_that_cannot_be_read_is_another_process(tmp_path: Path) -> None:
    assert str(locked("digits", None)) == "project 'digits' is being run by another process; wait for it to end"
    path = tmp_path / "x.lock"
    with another_process(path):
        path.write_text("not json")
        with pytest.raises(ProjectLocked, match="another process"), file_lock(path, refusal):
            pass


def test_a_process_on_another_machine_is_not_stopped_from_here() -> None:
    assert "kill" not in str(locked("digits", Holder(1, "elsewhere", "2026-01-01T00:00:00+00:00")))


def test_the_file_says_who_holds_it_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.lock"
    path.parent.mkdir()
    path.write_text("x" * 1000)
    with file_lock(path, refusal):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert path.exists()


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the lock .* cannot be made"), file_lock(tmp_path / "file" / "x", refusal):
        pass


@pytest.mark.parametrize("project", ["../../etc/passwd", "a/b", "a" * 5000, "\0", "\udcff", "", "CON"])
def test_any_project_name_makes_a_safe_file_name(project: str) -> None:
    name = lock_name(project)
    assert len(name) < 40
    assert name.replace(".lock", "").isalnum()
    assert name != lock_name(project + "x")
