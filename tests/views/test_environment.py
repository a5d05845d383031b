from contextlib import closing

import pytest

from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views import environment
from art_training.views.environment import (
    Attempt,
    attempt,
    file_system_row,
    installed,
    lightning_row,
    nearest_folder,
    plugins_row,
    python_row,
    room_row,
    sqlite_row,
    store_row,
    torch_row,
    torchvision_row,
    writable_row,
)

BROKEN_OPERATORS = """Traceback (most recent call last):
  File "torchvision/_meta_registrations.py", line 163, in <module>
RuntimeError: operator torchvision::nms does not exist
"""
BROKEN_SYMBOL = "OSError: /site-packages/torchvision/_C.so: undefined symbol: _ZN3c104cuda9SetDeviceEi\n"
BROKEN_LIBRARY = "OSError: libcudart.so.12: cannot open shared object file: No such file or directory\n"


@pytest.mark.parametrize("error", [BROKEN_OPERATORS, BROKEN_SYMBOL, BROKEN_LIBRARY])
def test_a_torchvision_of_another_build_than_torch_is_recognised(error):
    row = torchvision_row("0.24.0", "2.13.0", Attempt(False, error=error))
    assert row.state == "problem"
    assert row.what.startswith("0.24.0 is built for another torch than 2.13.0, and breaks `import lightning`: ")
    assert row.what.endswith(error.splitlines()[-1].strip())
    assert "pip uninstall torchvision" in row.remedy


def test_a_torchvision_that_fails_otherwise_is_a_problem_too():
    row = torchvision_row("0.24.0", "2.13.0", Attempt(False, error="ImportError: no module named PIL"))
    assert row.state == "problem"
    assert "does not import" in row.what


def test_no_torchvision_and_a_good_one_are_fine():
    assert torchvision_row(None, "2.13.0", Attempt(False, error="ModuleNotFoundError")).state == "ok"
    assert torchvision_row("0.28", "2.13.0", Attempt(True)).state == "ok"


@pytest.mark.parametrize(
    ("release", "state"),
    [
        (None, "problem"),
        ("2.6.2", "problem"),
        ("2.6.3", "problem"),
        ("2.6.3.post1", "problem"),
        ("2.4.0", "warning"),
        ("2.6.5", "warning"),
        ("2.6.6", "ok"),
        ("2.7.0rc1", "ok"),
        ("3.0", "ok"),
    ],
)
def test_lightning_releases_are_told_apart(release, state):
    row = lightning_row("lightning", release)
    assert row.state == state
    assert bool(row.remedy) == (state != "ok")


def test_the_malware_is_called_by_its_name_and_says_to_renew_secrets():
    row = lightning_row("lightning", "2.6.2")
    assert "malware" in row.what
    assert "renew every password" in row.remedy


@pytest.mark.parametrize(
    ("release", "state"), [("3.40.1", "note"), ("3.51.2", "note"), ("3.51.3", "ok"), ("3.52", "ok")]
)
def test_sqlite_before_the_mended_release_is_noted(release, state):
    assert sqlite_row(release).state == state


@pytest.mark.parametrize(
    ("tried", "state", "what"),
    [
        (Attempt(True, "2.13.0+cpu||\n"), "ok", "2.13.0+cpu for the processor alone"),
        (Attempt(True, "a warning\n2.13.0|12.8||H100|H100\n"), "ok", "2.13.0 with H100, H100"),
        (Attempt(True, "2.13.0|12.8|\n"), "note", "is built for an accelerator (12.8), but finds none"),
        (Attempt(True, "2.13.0||mps\n"), "ok", "2.13.0 with Apple's GPU"),
        (Attempt(False, error="x\nImportError: libtorch\n\n"), "problem", "does not import: ImportError: libtorch"),
        (Attempt(False), "problem", "does not import: it says nothing"),
    ],
)
def test_torch_tells_what_it_computes_on(tried, state, what):
    row = torch_row(tried)
    assert row.state == state
    assert what in row.what


def test_an_old_python_is_a_problem():
    assert python_row((3, 10, 4)).state == "problem"
    assert python_row((3, 11, 0)).state == "ok"


def test_a_network_file_system_is_a_warning(tmp_path):
    row = file_system_row(tmp_path, "nfs4")
    assert row.state == "warning"
    assert "write-ahead logging is not safe" in row.what
    assert "ART_STORE" in row.remedy
    assert file_system_row(tmp_path, "").state == "ok"


def test_a_folder_that_may_not_be_written_is_a_problem(tmp_path):
    assert writable_row(tmp_path).state == "ok"
    assert list(tmp_path.iterdir()) == [tmp_path / "home"], "the probe leaves nothing behind"
    row = writable_row(tmp_path / "nothing")
    assert row.state == "problem"
    assert "cannot be written: No such file or directory" in row.what


def test_a_full_disk_is_a_warning(tmp_path):
    assert room_row(tmp_path, 10_000_000).state == "warning"
    assert room_row(tmp_path, 10_000_000_000).state == "ok"


def test_the_store_of_the_folder_is_opened(tmp_path):
    path = tmp_path / ".art" / "art.db"
    assert store_row(path).state == "ok"
    assert not path.exists(), "looking does not make it"
    SqlStore(path).close()
    assert store_row(path).what == f"{path} is sound"
    path.write_bytes(b"no database" * 1000)
    assert store_row(path).state == "problem"


@pytest.mark.parametrize("offset", [9_000, 20_000, 40_000])
def test_pages_that_were_overwritten_are_found_though_the_store_opens(tmp_path, offset):
    path = tmp_path / ".art" / "art.db"
    SqlStore(path).close()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 6_000)
    before = path.read_bytes()
    row = store_row(path)
    assert row.state == "problem"
    assert "is damaged: " in row.what
    assert "move it away with its -wal and -shm files" in row.what
    assert path.read_bytes() == before


def test_a_store_that_is_too_large_to_be_checked_in_time_is_a_note(tmp_path, monkeypatch):
    path = tmp_path / ".art" / "art.db"
    with closing(SqlStore(path)) as store:
        for minute in range(60):
            keep_run(store, "A", minute=minute, lines=[f"line {number}" for number in range(500)])
    monkeypatch.setattr(environment, "_SECONDS_TO_CHECK", 0.0)
    row = store_row(path)
    assert row.state == "note"
    assert "too large to be checked whole" in row.what


def test_the_nearest_folder_exists(tmp_path):
    assert nearest_folder(tmp_path / "a" / "b" / "c.db") == tmp_path


def test_an_attempt_tells_what_was_printed_and_what_went_wrong():
    assert attempt("print(3)") == Attempt(True, "3\n", "")
    failed = attempt("raise ValueError('no')")
    assert (failed.worked, failed.last) == (False, "ValueError: no")
    assert not attempt("import os; os.abort()").worked


def test_an_attempt_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(environment, "_SECONDS_TO_IMPORT", 0.2)
    assert attempt("import time; time.sleep(60)").last == "it took longer than 0 s"


def test_what_is_not_installed_has_no_version():
    assert installed("surely-no-such-distribution") is None
    assert installed("torch")


@pytest.mark.slow
def test_this_environment_is_fit(tmp_path):
    rows = environment.examine(tmp_path)
    assert [row for row in rows if row.state == "problem"] == []
    assert len({row.name for row in rows}) == len(rows)


def test_extensions_that_are_left_out_are_mentioned_with_the_first_reason():
    assert plugins_row(0, None).state == "ok"
    good = plugins_row(2, Attempt(True, "noise\n[]\n"))
    assert (good.state, good.what) == ("ok", "2 extensions of other distributions")
    row = plugins_row(3, Attempt(True, '[["step Mine", "it is a number"], ["tracker theirs", "it raised"]]'))
    assert (row.state, row.what) == (
        "warning",
        "2 of 3 extensions left out: step Mine, tracker theirs; it is a number",
    )
    assert "art plugins --others" in row.remedy
    crashed = plugins_row(3, Attempt(False, error="Segmentation fault"))
    assert crashed.state == "problem"
    assert crashed.remedy
