import os
from pathlib import Path

import pytest

from art_training.setup.identity import files
from art_training.setup.identity.files import file_state, tree_of, tree_state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "inner").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "inner" / "b.txt").write_text("bb")
    return root


def test_a_tree_is_known_by_names_and_content_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    before = tree_of(folder)
    assert before.note == ""
    assert tree_of(folder.rename(tmp_path / "moved")) == before


@pytest.mark.parametrize("change", ["content", "name", "new", "gone"])
def test_every_change_is_seen(folder: Path, change: str) -> None:
    before, state = tree_of(folder), tree_state(folder)
    match change:
        case "content":
            (folder / "inner" / "b.txt").write_text("cc")
        case "name":
            (folder / "a.txt").rename(folder / "c.txt")
        case "new":
            (folder / "inner" / "c.txt").write_text("")
        case _:
            (folder / "a.txt").unlink()
    assert tree_of(folder).digest != before.digest
    assert tree_state(folder) != state


def test_a_touched_file_has_another_state_and_the_same_content(folder: Path) -> None:
    before, state = tree_of(folder), tree_state(folder)
    os.utime(folder / "a.txt", ns=(1, 1))
    assert tree_of(folder) == before
    assert tree_state(folder) != state


def test_a_large_tree_is_sampled_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FULL_BYTES", 1)
    monkeypatch.setattr(files, "_SAMPLE_FILES", 1)
    (folder / "a.txt").write_bytes(bytes(500_000))
    found = tree_of(folder)
    assert found.note == (
        "of 2 files with 0 MB in data, all names and sizes were compared, and beginning and end of 1 files"
    )
    assert tree_of(folder) == found
    (folder / "inner" / "b.txt").write_text("longer")
    assert tree_of(folder).digest != found.digest


def test_what_tools_leave_behind_is_passed_over(folder: Path) -> None:
    before = tree_of(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("x")
    (folder / ".DS_Store").write_text("x")
    assert tree_of(folder) == before


def test_a_folder_that_links_to_itself_ends(folder: Path) -> None:
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert tree_of(folder).digest


def test_too_many_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_FILES", 1)
    with pytest.raises(ValueError, match="more than 1 files"):
        tree_of(folder)


def test_a_file_that_is_not_there_has_no_state(tmp_path: Path) -> None:
    assert file_state(str(tmp_path / "no")) is None
    assert file_state(str(tmp_path)) is not None
