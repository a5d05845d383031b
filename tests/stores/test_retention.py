"""Which artifacts are worth their room."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from art_training.errors import UsageError
from art_training.records import Artifact, Candidate, Outcome, RunStatus, StepState
from art_training.stores import Store
from art_training.stores.artifacts import FolderArtifacts
from art_training.stores.memory import MemoryStore
from art_training.stores.retention import RetentionRule, collect
from art_training.stores.sql import SqlStore
from art_training.testing.records import a_judgement, a_run


def now() -> datetime:
    """The time of the test, which may come long after this file was read."""
    return datetime.now(UTC)


@pytest.fixture(params=["memory", "sql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with closing(MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "art.db")) as store:
        yield store


class Shelf:
    """Puts files of a name into a store, as old as wanted."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder

    def put(self, text: str, *, hours: float = 48, kind: str = "checkpoint", name: str = "last.ckpt") -> Artifact:
        (self.folder / "file").write_text(text)
        artifact = self.store.artifacts.put(self.folder / "file", name=name, kind=kind)
        assert isinstance(self.store.artifacts, FolderArtifacts)
        then = (now() - timedelta(hours=hours)).timestamp()
        os.utime(self.store.artifacts.fetch(artifact.digest), (then, then))
        return artifact

    def run(
        self, number: int, *artifacts: Artifact, state: StepState | None = StepState.PASSED, **changes: object
    ) -> None:
        started = now() - timedelta(hours=40) + timedelta(minutes=number)
        run = a_run(number, started=started, status=RunStatus.COMPLETED, **changes)
        self.store.write(run, Outcome(artifacts=artifacts))
        if state is not None:
            self.store.judge(run.id, a_judgement(state))

    def texts(self) -> set[str]:
        return {self.store.artifacts.fetch(digest).read_text() for digest in self.store.artifacts.kept()}


@pytest.fixture
def shelf(store: Store, tmp_path: Path) -> Shelf:
    return Shelf(store, tmp_path)


def test_best_and_last_of_each_steps_newest_passed_run_stay(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("old"))
    shelf.run(1, shelf.put("last"), shelf.put("best", name="best.ckpt"), shelf.put("middle", name="epoch3.ckpt"))
    shelf.run(2, shelf.put("failed"), state=StepState.FAILED)
    shelf.run(3, shelf.put("other step"), step="Tune")
    shelf.run(4, shelf.put("other project"), project="else")
    assert collect(store).bytes == len("old") + len("middle") + len("failed")
    assert shelf.texts() == {"last", "best", "other step", "other project"}


def test_weights_of_the_candidates_of_the_newest_passed_run_stay_and_the_rest_is_told_truly(
    store: Store, shelf: Shelf
) -> None:
    """A later step makes an ensemble of them: Squeeze(of="Tune")."""

    def searched(number: int, text: str) -> None:
        files = (
            shelf.put(f"{text} {at}", name=f"{name}.ckpt") for at, name in enumerate(("trial 1", "lr 0.1", "half"))
        )
        started = now() - timedelta(hours=40) + timedelta(minutes=number)
        run = a_run(number, step="Tune", started=started, status=RunStatus.COMPLETED)
        store.write(run, Outcome(artifacts=tuple(files), candidates=(Candidate("trial 1"), Candidate("lr 0.1"))))
        store.judge(run.id, a_judgement(StepState.PASSED))

    searched(0, "older")
    searched(1, "newer")
    freed = {one.why for one in collect(store).freed}
    assert shelf.texts() == {"newer 0", "newer 1"}
    assert "checkpoint trial 1.ckpt of digits/Tune, an older run (run-00000)" in freed
    told = "of whose checkpoints only best, last and those of candidates are kept"
    assert f"checkpoint half.ckpt of digits/Tune, {told} (run-00001)" in freed
    assert len(freed) == 4
    assert {one.why for one in collect(store, RetentionRule(runs=0)).freed} == {
        f"checkpoint {name}.ckpt of digits/Tune, a run whose checkpoints are not kept (run-00001)"
        for name in ("trial 1", "lr 0.1")
    }


def test_what_is_not_a_checkpoint_stays(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("figure", kind="figure", name="a.png"))
    shelf.run(1)
    assert collect(store).freed == ()
    assert shelf.texts() == {"figure"}


def test_a_file_stays_while_anybody_wants_it(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("same"))
    shelf.run(1, shelf.put("same"))
    assert collect(store).freed == ()


def test_what_no_run_names_goes_after_an_hour(store: Store, shelf: Shelf) -> None:
    shelf.put("young", hours=0.9)
    shelf.put("old", hours=1.1)
    (freed,) = collect(store).freed
    assert (freed.bytes, freed.why) == (3, "no run names it")
    assert shelf.texts() == {"young"}


def test_artifacts_of_a_deleted_run_go(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("weights"))
    store.delete("run-00000")
    assert len(collect(store).freed) == 1


def test_a_dry_collection_only_says(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("failed"), shelf.put("bigger failed", name="best.ckpt"), state=StepState.FAILED)
    said = collect(store, dry=True)
    assert [one.bytes for one in said.freed] == [13, 6]
    assert "checkpoint last.ckpt of digits/Overfit, a run that ended failed (run-00000)" in {o.why for o in said.freed}
    assert (said.kept, said.kept_bytes, said.dry) == (0, 0, True)
    assert shelf.texts() == {"failed", "bigger failed"}
    assert collect(store).freed == said.freed


@pytest.mark.parametrize(("minutes", "stays"), [(5, True), (15, False)])
def test_a_run_that_is_alive_keeps_what_was_put_since_it_began(
    store: Store, shelf: Shelf, minutes: float, *, stays: bool
) -> None:
    began, beat = now() - timedelta(hours=9), now() - timedelta(minutes=minutes)
    store.write(a_run(7, started=began, heartbeat=beat))
    shelf.run(0, shelf.put("put again by the living run", hours=3), state=StepState.FAILED)
    shelf.put("not named yet", hours=4)
    shelf.put("before it began", hours=10)
    collect(store)
    assert shelf.texts() == ({"put again by the living run", "not named yet"} if stays else set())


def test_a_run_that_may_be_resumed_keeps_its_checkpoints(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("passed"))
    stopped = a_run(1, started=now() - timedelta(hours=3), status=RunStatus.INTERRUPTED)
    store.write(stopped, Outcome(artifacts=(shelf.put("epoch", name="epoch4.ckpt"),)))
    assert collect(store).freed == ()
    store.write(replace(stopped, id="run-00002", started=now(), status=RunStatus.ERRORED))
    collect(store)
    assert shelf.texts() == {"passed"}


def test_what_killed_copies_left_goes(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("weights"))
    assert isinstance(store.artifacts, FolderArtifacts)
    half = store.artifacts.folder / "incoming" / "half"
    half.write_text("half")
    os.utime(half, (0, 0))
    assert collect(store, dry=True).freed == collect(store).freed != ()
    assert collect(store).freed == ()
    assert shelf.texts() == {"weights"}


def test_the_rule_can_be_changed(store: Store, shelf: Shelf) -> None:
    shelf.run(0, shelf.put("old"))
    shelf.run(1, shelf.put("new"), shelf.put("best", name="best.ckpt"))
    assert collect(store, RetentionRule(runs=2), dry=True).freed == ()
    collect(store, RetentionRule(checkpoints=("last",)))
    assert shelf.texts() == {"new"}
    collect(store, RetentionRule(runs=0))
    assert shelf.texts() == set()
    with pytest.raises(UsageError, match="runs=-1"):
        RetentionRule(runs=-1)


def test_what_is_put_again_while_files_are_collected_stays(
    store: Store, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.run(0, shelf.put("wanted again"), state=StepState.FAILED)
    seen = store.artifacts.kept

    def kept_then_put_again() -> object:
        found = seen()
        shelf.put("wanted again", hours=-1)
        return found

    monkeypatch.setattr(store.artifacts, "kept", kept_then_put_again)
    assert collect(store).freed == ()
    assert shelf.texts() == {"wanted again"}


def test_a_damaged_outcome_keeps_all_its_checkpoints_and_stops_nothing(tmp_path: Path) -> None:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        shelf = Shelf(store, tmp_path)
        shelf.run(0, shelf.put("trial", name="trial 1.ckpt"))
        with closing(sqlite3.connect(tmp_path / "art.db")) as connection, connection:
            connection.execute("UPDATE outcomes SET body = '{'")
        assert collect(store).freed == ()
