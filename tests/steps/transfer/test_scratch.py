"""Transfers compared with training from scratch; and what of that is refused before anything is trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from tests.steps.transfer.digits import X, Y, digits, outcome_of, project, reading, setup_of

import art_training as art
from art_training.checks import Above, BeatsBaseline, Check, Improves
from art_training.engines import EvaluateJob, FitJob, FitResult
from art_training.engines.lightning import LightningEngine
from art_training.errors import ProjectError, SetupError, UnknownMetric, UsageError
from art_training.records import Split
from art_training.steps import Overfit, TransferLearning, only
from art_training.steps.regularization.trying import nth_seed
from art_training.steps.transfer.scratch import Trained, check_seeds, require_validation, steps_allowed, weights_of
from art_training.stores.memory import MemoryStore


@pytest.mark.parametrize("seeds", [-1, 1.5, True, "3"])
def test_seeds_are_a_whole_number(seeds: Any) -> None:
    with pytest.raises(ProjectError, match=r"scratch_seeds=.* of step 'T' must be a whole number, 0 for no comparison"):
        check_seeds(seeds, "T", pretrained=True)


def test_without_pretrained_weights_nobody_knows_what_is_from_scratch() -> None:
    check_seeds(0, "T", pretrained=False)
    check_seeds(3, "T", pretrained=True)
    with pytest.raises(ProjectError, match="never begins there; give pretrained="):
        check_seeds(3, "T", pretrained=False)


def test_data_that_are_known_to_have_no_validation_are_refused() -> None:
    require_validation(None, "T")  # not known yet
    require_validation((Split.TRAIN, Split.VALIDATION), "T")
    with pytest.raises(SetupError, match="step 'T' compares with training from scratch on validation"):
        require_validation((Split.TRAIN, Split.TEST), "T")


def test_a_training_that_came_to_no_end_of_its_own_is_not_compared(tmp_path: Path) -> None:
    assert weights_of(FitResult(last=tmp_path), "from scratch, seed 1") == tmp_path
    for result in (
        FitResult(stopped="loss is not finite", message="the training loss is not finite", last=tmp_path),
        FitResult(message="it left no weights"),
    ):
        with pytest.raises(SetupError, match=f"training 'from scratch, seed 1' cannot be compared: {result.message}"):
            weights_of(result, "from scratch, seed 1")


def result(steps: int, epochs: int, **trainer: Any) -> FitResult:
    return FitResult(steps=steps, epochs=epochs, parameters={"trainer": {"max_epochs": -1, "max_steps": -1} | trainer})


@pytest.mark.parametrize(
    ("trained", "allowed"),
    [
        (result(12, 4, max_epochs=4), 12),
        (result(6, 2, max_epochs=4), 12),  # ended early, after half of its epochs
        (result(6, 2, max_epochs=40, max_steps=10), 10),
        (result(5, 3, max_steps=5), 5),
        (result(6, 2), None),  # until a callback ends it
        (result(1, 0, max_epochs=4), 1),  # in the middle of the first epoch: nobody knows how long one is
        (FitResult(steps=6, epochs=2), 6),
    ],
)
def test_a_training_might_have_taken_as_many_steps_as_its_trainer_says(trained: FitResult, allowed: int | None) -> None:
    assert steps_allowed(trained) == allowed


def test_both_phases_together_have_no_end_where_one_has_none(tmp_path: Path) -> None:
    frozen, tuned = result(6, 2, max_epochs=4), result(9, 3, max_epochs=3)
    assert Trained(tmp_path, (frozen, tuned)).allowed == 21
    assert Trained(tmp_path, (frozen, tuned)).steps == 15
    assert Trained(tmp_path, (frozen, result(9, 3))).allowed is None


def test_it_is_compared_with_training_from_scratch_on_the_same_labels_seeds_and_steps(
    weights: Path, tmp_path: Path
) -> None:
    step = TransferLearning(
        freeze="backbone.*",
        pretrained=weights,
        fresh="head.*",
        frozen_epochs=4,
        epochs=3,
        scratch_seeds=2,
        by="accuracy",
        examples=0,
        continue_on_failure=True,
    )
    setup, store = setup_of(digits(5, 5)), MemoryStore()
    result = project(step, setup=setup, store=store).run()[step.name]
    outcome = result.outcome
    assert outcome is not None

    def by_hand(number: int) -> float:
        """The accuracy of the same setup under a pair's seed, trained for as many steps as both phases together."""
        engine, seed = LightningEngine(), nth_seed(result.run.seed, number)
        how: Any = {"data_seed": result.run.seed}
        trained = engine.fit(FitJob(setup, seed, tmp_path, max_steps=7, **how), lambda position: None)
        right: list[torch.Tensor] = []

        def see(seen: Any) -> None:
            right.append((seen.returned["predictions"].argmax(1) == seen.returned["targets"]).float())

        asked = EvaluateJob(setup, seed, (Split.VALIDATION,), weights=trained.last, **how)
        engine.evaluate(asked, see, lambda position: None)
        return float(torch.cat(right).mean())

    curves = {name for name in outcome.curves if name.endswith("train/loss")}
    assert {f"from scratch, seed {number}/train/loss" for number in (1, 2)} < curves
    assert len(outcome.curves["from scratch, seed 2/train/loss"].values) == 7
    scratch = next(one for one in outcome.candidates if one.name == "from scratch")
    gains, gain = reading(outcome, "gain by seed"), outcome.scores["gain"]
    assert len(gains) == 2
    assert gain.value == pytest.approx(sum(gains) / 2)
    assert gain.interval is not None
    assert scratch.scores["validation/accuracy"].value == pytest.approx((by_hand(1) + by_hand(2)) / 2, abs=1e-6)
    assert "better than training from scratch, beyond doubt" in {one.check for one in result.judgement.verdicts}
    assert project(step, setup=setup, store=store).run()[step.name].recalled


def gained(name: str, weights: Path, **settings: Any) -> TransferLearning:
    """A transfer that is compared with training from scratch."""
    how: dict[str, Any] = {"freeze": "backbone.*", "pretrained": weights, "fresh": "head.*", "frozen_epochs": 2}
    how |= {"epochs": 2, "scratch_seeds": 1, "examples": 0, "continue_on_failure": True}
    return TransferLearning(name=name, **how, **settings)


def test_from_scratch_begins_with_nothing_that_an_earlier_transfer_handed_on(weights: Path) -> None:
    first = TransferLearning(
        name="First", freeze="backbone.*", pretrained=weights, frozen_epochs=1, epochs=1, examples=0
    )
    first = replace(first, continue_on_failure=True)
    setup, second = setup_of(digits(5, 5)), gained("Second", weights)
    after = project(first, second, setup=setup).run()["Second"].outcome
    alone = project(second, setup=setup).run()["Second"].outcome
    assert after is not None
    assert alone is not None
    for name in ("from scratch, seed 1/train/loss", "from scratch, seed 1/validation/loss"):
        assert after.curves[name].values == alone.curves[name].values
    # What is fresh is so though the first transfer handed on a head; and what comes later gets none from it either.
    assert after.scores == alone.scores
    assert reading(after, "freshly initialised") == reading(alone, "freshly initialised")


def test_where_callbacks_end_trainings_early_both_sides_have_them_as_often_and_the_steps_are_told(
    weights: Path,
) -> None:
    stopping = EarlyStopping("val_loss", patience=1, min_delta=5.0)  # after two epochs, whatever is trained
    step = replace(gained("T", weights), frozen_epochs=6, epochs=6)
    outcome, _ = outcome_of(step, setup_of(digits(5, 5), callbacks=[stopping]))
    assert reading(outcome, "steps by seed") == {"transferred": [4], "from scratch": [4]}
    assert len(outcome.curves["from scratch again, seed 1/train/loss"].values) == 2


class StopsTheFrozen(Callback):
    """Ends a training after its second epoch where a part is frozen: as a plateau that only one side comes to."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 1 and not all(one.requires_grad for one in pl_module.parameters()):
            trainer.should_stop = True


def test_a_transfer_that_ends_early_does_not_shorten_the_training_from_scratch(weights: Path) -> None:
    step = replace(gained("T", weights), frozen_epochs=5)
    outcome, _ = outcome_of(step, setup_of(digits(5, 5), callbacks=[StopsTheFrozen()]))
    assert reading(outcome, "steps by seed") == {"transferred": [4], "from scratch": [7]}
    told = "in 7 steps where both phases took 4, each as the setup's own callbacks and limits ended it"
    assert next(one.note for one in outcome.candidates if one.name == "from scratch").startswith(told)
    assert told in outcome.summary


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (Above("validation/acuracy", 0.5), r"asks for 'acuracy', .*\(did you mean 'validation/accuracy'\?\)"),
        (
            Above("accuracy", 0.5),
            "asks for 'accuracy' of no split; name one: 'train/accuracy' or 'validation/accuracy'",
        ),
        (Above("gain", 0.0), "asks for 'gain', which it will not have; give it scratch_seeds=3, so"),
        (Improves(), "`better than before, beyond doubt` of .* which it will not have; give it scratch_seeds=3, so"),
        (Above("gian", 0.0), r"asks for 'gian', which it will not have; it will have: accuracy, loss"),
    ],
)
def test_a_check_on_a_score_that_it_will_not_have_is_refused_at_once(check: Check, message: str, weights: Path) -> None:
    with pytest.raises(UsageError, match=message):
        project(TransferLearning(pretrained=weights, checks=[check]), setup=setup_of(digits(5, 5)))


def test_the_remedy_of_a_gain_that_is_missing_is_enough_to_have_one(weights: Path) -> None:
    setup = setup_of(digits(5, 5))
    with pytest.raises(UnknownMetric, match="give it scratch_seeds=3 and pretrained=, so"):
        project(TransferLearning(checks=only(Improves())), setup=setup)
    project(
        TransferLearning(checks=[Improves()], scratch_seeds=3, pretrained=weights, freeze="backbone"), setup=setup
    ).plan()


def test_a_check_on_the_gain_or_on_one_of_its_parts_is_taken(weights: Path) -> None:
    above = [Above("gain", 0.0), Above("validation/accuracy", 0.1)]
    asks = [BeatsBaseline("validation/accuracy", name, step="T") for name in ("frozen", "from scratch")]
    steps = (gained("T", weights, checks=above), Overfit(checks=asks))
    project(*steps, setup=setup_of(digits(5, 5))).plan()
    wrong = Overfit(checks=[BeatsBaseline("validation/accuracy", "forzen", step="T")])
    with pytest.raises(UsageError, match=r"'forzen'.*\(did you mean 'frozen'\?\)"):
        project(steps[0], wrong, setup=setup_of(digits(5, 5))).plan()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scratch_seeds": -1}, "scratch_seeds=-1 .* must be a whole number"),
        ({"scratch_seeds": 2}, "a model whose factory loads its weights never begins there; give pretrained="),
        ({"by": "test/accuracy"}, "by='test/accuracy' .* is of the test split"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        TransferLearning(**settings)


def test_a_comparison_by_what_is_not_there_is_refused_before_anything_is_trained(weights: Path) -> None:
    step = TransferLearning(freeze="backbone", pretrained=weights, scratch_seeds=2, by="f1")
    with pytest.raises(UsageError, match="step 'TransferLearning' chooses by validation/f1: "):
        project(step, setup=setup_of(digits(5, 5))).plan()
    alone = setup_of(art.data((X[:50], Y[:50] % 5), batch_size=25))
    step = TransferLearning(freeze="backbone", pretrained=weights, scratch_seeds=2)
    with pytest.raises(
        SetupError, match="compares with training from scratch on validation, which the data do not have"
    ):
        project(step, setup=alone).plan()
