"""The part of an engine's suite that is about what a job may add to a training."""

from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import pytest

from art_training.engines import Averaging, EvaluateJob, FitResult, Look, Parts, Position, Teaching
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.observation import BatchObservation
from art_training.testing.engine_runs import SEED, EngineRuns, fit, unwatched

Feature: TypeAlias = Literal["change", "looks", "rate", "parts", "averaging", "teaching"]


class ShapingContract(EngineRuns):
    """Part of `EngineContract`.

    Attributes:
        cannot: what the engine does not do of what a job may ask; it says so with a SetupError.
    """

    cannot: ClassVar[frozenset[Feature]] = frozenset()

    def test_a_change_is_made_to_what_enters_the_model(self, tmp_path: Path) -> None:
        """And is what is observed."""
        self._require("change")
        engine, setup = self.engine(), self.setup_for()
        seen: list[BatchObservation] = []
        rows: list[Any] = []
        plain: list[Any] = []
        job = EvaluateJob(setup, SEED, (Split.TRAIN,), change=_first_half)
        engine.evaluate(job, seen.append, unwatched)
        engine.read(job, lambda _, __, batch: rows.append(batch), unwatched)
        engine.read(EvaluateJob(setup, SEED, (Split.TRAIN,)), lambda _, __, batch: plain.append(batch), unwatched)
        sizes = [(len(one.batch[0]), len(one.batch[1])) for one in seen]
        assert sizes == [(len(one[0]), len(one[1])) for one in rows]
        assert sizes == [((len(one[0]) + 1) // 2,) * 2 for one in plain]
        changed = self.trained(setup, tmp_path / "changed", change=_first_half)
        assert changed != self.trained(setup, tmp_path / "plain")

    def test_a_look_leaves_a_training_as_it_was(self, tmp_path: Path) -> None:
        """And sees the weights before training and at the ends of epochs, in evaluation mode and in order."""
        self._require("looks")
        setup = self.setup_for()
        seen: list[tuple[int, float]] = []
        look = Look(lambda epochs, batch: seen.append((epochs, self.loss(batch))), batches=2, share=1e9)
        looked = self.trained(setup, tmp_path / "looked", looks=(look,))
        assert looked == self.trained(setup, tmp_path / "plain")
        assert [epochs for epochs, _ in seen] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        assert [loss for _, loss in seen[:2]] == self.losses(self.engine(), setup, None)[:2]
        assert [loss for _, loss in seen[-2:]] == looked[:2]

    def test_a_rate_is_the_learning_rate_of_each_step(self, tmp_path: Path) -> None:
        """And the curves show it."""
        self._require("rate")
        engine, setup = self.engine(), self.setup_for()
        rates: list[float] = []

        def watch(position: Position) -> None:
            rates.extend(value for name, _, _, value in position.points if name.startswith("lr/"))

        result = fit(engine, setup, tmp_path, watch=watch, rate=_falling)
        assert rates == pytest.approx([_falling(step) for step in range(result.steps)])
        still = self.trained(setup, tmp_path / "still", rate=_none)
        assert still == self.losses(engine, setup, None)

    def test_parts_that_are_frozen_do_not_move(self, tmp_path: Path) -> None:
        """Not at all, while the others do."""
        self._require("parts")
        engine, setup = self.engine(), self.setup_for()
        frozen, *others = [one.name for one in engine.parameters(setup)]
        begin = engine.weights(_last(fit(engine, setup, tmp_path / "begin", rate=_none, max_steps=1)))
        end = engine.weights(_last(fit(engine, setup, tmp_path / "end", parts=Parts(frozen=(frozen,)))))
        assert begin[frozen].tolist() == end[frozen].tolist()
        assert any(begin[name].tolist() != end[name].tolist() for name in others)
        with pytest.raises(SetupError, match="no such parameter"):
            fit(engine, setup, tmp_path / "none", parts=Parts(frozen=("no such parameter",)))

    def test_a_training_ends_with_the_average_that_is_asked_for(self, tmp_path: Path) -> None:
        """A mean over one end of an epoch is what is there then; over several it is something else."""
        self._require("averaging")
        setup = self.setup_for()
        plain = self.trained(setup, tmp_path / "plain")
        assert self.trained(setup, tmp_path / "one", averaging=Averaging("swa", first_epoch=3)) == plain
        averages = [Averaging("swa"), Averaging("ema", decay=0.5), Averaging("ema", decay=0.9, first_epoch=2)]
        found = [self.trained(setup, tmp_path / str(index), averaging=one) for index, one in enumerate(averages)]
        assert len({tuple(losses) for losses in [plain, *found]}) == 4

    def test_a_teacher_has_a_part_in_the_loss(self, tmp_path: Path) -> None:
        """All of it: the student comes near to what the teacher gives, whatever the targets are."""
        self._require("teaching")
        engine, setup = self.engine(), self.setup_for()

        def teacher(batch: Any) -> Any:
            return batch[1] * 0 + 3.0

        def to_three(batch: Any) -> Any:
            return batch[0], teacher(batch)

        taught = fit(engine, setup, tmp_path / "taught", teaching=Teaching(teacher, share=1.0)).last
        plain = fit(engine, setup, tmp_path / "plain").last
        near, far = (sum(self.losses(engine, setup, weights, change=to_three)) for weights in (taught, plain))
        assert near < far
        # To be told the targets is to be told nothing new.
        same = self.trained(setup, tmp_path / "same", teaching=Teaching(_target))
        assert same == pytest.approx(self.trained(setup, tmp_path / "own"), rel=1e-4)

    def test_what_an_engine_cannot_do_is_told(self, tmp_path: Path) -> None:
        """With a SetupError, before training."""
        asked: dict[Feature, Any] = {"parts": Parts(frozen=("*",)), "teaching": Teaching(_target)}
        for feature in self.cannot:
            with pytest.raises(SetupError, match=feature):
                fit(self.engine(), self.setup_for(), tmp_path, **{feature: asked[feature]})

    def _require(self, feature: Feature) -> None:
        """Skip what the engine says it cannot do."""
        if feature in self.cannot:
            pytest.skip(f"this engine declares that it cannot: {feature}")


def _first_half(batch: Any) -> Any:
    return tuple(column[: (len(column) + 1) // 2] for column in batch)


def _falling(step: int) -> float:
    return 0.01 / (step + 1)


def _none(step: int) -> float:
    return 0.0 * step


def _last(result: FitResult) -> Path:
    assert result.last is not None
    return result.last


def _target(batch: Any) -> Any:
    return batch[1]
