"""Each item of Karpathy's recipe is something that runs, on real data, and that sees the opposite where it is planted.

Where a step's own tests show that already, they are named here, and not repeated:

| item | test |
|---|---|
| 1.1 scan examples, see their distribution | test_what_is_told_of_the_data_is_what_counting_gives |
| 1.2 duplicates, conflicting labels | test_copies_and_conflicts_among_real_flowers_are_found_and_clean_ones_are_not_accused |
| 1.3 imbalance, drift between splits | test_a_file_that_is_sorted_by_class_is_found_where_it_is_split_without_shuffling |
| 1.4 how noisy the labels are | test_wrong_labels_among_real_digits_are_estimated_and_clean_ones_are_not_accused |
| 1.5 use the trained network to look back | tests/steps/test_examples.py::test_mislabelled_digits_are_the_worst_and_the_most_confidently_wrong |
| 2.1 fix the random seed | tests/steps/test_overfit.py::test_a_training_that_can_be_repeated_says_so |
| 2.1 fix the random seed, the opposite | tests/steps/test_overfit.py::test_a_training_that_cannot_be_repeated_fails_with_the_first_place_that_differs |
| 2.2 simplify: no augmentation | test_early_steps_learn_without_augmentation_where_the_data_can_do_without |
| 2.3 evaluate on the whole set | test_scores_are_of_the_whole_split_whatever_the_trainer_limits |
| 2.4 the loss at initialisation | test_a_fresh_network_has_the_loss_of_theory_and_one_that_is_sure_of_itself_has_not |
| 2.5 initialise well | test_the_bias_that_is_proposed_begins_at_the_loss_that_was_promised |
| 2.6 the human baseline | test_what_people_reach_stands_among_the_baselines_with_its_source |
| 2.7 dumb baselines | tests/steps/test_evaluate_baseline.py::test_digits_have_three_baselines_within_six_seconds |
| 2.8 the input-independent baseline | test_a_model_that_is_blind_does_no_worse_without_its_inputs |
| 2.9 overfit one batch | test_one_batch_is_learned_by_heart_unless_the_model_is_blind |
| 2.10 the loss falls as capacity grows | tests/steps/test_overfit.py::test_larger_models_fit_at_least_as_well_and_each_is_told_with_its_size |
| 2.10 the loss falls as capacity grows, the opposite | tests/steps/test_overfit.py::test_a_larger_model_that_fits_worse_fails |
| 2.11 visualise just before the network | tests/steps/test_glimpsed.py::test_exactly_what_the_first_layer_is_given_is_kept_as_numbers_and_as_a_picture |
| 2.12 prediction dynamics on a fixed batch | tests/steps/test_overfit.py::test_predictions_of_a_fixed_batch_are_followed_over_the_epochs |
| 2.13 dependencies by backpropagation | tests/steps/test_glimpsed.py::test_gradients_say_whose_input_a_prediction_depends_on |
| 2.13 dependencies between positions | tests/steps/test_glimpsed.py::test_gradients_say_whether_a_position_sees_later_ones_and_tokens_are_decoded |
| 2.14 generalise a special case | test_a_generalised_model_is_held_to_the_special_case |
| 3.1 a model that is large enough | test_a_model_that_cannot_fit_its_training_data_better_than_a_baseline_predicts_fails |
| 3.2 a learning rate by test | tests/steps/test_overfit.py::test_the_suggested_rate_is_told_with_its_curve_and_what_to_do |
| 3.3 one thing at a time | tests/steps/test_regularize.py::test_a_candidate_that_varies_several_things_is_told |
| 3.4 the learning rate to come | tests/steps/test_glimpsed.py::test_the_learning_rate_of_the_whole_training_is_laid_out |
| 3.4 decay that is wrong | tests/rules/test_schedule.py::test_faults |
| 4.1 regularise: all that the recipe names | test_everything_that_the_recipe_regularises_by_can_be_a_candidate |
| 4.1 regularise: what helps wins | tests/steps/test_regularize.py::test_a_candidate_that_helps_wins_and_is_handed_on_by_its_configuration |
| 4.1 regularise: what does not help does not win | tests/steps/test_regularize.py::test_where_nothing_helps_the_reference_is_handed_on_and_it_is_said |
| 4.2 first-layer weights | tests/steps/test_regularize.py::test_the_scores_are_those_of_the_winners_weights_which_are_kept_with_a_picture_of_the_first_layer |
| 5.1 random search | test_a_random_search_is_no_grid |
| 5.2 learning from trials | tests/steps/test_tune.py::test_a_search_finds_what_is_better_and_hands_it_on |
| 5.2 pruning and a budget | tests/steps/test_tune.py::test_a_regression_is_searched_by_its_loss_with_hyperband |
| 5.2 going on after a kill | tests/steps/test_tune_kill.py::test_a_search_that_is_killed_again_and_again_makes_the_trials_of_one_that_was_not |
| 6.1 ensembles | tests/steps/test_squeeze.py::test_everything_that_was_asked_for_is_compared_with_its_interval_and_its_cost |
| 6.2 leave it training | tests/steps/test_squeeze.py::test_everything_that_was_asked_for_is_compared_with_its_interval_and_its_cost |
| 6.3 distil | tests/steps/test_squeeze.py::test_everything_that_was_asked_for_is_compared_with_its_interval_and_its_cost |
| 6.4 calibrate | tests/steps/test_squeeze.py::test_a_model_that_is_too_sure_of_itself_is_calibrated_and_decides_the_same |
| 7.1 transfer | tests/steps/transfer/test_gain.py::test_transfer_with_five_labels_a_class_beats_training_from_scratch_over_ten_seeds |
| 7.1 transfer, proven | tests/steps/test_transfer_learning.py::test_a_frozen_part_that_moves_is_found |
| 7.2 the final test | tests/steps/test_final_test.py::test_the_fourth_model_fails_and_says_what_to_do_and_other_rows_are_counted_anew |
| 7.2 the final test alone | tests/steps/test_final_test.py::test_other_steps_may_not_look_at_the_test_split |
| 7.3 silent faults | tests/steps/test_diagnose.py::test_a_fault_fails_with_its_finding_in_the_outcome |
| 7.3 silent faults, none | tests/steps/test_diagnose.py::test_a_healthy_setup_passes |
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import BeatsBaseline, Evidence, NoNaN, check
from art_training.records import Outcome, StepState
from art_training.steps import (
    CheckLossOnInit,
    EvaluateBaseline,
    ExploreData,
    Overfit,
    OverfitOneBatch,
    Regularize,
    Step,
    Tune,
    only,
)
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits


def shuffled(load: Any) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows in a random order."""
    x, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32)[order], y[order]


IRIS, WINE, CANCER = (shuffled(load) for load in (load_iris, load_wine, load_breast_cancer))
(DX, DY), (DXV, DYV) = digits()


def split(xy: tuple[Any, Any], train: int, **settings: Any) -> Any:
    x, y = xy
    return art.data((x[:train], y[:train]), (x[train:], y[train:]), **settings)


def net(features: int, classes: int, width: int = 32, dropout: float = 0.0) -> nn.Module:
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes))


def setup_of(model: Any, data: Any, *, epochs: int = 10, lr: float = 1e-2, **trainer: Any) -> art.Setup:
    made = art.from_torch(model, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=lr, weight_decay=0.0)
    return art.Setup(made, data, trainer={"max_epochs": epochs, "accelerator": "cpu", **trainer})


def run(*steps: Step, setup: art.Setup, classes: int = 0) -> Any:
    metrics = {"accuracy": MulticlassAccuracy(classes, average="micro")} if classes else {}
    return art.ArtProject("rows", setup, metrics=metrics, steps=steps, store=MemoryStore()).run()


def outcome_of(result: Any, step: str = "") -> Outcome:
    found = result[step or result.steps[-1].name].outcome
    assert found is not None, str(result)
    return found


def state_of(result: Any, step: str = "") -> StepState:
    return result[step or result.steps[-1].name].state


def codes(outcome: Outcome) -> set[str]:
    return {finding.code for finding in outcome.findings}


# Become one with the data.


def test_what_is_told_of_the_data_is_what_counting_gives() -> None:
    y = CANCER[1]
    outcome = outcome_of(run(ExploreData(), setup=setup_of(lambda: net(30, 2), split(CANCER, 400))))
    counts = outcome.reading("class counts")
    assert counts is not None
    assert [counts.value[name] for name in ("train", "validation")] == [
        np.bincount(part).tolist() for part in (y[:400], y[400:])
    ]
    assert outcome.score("validation/examples").value == 169
    assert not outcome.findings


def test_copies_and_conflicts_among_real_flowers_are_found_and_clean_ones_are_not_accused() -> None:
    x, y = IRIS
    _, first = np.unique(x, axis=0, return_index=True)  # one pair of these flowers measures the same
    assert len(first) == 149
    x, y = x[np.sort(first)], y[np.sort(first)]
    clean = run(ExploreData(), setup=setup_of(lambda: net(4, 3), split((x, y), 100)))
    assert clean.passed, str(clean)
    assert not codes(outcome_of(clean))

    x, y = x.copy(), y.copy()
    x[120:140], y[120:140] = x[:20], y[:20]  # two fifths of validation are flowers that were learned
    x[50:60], y[50:60] = x[:10], (y[:10] + 1) % 3  # ten flowers of two kinds
    faulty = run(ExploreData(), setup=setup_of(lambda: net(4, 3), split((x, y), 100)))
    outcome = outcome_of(faulty)
    assert state_of(faulty) is StepState.FAILED
    assert outcome.score("validation/also_in_train").value == 20
    assert outcome.score("train/conflicting_labels").value == 20
    assert {"ART101", "ART102"} <= codes(outcome)


def test_a_file_that_is_sorted_by_class_is_found_where_it_is_split_without_shuffling() -> None:
    x, y = load_iris(return_X_y=True)
    sorted_ones = outcome_of(run(ExploreData(), setup=setup_of(lambda: net(4, 3), split((x, y), 110))))
    assert "ART104" in codes(sorted_ones)
    whole_classes = outcome_of(run(ExploreData(), setup=setup_of(lambda: net(4, 3), split((x, y), 100))))
    assert "ART106" in codes(whole_classes)
    assert not {"ART104", "ART106"} & codes(
        outcome_of(run(ExploreData(), setup=setup_of(lambda: net(4, 3), split(IRIS, 100))))
    )


@pytest.mark.slow
def test_wrong_labels_among_real_digits_are_estimated_and_clean_ones_are_not_accused() -> None:
    wrong = np.random.default_rng(0).choice(1000, 100, replace=False)
    y = DY[:1000].copy()
    y[wrong] = (y[wrong] + 1) % 10
    shares = {}
    for name, labels in (("clean", DY[:1000]), ("wrong", y)):
        data = art.data((DX[:1000].astype(np.float32), labels), (DXV.astype(np.float32), DYV))
        outcome = outcome_of(run(ExploreData(label_noise=True), setup=setup_of(lambda: net(64, 10), data)))
        shares[name] = outcome.score("train/label_noise").value
    assert shares["clean"] < 0.03
    assert 0.06 < shares["wrong"] < 0.2


# Set up the skeleton, and dumb baselines.


def test_early_steps_learn_without_augmentation_where_the_data_can_do_without() -> None:
    x, y = WINE
    noise = np.random.default_rng(0).normal(size=(120, 13)).astype(np.float32)  # called augmented; nothing is left
    for plain, passes in (((x[:120], y[:120]), True), (None, False)):
        data = art.data((noise, y[:120]), (x[120:], y[120:]), plain_train=plain)
        outcome = outcome_of(run(Overfit(), setup=setup_of(lambda: net(13, 3), data, epochs=15), classes=3))
        assert (outcome.score("validation/accuracy").value > 0.9) is passes

    lost = np.full((120, 13), np.nan, np.float32)  # nothing learns of these, not even by heart
    for plain, state in (((x[:120], y[:120]), StepState.PASSED), (None, StepState.FAILED)):
        data = art.data((lost, y[:120]), (x[120:], y[120:]), plain_train=plain)
        assert state_of(run(OverfitOneBatch(), setup=setup_of(lambda: net(13, 3), data))) is state


def test_scores_are_of_the_whole_split_whatever_the_trainer_limits() -> None:
    setup = setup_of(lambda: net(30, 2), split(CANCER, 400), epochs=2, limit_val_batches=1, limit_train_batches=2)
    outcome = outcome_of(run(Overfit(checks=only()), setup=setup, classes=2))
    scores = {name: outcome.score(name) for name in ("train/accuracy", "validation/accuracy")}
    assert {name: score.rows for name, score in scores.items()} == {"train/accuracy": 400, "validation/accuracy": 169}
    right = round(scores["validation/accuracy"].value * 169)
    assert scores["validation/accuracy"].value == pytest.approx(right / 169)
    interval = scores["validation/accuracy"].interval
    assert interval is not None
    assert interval.low < scores["validation/accuracy"].value < interval.high


def sure(features: int, classes: int) -> nn.Module:
    made = net(features, classes)
    with torch.no_grad():
        made[3].weight.mul_(50)
    return made


def test_a_fresh_network_has_the_loss_of_theory_and_one_that_is_sure_of_itself_has_not() -> None:
    data = split(WINE, 120)
    fresh, wild = (
        run(CheckLossOnInit(), setup=setup_of(model, data)) for model in (lambda: net(13, 3), lambda: sure(13, 3))
    )
    assert state_of(fresh) is StepState.PASSED, str(fresh)
    assert outcome_of(fresh).score("expected_loss").value == pytest.approx(np.log(3))
    assert state_of(wild) is StepState.FAILED
    assert outcome_of(wild).score("train/loss").value > 2 * np.log(3)


def test_the_bias_that_is_proposed_begins_at_the_loss_that_was_promised() -> None:
    x, y = DX.astype(np.float32), (DY == 7).astype(np.int64)  # one image in ten
    data = art.data((x[:1000], y[:1000]), (x[1000:], y[1000:]))
    before = outcome_of(run(CheckLossOnInit(), setup=setup_of(lambda: net(64, 2), data)))
    share = y[:1000].mean()
    prior = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert before.score("prior_loss").value == pytest.approx(prior)
    proposed = before.reading("final bias")
    assert proposed is not None
    assert before.score("train/loss_with_final_bias").value < 1.2 * prior < before.score("train/loss").value

    def begun() -> nn.Module:
        made = net(64, 2)
        with torch.no_grad():
            made[3].weight.zero_()
            made[3].bias.copy_(torch.tensor(proposed.value))
        return made

    after = outcome_of(run(CheckLossOnInit(), setup=setup_of(begun, data)))
    assert after.score("train/loss").value == pytest.approx(prior, rel=1e-3)
    assert before.score("train/loss").value > 1.5 * prior


def test_what_people_reach_stands_among_the_baselines_with_its_source() -> None:
    said = {"accuracy": 0.999, "source": "two botanists, 150 flowers each"}
    outcome = outcome_of(
        run(EvaluateBaseline(human=said), setup=setup_of(lambda: net(4, 3), split(IRIS, 100)), classes=3)
    )
    human = outcome.candidate("human")
    assert human is not None
    assert human.scores["validation/accuracy"].value == 0.999
    assert "two botanists" in f"{human.note} {human.parameters}"
    reached = {one.name: one.scores["validation/accuracy"].value for one in outcome.candidates}
    del reached["human"]
    assert reached[outcome.parameters["best"]] == max(reached.values()) > reached["dummy"]


@pytest.mark.slow
def test_a_model_that_is_blind_does_no_worse_without_its_inputs() -> None:
    data = art.data((DX[:400].astype(np.float32), DY[:400]), (DXV.astype(np.float32), DYV), batch_size=50)
    step = EvaluateBaseline(inputs="zeroed", inputs_steps=60)
    sees, blind = (run(step, setup=setup_of(model, data), classes=10) for model in (lambda: net(64, 10), Blind))
    assert state_of(sees) is StepState.PASSED, str(sees)
    assert state_of(blind) is StepState.FAILED, str(blind)
    assert outcome_of(sees).score("inputs_gain.loss").value > 0.5
    hidden = outcome_of(sees).candidate("inputs zeroed")
    assert hidden is not None
    # Who is shown the same for every example says the same of each, and is right as often as one class occurs.
    right = hidden.scores["validation/accuracy"].value * len(DYV)
    assert any(right == pytest.approx(count, abs=1e-3) for count in np.bincount(DYV))


class Blind(nn.Module):
    """Sees the mean of its batch and not its examples, as where the wrong dimension is reduced."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.mean(0, keepdim=True).expand_as(x))


def test_one_batch_is_learned_by_heart_unless_the_model_is_blind() -> None:
    data = art.data((DX[:200].astype(np.float32), DY[:200]), (DXV.astype(np.float32), DYV))
    sees, blind = (
        run(OverfitOneBatch(max_steps=200), setup=setup_of(model, data)) for model in (lambda: net(64, 10), Blind)
    )
    assert state_of(sees) is StepState.PASSED, str(sees)
    assert state_of(blind) is StepState.FAILED
    resisting = outcome_of(blind).reading("resisting examples")
    assert resisting is not None
    assert len(resisting.value) > 10


class Special(nn.Module):
    """One layer, written by hand for one width."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(13, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class General(nn.Module):
    """Any number of layers; `fault` is a mistake in going from one to many."""

    def __init__(self, hidden: tuple[int, ...] = (), fault: float = 1.0) -> None:
        super().__init__()
        sizes = [13, *hidden, 3]
        self.fault = fault
        self.layers = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) * self.fault


@check
def same_as_special(evidence: Evidence) -> tuple[bool, str]:
    ours, theirs = (one.curves["train/loss"].values for one in (evidence.outcome, evidence.earlier["Special"]))
    return ours == theirs, f"the losses of {len(ours)} steps end with {ours[-1]:.6g}, and {theirs[-1]:.6g}"


def begun_alike(model: Any) -> Any:
    """A factory whose modules have the same weights in every step, which else has a seed of its own."""

    def made() -> nn.Module:
        torch.manual_seed(0)
        return model()

    return made


@pytest.mark.parametrize(("fault", "state"), [(1.0, StepState.PASSED), (1.01, StepState.FAILED)])
def test_a_generalised_model_is_held_to_the_special_case(fault: float, state: StepState) -> None:
    special, general = (
        setup_of(begun_alike(model), split(WINE, 120)) for model in (Special, lambda: General((), fault))
    )
    steps = [
        OverfitOneBatch(name="Special", max_steps=20, checks=only(NoNaN())),
        OverfitOneBatch(name="General", max_steps=20, setup=general, checks=only(same_as_special)),
    ]
    assert state_of(run(*steps, setup=special), "General") is state


# Overfit.


@pytest.mark.slow
def test_a_model_that_cannot_fit_its_training_data_better_than_a_baseline_predicts_fails() -> None:
    data = split((DX.astype(np.float32), DY), 1000)
    beats = BeatsBaseline("train/accuracy", against="validation/accuracy")
    steps = [EvaluateBaseline(), Overfit(checks=only(beats))]
    large, small = (
        run(*steps, setup=setup_of(model, data, epochs=12), classes=10)
        for model in (lambda: net(64, 10), lambda: net(64, 10, width=2))
    )
    assert state_of(large) is StepState.PASSED, str(large)
    assert state_of(small) is StepState.FAILED, str(small)


# Regularise.


def more(data: Any) -> Any:
    return data.but(train=(DX[:200].astype(np.float32), DY[:200]))


class Jittered(torch.utils.data.Dataset[Any]):
    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, at: int) -> Any:
        return self.x[at] + 0.1 * torch.randn(64).numpy(), self.y[at]


def augmented(data: Any) -> Any:
    x, y = data.parts()["train"]
    return data.but(train=Jittered(x, y), plain_train=(x, y))


def smaller_batch(data: Any) -> Any:
    return data.but(batch_size=10)


class Begun:
    """A modifier that gives a fresh module a body that was learned elsewhere."""

    def __init__(self, body: dict[str, torch.Tensor]) -> None:
        self.body = body

    def __call__(self, module: nn.Module) -> nn.Module:
        module[0].load_state_dict(self.body)
        return module


def smaller_input(module: nn.Module) -> nn.Module:
    """Four by four pixels instead of eight by eight."""
    pooled = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 32))
    return nn.Sequential(pooled, *list(module)[1:])


def learned_elsewhere() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    made, x, y = net(64, 10), torch.tensor(DX[500:], dtype=torch.float32), torch.tensor(DY[500:])
    optimizer = torch.optim.Adam(made.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(made(x), y).backward()
        optimizer.step()
    return made[0].state_dict()


@pytest.mark.slow
def test_everything_that_the_recipe_regularises_by_can_be_a_candidate() -> None:
    stopping = {"callbacks": [EarlyStopping("val_loss", patience=1)], "check_val_every_n_epoch": 1}
    candidates = {
        "more data": art.Variant(data=more),
        "augmentation": art.Variant(data=augmented),
        "pretraining": art.Variant(model=Begun(learned_elsewhere())),
        "smaller input": art.Variant(model=smaller_input),
        "smaller model": art.Variant(hparams={"width": 8}),
        "smaller batch": art.Variant(data=smaller_batch),
        "dropout": art.Variant(hparams={"dropout": 0.3}),
        "weight decay": art.Variant(hparams={"weight_decay": 1.0}),
        "early stopping": art.Variant(trainer=stopping),
        "larger model, early stopping": art.Variant(hparams={"width": 128}, trainer=stopping),
    }

    def model(width: int = 32, dropout: float = 0.0) -> nn.Module:
        return net(64, 10, width, dropout)

    data = art.data((DX[:100].astype(np.float32), DY[:100]), (DXV.astype(np.float32), DYV), batch_size=50)
    setup = setup_of(model, data, epochs=12, check_val_every_n_epoch=1000)
    outcome = outcome_of(run(Regularize(candidates, seeds=2), setup=setup, classes=10))
    assert outcome.score("compared_candidates").value == len(candidates)
    assert {one.name for one in outcome.candidates} == {"reference", *candidates}
    losses = [one.scores["validation/loss"].value for one in outcome.candidates]
    assert len(set(losses)) == len(losses), "some candidate was trained like another"
    # Twice the data, or a first layer that has seen a thousand digits, is worth more than what only holds the model back.
    best = max(outcome.candidates[1:], key=lambda one: one.scores["gain"].value)
    assert best.name in {"more data", "pretraining"}


# Tune.


@pytest.mark.slow
def test_a_random_search_is_no_grid() -> None:
    def model(width: int = 32) -> nn.Module:
        return net(64, 10, width)

    data = art.data((DX[:200].astype(np.float32), DY[:200]), (DXV.astype(np.float32), DYV), batch_size=50)
    space = {"lr": art.space.log_uniform(1e-5, 1e-1), "width": art.space.integer(4, 64)}
    step = Tune(space, by="accuracy", sampler="random", pruning=None, trials=12, top=1, seeds_for_winner=1)
    outcome = outcome_of(run(step, setup=setup_of(model, data, epochs=2, lr=1e-6), classes=10))
    trials = [one for one in outcome.candidates if one.name.startswith("trial ") and "fresh" not in one.name]
    rates = [one.parameters["lr"] for one in trials]
    assert len(trials) == 12
    assert len({*rates}) == 12, "a grid would try the same rate with each width"
    assert sum(rate < 1e-3 for rate in rates) in range(2, 11), "drawn by its logarithm, half are below the middle"
    reached = [one.scores["validation/accuracy"].value for one in trials]
    assert max(reached) > min(reached) + 0.2, "what was drawn was not trained with"
    assert outcome.score("gain").value > 0.2
