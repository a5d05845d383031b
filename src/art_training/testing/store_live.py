"""The part of the suite for stores that is about whoever shows one: what changed, and curves to draw."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from art_training.errors import StoreError, UsageError
from art_training.records import RunStatus
from art_training.stores import Point, Store
from art_training.testing.records import BEGINNING, ODD, a_judgement, a_run, an_outcome
from art_training.testing.store_records import Reopen

_RUN = "run-00000"
_QUICK_SECONDS = 0.001


def _keep(store: Store, name: str, values: list[float], *, every: int = 1, begin: int = 0) -> None:
    if store.run(_RUN) is None:
        store.write(a_run())
    points = [Point(name, begin + every * at, at // 100, value) for at, value in enumerate(values)]
    store.append(_RUN, points=points)


class RevisionContract:
    """Whoever shows a store asks often whether there is something new."""

    def test_every_write_changes_the_revision(self, store: Store, reopen: Reopen) -> None:
        """Whoever wrote: this instance, or another on the same place."""
        watching = reopen()
        run = a_run()
        writes: list[Callable[[Store], None]] = [
            lambda one: one.write(run),
            lambda one: one.beat(run.id, BEGINNING + timedelta(seconds=1)),
            lambda one: one.append(run.id, points=[Point("loss", 1, 0, 1.0)]),
            lambda one: one.append(run.id, lines=["x"]),
            lambda one: one.write(a_run(status=RunStatus.COMPLETED), an_outcome()),
            lambda one: one.judge(run.id, a_judgement()),
            lambda one: one.remember("key", 1),
            lambda one: one.delete(run.id),
        ]
        for writer in (store, watching):
            seen = [watching.revision()]
            for write in writes:
                write(writer)
                seen.append(watching.revision())
            assert len(set(seen)) == len(seen)

    def test_reading_and_refused_writes_leave_the_revision(self, store: Store, reopen: Reopen) -> None:
        """Else whoever shows a store would never come to rest."""
        _keep(store, "loss", [1.0, 2.0])
        watching, other = reopen(), reopen()
        before = watching.revision()
        for one in (watching, other, store):
            for read in (one.run, one.outcome, one.judgements, one.curves, one.sampled, one.log, one.memo):
                read(_RUN)
            with pytest.raises(StoreError):
                one.beat("none", BEGINNING)
        assert watching.revision() == before

    def test_the_revision_is_told_at_once_and_to_every_thread(self, store: Store) -> None:
        """A page asks several times a second, from threads of a pool."""
        _keep(store, "loss", [1.0])
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(store.revision) for _ in range(40)]
            assert len({one.result() for one in asked}) == 1
        taken: list[float] = []
        for _ in range(100):
            began = time.perf_counter()
            store.revision()
            taken.append(time.perf_counter() - began)
        assert sorted(taken)[50] < _QUICK_SECONDS

    def test_nothing_that_is_written_meanwhile_is_missed(self, store: Store, reopen: Reopen) -> None:
        """A reader that asks for the revision first, and reads then, sees in the end what was written last."""
        _keep(store, "loss", [0.0])
        watching, ended = reopen(), threading.Event()

        def work() -> None:
            for step in range(1, 60):
                store.append(_RUN, points=[Point("loss", step, 0, float(step))])
            ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        shown, last = "", 0.0
        while True:
            done, revision = ended.is_set(), watching.revision()
            if revision != shown:
                shown, last = revision, watching.curves(_RUN)["loss"].values[-1]
            elif done:
                break
        thread.join()
        assert last == 59.0


class SamplingContract:
    """Curves with so many points that they can be drawn."""

    def test_a_short_curve_is_given_whole(self, store: Store, reopen: Reopen) -> None:
        """As `curves` gives it, NaN and the infinities too."""
        _keep(store, "loss", [1.0, math.nan, math.inf, -math.inf])
        _keep(store, ODD, [2.0])
        found = reopen().sampled(_RUN)
        assert {name: repr(one.curve) for name, one in found.items()} == {
            name: repr(curve) for name, curve in store.curves(_RUN).items()
        }
        assert [found[name].points for name in ("loss", ODD)] == [4, 1]
        assert list(store.sampled(_RUN, [ODD, "none"])) == [ODD]
        assert (store.sampled(_RUN, []), store.sampled("none")) == ({}, {})

    def test_what_stands_out_in_a_long_curve_stays(self, store: Store) -> None:
        """One spike among thousands of points, the ends, and only points that were measured."""
        values = [math.sin(at / 50) for at in range(3000)]
        values[1234], values[77] = 50.0, -50.0
        _keep(store, "loss", values, every=10, begin=5)
        found = store.sampled(_RUN, limit=100)["loss"]
        assert found.points == 3000
        assert 40 <= len(found.curve.steps) <= 100
        assert list(found.curve.steps) == sorted(set(found.curve.steps))
        kept = dict(zip(found.curve.steps, found.curve.values, strict=True))
        assert kept == {step: values[(step - 5) // 10] for step in kept}
        assert (kept[5], kept[29995], kept[12345], kept[775]) == (values[0], values[-1], 50.0, -50.0)
        assert found.curve.epochs == tuple((step - 5) // 1000 for step in kept)

    def test_a_gap_stays_a_gap(self, store: Store) -> None:
        """NaN, one alone or many in a row, is not drawn over."""
        values = [float(at) for at in range(2000)]
        values[333] = math.nan
        values[1000:1500] = [math.nan] * 500
        _keep(store, "loss", values)
        found = store.sampled(_RUN, limit=50)["loss"]
        assert len(found.curve.steps) <= 50
        gaps = [step for step, value in zip(found.curve.steps, found.curve.values, strict=True) if math.isnan(value)]
        assert gaps[0] == 333
        assert gaps[1] == 1000
        assert gaps[-1] >= 1400
        assert set(range(1000, 1500)).issuperset(gaps[1:])
        _keep(store, "nothing", [math.nan] * 100)
        assert all(map(math.isnan, store.sampled(_RUN, ["nothing"], limit=20)["nothing"].curve.values))

    def test_a_part_of_a_curve_is_shown_closer(self, store: Store) -> None:
        """Both ends are of it, and the same number of points shows more."""
        _keep(store, "loss", [float(at) for at in range(1000)])
        found = store.sampled(_RUN, limit=20, first=100, last=110)["loss"]
        assert (found.curve.steps, found.points) == (tuple(range(100, 111)), 11)
        assert store.sampled(_RUN, limit=20, first=990)["loss"].curve.steps == tuple(range(990, 1000))
        assert len(store.sampled(_RUN, limit=20, last=500)["loss"].curve.steps) <= 20
        assert store.sampled(_RUN, first=5000) == {}

    def test_steps_that_are_far_apart_are_no_trouble(self, store: Store) -> None:
        """Whole stretches may have no point at all."""
        store.write(a_run())
        steps = [*range(30), 10**15, 10**15 + 1]
        store.append(_RUN, points=[Point("loss", step, 0, float(step % 7)) for step in steps])
        found = store.sampled(_RUN, limit=10)["loss"]
        assert found.curve.steps[0] == 0
        assert found.curve.steps[-1] == 10**15 + 1
        assert len(found.curve.steps) <= 10

    def test_too_few_points_are_refused(self, store: Store) -> None:
        """In a sentence."""
        _keep(store, "loss", [1.0])
        with pytest.raises(UsageError, match="limit=4 of the points of a curve is too small; give 5 or more"):
            store.sampled(_RUN, limit=4)
