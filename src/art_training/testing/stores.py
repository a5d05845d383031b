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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from art_training.errors import ProjectLocked, StoreError, UsageError
from art_training.records import (
    Artifact,
    Candidate,
    Curve,
    Finding,
    Fingerprint,
    Interval,
    Judgement,
    Outcome,
    Provenance,
    Reading,
    RunRecord,
    RunStatus,
    Score,
    Severity,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.stores import Point, RunQuery, Store

BEGINNING = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
ODD = "naïve 学習 \N{SNOWMAN}\0\n'; DROP TABLE runs; --"

Reopen = Callable[[], Store]


def a_run(number: int = 0, **changes: Any) -> RunRecord:
    """A run that began `number` seconds after `BEGINNING`."""
    record = RunRecord(
        id=f"run-{number:05d}",
        project="digits",
        step="Overfit",
        kind="Overfit",
        fingerprint=Fingerprint({"hparams.lr": 0.001, "model: Net": {"digest": "ab" * 32}}, ("callback Foo",)),
        seed=2**63 + 11,
        started=BEGINNING + timedelta(seconds=number),
        process="host|1|0",
        parameters={"hparams.lr": 0.001, "nested": {"list": [1, 2.5, None, True, ODD]}},
        consumes={"ExploreData": "run-before"},
        provenance=Provenance(
            command=("art", "run"), versions={"torch": "2.13.0"}, hardware={"cores": 2}, git_diff=ODD, seeds={"step": 3}
        ),
    )
    return replace(record, **changes)


def an_outcome(**scores: float) -> Outcome:
    """An outcome with something in every field; scores are of the validation split."""
    artifact = Artifact("last.ckpt", "checkpoint", "cd" * 32, 1234, "weights at the end")
    return Outcome(
        scores={
            f"validation/{name}": Score(value, Interval(0.1, 0.9), 360, "maximize") for name, value in scores.items()
        },
        curves={"train/loss": Curve((1, 2, 3), (2.3, math.nan, math.inf), (0, 0, 1))},
        readings=(Reading("rows", {"train": 3}, "rows"),),
        findings=(Finding("ART001", "data", Severity.WARNING, ODD, {"share": 0.5}),),
        candidates=(Candidate("dummy", {"validation/accuracy": Score(0.1)}, {"kind": "dummy"}),),
        parameters={"epochs": 3, "odd": ODD},
        artifacts=(artifact,),
        seconds={"fit": 1.5},
        summary=ODD,
    )


def a_judgement(state: StepState = StepState.PASSED, minute: int = 0) -> Judgement:
    """A judgement with one verdict."""
    verdict = Verdict("train/loss < 0.05", VerdictState.FAILED, ODD, {"loss": math.inf}, {"limit": 0.05})
    return Judgement((verdict,), BEGINNING + timedelta(minutes=minute), state)


def ids(store: Store, **query: Any) -> Sequence[str]:
    """The ids that a query gives, as numbers of `a_run`, in order."""
    return [run.id.removeprefix("run-").lstrip("0") or "0" for run in store.runs(RunQuery(**query))]


class RecordContract:
    """What is written is read again, whole, by whoever opens the store."""

    def test_a_run_is_read_as_it_was_written(self, store: Store, reopen: Reopen) -> None:
        """Every field, however odd the text in it and however large the number."""
        store.write(a_run())
        assert reopen().run("run-00000") == store.run("run-00000") == a_run()

    def test_a_fingerprint_that_was_read_has_the_digest_it_had(self, store: Store, reopen: Reopen) -> None:
        """Recall depends on it."""
        components: dict[str, Any] = {"a": 1, "b": 1.0, "c": [math.nan, -math.inf], "d": {"digest": "ef"}, "é": None}
        store.write(a_run(fingerprint=Fingerprint(components)))
        record = reopen().run("run-00000")
        assert record is not None
        assert record.fingerprint.digest == Fingerprint(components).digest

    def test_an_outcome_is_read_as_it_was_written(self, store: Store, reopen: Reopen) -> None:
        """NaN and the infinities too."""
        store.write(a_run(), an_outcome(accuracy=0.5))
        found = reopen().outcome("run-00000")
        assert found is not None
        assert repr(found) == repr(an_outcome(accuracy=0.5))

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1 + 0.2, 1e-320, -0.0])
    def test_a_score_keeps_its_value(self, store: Store, value: float) -> None:
        """To the last bit, in the outcome and in the listing."""
        store.write(a_run(), an_outcome(loss=value))
        outcome, (summary,) = store.outcome("run-00000"), store.runs()
        assert outcome is not None
        for found in (outcome.scores["validation/loss"].value, summary.scores["validation/loss"]):
            assert found == value or (math.isnan(found) and math.isnan(value))

    def test_what_is_not_plain_data_is_kept_as_its_marked_repr(self, store: Store) -> None:
        """Nothing is pickled, and a reader can tell."""
        store.write(
            a_run(parameters={"model": object, "shape": (1, 2)}), replace(an_outcome(), parameters={"x": object()})
        )
        record, outcome = store.run("run-00000"), store.outcome("run-00000")
        assert record is not None
        assert outcome is not None
        assert record.parameters["shape"] == [1, 2]
        assert record.parameters["model"] == {"__repr__": "builtins.object", "__type__": "builtins.type"}
        assert outcome.parameters["x"] == {"__repr__": "<object object>", "__type__": "builtins.object"}

    def test_what_could_not_be_read_again_is_refused_when_it_is_written(self, store: Store) -> None:
        """By the name of the field; nothing of it is kept."""
        broken = replace(an_outcome(), scores={"validation/accuracy": Score("high")})  # type: ignore[arg-type]
        with pytest.raises(StoreError, match=r"validation/accuracy.*'high'"):
            store.write(a_run(), broken)
        assert store.run("run-00000") is None

    def test_times_come_back_in_utc(self, store: Store) -> None:
        """Whatever zone they were given in; a time without a zone is refused."""
        zone = timezone(timedelta(hours=5))
        store.write(a_run(started=BEGINNING.astimezone(zone)))
        record = store.run("run-00000")
        assert record is not None
        assert (record.started, record.started.utcoffset()) == (BEGINNING, timedelta(0))
        with pytest.raises(StoreError, match="no time zone"):
            store.write(a_run(started=BEGINNING.replace(tzinfo=None)))

    def test_what_is_given_back_can_be_changed_without_harm(self, store: Store) -> None:
        """It is a copy."""
        store.write(a_run(), an_outcome(accuracy=0.5))
        record, outcome = store.run("run-00000"), store.outcome("run-00000")
        assert record is not None
        assert outcome is not None
        record.parameters["nested"]["list"].clear()
        outcome.readings[0].value["train"] = 99
        again = store.outcome("run-00000")
        assert store.run("run-00000") == a_run()
        assert again is not None
        assert again.readings[0].value == {"train": 3}

    def test_nothing_is_found_where_nothing_was_written(self, store: Store) -> None:
        """Reading needs no run; changing one does."""
        assert store.run("x") is None
        assert store.outcome("x") is None
        assert (list(store.judgements("x")), dict(store.curves("x")), list(store.log("x"))) == ([], {}, [])
        assert (list(store.runs()), store.count(), dict(store.latest("x")), dict(store.used())) == ([], 0, {}, {})
        changes: list[Callable[[], None]] = [
            lambda: store.append("x", lines=["a"]),
            lambda: store.beat("x", BEGINNING),
            lambda: store.judge("x", a_judgement()),
            lambda: store.delete("x"),
        ]
        for change in changes:
            with pytest.raises(StoreError, match="no run 'x'"):
                change()


class JudgementContract:
    """A verdict belongs to one exact outcome; both stay."""

    def test_judgements_are_appended(self, store: Store, reopen: Reopen) -> None:
        """The last one says where the run stands; the earlier ones stay."""
        store.write(a_run(status=RunStatus.COMPLETED), an_outcome())
        first, second = a_judgement(StepState.FAILED), a_judgement(StepState.PASSED, minute=1)
        store.judge("run-00000", first)
        store.judge("run-00000", second)
        again = reopen()
        assert list(again.judgements("run-00000")) == [first, second]
        record = again.run("run-00000")
        assert record is not None
        assert record.state is StepState.PASSED
        assert [run.state for run in again.runs()] == [StepState.PASSED]

    def test_an_outcome_may_be_replaced_until_it_is_judged(self, store: Store) -> None:
        """What verdicts speak of stays; the same once more does no harm."""
        run = a_run(status=RunStatus.COMPLETED)
        store.write(run, an_outcome(accuracy=0.1, old=1.0))
        store.write(run, an_outcome(accuracy=0.2))
        store.judge(run.id, a_judgement())
        store.write(run, an_outcome(accuracy=0.2))
        with pytest.raises(StoreError, match=r"'run-00000' was judged"):
            store.write(run, an_outcome(accuracy=0.3))
        outcome, (summary,) = store.outcome(run.id), store.runs()
        assert outcome is not None
        assert outcome.scores["validation/accuracy"].value == 0.2
        assert summary.scores == {"validation/accuracy": 0.2}
        assert summary.state is StepState.PASSED

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            (RunStatus.RUNNING, StepState.RUNNING),
            (RunStatus.COMPLETED, StepState.NOT_JUDGED),
            (RunStatus.ERRORED, StepState.ERRORED),
            (RunStatus.INTERRUPTED, StepState.INTERRUPTED),
            (RunStatus.KILLED, StepState.INTERRUPTED),
        ],
    )
    def test_without_a_judgement_the_state_follows_from_the_status(
        self, store: Store, status: RunStatus, state: StepState
    ) -> None:
        """Whatever the record that was given says."""
        store.write(a_run())
        store.write(a_run(status=status, state=StepState.PASSED))
        record = store.run("run-00000")
        assert record is not None
        assert record.state is state
        assert ids(store, state=state, status=status) == ["0"]

    def test_a_run_that_moves_on_keeps_its_outcome_and_its_last_sign_of_life(self, store: Store) -> None:
        """`write` and `beat` come from two threads: the newer beat stays."""
        store.write(a_run(heartbeat=BEGINNING), an_outcome(accuracy=0.5))
        beat = BEGINNING + timedelta(seconds=9)
        store.beat("run-00000", beat)
        store.beat("run-00000", BEGINNING)
        ended = a_run(status=RunStatus.COMPLETED, heartbeat=BEGINNING, ended=beat)
        store.write(ended)
        record = store.run("run-00000")
        assert record is not None
        assert (record.heartbeat, record.ended, record.seconds) == (beat, beat, 9.0)
        assert store.outcome("run-00000") is not None


class SeriesContract:
    """Curves and logs, written while training runs."""

    def test_curves_hold_all_points_in_the_order_of_their_steps(self, store: Store, reopen: Reopen) -> None:
        """However they came; a later point replaces the earlier one of its step."""
        store.write(a_run())
        store.append(
            "run-00000", points=[Point("loss", 3, 1, math.nan), Point("loss", 1, 0, 9.0), Point(ODD, 1, 0, -math.inf)]
        )
        store.append("run-00000", points=[Point("loss", 1, 0, 2.0), Point("loss", 2, 0, 1.0)])
        curves = reopen().curves("run-00000")
        assert repr(curves["loss"]) == repr(Curve((1, 2, 3), (2.0, 1.0, math.nan), (0, 0, 1)))
        assert curves[ODD].values == (-math.inf,)
        assert list(store.curves("run-00000", ["loss", "other"])) == ["loss"]
        assert store.curves("run-00000", []) == {}

    def test_log_lines_keep_their_order(self, store: Store, reopen: Reopen) -> None:
        """And lines that are equal, empty, or not quite text."""
        store.write(a_run())
        store.append("run-00000", lines=["b", "a", ""])
        store.append("run-00000", lines=["a", ODD, "\udcff"])
        assert list(reopen().log("run-00000")) == ["b", "a", "", "a", ODD, "\\udcff"]

    def test_runs_do_not_mix(self, store: Store) -> None:
        """Equal names in two runs are two curves."""
        for number in (0, 1):
            store.write(a_run(number))
            store.append(f"run-{number:05d}", points=[Point("loss", 1, 0, float(number))], lines=[str(number)])
        assert store.curves("run-00001")["loss"].values == (1.0,)
        assert list(store.log("run-00000")) == ["0"]

    def test_several_threads_may_write_at_once(self, store: Store) -> None:
        """One instance, no line lost, none twice."""
        store.write(a_run())

        def work(thread: int) -> None:
            for step in range(20):
                store.append("run-00000", points=[Point(f"t{thread}", step, 0, step)], lines=[f"{thread}:{step}"])
                store.beat("run-00000", BEGINNING + timedelta(seconds=step))
                store.runs()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        assert sorted(store.log("run-00000")) == sorted(f"{thread}:{step}" for thread in range(6) for step in range(20))
        assert all(curve.steps == tuple(range(20)) for curve in store.curves("run-00000").values())


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

    def test_the_artifacts_that_outcomes_name_are_known(self, store: Store) -> None:
        """By run; retention depends on it."""
        store.write(a_run(0), an_outcome())
        store.write(a_run(1))
        assert {run: list(artifacts) for run, artifacts in store.used().items()} == {
            "run-00000": list(an_outcome().artifacts)
        }

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


class StoreContract(RecordContract, JudgementContract, SeriesContract, QueryContract, LockContract, ArtifactContract):
    """All of it: inherit from this one, and give the fixtures `store` and `reopen`."""

    def test_closing_twice_is_allowed(self, store: Store) -> None:
        """So that `with` blocks and `close` may meet."""
        store.close()
        store.close()
