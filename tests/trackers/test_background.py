"""A tracker beside the run: whatever it does, or fails to do, the run is what it would have been without it."""

import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from art_training.checks import Below
from art_training.errors import MissingExtra
from art_training.records import CurvesGrew, Outcome, Score, StepEnded, StepStarted, StepState
from art_training.testing.trackers import FOUND, Trains, World
from art_training.trackers import Tracker, Writer
from art_training.trackers import background as background_module

CALLS = ("parameters", "tags", "points", "metrics", "table", "figure", "file", "note", "end")


class Told(Writer):
    """Notes what it is told, and by which thread; does what it is made to do."""

    def __init__(self, tracker: "Notes", step: str) -> None:
        self.tracker = tracker
        self.step = step
        self.where = "somewhere"

    def told(self, call: str, *what: Any) -> bool:
        self.tracker.calls.append((self.step, call, what))
        self.tracker.threads.add(threading.current_thread())
        if call in self.tracker.raises:
            raise ConnectionError(f"no network for {call}")
        if call in self.tracker.hangs:
            self.tracker.freed.wait(60)
        return True


for _call in CALLS:
    setattr(Told, _call, lambda self, *what, _call=_call: self.told(_call, *what))
Told.__abstractmethods__ = frozenset()


@dataclass(frozen=True)
class Notes(Tracker):
    raises: tuple[str, ...] = ()
    hangs: tuple[str, ...] = ()
    cannot_start: Exception | None = None
    calls: list[Any] = field(default_factory=list)
    threads: set[Any] = field(default_factory=set)
    freed: threading.Event = field(default_factory=threading.Event)

    name: ClassVar[str] = "notes"

    def start(self, run) -> Writer:
        if self.cannot_start is not None:
            raise self.cannot_start
        return Told(self, run.step)


def learned(name: str = "Learn", limit: float = 1.0) -> Trains:
    outcome = Outcome(scores={"train/loss": Score(0.5)}, findings=(FOUND,))
    return Trains(name=name, outcome=outcome, checks=[Below("train/loss", limit)])


def ran(world: World, tracker: Tracker, *steps: Trains) -> tuple[Any, list[str]]:
    """The result of a run, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = world.run_any(tracker, *steps)
    return result, [str(one.message) for one in caught if "tracker" in str(one.message)]


def test_what_a_tracker_is_told_comes_from_one_thread_that_is_not_the_runs(world) -> None:
    tracker = Notes()
    ran(world, tracker, learned("a"), learned("b"))
    assert len(tracker.threads) == 1
    assert threading.current_thread() not in tracker.threads
    calls = [call for step, call, _ in tracker.calls if step == "a"]
    assert list(dict.fromkeys(calls)) == [
        "parameters",
        "tags",
        "points",
        "metrics",
        "table",
        "figure",
        "file",
        "note",
        "end",
    ]
    assert calls.count("end") == 1


def test_a_tracker_that_raises_is_one_warning_a_step_and_hurts_nothing(world) -> None:
    result, warned = ran(world, Notes(raises=CALLS), learned("a"), learned("b"))
    assert result.passed
    assert [step.state for step in result.steps] == [StepState.PASSED, StepState.PASSED]
    assert len(warned) == 2
    assert warned[0].startswith("the tracker 'notes' could not mirror parameters, tags, curves, metrics, findings,")
    assert "verdicts" in warned[0]
    assert "of step 'a': ConnectionError: no network for parameters; " in warned[0]
    assert warned[0].endswith("the run and its record are whole")


def test_one_call_that_raises_does_not_take_the_others_along(world) -> None:
    tracker = Notes(raises=("metrics", "figure"))
    _, warned = ran(world, tracker, learned())
    assert len(warned) == 1
    assert "could not mirror metrics, the file loss.png of step 'Learn'" in warned[0]
    tables = {what[0].name: what[0] for _, call, what in tracker.calls if call == "table"}
    assert set(tables) == {"findings", "scores", "files", "verdicts"}
    assert [(row["name"], row["sent"]) for row in tables["files"].records] == [
        ("loss.png", False),
        ("told.txt", True),
        ("weights.ckpt", False),
    ]


def test_a_tracker_that_cannot_begin_is_asked_again_for_the_next_step(world) -> None:
    result, warned = ran(world, Notes(cannot_start=TimeoutError("no answer")), learned("a"), learned("b"))
    assert result.passed
    assert [one.partition(": ")[0] for one in warned] == [
        "the tracker 'notes' could not begin to mirror step 'a'",
        "the tracker 'notes' could not begin to mirror step 'b'",
    ]


def test_a_library_that_is_missing_is_told_once(world) -> None:
    result, warned = ran(world, Notes(cannot_start=MissingExtra("install it")), learned("a"), learned("b"))
    assert result.passed
    assert warned == ["the tracker 'notes' mirrors nothing: install it"]


@pytest.mark.parametrize("call", ["parameters", "end"])
def test_a_tracker_that_hangs_does_not_hold_the_run(world, call) -> None:
    tracker = Notes(hangs=(call,), patience_seconds=0.3)
    began = time.monotonic()
    result, warned = ran(world, tracker, learned("a"), learned("b"))
    assert time.monotonic() - began < 30  # it would hang for 60
    tracker.freed.set()
    assert result.passed
    assert len(warned) == 1
    assert warned[0].startswith("the tracker 'notes' was not done 0.3 s after the run ended and was left behind; ")


def test_a_tracker_that_falls_behind_loses_points_and_says_so(world, monkeypatch) -> None:
    monkeypatch.setattr(background_module, "_MOST_WAITING", 0)
    _, warned = ran(world, Notes(), learned())
    assert len(warned) == 1
    assert "fell behind, and" in warned[0]
    assert "points of curves were left out; the store has them all" in warned[0]


def test_points_are_told_while_a_step_trains(world) -> None:
    seen: list[Any] = []
    world.run(seen.append, learned())
    kinds = [type(one) for one in seen if isinstance(one, StepStarted | CurvesGrew | StepEnded)]
    assert kinds[0] is StepStarted
    assert kinds[1] is CurvesGrew
    assert kinds[-1] is StepEnded
    told = [point for one in seen if isinstance(one, CurvesGrew) for point in one.points]
    kept = world.store.curves(seen[-2].run.id)["train/loss"]
    assert [(step, value) for name, step, _, value in told if name == "train/loss"] == list(
        zip(kept.steps, kept.values, strict=True)
    )


def test_a_step_that_is_interrupted_is_mirrored_to_its_end(world) -> None:
    tracker = Notes()
    with pytest.raises(KeyboardInterrupt):
        ran(world, tracker, Trains(name="Learn", raises=KeyboardInterrupt))
    assert tracker.calls[-1] == ("Learn", "end", (StepState.INTERRUPTED,))


def test_weights_are_sent_on_demand(world) -> None:
    tracker = Notes(files=("checkpoint",))
    ran(world, tracker, learned())
    assert [what[0] for _, call, what in tracker.calls if call in {"figure", "file"}] == ["weights.ckpt"]


def test_the_log_of_a_run_says_where_it_was_mirrored(world) -> None:
    result, _ = ran(world, Notes(), learned())
    assert any(line.endswith("mirrored by notes: somewhere") for line in world.store.log(result["Learn"].run.id))


def test_a_tracker_that_comes_later_is_told_what_is_stored(world) -> None:
    world.run(lambda event: None, learned("a"), learned("b"))
    late = Notes()
    result, warned = ran(world, late, learned("a"), learned("b"))
    assert [step.recalled for step in result.steps] == [True, True]
    assert warned == []
    assert {step for step, call, _ in late.calls if call == "end"} == {"a", "b"}
    points = [point for step, call, what in late.calls if (step, call) == ("a", "points") for point in what[0]]
    kept = world.store.curves(result["a"].run.id)["train/loss"]
    assert [point.value for point in points if point.name == "train/loss"] == list(kept.values)
    again = Notes()
    ran(world, again, learned("a"), learned("b"))
    assert again.calls == []


def test_a_run_that_could_not_be_mirrored_is_tried_again_when_it_is_recalled(world) -> None:
    ran(world, Notes(cannot_start=TimeoutError("no answer")), learned())
    later = Notes()
    ran(world, later, learned())
    assert later.calls[-1] == ("Learn", "end", (StepState.PASSED,))


def test_a_warning_stands_at_the_line_that_ran_the_project(world) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        world.project_of(Notes(cannot_start=TimeoutError("no answer")), learned()).run()
    (told,) = [one for one in caught if "tracker" in str(one.message)]
    assert told.filename == __file__
