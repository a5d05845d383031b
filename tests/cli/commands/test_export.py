"""`art export`: the files of a run, under their own names."""

import json

import pytest

from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run


@pytest.fixture
def left(toy, tmp_path):
    """A run of a step `Drawn` that left two files, one of them in a folder of its own."""
    store = SqlStore(toy / ".art" / "art.db")
    kept = []
    for name, kind, text in (("examples.png", "figure", "a picture"), ("member 1/last.ckpt", "checkpoint", "weights")):
        file = tmp_path / "source"
        file.write_text(text)
        kept.append(store.artifacts.put(file, name=name, kind=kind))
    keep_run(store, "Drawn", minute=30, artifacts=kept)
    store.close()
    return toy


def test_all_files_of_a_step_are_copied_under_their_names(art, left):
    answer = art("export", "Drawn", "out")
    assert answer.code == 0
    assert (left / "out" / "examples.png").read_text() == "a picture"
    assert (left / "out" / "member 1" / "last.ckpt").read_text() == "weights"
    assert "out/examples.png (9 bytes)" in answer.out


def test_one_file_is_taken_by_its_name_into_a_folder_called_like_the_step(art, left):
    answer = art("export", "Drawn", "--name", "examples.png", "--json")
    assert json.loads(answer.out)["files"] == ["Drawn/examples.png"]
    assert [one.name for one in (left / "Drawn").iterdir()] == ["examples.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Drawn", "--name", "exampels.png"), "left no 'exampels.png'; it left: examples.png, member 1/last.ckpt"),
        (("ExploreData",), "left no files"),
    ],
)
def test_what_is_not_there_is_one_sentence(art, left, arguments, said):
    answer = art("export", *arguments)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())


def test_a_file_that_is_there_stays_as_it_is(art, left):
    (left / "Drawn").mkdir()
    (left / "Drawn" / "examples.png").write_text("mine")
    answer = art("export", "Drawn")
    assert answer.code == 2
    assert "is there already" in answer.err
    assert (left / "Drawn" / "examples.png").read_text() == "mine"
