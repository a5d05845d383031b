"""Weights of members: chosen on validation, and not believed on what they were chosen on."""

import numpy as np
import pytest
import torch

from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.scores.told_loss import told_loss
from art_training.setup.task import Task, TaskKind
from art_training.steps.delivering.predictions import Collector, Predictions, averaged
from art_training.steps.squeezing.ensemble import equal, greedy

CLASSES = Task(TaskKind.CLASSIFICATION, target="1", loss="cross_entropy", classes=3, activation="softmax")
VALUES = Task(TaskKind.REGRESSION, target="1", loss="mse_loss")
LABELS = Task(
    TaskKind.MULTI_LABEL, target="1", loss="binary_cross_entropy_with_logits", classes=2, activation="sigmoid"
)


def values(noise: float, seed: int, rows: int = 200) -> Predictions:
    targets = torch.linspace(-1, 1, rows)
    error = noise * torch.randn(rows, generator=torch.Generator().manual_seed(seed))
    return Predictions(Pool(targets + error, targets), VALUES, rows)


def loss(one: Predictions) -> float:
    return one.loss()


def test_equal_members_of_independent_errors_are_better_together() -> None:
    members = [values(0.5, seed) for seed in range(5)]
    found = equal(members)
    assert found.weights == pytest.approx([0.2] * 5)
    assert found.predictions.loss() < min(one.loss() for one in members) / 2


def test_forward_selection_leaves_out_a_member_that_only_harms() -> None:
    members = [values(0.5, 0), values(0.5, 1), values(20.0, 2)]
    found = greedy(members, loss, seed=0)
    assert found.weights[2] == 0
    assert sum(found.weights) == pytest.approx(1)
    assert min(found.weights[:2]) > 0.3


def test_weights_are_chosen_as_well_as_the_best_of_a_grid() -> None:
    """Two members of known noise: the best weights are inversely proportional to their variances."""
    members = [values(0.5, 3, 4_000), values(1.0, 4, 4_000)]
    found = greedy(members, loss, seed=0)
    assert found.weights[0] == pytest.approx(0.8, abs=0.04)


def test_what_is_reported_of_an_example_was_chosen_without_it() -> None:
    members = [values(0.5, seed, 60) for seed in range(4)]
    found = greedy(members, loss, seed=0)
    targets = members[0].pool.targets.clone()
    targets[7] = 50.0  # an example that would draw every weight to the member that is highest there
    moved = [Predictions(Pool(one.pool.predictions, targets), VALUES, 60) for one in members]
    again = greedy(moved, loss, seed=0)
    assert torch.equal(again.predictions.pool.predictions[7], found.predictions.pool.predictions[7])
    assert again.weights != found.weights


@pytest.mark.slow
def test_choosing_among_members_of_pure_noise_promises_nothing() -> None:
    """Cross-fitted, members that are all equally bad are reported no better than their mean is; optimism would show."""
    gains = []
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        targets = torch.zeros(30)
        members = [Predictions(Pool(torch.randn(30, generator=generator), targets), VALUES, 30) for _ in range(6)]
        found = greedy(members, loss, seed=seed)
        chosen = averaged([one.pool.predictions for one in members], found.weights)
        gains.append((found.predictions.loss(), float((chosen**2).mean())))
    reported, optimistic = np.array(gains).T
    assert optimistic.mean() < 1 / 6 - 0.01  # on the examples that chose it, it looks better than six members can be
    assert reported.mean() > 1 / 6 - 2 * reported.std() / 12**0.5


def test_few_examples_choose_nothing() -> None:
    found = greedy([values(0.1, 0, 8), values(0.2, 1, 8)], loss, seed=0)
    assert found.weights == (0.5, 0.5)
    assert "8 examples are too few to choose by" in found.how


def test_positions_of_one_sequence_stay_in_one_fold() -> None:
    example = torch.arange(20).repeat_interleave(3)
    task = Task(TaskKind.SEQUENCE, target="1", loss="cross_entropy", classes=2, activation="softmax")
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 2, (60,), generator=generator)
    members = [
        Predictions(Pool(torch.rand(60, 2, generator=generator).softmax(1), targets, example), task, 20)
        for _ in range(3)
    ]
    found = greedy(members, loss, seed=0)
    assert found.predictions.count == 20
    assert len(found.predictions.examples.losses) == 20  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "name", "target"),
    [
        (CLASSES, "cross_entropy", torch.tensor([0, 1, 2, 1])),
        (LABELS, "binary_cross_entropy_with_logits", torch.tensor([[0.0, 1], [1, 1], [0, 0], [1, 0]])),
        (VALUES, "mse_loss", torch.tensor([0.5, 1.0, -1.0, 0.0])),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_losses_follow_from_probabilities_as_from_scores(task: Task, name: str, target: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (4, 3) if task is CLASSES else tuple(target.shape)
    scores = 3 * torch.randn(shape, generator=generator)
    call = getattr(torch.nn.functional, name)
    predictions = scores.softmax(1) if task is CLASSES else scores.sigmoid() if task is LABELS else scores
    found = Predictions(Pool(predictions, target), task, 4)
    assert found.loss() == pytest.approx(float(call(scores, target)), rel=1e-5)
    each = call(scores, target, reduction="none").reshape(4, -1).mean(1)
    assert found.examples.losses == pytest.approx(each.numpy(), rel=1e-4)


def test_class_weights_and_smoothing_are_those_of_the_task() -> None:
    options = {"weight": [1.0, 2.0, 0.5], "label_smoothing": 0.1, "ignore_index": -100}
    task = Task(TaskKind.CLASSIFICATION, loss="cross_entropy", classes=3, loss_options=options)
    scores, targets = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 2, 1])
    wanted = torch.nn.functional.cross_entropy(scores, targets, weight=torch.tensor(options["weight"]), label_smoothing=0.1)  # fmt: skip
    assert Predictions(Pool(scores.softmax(1), targets), task, 5).loss() == pytest.approx(float(wanted), rel=1e-5)


def test_a_loss_that_predictions_do_not_give_is_not_made_up() -> None:
    task = Task(TaskKind.OTHER, loss="ctc_loss")
    assert (
        told_loss(torch.rand(3), torch.rand(3), task).why_none
        == "ctc_loss does not follow from what is predicted alone"
    )
    found = Predictions(Pool(torch.rand(3), torch.rand(3)), task, 3)
    assert np.isnan(found.loss())
    assert "validation/loss" not in found.scores(MetricCalculator(), split=Split.VALIDATION, seed=0, source="x")


def seen(prediction: torch.Tensor, target: torch.Tensor, name: str = "cross_entropy") -> BatchObservation:
    call = LossCall(name, prediction, target, {"reduction": "mean"}, torch.tensor(0.0))
    return BatchObservation(Split.VALIDATION, None, 0, (prediction, target), losses=(call,), weight=len(target))


def test_predictions_are_collected_batch_by_batch() -> None:
    collector = Collector(CLASSES, None, "member 1")
    scores, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    for rows in (slice(0, 3), slice(3, 5)):
        collector.see(seen(scores[rows], targets[rows]))
    found = collector.predictions()
    assert found.count == 5
    assert torch.allclose(found.pool.predictions, scores.softmax(1))


def test_what_has_no_average_is_refused_in_one_sentence() -> None:
    collector = Collector(CLASSES, lambda batch, returned: (torch.tensor([1, 2]), torch.tensor([1, 2])), "member 1")
    with pytest.raises(SetupError, match=r"member 1 predicts decisions .*which have no average"):
        collector.see(seen(torch.randn(2, 3), torch.tensor([0, 1])))
    with pytest.raises(SetupError, match="predicted nothing: the validation split is empty"):
        collector.predictions()
    nothing = BatchObservation(Split.VALIDATION, None, 0, (torch.ones(2),), weight=2)
    with pytest.raises(SetupError, match=r"member 1 has no predictions.*give Setup\(outputs="):
        Collector(CLASSES, None, "member 1").see(nothing)
