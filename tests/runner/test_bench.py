"""What a step finds at its bench: several trainings, told apart by their labels, and what a killed step has left."""

from dataclasses import replace
from pathlib import Path

import pytest

from art_training.engines import Averaging, FitJob, Look
from art_training.errors import Interrupted, ProjectError, SetupError
from art_training.records import Split
from art_training.runner.bench import RunnerBench
from art_training.setup.inference import infer
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.stores.memory import MemoryStore
from art_training.testing.data import points
from art_training.testing.fake_engine import FakeEngine, Line
from art_training.testing.records import a_run


class Killed(BaseException):
    """Nothing handles it, as nothing handles a kill."""


class World:
    """A store and a folder that outlive the benches, which die."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.engine = FakeEngine(tensors=True)
        self.setup = Setup(Line, points(), trainer={"max_epochs": 4}, engine="fake")
        self.runs: list[str] = []

    def bench(self, **how) -> RunnerBench:
        record = replace(a_run(len(self.runs)), resumed=self.runs[-1] if self.runs else "")
        self.store.write(record)
        self.runs.append(record.id)
        self.folder.mkdir(exist_ok=True)
        given = {"seed": 5, **how}
        return RunnerBench(
            step="Compare",
            run=record.id,
            setup=self.setup,
            task=lambda: infer(self.setup, self.engine),
            metrics=MetricCalculator(),
            folder=self.folder,
            outcomes={},
            engine=self.engine,
            store=self.store,
            announce=lambda progress: None,
            resumed=record.resumed,
            **given,
        )

    def curves(self, run: int = -1) -> dict[str, tuple[int, ...]]:
        return {name: curve.steps for name, curve in self.store.curves(self.runs[run]).items() if "loss" in name}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "work")


STEPS = 16  # of a whole training: four epochs of four batches


def killing(after):
    """A stop that kills the process so many steps into a training, once a checkpoint is there."""

    def stop(position):
        if position.step >= after and position.checkpoint is None:
            raise Killed

    return stop


# Labels, seeds, stop, shaping


def test_trainings_are_told_apart_by_their_labels(world):
    bench = world.bench()
    results = [bench.fit(label=label) for label in ("", "a", "a/b")]
    assert len({result.last for result in results}) == 3
    bench.close()
    assert {name: len(steps) for name, steps in world.curves().items()} == {
        "train/loss": STEPS,
        "a/train/loss": STEPS,
        "a/b/train/loss": STEPS,
    }
    assert bench.measured.parameters["a"] == {"optimizer": "gradient descent", "lr": 0.1}


@pytest.mark.parametrize("label", ["", "twice"])
def test_two_trainings_of_one_label_are_refused(world, label):
    bench = world.bench()
    bench.fit(label=label)
    with pytest.raises(ProjectError, match=f"trains twice under the label '{label}'; give each its own"):
        bench.fit(label=label)


def test_labels_that_look_alike_in_a_file_system_have_folders_of_their_own(world):
    bench = world.bench()
    folders = {bench.fit(label=label).last.parent for label in ("a b", "a/b", "a-b", "A" * 50, "A" * 51)}
    assert len(folders) == 5


def test_a_seed_is_the_steps_own_unless_another_is_given(world):
    bench = world.bench()
    bench.fit(label="own")
    bench.fit(label="other", seed=9)
    assert [job.seed for job in world.engine.fits] == [5, 9]
    own, other = (bench.evaluate(Split.TRAIN, seed=seed, keep=False).scores["train/loss"] for seed in (None, 9))
    assert own.value != other.value


def test_all_seeds_see_the_rows_of_one_split(world):
    bench = world.bench(data_seed=1)
    bench.fit(label="one", seed=2)
    bench.fit(label="other", seed=3)
    assert [job.data_seed for job in world.engine.fits] == [1, 1]


def test_whoever_gives_a_stop_can_end_a_training(world):
    result = world.bench().fit(stop=lambda position: "it is enough" if position.step >= 6 else None)
    assert (result.message, result.steps, result.stopped) == ("it is enough", 6, "")


def test_what_a_step_asks_of_a_training_reaches_the_engine(world):
    asked = {
        "deadline": 60.0,
        "change": lambda batch: batch,
        "looks": (Look(lambda epochs, batch: None),),
        "rate": lambda step: 0.1,
        "averaging": Averaging("swa"),
    }
    world.bench().fit(**asked)
    (job,) = world.engine.fits
    assert {name: getattr(job, name) for name in asked} == asked


def test_a_look_at_the_test_split_is_for_the_final_test_alone(world):
    with pytest.raises(SetupError, match="asked for the test split, which is for the final test alone"):
        world.bench().fit(looks=(Look(lambda epochs, batch: None, Split.TEST),))
    assert not world.engine.fits


def test_a_change_of_a_batch_reaches_the_scores(world):
    bench = world.bench()
    result = bench.fit()
    as_it_is = bench.evaluate(Split.VALIDATION, weights=result.last)
    zeroed = bench.evaluate(
        Split.VALIDATION, weights=result.last, change=lambda batch: ([0.0] * len(batch[0]), batch[1]), keep=False
    )
    assert zeroed.scores["validation/loss"].value > as_it_is.scores["validation/loss"].value
    assert bench.measured.scores["validation/loss"] == as_it_is.scores["validation/loss"]
    assert zeroed.passes[Split.VALIDATION].count == 12


def test_scores_that_are_not_the_steps_own_are_not_left_behind(world):
    bench = world.bench()
    scored = bench.evaluate(Split.VALIDATION, keep=False)
    assert "validation/loss" in scored.scores
    assert bench.measured.scores == {}


# What a killed step has left


def test_what_is_remembered_is_recalled_by_the_next_execution(world):
    world.bench().remember("trial 3 / fold", {"score": 0.5, "names": ["a"]})
    bench = world.bench()
    assert bench.recall("trial 3 / fold") == {"score": 0.5, "names": ["a"]}
    assert bench.recall("trial 3 - fold") is None
    bench.remember("trial 3 / fold", None)
    assert world.bench().recall("trial 3 / fold") is None


def test_a_killed_steps_finished_trainings_are_found_again(world):
    bench = world.bench()
    first = bench.fit(label="first")
    with pytest.raises(Killed):
        bench.fit(label="second", stop=killing(10))
    fits = len(world.engine.fits)
    again = world.bench()
    assert again.fit(label="first") == first
    assert len(world.engine.fits) == fits
    second = again.fit(label="second")
    assert world.engine.fits[-1].resume is not None
    (world.folder / "straight").mkdir()
    straight = world.engine.fit(FitJob(world.setup, 5, world.folder / "straight"), lambda position: None)
    assert world.engine.weights(second.last) == world.engine.weights(straight.last)
    third = again.fit(label="third")
    assert third.steps == STEPS


def test_the_curves_of_each_label_are_inherited_once(world):
    """Of a training that had no label too, whose name is the beginning of every name."""
    bench = world.bench()
    bench.fit(label="a")
    bench.fit()
    with pytest.raises(Killed):
        bench.fit(label="a/b", stop=killing(10))
    bench.close()
    left = world.curves()
    assert left["a/b/train/loss"][-1] > 8
    added = []
    append = world.store.append

    def counting(run, *, points=(), lines=()):
        added.extend((point.name, point.step) for point in points)
        append(run, points=points, lines=lines)

    world.store.append = counting
    again = world.bench()
    for label in ("a", "", "a/b"):
        again.fit(label=label)
    again.close()
    assert {name: len(steps) for name, steps in world.curves().items()} == {
        "train/loss": STEPS,
        "a/train/loss": STEPS,
        "a/b/train/loss": STEPS,
    }
    assert len(added) == len(set(added))


def test_a_training_that_is_begun_anew_inherits_nothing(world):
    bench = world.bench()
    with pytest.raises(Killed):
        bench.fit(label="a", stop=killing(2))  # before the first checkpoint
    bench.close()
    added = []
    world.store.append, append = (
        lambda run, **given: (added.extend(given.get("points", ())), append(run, **given)),
        (world.store.append),
    )
    again = world.bench()
    assert again.fit(label="a").steps == STEPS
    again.close()
    assert [point.step for point in added if point.name == "a/train/loss"] == list(range(1, STEPS + 1))


def test_weights_that_were_lost_are_trained_again(world):
    first = world.bench().fit(label="a")
    first.last.unlink()
    again = world.bench().fit(label="a")
    assert again.last.is_file()
    assert len(world.engine.fits) == 2


def test_an_interrupted_training_is_noted_and_told(world):
    world.engine.fault, world.engine.epoch_seconds = "interrupt", 0.2
    bench = world.bench()
    with pytest.raises(Interrupted, match="interrupted in epoch 1"):
        bench.fit(label="a")
    assert bench.measured.seconds["fit"] >= 0
    world.engine.fault = ""
    again = world.bench()
    resumed = again.fit(label="a")
    assert resumed.steps == STEPS
    assert resumed.seconds >= 0.8  # of all four epochs, the first in the training that was broken off
    assert again.measured.seconds["fit"] == resumed.seconds
    assert world.engine.fits[-1].resume is not None
