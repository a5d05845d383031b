"""What every store must keep to: a suite for those who write one.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            with contextlib.closing(MyStore(tmp_path)) as store:
                yield store

        @pytest.fixture
        def reopen(self, tmp_path):
            return lambda: MyStore(tmp_path)

`reopen` gives another store on the same place, as another process would open it; a store that lives in memory gives
itself.
"""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from art_training.errors import ProjectLocked, StoreError, UsageError
from art_training.records import Fingerprint, RunStatus, Score, StepState, Use
from art_training.records.use import TESTED_MODEL, TESTED_ROWS
from art_training.stores import Point, RunQuery, Store
from art_training.testing.records import BEGINNING, ODD, a_judgement, a_run, an_outcome
from art_training.testing.store_listing import ListingContract
from art_training.testing.store_live import RevisionContract, SamplingContract
from art_training.testing.store_records import JudgementContract, RecordContract, Reopen, SeriesContract, ids


class QueryContract:
    """Runs by the thousand, as a table shows them."""

    def test_runs_are_listed_newest_first(self, store: Store) -> None:
        """Or oldest first; runs that began together are told apart by their ids."""
        for number in (2, 0, 3, 1):
            store.write(a_run(number, started=BEGINNING + timedelta(seconds=number // 2)))
        assert ids(store) == ["3", "2", "1", "0"]
        assert ids(store, descending=False) == ["0", "1", "2", "3"]

    def test_every_field_of_a_query_narrows(self, store: Store) -> None:
        """Alone and together."""
        other = Fingerprint({"x": 1})
        store.write(a_run(0))
        store.write(a_run(1, project="else"))
        store.write(a_run(2, step="Explore", kind="ExploreData"))
        store.write(a_run(3, status=RunStatus.ERRORED))
        store.write(a_run(4, fingerprint=other))
        assert ids(store, project="digits") == ["4", "3", "2", "0"]
        assert ids(store, step="Overfit") == ["4", "3", "1", "0"]
        assert ids(store, status=RunStatus.ERRORED) == ids(store, state=StepState.ERRORED) == ["3"]
        assert ids(store, fingerprint=other.digest) == ["4"]
        assert ids(store, project="digits", step="Overfit", status=RunStatus.RUNNING) == ["4", "0"]
        assert store.count(RunQuery(project="digits", limit=1)) == 4
        assert ids(store, part="0003") == ids(store, part="run-00003") == ["3"]
        assert ids(store, part="run-", project="else") == ["1"]
        assert ids(store, part="0_3") == ids(store, part="RUN") == ids(store, part="%3") == []
        assert store.count(RunQuery(part="run-", limit=1)) == 5

    def test_runs_are_sorted_by_a_score(self, store: Store) -> None:
        """Numbers first, then NaN, then runs that do not have it; equal ones newest first."""
        for number, value in enumerate([0.5, math.nan, None, 0.9, math.inf, 0.5]):
            store.write(a_run(number), an_outcome() if value is None else an_outcome(accuracy=value))
        metric = "validation/accuracy"
        assert ids(store, order_by=metric) == ["4", "3", "5", "0", "1", "2"]
        assert ids(store, order_by=metric, descending=False) == ["0", "5", "3", "4", "1", "2"]
        assert ids(store, order_by=metric, limit=2, offset=1) == ["3", "5"]
        assert ids(store, order_by="validation/none", limit=1) == ["5"]

    def test_pages_make_up_the_whole(self, store: Store) -> None:
        """Nothing twice, nothing missing, nothing behind the end."""
        for number in range(7):
            store.write(a_run(number))
        pages = [ids(store, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
        assert [run for page in pages for run in page] == ids(store)
        assert ids(store, limit=0) == []
        assert ids(store, offset=5) == ["1", "0"]
        with pytest.raises(UsageError, match="limit=-1"):
            RunQuery(limit=-1)

    def test_the_newest_run_of_each_step_is_found(self, store: Store) -> None:
        """Of one project alone."""
        for number, step in enumerate("abab"):
            store.write(a_run(number, step=step), an_outcome(accuracy=number / 10))
        store.write(a_run(9, project="else", step="a"))
        latest = store.latest("digits")
        assert {step: run.id for step, run in latest.items()} == {"a": "run-00002", "b": "run-00003"}
        assert latest["b"].scores == {"validation/accuracy": 0.3}

    def test_the_projects_are_known_the_one_that_ran_last_first(self, store: Store) -> None:
        """However many runs they have."""
        for number, project in enumerate(["a", "b", ODD, "b", "a", ODD]):
            store.write(a_run(number, project=project))
        assert list(store.projects()) == [ODD, "a", "b"]

    def test_a_deleted_run_is_gone_with_all_that_belongs_to_it(self, store: Store, reopen: Reopen) -> None:
        """The other stays whole, though they have parameters and versions in common."""
        for number in (0, 1):
            store.write(a_run(number), an_outcome(accuracy=0.5))
            store.append(f"run-{number:05d}", points=[Point("loss", 1, 0, 1.0)], lines=["x"])
            store.judge(f"run-{number:05d}", a_judgement())
        store.delete("run-00000")
        again = reopen()
        assert again.run("run-00000") is None
        assert again.outcome("run-00000") is None
        assert (again.judgements("run-00000"), again.curves("run-00000"), again.log("run-00000")) == ([], {}, [])
        assert again.run("run-00001") == a_run(1, state=StepState.PASSED)
        assert list(again.used()) == ["run-00001"]
        store.write(a_run(0))
        assert store.outcome("run-00000") is None
        assert store.log("run-00000") == []

    def test_a_use_of_the_test_split_outlives_its_run(self, store: Store, reopen: Reopen) -> None:
        """What was seen cannot be unseen; a run that left no score on test is no use, and neither is another project's."""
        said = {TESTED_MODEL: "abc", TESTED_ROWS: "def"}
        store.write(a_run(0), replace(an_outcome(), scores={"test/loss": Score(0.5)}, parameters=said))
        store.write(a_run(1), an_outcome(accuracy=0.5))
        silent = replace(an_outcome(), scores={"test:dark/loss": Score(0.5)})
        store.write(a_run(2), silent)
        store.write(a_run(3, project="else"), silent)
        uses = [Use("run-00000", "abc", "def"), Use("run-00002", silent.digest, "")]
        assert list(store.uses("digits")) == uses
        for number in range(4):
            store.delete(f"run-{number:05d}")
        assert list(reopen().uses("digits")) == uses

    def test_the_artifacts_that_outcomes_name_are_known(self, store: Store) -> None:
        """By run; retention depends on it."""
        store.write(a_run(0), an_outcome())
        store.write(a_run(1))
        assert {run: list(artifacts) for run, artifacts in store.used().items()} == {
            "run-00000": list(an_outcome().artifacts)
        }

    def test_the_findings_of_a_project_are_known(self, store: Store, reopen: Reopen) -> None:
        """By run, oldest first, as its outcome has them; those of other projects and of removed runs are not among them."""
        for number, project in ((3, "digits"), (1, "digits"), (2, "else"), (0, "digits")):
            store.write(a_run(number, project=project), an_outcome() if number else replace(an_outcome(), findings=()))
        found = {run: list(findings) for run, findings in reopen().findings("digits").items()}
        assert found == {run: list(an_outcome().findings) for run in ("run-00001", "run-00003")}
        assert list(found) == ["run-00001", "run-00003"]
        store.write(a_run(1), replace(an_outcome(), findings=an_outcome().findings * 2))
        assert len(store.findings("digits")["run-00001"]) == 2
        store.delete("run-00001")
        assert list(store.findings("digits")) == ["run-00003"]

    def test_small_values_are_remembered(self, store: Store, reopen: Reopen) -> None:
        """The newest under a key; None where there is none."""
        store.remember(ODD, {"a": [1, math.inf]})
        store.remember(ODD, [ODD, None])
        assert reopen().memo(ODD) == [ODD, None]
        assert store.memo("other") is None


class LockContract:
    """One run of a project at a time."""

    def test_a_project_is_held_by_one_at_a_time(self, store: Store, reopen: Reopen) -> None:
        """Whoever else asks is told who has it; other projects are free."""
        with store.lock(ODD):
            for other in (store, reopen()):
                with pytest.raises(
                    ProjectLocked, match=r"is being run by process \d+ on host .+ since .+; wait"
                ) as caught:
                    other.lock(ODD).__enter__()
                assert repr(ODD) in str(caught.value)
            with reopen().lock("other"):
                pass
        with reopen().lock(ODD):
            pass

    def test_a_lock_is_given_back_when_its_block_raises(self, store: Store) -> None:
        """A step that raises does not lock its project for good."""
        with pytest.raises(KeyError), store.lock("digits"):
            raise KeyError("x")
        with store.lock("digits"):
            pass

    def test_threads_exclude_each_other(self, store: Store) -> None:
        """Exactly one of many gets the lock."""
        barrier, done = threading.Barrier(6), threading.Barrier(6)

        def attempt(_: int) -> bool:
            barrier.wait()
            try:
                with store.lock("digits"):
                    done.wait()
            except ProjectLocked:
                done.wait()
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(attempt, range(6))) == 1


class ArtifactContract:
    """Files by the digest of their bytes."""

    def test_a_file_is_kept_by_its_bytes(self, store: Store, reopen: Reopen, tmp_path: Path) -> None:
        """The copy stays when the original goes, cannot be written, and equal files are kept once."""
        original = tmp_path / "last.ckpt"
        original.write_bytes(b"weights")
        artifact = store.artifacts.put(original, name="last.ckpt", kind="checkpoint", note="n")
        twin = store.artifacts.put(original, name="best.ckpt")
        original.unlink()
        assert (artifact.name, artifact.kind, artifact.bytes, artifact.note) == ("last.ckpt", "checkpoint", 7, "n")
        assert artifact.digest == twin.digest
        kept = reopen().artifacts
        assert kept.has(artifact.digest)
        assert kept.fetch(artifact.digest).read_bytes() == b"weights"
        assert kept.fetch(artifact.digest).stat().st_mode & 0o222 == 0
        assert {digest: file.bytes for digest, file in kept.kept().items()} == {artifact.digest: 7}

    def test_a_freed_file_is_gone(self, store: Store, tmp_path: Path) -> None:
        """The next who wants it is told; freeing twice does no harm."""
        (tmp_path / "a").write_bytes(b"a")
        digest = store.artifacts.put(tmp_path / "a", name="a").digest
        assert store.artifacts.delete(digest)
        assert not store.artifacts.delete(digest)
        assert not store.artifacts.has(digest)
        with pytest.raises(StoreError, match=f"{digest} is not kept any more"):
            store.artifacts.fetch(digest)

    def test_a_file_that_was_put_again_is_not_freed(self, store: Store, tmp_path: Path) -> None:
        """Whoever collects decides on what it saw; a writer may want the file meanwhile."""
        (tmp_path / "a").write_bytes(b"a")
        digest = store.artifacts.put(tmp_path / "a", name="a").digest
        (put,) = [file.put for file in store.artifacts.kept().values()]
        assert not store.artifacts.delete(digest, unused_since=put)
        assert store.artifacts.delete(digest, unused_since=put + timedelta(seconds=1))

    def test_what_is_no_digest_or_no_file_is_refused(self, store: Store, tmp_path: Path) -> None:
        """In a sentence; a path cannot be smuggled in as a digest."""
        with pytest.raises(StoreError, match="not the digest"):
            store.artifacts.fetch("../../etc/passwd")
        with pytest.raises(StoreError, match="cannot be kept"):
            store.artifacts.put(tmp_path / "missing", name="x")


class StoreContract(
    RecordContract,
    JudgementContract,
    SeriesContract,
    SamplingContract,
    RevisionContract,
    QueryContract,
    ListingContract,
    LockContract,
    ArtifactContract,
):
    """All of it: inherit from this one, and give the fixtures `store` and `reopen`."""

    def test_closing_twice_is_allowed(self, store: Store) -> None:
        """So that `with` blocks and `close` may meet."""
        store.close()
        store.close()
