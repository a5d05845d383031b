"""Which mean a step takes by hand is told from its batches."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from art_training.records import Split
from art_training.setup.observation import BatchObservation
from art_training.setup.observer import observe_calls
from art_training.steps.own_mean import COUNTED, EVERYTHING, EXAMPLES, OwnMean

WEIGHT = torch.tensor([0.5, 1.0, 4.0])


def batches() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Scores (N, 3, L), targets and masks (N, L); no two batches are padded alike."""
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for long in (5, 7):
        mask = torch.arange(long) < torch.tensor([[long], [long - 2], [1]])
        target = torch.randint(0, 3, (3, long), generator=generator)
        found.append((torch.randn(3, 3, long, generator=generator), target, mask))
    return found


def told(mean: Any, **options: Any) -> OwnMean:
    own = OwnMean()
    for scores, target, mask in batches():
        with observe_calls(nn.Linear(1, 1)) as calls:
            values = F.cross_entropy(scores, target, reduction="none", **options)
        call = calls.losses[0]
        batch = {"x": scores, "y": target, "mask": mask}
        seen = BatchObservation(Split.TRAIN, None, 0, batch, losses=(call,), weight=3)
        own.see(call, seen, float(mean(values, mask, target)))
    return own


def test_a_mean_over_everything() -> None:
    own = told(lambda values, mask, target: values.mean())
    assert own.kind == EVERYTHING
    assert own.masks == {}


def test_a_mean_over_a_mask_of_the_batch_names_it_and_keeps_it() -> None:
    own = told(lambda values, mask, target: (values * mask).sum() / mask.sum())
    assert own.kind == "mask"
    assert [int(mask.sum()) for mask in own.masks["mask"]] == [9, 13]


def test_a_mean_by_class_weights_is_that_of_the_call_itself() -> None:
    own = told(lambda values, mask, target: values.sum() / WEIGHT[target].sum(), weight=WEIGHT)
    assert own.kind == COUNTED


def test_a_share_of_a_sum() -> None:
    assert told(lambda values, mask, target: values.sum() / 3).kind == EXAMPLES


@pytest.mark.parametrize(("factor", "summand"), [(0.5, 0.0), (1.0, 2.0)])
def test_a_multiple_and_a_penalty_are_told_by_all_batches_together(factor: float, summand: float) -> None:
    own = told(lambda values, mask, target: factor * values.mean() + summand)
    assert own.kind is None
    assert own.made_of_everything == (pytest.approx(factor), pytest.approx(summand, abs=1e-3))


def test_anything_else_is_none_of_these() -> None:
    own = told(lambda values, mask, target: values.max())
    assert own.kind is None
    assert own.made_of_everything is None
