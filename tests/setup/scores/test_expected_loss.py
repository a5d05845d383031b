"""The expected loss is what the loss function itself gives for uniform predictions and for the best constant."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from art_training.setup.declaration import plain_options
from art_training.setup.observer import observe_calls
from art_training.setup.scores.expected_ctc import lengths_of
from art_training.setup.scores.expected_loss import expected_at_init
from art_training.setup.scores.losses import LOSSES
from art_training.setup.task import Task, TaskKind

G = torch.Generator().manual_seed(0)
CLASSES = torch.tensor([0] * 50 + [1] * 30 + [2] * 15 + [3] * 5)
TOKENS = CLASSES.reshape(20, 5).clone()
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 4.0])
LABELS = (torch.rand(200, 3, generator=G) < torch.tensor([0.1, 0.5, 0.8])).float()
VALUES = torch.randn(200, 2, generator=G) * 3 + 1
COUNTS = torch.poisson(torch.full((200, 2), 2.5), generator=G)
SOFT = torch.randn(100, 4, generator=G).softmax(1)
SIGNS = LABELS * 2 - 1

Build = Callable[[Tensor], Tensor]


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


# Each case: the targets, the shape of a constant output, and the loss of an output of that shape.
CASES: dict[str, tuple[Tensor, tuple[int, ...], Build]] = {
    "cross-entropy": (CLASSES, (1, 4), lambda z: F.cross_entropy(z.expand(100, 4), CLASSES)),
    "class weights": (CLASSES, (1, 4), lambda z: F.cross_entropy(z.expand(100, 4), CLASSES, WEIGHT)),
    "smoothing": (CLASSES, (1, 4), lambda z: F.cross_entropy(z.expand(100, 4), CLASSES, label_smoothing=0.2)),
    "smoothing and weights": (
        CLASSES,
        (1, 4),
        lambda z: F.cross_entropy(z.expand(100, 4), CLASSES, WEIGHT, label_smoothing=0.2),
    ),
    "ignored": (CLASSES, (1, 4), lambda z: F.cross_entropy(z.expand(100, 4), CLASSES, ignore_index=1)),
    "sequence": (TOKENS, (1, 4, 1), lambda z: F.cross_entropy(z.expand(20, 4, 5), TOKENS)),
    "log-probabilities": (CLASSES, (1, 4), lambda z: F.nll_loss(z.log_softmax(1).expand(100, 4), CLASSES, WEIGHT)),
    "soft targets": (SOFT, (1, 4), lambda z: F.cross_entropy(z.expand(100, 4), SOFT, WEIGHT, label_smoothing=0.1)),
    "binary": (LABELS[:, 0], (1,), lambda z: F.binary_cross_entropy_with_logits(z.expand(200), LABELS[:, 0])),
    "multi-label": (LABELS, (1, 3), lambda z: F.binary_cross_entropy_with_logits(z.expand(200, 3), LABELS)),
    "weighted positives": (
        LABELS,
        (1, 3),
        lambda z: F.binary_cross_entropy_with_logits(z.expand(200, 3), LABELS, pos_weight=torch.tensor([9.0, 1, 0.3])),
    ),
    "weighted labels": (
        LABELS,
        (1, 3),
        lambda z: F.binary_cross_entropy_with_logits(z.expand(200, 3), LABELS, weight=torch.tensor([2.0, 1, 0.5])),
    ),
    "probabilities": (LABELS, (1, 3), lambda z: F.binary_cross_entropy(z.sigmoid().expand(200, 3), LABELS)),
    "soft margin": (SIGNS, (1, 3), lambda z: F.soft_margin_loss(z.expand(200, 3), SIGNS)),
    "multi-label margin": (LABELS, (1, 3), lambda z: F.multilabel_soft_margin_loss(z.expand(200, 3), LABELS)),
    "squared": (VALUES, (1, 2), lambda z: F.mse_loss(z.expand(200, 2), VALUES)),
    "absolute": (VALUES, (1, 2), lambda z: F.l1_loss(z.expand(200, 2), VALUES)),
    "smooth": (VALUES, (1, 2), lambda z: F.smooth_l1_loss(z.expand(200, 2), VALUES, beta=0.7)),
    "huber": (VALUES, (1, 2), lambda z: F.huber_loss(z.expand(200, 2), VALUES, delta=2.0)),
    "counts": (COUNTS, (1, 2), lambda z: F.poisson_nll_loss(z.expand(200, 2), COUNTS)),
    "counts with Stirling": (COUNTS, (1, 2), lambda z: F.poisson_nll_loss(z.expand(200, 2), COUNTS, full=True)),
    "divergence": (SOFT, (1, 4), lambda z: F.kl_div(z.log_softmax(1).expand(100, 4), SOFT, reduction="batchmean")),
}


def task_of(loss: Build, shape: tuple[int, ...]) -> Task:
    with observe_calls(nn.Linear(1, 1)) as calls:
        loss(zeros(*shape))
    call = calls.losses[0]
    return Task(TaskKind.OTHER, loss=call.name, loss_options=plain_options(call.options), classes=4)


def best_constant(loss: Build, shape: tuple[int, ...]) -> float:
    """The lowest loss of any constant output, found by a general optimiser that knows no theory."""
    output = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([output], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(output.float()).double()
        value.backward()
        return value

    for _ in range(5):
        optimizer.step(closure)
    return float(loss(output.detach().float()))


@pytest.mark.parametrize("name", CASES)
def test_uniform_is_the_loss_of_an_output_of_zero(name: str) -> None:
    targets, shape, loss = CASES[name]
    expected = expected_at_init(task_of(loss, shape), targets)
    assert expected.uniform == pytest.approx(float(loss(zeros(*shape))), rel=1e-5)
    assert expected.reason_if_none == ""


@pytest.mark.parametrize("name", CASES)
def test_prior_is_the_lowest_loss_of_a_constant(name: str) -> None:
    targets, shape, loss = CASES[name]
    expected = expected_at_init(task_of(loss, shape), targets)
    assert expected.prior == pytest.approx(best_constant(loss, shape), rel=2e-4, abs=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_bias_that_is_proposed_gives_the_loss_of_the_prior(name: str) -> None:
    targets, shape, loss = CASES[name]
    expected = expected_at_init(task_of(loss, shape), targets)
    given = float(loss(torch.tensor(expected.bias).reshape(shape)))
    assert expected.prior is not None
    # Of a class that is ignored, half an example is taken to have been seen.
    assert given == pytest.approx(expected.prior, rel=0.01 if name == "ignored" else 1e-4)


def test_the_bias_of_what_was_never_seen_is_finite_and_gives_nearly_the_loss_of_the_prior() -> None:
    seen, ten = torch.arange(9).repeat(100), Task(TaskKind.CLASSIFICATION, loss="cross_entropy", classes=10)
    expected = expected_at_init(ten, seen)
    assert all(map(math.isfinite, expected.bias))
    assert float(F.cross_entropy(torch.tensor(expected.bias).expand(900, 10), seen)) == pytest.approx(
        expected.prior, abs=2e-3
    )
    labels = torch.tensor([[0.0, 1.0]]).expand(500, 2)
    expected = expected_at_init(Task(TaskKind.MULTI_LABEL, loss="binary_cross_entropy_with_logits", classes=2), labels)
    assert expected.prior == pytest.approx(0.0)
    assert float(F.binary_cross_entropy_with_logits(torch.tensor(expected.bias).expand(500, 2), labels)) < 2e-3


@pytest.mark.parametrize("name", ["cross-entropy", "class weights", "ignored", "sequence", "squared", "multi-label"])
def test_a_sum_is_expected_as_the_share_of_an_example(name: str) -> None:
    targets, shape, loss = CASES[name]
    task = task_of(loss, shape)
    summed = Task(task.kind, loss=task.loss, loss_options={**task.loss_options, "reduction": "sum"}, classes=4)
    arguments: dict[str, Any] = {
        key: torch.tensor(value) if isinstance(value, list) else value for key, value in summed.loss_options.items()
    }
    whole = getattr(F, task.loss)(
        zeros(*shape).expand(len(targets), *shape[1:-1], *_last(targets, shape)), targets, **arguments
    )
    expected = expected_at_init(summed, targets)
    assert expected.uniform == pytest.approx(float(whole) / len(targets), rel=1e-5)


def _last(targets: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (targets.shape[1],) if len(shape) == 3 else shape[-1:]


def test_classic_values() -> None:
    ten = Task(TaskKind.CLASSIFICATION, loss="cross_entropy", classes=10)
    assert expected_at_init(ten, torch.arange(10)).uniform == pytest.approx(math.log(10))
    assert expected_at_init(ten, torch.arange(10)).prior == pytest.approx(math.log(10))
    binary = Task(TaskKind.CLASSIFICATION, loss="binary_cross_entropy_with_logits", classes=2)
    found = expected_at_init(binary, torch.tensor([1.0] * 10 + [0.0] * 90))
    assert found.uniform == pytest.approx(math.log(2))
    assert found.prior == pytest.approx(-(0.1 * math.log(0.1) + 0.9 * math.log(0.9)))
    squared = Task(TaskKind.REGRESSION, loss="mse_loss")
    found = expected_at_init(squared, torch.tensor([1.0, 3.0]))
    assert (found.uniform, found.prior, found.bias) == (pytest.approx(5.0), pytest.approx(1.0), (pytest.approx(2.0),))


def test_a_gaussian_knows_its_prior_and_says_why_no_more() -> None:
    task = Task(TaskKind.REGRESSION, loss="gaussian_nll_loss", loss_options={"eps": 1e-6, "full": True})
    found = expected_at_init(task, VALUES)
    mean, variance = VALUES.mean(0).expand_as(VALUES), VALUES.var(0, correction=0).expand_as(VALUES)
    assert found.uniform is None
    assert found.prior == pytest.approx(float(F.gaussian_nll_loss(mean, VALUES, variance, full=True)), rel=1e-5)
    assert "variance" in found.reason_if_none


SEVERAL = torch.tensor([[0, 2, -1, 3], [1, -1, -1, -1], [3, 2, 1, 0], [-1, -1, -1, -1]])

# Losses that are known where all scores, embeddings or frames are equal, and have no best constant in closed form.
EQUAL: dict[str, Callable[[], Tensor]] = {
    "multi_margin_loss": lambda: F.multi_margin_loss(zeros(100, 4), CLASSES, margin=2.0, p=2, weight=WEIGHT),
    "multilabel_margin_loss": lambda: F.multilabel_margin_loss(zeros(4, 4), SEVERAL),
    "a sum of margins": lambda: F.multi_margin_loss(zeros(100, 4), CLASSES, reduction="sum") / 100,
    "a sum of labels": lambda: F.multilabel_margin_loss(zeros(4, 4), SEVERAL, reduction="sum") / 4,
}
# Losses of which nothing but the value of equal outputs is known.
COLLAPSED: dict[str, Callable[[], Tensor]] = {
    "margin_ranking_loss": lambda: F.margin_ranking_loss(zeros(9), zeros(9), SIGNS[:9, 0], margin=0.3),
    "without a margin": lambda: F.margin_ranking_loss(zeros(9), zeros(9), SIGNS[:9, 0]),
    "triplet_margin_loss": lambda: F.triplet_margin_loss(zeros(9, 3), zeros(9, 3), zeros(9, 3), margin=0.7, swap=True),
    "with a distance": lambda: F.triplet_margin_with_distance_loss(zeros(9, 3), zeros(9, 3), zeros(9, 3), margin=0.7),
    "a sum of triplets": lambda: F.triplet_margin_loss(zeros(9, 3), zeros(9, 3), zeros(9, 3), reduction="sum") / 9,
}
OF_DISTANCES: dict[str, Callable[[], Tensor]] = {
    "hinge_embedding_loss": lambda: F.hinge_embedding_loss(VALUES, SIGNS[:, :2]),
    "cosine_embedding_loss": lambda: F.cosine_embedding_loss(VALUES, VALUES + 1, SIGNS[:, 0]),
}


def seen_in(build: Callable[[], Tensor]) -> tuple[Task, Tensor, float]:
    with observe_calls(nn.Linear(1, 1)) as calls:
        value = build()
    call = calls.losses[0]
    task = Task(TaskKind.OTHER, loss=call.name, loss_options=plain_options(call.options), classes=4)
    return task, lengths_of(call) if call.name == "ctc_loss" else call.target, float(value)


@pytest.mark.parametrize("name", EQUAL)
def test_a_margin_knows_the_value_of_equal_scores(name: str) -> None:
    task, targets, value = seen_in(EQUAL[name])
    found = expected_at_init(task, targets)
    assert found.uniform == pytest.approx(value, rel=1e-5)
    assert found.prior is None
    assert "no closed form" in found.reason_if_none


@pytest.mark.parametrize("name", COLLAPSED)
def test_ranking_and_triplets_know_what_equal_outputs_lose_and_not_where_fresh_ones_begin(name: str) -> None:
    task, targets, value = seen_in(COLLAPSED[name])
    found = expected_at_init(task, targets)
    assert found.uniform is None
    assert found.prior == pytest.approx(value, abs=1e-5)
    assert "of a fresh model" in found.reason_if_none


@pytest.mark.parametrize("name", OF_DISTANCES)
def test_losses_of_distances_are_not_known_and_say_why(name: str) -> None:
    task, targets, _ = seen_in(OF_DISTANCES[name])
    found = expected_at_init(task, targets)
    assert (found.uniform, found.prior) == (None, None)
    assert "between the outputs of a fresh model" in found.reason_if_none


def test_every_loss_that_art_knows_is_simulated_here() -> None:
    simulated = {task_of(loss, shape).loss for _, shape, loss in CASES.values()}
    simulated |= {seen_in(build)[0].loss for table in (EQUAL, COLLAPSED, OF_DISTANCES) for build in table.values()}
    elsewhere = {"gaussian_nll_loss", "ctc_loss", "linear_cross_entropy"}
    assert simulated | elsewhere == set(LOSSES)


@pytest.mark.skipif(not hasattr(F, "linear_cross_entropy"), reason="this torch has no such loss")
def test_a_loss_that_makes_its_own_scores_is_that_of_its_classes() -> None:
    task = Task(TaskKind.CLASSIFICATION, loss="linear_cross_entropy", classes=4)
    value = F.linear_cross_entropy(torch.randn(100, 6, generator=G), zeros(4, 6), CLASSES)
    assert expected_at_init(task, CLASSES).uniform == pytest.approx(float(value), rel=1e-5)


@pytest.mark.parametrize("name", ["cross-entropy", "class weights", "ignored", "sequence", "squared", "multi-label"])
def test_a_call_that_reduces_nothing_is_averaged_over_all_that_it_returns(name: str) -> None:
    targets, shape, loss = CASES[name]
    task = task_of(loss, shape)
    task = Task(task.kind, loss=task.loss, loss_options={**task.loss_options, "reduction": "none"}, classes=4)
    arguments: dict[str, Any] = {
        key: torch.tensor(value) if isinstance(value, list) else value for key, value in task.loss_options.items()
    }
    output = zeros(*shape).expand(len(targets), *shape[1:-1], *_last(targets, shape))
    value = getattr(F, task.loss)(output, targets, **arguments).mean()
    assert expected_at_init(task, targets).uniform == pytest.approx(float(value), rel=1e-5)


@pytest.mark.parametrize("name", ["", "ctc_loss"])
def test_what_is_not_known_has_a_reason(name: str) -> None:
    found = expected_at_init(Task(TaskKind.OTHER, loss=name), CLASSES)
    assert (found.uniform, found.prior) == (None, None)
    assert found.reason_if_none


@pytest.mark.parametrize(
    ("task", "targets", "reason"),
    [
        (Task(TaskKind.CLASSIFICATION, loss="cross_entropy", classes=3), CLASSES, "not classes of 0 to 2"),
        (Task(TaskKind.CLASSIFICATION, loss="cross_entropy"), CLASSES, "number of classes is not known"),
        (Task(TaskKind.CLASSIFICATION, loss="cross_entropy", classes=4), CLASSES[:0], "there are no targets"),
        (Task(TaskKind.OTHER, loss="kl_div"), VALUES, "not rows of probabilities"),
        (Task(TaskKind.OTHER, loss="poisson_nll_loss"), zeros(5, 1), "all zero"),
        (
            Task(TaskKind.REGRESSION, loss="mse_loss", loss_options={"weight": [[1.0]]}),
            VALUES,
            "differ from example to example",
        ),
    ],
)
def test_what_does_not_hold_is_a_reason(task: Task, targets: Tensor, reason: str) -> None:
    found = expected_at_init(task, targets)
    assert found.uniform is None
    assert reason in found.reason_if_none


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=40),
    st.floats(0.0, 0.5),
    st.booleans(),
    st.sampled_from([-100, 0, 3]),
    st.integers(0, 2**16),
)
def test_cross_entropy_agrees_with_torch_for_any_labels(
    labels: list[int], smoothing: float, weighted: bool, ignored: int, seed: int
) -> None:
    targets = torch.tensor(labels)
    weight = torch.rand(5, generator=torch.Generator().manual_seed(seed)) + 0.1 if weighted else None
    options: dict[str, Any] = {"label_smoothing": smoothing, "ignore_index": ignored}
    given_value = float(F.cross_entropy(torch.zeros(len(labels), 5), targets, weight, **options))
    if weight is not None:
        options["weight"] = weight.tolist()
    task = Task(TaskKind.CLASSIFICATION, loss="cross_entropy", loss_options=options, classes=5)
    found = expected_at_init(task, targets)
    if bool((targets == ignored).all()):
        assert found.uniform is None
    else:
        assert found.uniform == pytest.approx(given_value, rel=1e-4)
        assert found.prior is not None
        assert found.prior <= found.uniform + 1e-9
