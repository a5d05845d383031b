"""What every engine must keep to: a suite for those who write one.

    class TestMyEngine(EngineContract):
        def engine(self):
            return MyEngine()

        def setup_for(self, *, epochs=4, loaders=(None,), fault=""):
            return art.Setup(..., engine="mine")

The model of `setup_for` returns or logs its loss; no two rows of its data are alike.
"""

import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from art_training.engines import Engine, EvaluateJob, EvaluateResult, Position
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, size
from art_training.setup.observation import BatchObservation
from art_training.setup.setup import Setup
from art_training.testing.engine_runs import SEED, Fault, fit, unwatched
from art_training.testing.engine_shaping import ShapingContract
from art_training.testing.fake_engine import FakeEngine, Line

__all__ = ["EngineContract", "FakeEngine", "Fault", "Line"]

_PATIENCE_SECONDS = 0.02  # a checkpoint shall look affordable beside an epoch


class EngineContract(ShapingContract):
    """A pytest class to inherit from."""

    def test_a_setup_that_can_be_trained_is_valid(self) -> None:
        """And the splits are told with the names of their loaders."""
        engine, setup = self.engine(), self.setup_for()
        engine.validate(setup)
        assert engine.splits(setup, seed=SEED)[Split.TRAIN] == (None,)

    def test_training_lowers_the_loss(self, tmp_path: Path) -> None:
        """Measured on the training split, with the weights at the end."""
        engine, setup = self.engine(), self.setup_for()
        result = fit(engine, setup, tmp_path)
        assert result.stopped == ""
        assert result.epochs == 4
        assert sum(self.losses(engine, setup, result.last)) < sum(self.losses(engine, setup, None))

    def test_the_seed_decides_everything(self, tmp_path: Path) -> None:
        """The same seed gives the same weights, another one others."""
        setup = self.setup_for()
        once, again, other = (
            self.trained(setup, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
        )
        assert once == again
        assert once != other

    def test_nothing_given_is_changed(self, tmp_path: Path) -> None:
        """The setup reads as before, trains as before, and global random states go on where they were."""
        engine, setup = self.engine(), self.setup_for()
        described, state = setup.described(), random.getstate()
        first = _rows(engine, setup, Split.TRAIN)
        fit(engine, setup, tmp_path)
        assert setup.described() == described
        assert random.getstate() == state
        assert _rows(engine, setup, Split.TRAIN) == first

    def test_an_evaluation_shows_every_row_once_and_in_order(self) -> None:
        """Whatever shuffling or sampling the training does; the last batch may be short."""
        engine, setup = self.engine(), self.setup_for()
        seen: list[BatchObservation] = []
        result = engine.evaluate(EvaluateJob(setup, SEED, (Split.TRAIN,)), seen.append, unwatched)
        rows = [row for one in seen for row in _row_values(one.batch)]
        assert len(set(rows)) == len(rows) == sum(one.weight for one in seen)
        assert result.rows["train"] == len(rows)
        assert [one.index for one in seen] == list(range(len(seen)))
        assert rows == _rows(engine, setup, Split.TRAIN)

    def test_an_evaluation_can_be_limited(self) -> None:
        """To so many batches of each loader."""
        engine, setup = self.engine(), self.setup_for()
        seen: list[BatchObservation] = []
        engine.evaluate(EvaluateJob(setup, SEED, (Split.TRAIN,), limit=2), seen.append, unwatched)
        assert len(seen) == 2

    def test_a_split_that_is_not_there_is_named(self) -> None:
        """In one sentence."""
        engine, setup = self.engine(), self.setup_for()
        with pytest.raises(SetupError, match="test"):
            engine.evaluate(EvaluateJob(setup, SEED, (Split.TEST,)), lambda _: None, unwatched)

    def test_several_loaders_keep_their_names(self) -> None:
        """And each is shown in full."""
        engine, setup = self.engine(), self.setup_for(loaders=("clean", "noisy"))
        assert engine.splits(setup, seed=SEED)[Split.VALIDATION] == ("clean", "noisy")
        seen: list[BatchObservation] = []
        result = engine.evaluate(EvaluateJob(setup, SEED, (Split.VALIDATION,)), seen.append, unwatched)
        for name in ("clean", "noisy"):
            weight = sum(one.weight for one in seen if one.loader == name)
            assert weight == result.rows[f"validation:{name}"] != 0

    def test_training_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(self, tmp_path: Path) -> None:
        """Same weights at the end, bit by bit."""
        engine, setup = self.engine(), self.setup_for()
        kept = tmp_path / "kept"
        told: list[Path] = []

        def watch(position: Position) -> None:
            time.sleep(_PATIENCE_SECONDS)
            if position.checkpoint is not None and not told:
                shutil.copy(position.checkpoint, kept)
                told.append(kept)

        straight = fit(engine, setup, tmp_path / "straight", watch=watch)
        assert told, "no epoch checkpoint was told in four epochs"
        resumed = fit(self.engine(), setup, tmp_path / "resumed", resume=kept)
        assert (resumed.epochs, resumed.steps) == (straight.epochs, straight.steps)
        assert self.losses(engine, setup, resumed.last) == self.losses(engine, setup, straight.last)

    def test_points_of_curves_are_told_once(self, tmp_path: Path) -> None:
        """With steps that ascend."""
        points: list[tuple[str, int, int, float]] = []

        def watch(position: Position) -> None:
            points.extend(position.points)

        fit(self.engine(), self.setup_for(), tmp_path, watch=watch)
        steps = [step for name, step, _, _ in points if name == "train/loss"]
        assert steps
        assert steps == sorted(set(steps))

    def test_ctrl_c_ends_a_training_cleanly(self, tmp_path: Path) -> None:
        """With what was reached until then."""
        engine = self.engine("interrupt")
        setup = self.setup_for(fault="interrupt")
        result = fit(engine, setup, tmp_path)
        assert result.stopped == "interrupted"
        assert result.epochs == 1
        assert result.steps > 0
        assert result.message

    def test_a_loss_that_is_not_finite_ends_a_training_cleanly(self, tmp_path: Path) -> None:
        """And is told as the reason; an engine may wait whether the loss recovers, but not for long."""
        result = fit(self.engine("nan"), self.setup_for(epochs=40, fault="nan"), tmp_path)
        assert result.stopped == "loss is not finite"
        assert result.epochs < 20
        assert result.message

    def test_what_the_users_code_raises_comes_through(self, tmp_path: Path) -> None:
        """As it was raised."""
        with pytest.raises(RuntimeError):
            fit(self.engine("raise"), self.setup_for(fault="raise"), tmp_path)

    def test_a_training_can_be_cut_to_a_number_of_steps(self, tmp_path: Path) -> None:
        """Whatever the trainer's settings say."""
        assert fit(self.engine(), self.setup_for(), tmp_path, max_steps=3).steps == 3

    def test_a_training_stops_below_a_loss(self, tmp_path: Path) -> None:
        """At the end of the first epoch that is below."""
        assert fit(self.engine(), self.setup_for(), tmp_path, stop_below=1e9).epochs == 1

    def test_one_batch_is_one_batch_everywhere(self, tmp_path: Path) -> None:
        """The same that evaluation shows."""
        engine, setup = self.engine(), self.setup_for()
        seen: list[BatchObservation] = []
        job = EvaluateJob(setup, SEED, (Split.TRAIN,), one_batch=True)
        engine.evaluate(job, seen.append, unwatched)
        assert len(seen) == 1
        result = fit(engine, setup, tmp_path, one_batch=5)
        assert result.steps == 5 * 4
        after: list[BatchObservation] = []
        engine.evaluate(EvaluateJob(setup, SEED, (Split.TRAIN,), result.last, one_batch=True), after.append, unwatched)
        assert self.loss(after[0]) < self.loss(seen[0])

    def test_training_begins_at_weights_that_are_given(self, tmp_path: Path) -> None:
        """And the model is theirs."""
        engine, setup = self.engine(), self.setup_for()
        first = fit(engine, setup, tmp_path / "first")
        none = fit(engine, setup, tmp_path / "none", start=first.last, max_steps=1)
        fresh = fit(engine, setup, tmp_path / "fresh", max_steps=1)
        assert sum(self.losses(engine, setup, none.last)) < sum(self.losses(engine, setup, fresh.last))

    def test_whoever_watches_can_end_a_training(self, tmp_path: Path) -> None:
        """With a sentence, which is the result's message; what was trained until then is kept."""

        def watch(position: Position) -> str | None:
            return "enough" if position.step >= 1 else None

        engine, setup = self.engine(), self.setup_for()
        result = fit(engine, setup, tmp_path, watch=watch)
        assert result.message == "enough"
        assert result.stopped == ""
        assert result.epochs < 4
        assert result.last is not None

    def test_weights_can_be_read_and_written(self, tmp_path: Path) -> None:
        """By the names of the model's parameters; what was written loads as it was."""
        engine, setup = self.engine(), self.setup_for()
        result = fit(engine, setup, tmp_path)
        assert result.last is not None
        weights = engine.weights(result.last)
        assert {one.name for one in engine.parameters(setup)} <= set(weights)
        written = engine.write_weights(weights, tmp_path / "written")
        assert self.losses(engine, setup, written) == self.losses(engine, setup, result.last)

    def test_weights_of_a_fresh_model_are_those_that_its_seed_makes(self, tmp_path: Path) -> None:
        """Written into a file they score as no file does."""
        engine, setup = self.engine(), self.setup_for()
        written = engine.write_weights(engine.fresh_weights(setup, seed=SEED), tmp_path / "fresh")
        assert self.losses(engine, setup, written) == self.losses(engine, setup, None)


def _rows(engine: Engine, setup: Setup, split: Split) -> list[tuple[float, ...]]:
    """The rows that `read` shows, twice the same."""

    def once() -> tuple[list[tuple[float, ...]], EvaluateResult]:
        rows: list[tuple[float, ...]] = []
        job = EvaluateJob(setup, SEED, (split,))
        result = engine.read(job, lambda _, __, batch: rows.extend(_row_values(batch)), unwatched)
        return rows, result

    first, result = once()
    assert once()[0] == first
    assert result.rows[split.value] == len(first)
    return first


def _row_values(batch: Any) -> list[tuple[float, ...]]:
    first = next(iter(entries(batch).values()))
    table = as_array(first).reshape(size(batch), -1)
    return [tuple(float(value) for value in row) for row in table]
