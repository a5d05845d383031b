"""What every tracker must keep to: a suite for those who write one.

    class TestMyTracker(TrackerContract):
        def tracker(self, folder):
            return MyTracker(folder)

        def read(self, folder):
            return {step: Seen(...) for step in ...}

A project is run with the tracker, and what it wrote is read back; neither needs a network. A function of events passes, too.
"""

import math
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from art_training import plugins
from art_training.checks import Above, Below, Check
from art_training.project import ArtProject
from art_training.records import Curve, Event, Finding, Outcome, Score, Severity
from art_training.runner import ProjectResult
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.sql import SqlStore
from art_training.testing.data import points
from art_training.testing.fake_engine import FakeEngine, Line
from art_training.testing.records import ODD
from art_training.trackers import Tracker

SECRET = "sk-" + "mustnotbeseen0123456789"  # the form of a key, and none
FOUND = Finding(
    "ART101",
    "data",
    Severity.WARNING,
    "12 rows of naïve 学習 stand in both splits",
    {"rows": 12},
    "split by patient",
    "data.csv",
)
_WRONG = Finding("ART902", "numerics", Severity.INFO, f"the key {SECRET} stands in the model", {"api_key": SECRET})


@dataclass(frozen=True)
class Seen:
    """What a reader finds of one run of a step.

    Attributes:
        parameters: by name; numbers may be text.
        metrics: by ART's names.
        curves: optimiser steps and values by ART's names; a score of the same name may stand at the end.
        verdicts: everything that is told of the verdicts, as text.
        findings: everything that is told of the findings, as text.
        state: the tag `art.state`.
        tags: by name.
        files: names of files that are there.
        pictures: how many pictures are there.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict[str, Sequence[tuple[int, float]]])
    verdicts: str = ""
    findings: str = ""
    state: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Sequence[str] = ()
    pictures: int = 0


@dataclass(frozen=True)
class Trains(Step):
    """Trains a line, and leaves what it is given beside what it measured."""

    outcome: Outcome = field(default_factory=Outcome)
    raises: type[BaseException] | None = None

    def run(self, bench: Bench) -> Outcome:
        bench.fit()
        picture, text = bench.folder / "picture", bench.folder / "text"
        picture.write_bytes(_png())
        text.write_text("told")
        kept = (
            bench.keep(picture, name="loss.png", kind="figure", note="the loss"),
            bench.keep(text, name="told.txt", kind="text"),
            bench.keep(text, name="weights.ckpt", kind="checkpoint"),
        )
        if self.raises is not None:
            raise self.raises(f"it broke with {SECRET}")
        return replace(self.outcome, artifacts=kept)

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return ()


class TrackerContract(ABC):
    """A pytest class to inherit from.

    Attributes:
        cannot: what this tracker has no place for, of: parameters, curves, nan, files, pictures, tags.
    """

    cannot: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "World":
        """A project whose engine trains in milliseconds."""
        installed = plugins.load

        def load(group: str, name: str) -> Any:
            return FakeEngine if (group, name) == ("engines", "fake") else installed(group, name)

        for module in ("art_training.plugins", "art_training.runner.identity"):
            monkeypatch.setattr(f"{module}.load", load)
        (tmp_path / "project").mkdir()
        return World(tmp_path / "project")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Where the tracker shall write."""
        (tmp_path / "mirror").mkdir()
        return tmp_path / "mirror"

    @abstractmethod
    def tracker(self, folder: Path) -> Tracker | Callable[[Event], None]:
        """One that writes into `folder`, which exists, without a network; asked again for the same folder it goes on there."""

    @abstractmethod
    def read(self, folder: Path) -> Mapping[str, Seen]:
        """What was written there, by the step's name; of several runs of a step, the newest."""

    def test_verdicts_and_findings_of_a_run_are_read_back(self, folder: Path, world: "World") -> None:
        """With the numbers that they are about, and with what the step was made of."""
        outcome = Outcome(
            scores={"validation/accuracy": Score(0.75, rows=12), "train/loss": Score(0.5)},
            curves={"after/loss": Curve((1, 2), (0.25, 0.125), (0, 0))},
            findings=(FOUND,),
            parameters={"optimizer": "descent"},
        )
        checks = [Above("validation/accuracy", 0.5), Below("train/loss", 0.25)]
        result = world.run(self.tracker(folder), Trains(name="Learn", outcome=outcome, checks=checks))
        seen = self.read(folder)["Learn"]
        assert (seen.state, result["Learn"].state.value) == ("failed", "failed")
        for told in ("validation/accuracy", "passed", "train/loss", "failed", "0.25"):
            assert told in seen.verdicts
        for told in ("ART101", "12 rows of naïve 学習 stand in both splits", "split by patient", "warning"):
            assert told in seen.findings
        assert seen.metrics["validation/accuracy"] == pytest.approx(0.75)
        assert seen.metrics["train/loss"] == pytest.approx(0.5)
        if "parameters" not in self.cannot:
            assert float(seen.parameters["hparams.lr"]) == pytest.approx(0.125)
            assert seen.parameters["outcome.optimizer"] == "descent"
        if "curves" not in self.cannot:
            trained = world.store.curves(_run_of(result, "Learn"))["train/loss"]
            expected = list(zip(trained.steps, trained.values, strict=True))
            assert len(expected) > 3
            assert _close(list(seen.curves["train/loss"])[: len(expected)], expected)
            assert _close(seen.curves["after/loss"], [(1, 0.25), (2, 0.125)])
        if "tags" not in self.cannot:
            assert seen.tags["art.project"] == world.project
            assert seen.tags["art.run"] == _run_of(result, "Learn")
            assert seen.tags["art.findings"] == "1 warning"
        if "files" not in self.cannot:
            assert any("told" in name for name in seen.files)
            assert not any("weights" in name for name in seen.files), "weights are sent on demand alone"
        if "pictures" not in self.cannot:
            assert seen.pictures == 1

    def test_a_step_that_raised_is_there_with_what_it_had_measured(self, folder: Path, world: "World") -> None:
        """And its run is marked as one that did not pass."""
        with pytest.raises(ValueError, match="it broke"):
            world.run(self.tracker(folder), Trains(name="Learn", raises=ValueError))
        seen = self.read(folder)["Learn"]
        assert seen.state == "errored"
        if "curves" not in self.cannot:
            assert len(seen.curves["train/loss"]) > 3

    def test_a_recalled_step_is_told_once_and_one_that_was_judged_anew_is_told_again(
        self, folder: Path, world: "World"
    ) -> None:
        """What was mirrored is not mirrored twice; a verdict that changed does not stay as it was."""
        outcome = Outcome(scores={"train/loss": Score(0.5)}, findings=(FOUND,))

        def step(limit: float) -> Step:
            return Trains(name="Learn", outcome=outcome, checks=[Below("train/loss", limit)])

        assert world.run(self.tracker(folder), step(0.25))["Learn"].state.value == "failed"
        once = self.read(folder)
        recalled = world.run(self.tracker(folder), step(0.25))["Learn"]
        assert recalled.recalled
        assert repr(self.read(folder)) == repr(once)
        again = world.run(self.tracker(folder), step(0.625))["Learn"]
        assert again.recalled
        assert again.judged_again
        seen = self.read(folder)["Learn"]
        assert seen.state == "passed"
        assert "0.625" in seen.verdicts
        assert "ART101" in seen.findings
        assert seen.metrics["train/loss"] == pytest.approx(0.5)

    def test_odd_names_and_numbers_are_mirrored_without_a_warning(self, folder: Path, world: "World") -> None:
        """Whatever a user calls things, and whatever comes out of a training."""
        world.project = f"digits: 学習 / \\ ? # % {'long ' * 30}"
        odd = 'it\'s | "odd" / 学習: 100 % of <b>{x}</b>?'
        outcome = Outcome(
            scores={"validation:noisy/accuracy": Score(math.nan), "train/loss": Score(math.inf), odd: Score(-math.inf)},
            curves={odd: Curve((1, 2, 3), (1.0, math.nan, math.inf)), "..": Curve((0,), (0.5,))},
            findings=(replace(FOUND, message=ODD, evidence={ODD: [math.nan, {ODD: None}]}),) * 3,
            parameters={odd: odd * 300, "": "", "deep": {"list": [1, None], "none": None, "on": True}, "x" * 400: "y"},
        )
        world.run(self.tracker(folder), Trains(name=odd, outcome=outcome, checks=[Below("train/loss", 1.0)]))
        (seen,) = self.read(folder).values()
        assert seen.state == "failed"
        assert math.isnan(seen.metrics["validation:noisy/accuracy"])
        assert seen.findings.count("ART101") >= 3

    def test_secrets_are_masked_wherever_they_stand(self, folder: Path, world: "World") -> None:
        """In parameters, findings, reasons and errors; nothing that was written holds one."""
        outcome = Outcome(findings=(_WRONG, FOUND), parameters={"api_key": SECRET, "note": f"uses {SECRET}"})
        world.setup = world.setup.but(hparams={"api_key": SECRET})
        world.run(self.tracker(folder), Trains(name="Learn", outcome=outcome))
        with pytest.raises(ValueError, match="it broke"):
            world.run(self.tracker(folder), Trains(name="Break", raises=ValueError))
        assert "ART101" in self.read(folder)["Learn"].findings
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert written
        for path in written:
            assert SECRET.encode() not in path.read_bytes(), f"{path} holds a secret"


class World:
    """A project that can be run with a tracker, again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = "digits"
        self.store = SqlStore(folder / "art.db")
        self.setup = Setup(_line, points(), hparams={"lr": 0.125}, trainer={"max_epochs": 4}, engine="fake")

    def run(self, tracker: Tracker | Callable[[Event], None], *steps: Step) -> ProjectResult:
        """Run a project of these steps; a warning of the tracker is a failure."""
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*tracker.*")
            return self.run_any(tracker, *steps)

    def run_any(self, tracker: Any, *steps: Step) -> ProjectResult:
        """The same, whatever the tracker warns of."""
        return self.project_of(tracker, *steps).run()

    def project_of(self, tracker: Any, *steps: Step) -> ArtProject:
        """The project, declared."""
        return ArtProject(
            self.project, self.setup, steps=steps, store=self.store, trackers=[tracker], folder=self.folder
        )


def _line(lr: float, api_key: str = "") -> Line:  # noqa: ARG001  as a model with a key is declared
    return Line(lr)


def _run_of(result: ProjectResult, step: str) -> str:
    run = result[step].run
    assert run is not None
    return run.id


def _close(found: Sequence[tuple[int, float]], expected: Sequence[tuple[int, float]]) -> bool:
    """Some keep 32 bits."""
    return [step for step, _ in found] == [step for step, _ in expected] and [value for _, value in found] == (
        pytest.approx([value for _, value in expected], rel=1e-5)
    )


def _png() -> bytes:
    """A picture of two by two grey dots."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0\x10\x80\0\xf0\x40"))
        + chunk(b"IEND", b"")
    )
