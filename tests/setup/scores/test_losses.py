"""What is known of each loss: rows add up to what the call returned, and probabilities are made rightly."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from art_training.setup.observation import LossCall
from art_training.setup.observer import observe_calls
from art_training.setup.scores.losses import activate, activation_of, terms

G = torch.Generator().manual_seed(0)
SCORES, CLASSES = torch.randn(12, 5, generator=G), torch.randint(0, 5, (12,), generator=G)
POSITIONS, TOKENS = torch.randn(3, 5, 4, generator=G), torch.randint(0, 5, (3, 4), generator=G)
VALUES, LABELS = torch.randn(12, 2, generator=G), torch.randint(0, 2, (12, 2), generator=G).float()
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.1, 3.0])


def seen(call: "object") -> LossCall:
    with observe_calls(nn.Linear(1, 1)) as calls:
        call()  # type: ignore[operator]
    return calls.losses[0]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_rows_of_cross_entropy_add_up(reduction: str, smoothing: float, weight: Tensor | None, ignore: int) -> None:
    for scores, target in ((SCORES, CLASSES), (POSITIONS, TOKENS)):
        call = seen(
            lambda scores=scores, target=target: F.cross_entropy(
                scores, target, weight, ignore_index=ignore, reduction=reduction, label_smoothing=smoothing
            )
        )
        found = terms(call)
        assert found is not None
        assert found.total.shape == found.weight.shape == (len(target),)
        whole = found.total.sum() / (found.weight.sum() if reduction == "mean" else 1)
        assert float(whole) == pytest.approx(float(call.value), rel=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.nll_loss(SCORES.log_softmax(1), CLASSES, WEIGHT),
        lambda: F.cross_entropy(SCORES, SCORES.softmax(1)),
        lambda: F.mse_loss(VALUES, LABELS),
        lambda: F.mse_loss(VALUES, LABELS, reduction="sum"),
        lambda: F.l1_loss(VALUES, LABELS),
        lambda: F.smooth_l1_loss(VALUES, LABELS, beta=0.3),
        lambda: F.huber_loss(VALUES, LABELS, delta=0.3),
        lambda: F.binary_cross_entropy_with_logits(VALUES, LABELS, pos_weight=torch.tensor([2.0, 0.5])),
        lambda: F.binary_cross_entropy_with_logits(VALUES, LABELS, weight=torch.rand(12, 1)),
        lambda: F.binary_cross_entropy(VALUES.sigmoid(), LABELS),
        lambda: F.kl_div(SCORES.log_softmax(1), SCORES.softmax(1).roll(1, 0), reduction="batchmean"),
        lambda: F.kl_div(SCORES.log_softmax(1), SCORES.softmax(1).roll(1, 0), reduction="sum"),
        lambda: F.gaussian_nll_loss(VALUES, LABELS, torch.rand(12, 2)),
        lambda: F.poisson_nll_loss(VALUES, LABELS, full=True),
        lambda: F.multilabel_soft_margin_loss(VALUES, LABELS),
        lambda: F.multi_margin_loss(SCORES, CLASSES, weight=WEIGHT),
        lambda: F.triplet_margin_loss(VALUES, LABELS, LABELS.roll(1, 0)),
        lambda: F.ctc_loss(
            torch.randn(6, 3, 4).log_softmax(2), torch.ones(3, 3).long(), torch.full((3,), 6), torch.tensor([1, 2, 3])
        ),
    ],
)
def test_rows_of_other_losses_add_up(call: "object") -> None:
    loss = seen(call)
    found = terms(loss)
    assert found is not None
    whole = found.total.sum() / (1 if loss.options["reduction"] == "sum" else found.weight.sum())
    assert float(whole) == pytest.approx(float(loss.value), rel=1e-4)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_alignments_that_are_not_averaged_are_not_divided_by_their_lengths(reduction: str) -> None:
    lengths = torch.tensor([1, 2, 3])
    scores = torch.randn(6, 3, 4, generator=G).log_softmax(2)
    call = seen(lambda: F.ctc_loss(scores, torch.ones(3, 3).long(), torch.full((3,), 6), lengths, reduction=reduction))
    found = terms(call)
    assert found is not None
    assert float(found.total.sum()) == pytest.approx(float(call.value.sum()), rel=1e-4)


def test_rows_that_do_not_add_up_are_not_believed() -> None:
    call = seen(lambda: F.mse_loss(VALUES, LABELS))
    changed = LossCall(call.name, call.prediction, call.target, call.options, call.value * 2)
    assert terms(changed) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(1, 4), st.booleans(), st.integers(0, 2**16))
def test_rows_add_up_for_any_shape(rows: int, classes: int, positions: int, ignoring: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, classes, positions, generator=generator)
    target = torch.randint(0, classes, (rows, positions), generator=generator)
    call = seen(lambda: F.cross_entropy(scores, target, ignore_index=0 if ignoring else -100))
    found = terms(call)
    assert found is not None
    if bool(((target != 0) if ignoring else torch.ones(1)).any()):
        assert float(found.total.sum() / found.weight.sum()) == pytest.approx(float(call.value), rel=1e-4)


def test_probabilities_follow_from_the_loss() -> None:
    call = seen(lambda: F.cross_entropy(SCORES, CLASSES))
    assert torch.allclose(activate(SCORES, activation_of(call)), SCORES.softmax(1))
    call = seen(lambda: F.binary_cross_entropy_with_logits(VALUES, LABELS))
    assert torch.allclose(activate(VALUES, activation_of(call)), VALUES.sigmoid())
    assert activation_of(seen(lambda: F.poisson_nll_loss(VALUES.abs(), LABELS, log_input=False))) == "none"
    assert activate(SCORES.half(), "softmax").dtype == torch.float32
