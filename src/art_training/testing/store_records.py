"""The part of the suite for stores that is about one run: its record, outcome, judgements, curves and log."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from art_training.errors import StoreError
from art_training.records import (
    Curve,
    Fingerprint,
    RunStatus,
    Score,
    StepState,
)
from art_training.stores import Course, Point, RunQuery, Store
from art_training.testing.records import BEGINNING, ODD, a_judgement, a_run, an_outcome

Reopen = Callable[[], Store]


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
        assert list(store.projects()) == []
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

    def test_the_course_of_each_curve_is_that_of_all_its_points(self, store: Store, reopen: Reopen) -> None:
        """NaN is first or last like any value, and is neither the lowest nor the highest."""
        store.write(a_run())
        store.write(a_run(1))
        curves = {
            "loss": (3.0, math.nan, -1.0, 2.0),
            ODD: (math.nan, 1.0, math.inf, math.nan),
            "none": (math.nan,),
            "low": (-math.inf,),
        }
        points = [Point(name, 10 * at, at, value) for name, values in curves.items() for at, value in enumerate(values)]
        store.append("run-00000", points=points[::-1])
        store.append("run-00001", points=[Point("loss", 0, 0, 99.0)])
        found = reopen().courses("run-00000")
        assert set(found) == set(curves)
        assert found["loss"] == Course(4, 3.0, 2.0, -1.0, 3.0)
        assert repr(found[ODD]) == repr(Course(4, math.nan, math.nan, 1.0, math.inf))
        assert repr(found["none"]) == repr(Course(1, math.nan, math.nan, None, None))
        assert found["low"] == Course(1, -math.inf, -math.inf, -math.inf, -math.inf)
        assert store.courses("run-none") == {}

    def test_log_lines_keep_their_order(self, store: Store, reopen: Reopen) -> None:
        """And lines that are equal, empty, or not quite text."""
        store.write(a_run())
        store.append("run-00000", lines=["b", "a", ""])
        store.append("run-00000", lines=["a", ODD, "\udcff"])
        assert list(reopen().log("run-00000")) == ["b", "a", "", "a", ODD, "\\udcff"]

    def test_a_log_is_read_from_where_it_was_read_last(self, store: Store, reopen: Reopen) -> None:
        """A log of many lines that grows is looked at again and again."""
        store.write(a_run())
        store.write(a_run(1))
        assert store.lines("run-00000") == store.lines("run-none") == 0
        store.append("run-00000", lines=["a", "b"])
        store.append("run-00001", lines=["other"])
        store.append("run-00000", lines=["c"])
        again = reopen()
        assert again.lines("run-00000") == 3
        found = {after: list(again.log("run-00000", after=after)) for after in (0, 1, 3, 9)}
        assert found == {0: ["a", "b", "c"], 1: ["b", "c"], 3: [], 9: []}

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
