"""One batch is learned by heart, and by how much is told in a scale of its own."""

import csv
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics.regression import R2Score

import art_training as art
from art_training.checks import Below, LossDecreases, NoNaN
from art_training.errors import ProjectError, UnknownMetric
from art_training.records import Outcome, StepEnded, StepState
from art_training.setup.task import Task, TaskKind
from art_training.steps import OverfitOneBatch
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

G = torch.Generator().manual_seed(0)
X = torch.randn(64, 8, generator=G)
Y = torch.randn(64, generator=G)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).squeeze(1)


def outcome_of(
    values: torch.Tensor, loss: Callable[..., Any] = nn.MSELoss, batch_size: int = 16, **settings: Any
) -> tuple[Outcome, StepState, str]:
    ended: list[StepEnded] = []
    setup = art.Setup(
        model=art.from_torch(Net, loss=loss, optimizer=torch.optim.Adam, lr=1e-2),
        data=art.data(train=(X[:48], values[:48]), validation=(X[48:], values[48:]), batch_size=batch_size),
        trainer={"accelerator": "cpu"},
    )
    metrics = {"r2": R2Score()} if batch_size > 1 else {}
    step = OverfitOneBatch(**settings)
    project = art.ArtProject("one batch", setup, metrics=metrics, steps=[step], store=MemoryStore())
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    assert ended[0].outcome is not None
    assert ended[0].judgement is not None
    reasons = "; ".join(verdict.reason for verdict in ended[0].judgement.verdicts)
    return ended[0].outcome, ended[0].judgement.state, reasons


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_a_regression_that_learns_the_batch_passes_whatever_its_units_are(scale: float) -> None:
    outcome, state, reasons = outcome_of(Y * scale)
    assert state is StepState.PASSED, reasons
    assert outcome.scores["loss_share"].value < 0.1


def test_the_share_is_what_the_variance_of_the_very_batch_leaves_unexplained() -> None:
    outcome, _, _ = outcome_of(Y, max_steps=20)
    scores = {name: score.value for name, score in outcome.scores.items()}
    assert scores["loss_share"] == pytest.approx(scores["train/loss"] / scores["constant_loss"], rel=1e-6)
    assert scores["loss_share"] == pytest.approx(1 - scores["train/r2"], abs=1e-4)
    between = outcome.scores["loss_share"].interval
    assert between is not None
    assert between.low <= scores["loss_share"] <= between.high


def test_a_loss_that_halved_and_is_far_from_nothing_fails_with_what_to_do() -> None:
    outcome, state, reasons = outcome_of(Y * 77 + 152, max_steps=60)
    curve = outcome.curves["train/loss"].values
    assert curve[-1] < curve[0] / 2
    assert state is StepState.FAILED
    assert "loss_share is" in reasons
    assert "not < 0.1; standardise the targets (they have the mean" in reasons
    assert "try another learning rate, or take more steps with OverfitOneBatch(max_steps=120)" in reasons
    assert "that a constant prediction leaves" in outcome.summary


def test_standardised_targets_are_not_told_to_be_standardised() -> None:
    _, state, reasons = outcome_of(Y, max_steps=2)
    assert state is StepState.FAILED
    assert "not < 0.1; try another learning rate" in reasons


def test_training_stops_early_at_a_share_whatever_the_units_are() -> None:
    outcome, _, _ = outcome_of(Y * 1e-3, target=0.05)
    reading = outcome.reading("steps")
    assert reading is not None
    assert 20 < reading.value < 500
    assert outcome.scores["loss_share"].value < 0.06


def test_what_the_step_adds_to_its_loss_is_no_part_of_the_share() -> None:
    class Shifted(nn.MSELoss):
        def forward(self, *pair: torch.Tensor) -> torch.Tensor:
            return super().forward(*pair) + 3.0

    outcome, state, reasons = outcome_of(Y, loss=Shifted)
    assert state is StepState.PASSED, reasons
    assert outcome.scores["train/loss"].value > 3.0
    assert outcome.scores["constant_loss"].value > 3.0
    assert outcome.scores["loss_share"].value < 0.1


def test_one_example_is_measured_by_an_output_of_zero() -> None:
    outcome, state, reasons = outcome_of(Y + 5, batch_size=1)
    assert state is StepState.PASSED, reasons
    assert "an output of zero" in outcome.scores["constant_loss"].note


def test_targets_of_zero_are_not_judged_and_say_why() -> None:
    outcome, state, reasons = outcome_of(torch.zeros(64), max_steps=2)
    assert "loss_share" not in outcome.scores
    assert state is StepState.NOT_JUDGED
    assert "loss_share is not known: every target of this batch is zero" in reasons


@pytest.mark.parametrize(
    ("task", "check"),
    [
        (Task(TaskKind.CLASSIFICATION, loss="cross_entropy"), Below("loss_above_floor", 0.1)),
        (
            Task(TaskKind.CLASSIFICATION, loss="cross_entropy", loss_options={"label_smoothing": 0.1}),
            Below("loss_above_floor", 0.1),
        ),
        (Task(TaskKind.MULTI_LABEL, loss="binary_cross_entropy_with_logits"), Below("loss_above_floor", 0.1)),
        (Task(TaskKind.REGRESSION, loss="huber_loss"), Below("loss_share", 0.1)),
        (Task(TaskKind.RECONSTRUCTION, loss="mse_loss"), Below("loss_share", 0.1)),
        (Task(TaskKind.RECONSTRUCTION, loss="binary_cross_entropy"), Below("loss_share", 0.1)),
        (Task(TaskKind.REGRESSION, loss="mse_loss", loss_options={"weight": [1.0]}), LossDecreases(factor=0.5)),
        (Task(TaskKind.REGRESSION, loss="poisson_nll_loss"), Below("loss_share", 0.1)),
        (Task(TaskKind.REGRESSION, loss="gaussian_nll_loss"), LossDecreases(factor=1.0)),
        (Task(TaskKind.OTHER), LossDecreases(factor=0.5)),
    ],
)
def test_the_default_check_asks_what_the_loss_can_come_down_to(task: Task, check: object) -> None:
    assert OverfitOneBatch().default_checks(task, []) == (check, NoNaN())


def test_checks_may_name_its_scores_and_no_others() -> None:
    setup = art.Setup(model=art.from_torch(Net, loss=nn.MSELoss, lr=0.1), data=art.data((X, Y), (X, Y)))
    art.ArtProject("p", setup, steps=[OverfitOneBatch(checks=[Below("loss_share", 0.01)])], store=MemoryStore())
    with pytest.raises(UnknownMetric, match=r"will have: .*floor_loss, loss_above_floor, constant_loss, loss_share"):
        art.ArtProject("p", setup, steps=[OverfitOneBatch(checks=[Below("loss_part", 0.1)])], store=MemoryStore())


def test_a_classifier_has_no_share() -> None:
    setup = art.Setup(
        model=art.from_torch(lambda: nn.Linear(8, 2), loss=nn.CrossEntropyLoss, lr=0.1),
        data=art.data((X, (Y > 0).long()), (X, (Y > 0).long())),
        trainer={"accelerator": "cpu"},
    )
    project = art.ArtProject("p", setup, steps=[OverfitOneBatch(max_steps=2)], store=MemoryStore())
    outcome = project.run()["OverfitOneBatch"].outcome
    assert outcome is not None
    assert set(outcome.scores) == {"train/loss", "floor_loss", "loss_above_floor"}
    assert math.isfinite(outcome.scores["train/loss"].value)


# Digits, whose batch is the first 32 rows of the training split.
(DIGITS, LABELS), _ = digits()
DIGITS, LABELS = torch.tensor(DIGITS, dtype=torch.float32), torch.tensor(LABELS)


def on_digits(
    x: torch.Tensor, y: torch.Tensor, loss: Callable[..., Any] = nn.CrossEntropyLoss, **settings: Any
) -> tuple[Outcome, StepState, MemoryStore]:
    store = MemoryStore()
    setup = art.Setup(
        model=art.from_torch(
            lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)),
            loss=loss,
            optimizer=torch.optim.Adam,
            lr=1e-2,
        ),
        data=art.data(train=(x[:200], y[:200]), validation=(x[200:264], y[200:264]), batch_size=32),
        trainer={"accelerator": "cpu"},
    )
    ended: list[StepEnded] = []
    project = art.ArtProject("digits", setup, steps=[OverfitOneBatch(**settings)], store=store)
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    assert ended[0].outcome is not None
    assert ended[0].judgement is not None
    return ended[0].outcome, ended[0].judgement.state, store


def test_clean_digits_have_no_floor_and_nothing_resists() -> None:
    outcome, state, _ = on_digits(DIGITS, LABELS)
    assert state is StepState.PASSED
    assert outcome.scores["floor_loss"].value == 0.0
    assert outcome.scores["loss_above_floor"].value == outcome.scores["train/loss"].value
    resisting = outcome.reading("resisting examples")
    assert resisting is not None
    assert resisting.value == []
    assert outcome.reading("conflicting examples") is None


def test_a_conflict_in_the_batch_raises_the_floor_to_what_it_costs_and_is_named() -> None:
    x, y = DIGITS.clone(), LABELS.clone()
    x[7] = x[20] = x[3]  # one image with three labels, two of them alike
    y[3], y[7], y[20] = 1, 1, 5
    outcome, state, _ = on_digits(x, y)
    entropy = 2 * math.log(3 / 2) + math.log(3)
    assert outcome.scores["floor_loss"].value == pytest.approx(entropy / 32)
    assert outcome.scores["train/loss"].value >= entropy / 32 - 1e-6
    assert state is StepState.PASSED
    conflicting = outcome.reading("conflicting examples")
    assert conflicting is not None
    assert conflicting.value == [[3, 7, 20]]


def test_many_conflicts_do_not_excuse_a_model_that_does_not_learn() -> None:
    x, y = DIGITS.clone(), LABELS.clone()
    x[:32] = x[0]
    y[:32] = torch.arange(32) % 2
    outcome, state, _ = on_digits(x, y)
    assert outcome.scores["floor_loss"].value == pytest.approx(math.log(2))
    assert state is StepState.PASSED
    outcome, state, _ = on_digits(x, y, max_steps=1)
    assert state is StepState.FAILED


@pytest.mark.parametrize("smoothing", [0.1, 0.3])
def test_smoothed_labels_are_judged_above_their_entropy(smoothing: float) -> None:
    class Smoothed(nn.CrossEntropyLoss):
        def __init__(self) -> None:
            super().__init__(label_smoothing=smoothing)

    outcome, state, _ = on_digits(DIGITS, LABELS, loss=Smoothed)
    rest = smoothing / 10
    entropy = -((1 - 9 * rest) * math.log(1 - 9 * rest) + 9 * rest * math.log(rest))
    assert outcome.scores["floor_loss"].value == pytest.approx(entropy, rel=1e-6)
    assert outcome.scores["train/loss"].value > 0.1
    assert state is StepState.PASSED, outcome.summary
    assert "is the least" in outcome.summary


def test_training_stops_as_soon_as_it_is_near_the_floor() -> None:
    x, y = DIGITS.clone(), LABELS.clone()
    x[:32], y[:32] = x[0], torch.arange(32) % 2
    outcome, _, _ = on_digits(x, y, target=0.01)
    steps = outcome.reading("steps")
    assert steps is not None
    assert steps.value < 500


def test_the_labels_stand_beside_the_predictions_the_worst_first() -> None:
    outcome, state, store = on_digits(DIGITS, LABELS, max_steps=8)
    assert state is StepState.FAILED
    artifact = outcome.artifact("batch.csv")
    assert artifact is not None
    with store.artifacts.fetch(artifact.digest).open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row["example"]) for row in rows) == list(range(32))
    assert all(int(row["label"]) == int(LABELS[int(row["example"])]) for row in rows)
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert sum(losses) / 32 == pytest.approx(outcome.scores["train/loss"].value, rel=1e-4)
    resisting = outcome.reading("resisting examples")
    assert resisting is not None
    assert [row["example"] for row in resisting.value] == [int(row["example"]) for row in rows[:16]]
    assert f"{sum(loss >= 0.1 for loss in losses)} of 32 are" in resisting.note


def test_a_regression_says_which_equal_inputs_hold_it_up() -> None:
    x = torch.randn(64, 8, generator=G)
    y = torch.randn(64, generator=G)
    x[1::2] = x[::2]  # each input twice, with another target
    setup = art.Setup(
        model=art.from_torch(Net, loss=nn.MSELoss, optimizer=torch.optim.Adam, lr=1e-2),
        data=art.data(train=(x, y), validation=(x, y), batch_size=16),
        trainer={"accelerator": "cpu"},
    )
    ended: list[StepEnded] = []
    project = art.ArtProject("twins", setup, steps=[OverfitOneBatch(max_steps=300)], store=MemoryStore())
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    outcome, judgement = ended[0].outcome, ended[0].judgement
    assert outcome is not None
    assert judgement is not None
    halves = float(((y[:16:2] - y[1:16:2]) / 2).square().mean())
    assert outcome.scores["floor_loss"].value == pytest.approx(halves, rel=1e-5)
    assert outcome.scores["train/loss"].value > halves - 1e-6
    assert judgement.state is StepState.FAILED
    assert "mend the targets of equal inputs" in "".join(verdict.reason for verdict in judgement.verdicts)


class TenTimes(nn.MSELoss):
    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 10 * super().forward(prediction, target)


def test_a_factor_on_the_loss_is_no_summand() -> None:
    plain, _, _ = outcome_of(Y)
    tenfold, state, reasons = outcome_of(Y, TenTimes)
    assert state is StepState.PASSED, reasons
    assert tenfold.scores["constant_loss"].value == pytest.approx(10 * plain.scores["constant_loss"].value, rel=1e-4)
    assert "is added" not in str(tenfold.scores["constant_loss"].note)
    assert tenfold.scores["floor_loss"].value == 0


class Scaled(nn.Module):
    """A multiple of a loss, and a penalty on the outputs."""

    def __init__(self, factor: float, loss: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.factor, self.loss = factor, loss

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.factor * self.loss(prediction, target) + 1e-3 * prediction.square().mean()


def classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3))


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_factor_beside_a_penalty_is_neither_in_the_floor_nor_excuses_a_loss(factor: float) -> None:
    classes = torch.randint(0, 3, (64,), generator=G)
    outcome, judgement = one_batch_of(classifier, Scaled(factor, nn.functional.cross_entropy), X, classes)
    assert judgement.state is StepState.PASSED
    assert 0 < outcome.scores["floor_loss"].value < 0.1
    assert outcome.scores["train/loss"].value > outcome.scores["floor_loss"].value
    early, judgement = one_batch_of(classifier, Scaled(factor, nn.functional.cross_entropy), X, classes, max_steps=3)
    assert judgement.state is StepState.FAILED
    assert early.scores["floor_loss"].value < 0.01


def test_a_root_of_the_loss_is_measured_by_the_root_of_what_a_constant_leaves() -> None:
    class Root(nn.MSELoss):
        def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return super().forward(prediction, target).sqrt()

    outcome, _, _ = outcome_of(Y, Root)
    deviation = float(Y[:16].std(correction=0))
    assert outcome.scores["constant_loss"].value == pytest.approx(deviation, rel=1e-4)
    assert outcome.scores["floor_loss"].value == 0.0


def test_a_loss_that_weighs_hard_examples_has_the_floor_of_certain_predictions() -> None:
    def focal(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        each = nn.functional.cross_entropy(prediction, target, reduction="none")
        return ((1 - torch.exp(-each)) ** 2 * each).mean()

    outcome, judgement = one_batch_of(classifier, focal, X, torch.randint(0, 3, (64,), generator=G))
    assert judgement.state is StepState.PASSED
    assert outcome.scores["floor_loss"].value == 0.0


def test_a_loss_below_what_was_derived_has_no_floor() -> None:
    def upside_down(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 5 - nn.functional.cross_entropy(prediction, target)

    outcome, judgement = one_batch_of(classifier, upside_down, X, torch.randint(0, 3, (64,), generator=G), max_steps=3)
    assert judgement.state is not StepState.PASSED
    assert not {"floor_loss", "loss_above_floor"} & set(outcome.scores)
    reading = outcome.reading("floor_loss")
    assert reading is not None
    assert "which was derived to be its least" in reading.note


@pytest.mark.parametrize("most", [3, 9])
def test_counts_are_judged_by_how_far_they_are_above_their_floor(most: int) -> None:
    counts = torch.randint(1, most, (64, 1), generator=G).float()

    def rates() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))

    outcome, judgement = one_batch_of(rates, nn.PoissonNLLLoss, X, counts)
    assert judgement.state is StepState.PASSED
    y = counts[:16].double()
    assert outcome.scores["floor_loss"].value == pytest.approx(float((y - y * y.log()).mean()), rel=1e-5)
    assert outcome.scores["loss_share"].value < 0.02
    _, judgement = one_batch_of(rates, nn.PoissonNLLLoss, X, counts, max_steps=5)
    assert judgement.state is StepState.FAILED


def test_a_floor_that_is_not_known_is_no_score() -> None:
    def gaussian(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.gaussian_nll_loss(prediction[:, :1], target, prediction[:, 1:].exp())

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))

    outcome, _ = one_batch_of(model, gaussian, X, 0.1 * Y[:, None], max_steps=60)
    assert not {"floor_loss", "loss_above_floor"} & set(outcome.scores)
    reading = outcome.reading("floor_loss")
    assert reading is not None
    assert reading.note == "no floor follows from gaussian_nll_loss"


def test_a_loss_that_is_no_number_is_said_to_be_none() -> None:
    class Lost(nn.MSELoss):
        def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return super().forward(prediction, target) * math.nan

    outcome, state, reasons = outcome_of(Y, Lost)
    assert state is StepState.FAILED, reasons
    assert "every target" not in reasons
    assert "every target" not in str(outcome.readings)


def one_batch_of(
    model: Callable[[], nn.Module], loss: Any, x: torch.Tensor, y: torch.Tensor, *, max_steps: int = 300
) -> tuple[Outcome, Any]:
    setup = art.Setup(
        model=art.from_torch(model, loss=loss, optimizer=torch.optim.Adam, lr=2e-2),
        data=art.data((x, y), (x, y), batch_size=16),
        trainer={"accelerator": "cpu"},
    )
    ended: list[StepEnded] = []
    project = art.ArtProject("p", setup, steps=[OverfitOneBatch(max_steps=max_steps)], store=MemoryStore())
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    assert ended[0].outcome is not None
    assert ended[0].judgement is not None
    return ended[0].outcome, ended[0].judgement


def test_a_multi_label_task_has_the_floor_of_the_labels_that_conflict() -> None:
    x = DIGITS[:32].clone()
    y = torch.stack([LABELS[:32] > 4, LABELS[:32] % 2 == 0, LABELS[:32] == 3], 1).float()
    x[1], y[0], y[1] = x[0], torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 0, 0])  # they disagree about one of three
    outcome, judgement = one_batch_of(
        lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)), nn.BCEWithLogitsLoss, x, y
    )
    assert outcome.scores["floor_loss"].value == pytest.approx(2 * math.log(2) / (16 * 3))
    assert judgement.state is StepState.PASSED
    conflicting = outcome.reading("conflicting examples")
    assert conflicting is not None
    assert conflicting.value == [[0, 1]]


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 32)
        self.mixer = nn.LSTM(32, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.embedding(tokens))[0]).transpose(1, 2)


def test_sentences_have_the_floor_of_the_positions_that_conflict_and_padding_counts_for_nothing() -> None:
    tokens = torch.randint(1, 20, (16, 6), generator=G)
    tags = torch.randint(0, 4, (16, 6), generator=G)
    tags[:, 4:] = -100
    tokens[5], tags[5] = tokens[2], tags[2].clone()
    tags[5, 1] = (tags[2, 1] + 1) % 4  # one word of a sentence that stands twice
    outcome, judgement = one_batch_of(Tagger, nn.CrossEntropyLoss, tokens, tags)
    assert outcome.scores["floor_loss"].value == pytest.approx(2 * math.log(2) / (16 * 4))
    assert outcome.scores["train/loss"].value > outcome.scores["floor_loss"].value - 1e-6
    assert judgement.state is StepState.PASSED, outcome.summary


@pytest.mark.parametrize(
    "wrong", [{"target": -1}, {"target": "0.1"}, {"max_steps": 2.5}, {"max_steps": 0}, {"target": math.nan}]
)
def test_a_setting_that_is_no_such_number_is_refused_when_the_step_is_made(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ProjectError, match=f"{name}=.* of step 'OverfitOneBatch' must be"):
        OverfitOneBatch(**wrong)
