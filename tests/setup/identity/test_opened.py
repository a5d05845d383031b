import os
import sqlite3
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from art_training.setup.identity.opened import recorded


def test_files_and_folders_are_recorded_with_their_whole_paths(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    np.save(tmp_path / "b.npy", np.zeros(3))
    with recorded() as opened:
        (tmp_path / "a.csv").read_text()
        np.load("b.npy", mmap_mode="r")
        list(Path().iterdir())
        os.scandir(tmp_path / "home").close()
    assert {str(tmp_path / "a.csv"), str(tmp_path / "b.npy")} <= set(opened.files)
    assert {str(tmp_path), str(tmp_path / "home")} <= set(opened.folders)
    assert not opened.reasons


def test_other_threads_are_recorded_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    with recorded() as opened:
        thread = threading.Thread(target=(tmp_path / "a.csv").read_text)
        thread.start()
        thread.join()
    assert str(tmp_path / "a.csv") in opened.files


def test_nothing_is_recorded_afterwards(tmp_path: Path) -> None:
    with recorded() as opened:
        pass
    (tmp_path / "a.csv").write_text("1")
    assert not opened.files


def test_code_and_the_system_are_not_data(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("x = 1")
    with recorded() as opened:
        (tmp_path / "module.py").read_text()
        Path("/proc/self/status").read_text()
        import colorsys  # noqa: F401
    assert not opened.files
    assert not opened.folders


def test_a_database_is_a_file(tmp_path: Path) -> None:
    with recorded() as opened:
        sqlite3.connect(tmp_path / "rows.db").close()
    assert str(tmp_path / "rows.db") in opened.files


def test_another_program_is_a_reason(tmp_path: Path) -> None:
    with recorded() as opened:
        subprocess.run(["true"], check=True)
    assert list(opened.reasons) == ["another program was started"]


@pytest.mark.parametrize("path", [b"a.csv", "a\x00b", 987_654])
def test_a_strange_path_does_not_get_in_the_way(path: object) -> None:
    with recorded(), pytest.raises((OSError, ValueError)):
        open(path)  # type: ignore[call-overload]  # noqa: PTH123, SIM115
