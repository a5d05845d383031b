"""Which file is the model that a project delivers, of made-up history."""

from pathlib import Path

import pytest

from art_training.errors import UsageError
from art_training.records import Artifact
from art_training.standards import Subject
from art_training.stores import Store
from art_training.stores.memory import MemoryStore
from art_training.testing.history import keep_run, verdict
from art_training.views.recorded import record_of
from art_training.views.subject import delivering, digest_of

PASSED = [verdict("it works")]
VALIDATED = {"validation/accuracy": 0.9}


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def weights(folder: Path, name: str, text: str) -> Artifact:
    """A file, and what a run says of it."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    digest, size = digest_of(file)
    return Artifact(Path(name).name, "checkpoint" if name.endswith("ckpt") else "other", digest, size)


def keep(store: Store, step: str, minute: int, *artifacts: Artifact, **other: object) -> str:
    return keep_run(store, step, minute=minute, artifacts=artifacts, **{"verdicts": PASSED, **other}).id


def subject(store: Store, given: object, project: str = "toy") -> Subject:
    found = record_of(store, project, subject=given).subject
    assert found is not None
    return found


def test_without_a_final_test_the_last_step_that_validated_delivers(store: Store, tmp_path: Path) -> None:
    first = weights(tmp_path, "one/last.ckpt", "1")
    keep(store, "Overfit", 1, first, scores=VALIDATED)
    keep(store, "OverfitOneBatch", 2, weights(tmp_path, "two/last.ckpt", "2"), scores={"train/loss": 0.0})
    assert subject(store, tmp_path / "one" / "last.ckpt").refused == ""
    refused = subject(store, tmp_path / "two" / "last.ckpt").refused
    assert "is last.ckpt of OverfitOneBatch" in refused
    assert refused.endswith("what the project delivers is last.ckpt of Overfit")


def test_a_final_test_says_which_step_delivers(store: Store, tmp_path: Path) -> None:
    for minute, step in ((1, "Overfit"), (2, "Regularize")):
        keep(store, step, minute, weights(tmp_path, f"{step}/last.ckpt", step), scores=VALIDATED)
    keep(store, "FinalTest", 3, scores={"test/accuracy": 0.9}, parameters={"step.of": "Overfit"})
    assert subject(store, tmp_path / "Overfit" / "last.ckpt").refused == ""
    assert subject(store, tmp_path / "Regularize" / "last.ckpt").refused


def test_what_a_final_test_trained_itself_is_delivered(store: Store, tmp_path: Path) -> None:
    keep(store, "Overfit", 1, weights(tmp_path, "Overfit/last.ckpt", "1"), scores=VALIDATED)
    keep(store, "FinalTest", 2, weights(tmp_path, "FinalTest/last.ckpt", "2"), scores={"test/accuracy": 0.9})
    assert subject(store, tmp_path / "FinalTest" / "last.ckpt").refused == ""
    assert subject(store, tmp_path / "Overfit" / "last.ckpt").refused


def test_the_export_is_the_model_as_its_weights_are(store: Store, tmp_path: Path) -> None:
    left = [weights(tmp_path, name, name) for name in ("last.ckpt", "model.zip", "best.ckpt", "notes.txt")]
    keep(store, "Squeeze", 1, *left, scores=VALIDATED)
    found = delivering(record_of(store, "toy"))
    assert found is not None
    assert found[1] == ("last.ckpt", "model.zip")
    assert subject(store, tmp_path / "model.zip").refused == ""
    assert (
        "what the project delivers is last.ckpt, model.zip of Squeeze" in subject(store, tmp_path / "best.ckpt").refused
    )


def test_a_file_of_an_earlier_run_is_refused(store: Store, tmp_path: Path) -> None:
    early = keep(store, "Overfit", 1, weights(tmp_path, "one/last.ckpt", "1"), scores=VALIDATED)
    late = keep(store, "Overfit", 2, weights(tmp_path, "two/last.ckpt", "2"), scores=VALIDATED)
    found = subject(store, tmp_path / "one" / "last.ckpt")
    assert f"of another run of Overfit, {early}; the project stands on {late} by now" in found.refused
    assert (found.run, found.step, found.artifact) == (early, "Overfit", "last.ckpt")


def test_a_run_that_left_the_same_bytes_again_is_as_good(store: Store, tmp_path: Path) -> None:
    again = weights(tmp_path, "last.ckpt", "1")
    keep(store, "Overfit", 1, again, scores=VALIDATED)
    late = keep(store, "Overfit", 2, again, scores=VALIDATED)
    assert (subject(store, tmp_path / "last.ckpt").run, subject(store, tmp_path / "last.ckpt").refused) == (late, "")


def test_a_changed_file_is_told_from_one_that_nobody_knows(store: Store, tmp_path: Path) -> None:
    kept = weights(tmp_path, "last.ckpt", "1")
    keep(store, "Overfit", 1, kept, scores=VALIDATED)
    (tmp_path / "last.ckpt").write_text("2")
    (tmp_path / kept.digest).write_text("3")  # as a store keeps it
    (tmp_path / "other.ckpt").write_text("4")
    for name in ("last.ckpt", kept.digest):
        assert "so that the file was changed since" in subject(store, tmp_path / name).refused
    assert "it is of another store" in subject(store, tmp_path / "other.ckpt").refused


def test_a_file_of_another_project_is_told_with_its_project(store: Store, tmp_path: Path) -> None:
    keep(store, "Overfit", 1, weights(tmp_path, "a/last.ckpt", "1"), scores=VALIDATED)
    keep(store, "Overfit", 2, weights(tmp_path, "b/last.ckpt", "2"), scores=VALIDATED, project="other")
    assert "of another project, 'other', and not of 'toy'" in subject(store, tmp_path / "b" / "last.ckpt").refused
    assert subject(store, tmp_path / "b" / "last.ckpt", "other").refused == ""


def test_where_nothing_left_weights_nothing_is_delivered(store: Store, tmp_path: Path) -> None:
    keep(store, "ExploreData", 1, weights(tmp_path, "classes.csv", "1"))
    assert "delivers is nothing" in subject(store, tmp_path / "classes.csv").refused


def test_a_run_must_be_one_that_a_step_stands_on(store: Store) -> None:
    early, late = keep(store, "Overfit", 1), keep(store, "Overfit", 2)
    theirs = keep(store, "Overfit", 3, project="other")
    assert subject(store, late).refused == ""
    assert subject(store, early).refused.endswith(f"that step stands on {late}")
    assert "of another project, 'other'" in subject(store, theirs).refused
    with pytest.raises(UsageError, match="there is no run 'nothing'"):
        record_of(store, "toy", subject="nothing")


def test_a_file_that_cannot_be_read_is_told(store: Store, tmp_path: Path) -> None:
    keep(store, "Overfit", 1)
    with pytest.raises(UsageError, match=r"none\.ckpt cannot be read: No such file"):
        record_of(store, "toy", subject=tmp_path / "none.ckpt")
