"""What a killed execution leaves, and how the next one takes it up."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.engines import FitJob, FitResult, Position
from art_training.errors import ProjectError
from art_training.records import Finding, Severity
from art_training.runner.curves import CurveWriter
from art_training.runner.resumption import Resumption
from art_training.setup.setup import Setup
from art_training.stores import Store
from art_training.stores.memory import MemoryStore
from art_training.stores.sql import SqlStore
from art_training.stores.workspaces import project_folder, step_folder
from art_training.testing.data import points
from art_training.testing.fake_engine import FakeEngine, Line
from art_training.testing.records import a_run


def left_in(store: Store) -> Resumption:
    folder = step_folder(project_folder(store, "p"), "Overfit", "0" * 64)
    record = a_run()
    store.write(record)
    return Resumption(
        step="Overfit", folder=folder, memory=folder / "remembered", store=store, curves=CurveWriter(store, record.id)
    )


def trained(left: Resumption, label: str) -> FitResult:
    """A whole training with its checkpoints noted, as a bench does."""
    left.begin(label)
    folder, resume = left.take_up(label)
    assert resume is None

    def watch(position: Position) -> None:
        if position.checkpoint is not None:
            left.note_checkpoint(label, position.checkpoint, position.step)

    setup = Setup(Line, points(), trainer={"max_epochs": 2}, engine="fake")
    return FakeEngine().fit(FitJob(setup, 0, folder), watch)


def test_a_store_that_was_moved_is_gone_on_with(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "here" / "art.db")
    left = left_in(store)
    finished = trained(left, "first")
    left.note_finished("first", finished)
    trained(left, "second")
    left.remember("trial 0", {"value": 0.5})
    store.close()
    (tmp_path / "here").rename(tmp_path / "there")

    store = SqlStore(tmp_path / "there" / "art.db")
    left = left_in(store)
    found = left.finished("first")
    assert found is not None
    assert found.last is not None
    assert found.last.is_relative_to(tmp_path / "there")
    assert found.steps == finished.steps
    assert left.finished("second") is None
    _, resume = left.take_up("second")
    assert resume is not None
    assert resume.is_relative_to(tmp_path / "there")
    assert left.recall("trial 0") == {"value": 0.5}
    assert not (tmp_path / "here").exists()
    store.close()


def test_what_was_found_wrong_is_found_again() -> None:
    store = MemoryStore()
    left = left_in(store)
    finding = Finding("ART100", "training", Severity.WARNING, "odd", {"at": [1]}, "mend it")
    left.note_finished("a", FitResult(steps=3, findings=(finding,), logged={"loss": 0.5}))
    found = left.finished("a")
    assert found == FitResult(steps=3, findings=(finding,), logged={"loss": 0.5})


def test_a_checkpoint_that_was_changed_since_is_not_gone_on_from(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "art.db")
    left = left_in(store)
    trained(left, "a")
    _, checkpoint = left.take_up("a")
    assert checkpoint is not None
    checkpoint.write_bytes(b"another")
    folder, resume = left.take_up("a")
    assert resume is None
    assert list(folder.iterdir()) == []  # a training that begins anew finds nothing
    store.close()


def test_a_training_whose_files_were_deleted_is_not_finished(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "art.db")
    left = left_in(store)
    left.note_finished("a", trained(left, "a"))
    assert left.finished("a") is not None
    left.discard("a")
    assert left.finished("a") is None
    store.close()


def test_a_label_is_for_one_training() -> None:
    left = left_in(MemoryStore())
    left.begin("a")
    left.begin("")
    with pytest.raises(ProjectError, match=r"step 'Overfit' trains twice under the label 'a'; .*fit\(label=...\)"):
        left.begin("a")


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.text(max_size=60), st.integers() | st.text() | st.lists(st.floats(allow_nan=False)), max_size=5)
)
def test_small_values_are_recalled_whatever_their_keys_are(values: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        store = MemoryStore()
        left = Resumption(
            step="s", folder=Path(folder), memory=Path(folder) / "m", store=store, curves=CurveWriter(store, "r")
        )
        for key, value in values.items():
            left.remember(key, value)
        assert {key: left.recall(key) for key in values} == values
        assert left.recall("never remembered, and longer than any") is None
