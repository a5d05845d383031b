"""The floor is what the best predictions leave: found by optimising predictions, equal ones for equal inputs."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from art_training.setup.observation import LossCall
from art_training.setup.observer import observe_calls
from art_training.setup.scores.step_loss import per_example
from art_training.setup.task import Task, TaskKind
from art_training.steps.overfitting.floor import floor_of, input_numbers

G = torch.Generator().manual_seed(0)
CLASSES = torch.tensor([0, 1, 2, 1, 0, 3, 2, 1])
TOKENS = torch.randint(0, 4, (8, 5), generator=G)
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 4.0])
LABELS = (torch.rand(8, 3, generator=G) < 0.5).float()
SOFT = torch.randn(8, 4, generator=G).softmax(1)
VALUES = torch.randn(8, 2, generator=G) * 3
COUNTS = torch.tensor([0.0, 1, 2, 5, 1, 0, 3, 7])
TWINS = torch.tensor([0, 0, 1, 1, 1, 2, 3, 4])
APART = torch.arange(8)

# Each case: the shape of the predictions, and the loss of such predictions.
CASES: dict[str, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "classes": ((8, 4), lambda z: F.cross_entropy(z, CLASSES)),
    "class weights": ((8, 4), lambda z: F.cross_entropy(z, CLASSES, WEIGHT)),
    "smoothing": ((8, 4), lambda z: F.cross_entropy(z, CLASSES, label_smoothing=0.2)),
    "smoothing and weights": ((8, 4), lambda z: F.cross_entropy(z, CLASSES, WEIGHT, label_smoothing=0.2)),
    "ignored": ((8, 4), lambda z: F.cross_entropy(z, CLASSES, ignore_index=1, label_smoothing=0.1)),
    "a sum": ((8, 4), lambda z: F.cross_entropy(z, CLASSES, label_smoothing=0.1, reduction="sum")),
    "sequence": ((8, 4, 5), lambda z: F.cross_entropy(z, TOKENS, ignore_index=3)),
    "flattened sequence": ((40, 4), lambda z: F.cross_entropy(z, TOKENS.reshape(-1), label_smoothing=0.1)),
    "log-probabilities": ((8, 4), lambda z: F.nll_loss(z.log_softmax(1), CLASSES, WEIGHT)),
    "soft targets": ((8, 4), lambda z: F.cross_entropy(z, SOFT, WEIGHT)),
    "soft and smoothed": ((8, 4), lambda z: F.cross_entropy(z, SOFT, label_smoothing=0.3)),
    "multi-label": ((8, 3), lambda z: F.binary_cross_entropy_with_logits(z, LABELS)),
    "soft labels": ((8, 3), lambda z: F.binary_cross_entropy_with_logits(z, LABELS * 0.8 + 0.1)),
    "weighted positives": (
        (8, 3),
        lambda z: F.binary_cross_entropy_with_logits(z, LABELS * 0.9, pos_weight=torch.tensor([9.0, 1, 0.3])),
    ),
    "weighted examples": (
        (8, 3),
        lambda z: F.binary_cross_entropy_with_logits(z, LABELS * 0.9, weight=torch.linspace(0.5, 2, 8)[:, None]),
    ),
    "probabilities": ((8, 3), lambda z: F.binary_cross_entropy(z.sigmoid(), LABELS)),
    "margin of labels": ((8, 3), lambda z: F.multilabel_soft_margin_loss(z, LABELS, weight=torch.tensor([1.0, 2, 3]))),
    "signs": ((8,), lambda z: F.soft_margin_loss(z, LABELS[:, 0] * 2 - 1)),
    "squared": ((8, 2), lambda z: F.mse_loss(z, VALUES)),
    "absolute": ((8, 2), lambda z: F.l1_loss(z, VALUES)),
    "huber": ((8, 2), lambda z: F.huber_loss(z, VALUES, delta=0.7)),
    "smooth": ((8, 2), lambda z: F.smooth_l1_loss(z, VALUES, beta=2.0)),
    "counts": ((8,), lambda z: F.poisson_nll_loss(z, COUNTS, full=True)),
    "divergence": ((8, 4), lambda z: F.kl_div(z.log_softmax(1), SOFT, reduction="batchmean")),
}


def call_of(loss: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> LossCall:
    with observe_calls(torch.nn.Identity()) as calls:
        loss(torch.zeros(shape))
    return calls.losses[0]


def derived(call: LossCall, inputs: Tensor, classes: int | None = 4) -> float:
    found = floor_of(call, inputs, Task(TaskKind.OTHER, loss=call.name, classes=classes))
    assert found.examples is not None, found.note
    parts = per_example(call, len(inputs))
    assert parts is not None
    return float(found.examples.sum() / parts.weight.sum())


def lowest(loss: Callable[[Tensor], Tensor], shape: tuple[int, ...], inputs: Tensor) -> float:
    """By optimisation over one prediction for each distinct input, which knows nothing of any theory."""
    distinct, group = inputs.unique(return_inverse=True)
    per = shape[0] // len(inputs)
    free = torch.zeros(len(distinct), per, *shape[1:], requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(free[group].reshape(shape))
        value.backward()
        return value

    optimizer.step(closure)
    return float(loss(free[group].reshape(shape)).detach())


@pytest.mark.parametrize("inputs", [APART, TWINS], ids=["apart", "twins"])
@pytest.mark.parametrize("name", CASES)
def test_no_predictions_lose_less_than_the_floor_and_the_best_reach_it(name: str, inputs: Tensor) -> None:
    shape, loss = CASES[name]
    floor = derived(call_of(loss, shape), inputs)
    if name == "a sum":
        floor *= len(inputs)  # it is told as an example's share
    assert lowest(loss, shape, inputs) == pytest.approx(floor, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize(
    "name", ["classes", "class weights", "sequence", "multi-label", "squared", "huber", "divergence"]
)
def test_what_single_inputs_can_learn_has_no_floor(name: str) -> None:
    shape, loss = CASES[name]
    assert derived(call_of(loss, shape), APART) == pytest.approx(0.0, abs=1e-7)


def test_known_values() -> None:
    two = call_of(lambda z: F.cross_entropy(z, torch.tensor([0, 1])), (2, 10))
    assert derived(two, torch.tensor([7, 7]), classes=10) == pytest.approx(math.log(2))
    smooth = call_of(lambda z: F.cross_entropy(z, CLASSES, label_smoothing=0.1), (8, 4))
    entropy = -(0.925 * math.log(0.925) + 3 * 0.025 * math.log(0.025))
    assert derived(smooth, APART) == pytest.approx(entropy)
    halves = call_of(lambda z: F.mse_loss(z, torch.tensor([1.0, 3.0])), (2,))
    assert derived(halves, torch.tensor([0, 0])) == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(
    targets=st.lists(st.integers(0, 3), min_size=2, max_size=8),
    inputs=st.data(),
    smoothing=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_a_coarser_view_of_the_inputs_never_lowers_the_floor(targets: list[int], inputs: Any, smoothing: float) -> None:
    numbers = torch.tensor(inputs.draw(st.lists(st.integers(0, 5), min_size=len(targets), max_size=len(targets))))
    call = call_of(
        lambda z: F.cross_entropy(z, torch.tensor(targets), WEIGHT, label_smoothing=smoothing), (len(targets), 4)
    )
    fine, coarse = derived(call, numbers), derived(call, numbers // 2)
    assert -1e-9 <= fine <= coarse + 1e-9


def test_groups_of_equal_inputs_with_different_targets_are_told() -> None:
    found = floor_of(call_of(lambda z: F.cross_entropy(z, CLASSES), (8, 4)), TWINS, Task(TaskKind.OTHER, classes=4))
    assert found.conflicts == ((0, 1), (2, 3, 4))
    same = floor_of(call_of(lambda z: F.cross_entropy(z, CLASSES * 0), (8, 4)), TWINS, Task(TaskKind.OTHER, classes=4))
    assert same.conflicts == ()


def test_equal_inputs_are_equal_in_every_input_and_in_no_other_entry() -> None:
    x = torch.tensor([[1.0, 2], [1, 2], [1, 2], [3, 4]])
    words = ["a", "a", "b", "a"]
    batch = {"x": x, "word": words, "y": torch.tensor([0, 1, 2, 3]), "scale": torch.ones(2)}
    both = Task(TaskKind.OTHER, inputs=("x", "word"), target="y")
    assert input_numbers(batch, both, 4).tolist() == [0, 0, 1, 2]
    assert input_numbers(batch, Task(TaskKind.OTHER, inputs=("x",), target="y"), 4).tolist() == [0, 0, 0, 1]
    assert input_numbers(batch, Task(TaskKind.OTHER, target="y"), 4).tolist() == [0, 0, 1, 2]
    assert input_numbers({"scale": torch.ones(2)}, Task(TaskKind.OTHER), 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("loss", "shape", "classes", "inputs", "why"),
    [
        (lambda z: F.multi_margin_loss(z, CLASSES), (8, 4), 4, TWINS, "no closed form"),
        (lambda z: F.cross_entropy(z, CLASSES, WEIGHT), (8, 4), None, TWINS, "number of classes is not known"),
        (lambda z: F.cross_entropy(z, CLASSES), (8, 4), 3, TWINS, "not classes of 0 to 2"),
        (lambda z: F.gaussian_nll_loss(z, VALUES, torch.ones(8, 2)), (8, 2), None, APART, "no floor follows"),
        (lambda z: F.cross_entropy(z, CLASSES), (8, 4), 4, torch.arange(3), "do not belong to the 3 examples"),
    ],
)
def test_what_cannot_be_derived_has_a_reason(
    loss: Callable[[Tensor], Tensor], shape: tuple[int, ...], classes: int | None, inputs: Tensor, why: str
) -> None:
    found = floor_of(call_of(loss, shape), inputs, Task(TaskKind.OTHER, classes=classes))
    assert found.examples is None
    assert why in found.note


def test_a_margin_of_single_inputs_comes_down_to_nothing() -> None:
    assert derived(call_of(lambda z: F.multi_margin_loss(z, CLASSES), (8, 4)), APART) == 0.0
