"""Theory meets the model: outputs of zero lose what is expected of them, and the final bias gives what it promises.

A model whose final weights are zero predicts the same for every input, so that what is measured is exactly what theory says
of uniform predictions, and exactly the prior's once its bias is set.
"""

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_multilabel_classification
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import art_training as art
from art_training.records import Outcome, StepEnded, StepState
from art_training.steps import CheckLossOnInit
from art_training.stores.memory import MemoryStore

Step = Callable[[Tensor, dict[str, Tensor]], Tensor]


class Zero(L.LightningModule):
    """A linear model that begins at zero, for any loss; entries of a batch have names."""

    def __init__(self, loss: Step, outputs: int, *, features: int, scale: float = 0.0) -> None:
        super().__init__()
        self.loss = loss
        self.head = nn.Linear(features, outputs)
        with torch.no_grad():
            self.head.weight.mul_(scale)
            self.head.bias.mul_(scale)

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        return self.loss(self.head(batch["x"]), batch)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def checked(loss: Step, outputs: int, data: Any, **hparams: Any) -> tuple[Outcome, StepState, str]:
    features = data[0]["x"].shape[-1]
    setup = art.Setup(
        model=Zero,
        hparams={"loss": loss, "outputs": outputs, "features": features, **hparams},
        data=art.data(train=DataLoader(data, batch_size=100, shuffle=True, collate_fn=collated)),
        trainer={"accelerator": "cpu"},
    )
    ended: list[StepEnded] = []
    project = art.ArtProject("initial loss", setup, steps=[CheckLossOnInit()], store=MemoryStore())
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    assert ended[0].outcome is not None
    assert ended[0].judgement is not None
    return ended[0].outcome, ended[0].judgement.state, "; ".join(one.reason for one in ended[0].judgement.verdicts)


def collated(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stacked, and padded to the longest of the batch where there is a sequence."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: nn.utils.rnn.pad_sequence(found, batch_first=True) if found[0].ndim else torch.stack(found)
        for name, found in columns.items()
    }


def tabular(x: Any, y: Any) -> list[dict[str, Tensor]]:
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    return [
        {"x": torch.as_tensor(row, dtype=torch.float32), "y": torch.as_tensor(label)}
        for row, label in zip(x, y, strict=True)
    ]


def sentences() -> list[dict[str, Tensor]]:
    """Tokens of 4 classes, most of them of one, in sequences of 2 to 9; padded positions have the label 0 and the mask 0."""
    generator = np.random.default_rng(0)
    found: list[dict[str, Tensor]] = []
    for _ in range(300):
        long = int(generator.integers(2, 10))
        labels = torch.tensor(generator.choice(4, long, p=[0.1, 0.6, 0.2, 0.1]))
        x = torch.tensor(generator.normal(size=(long, 5)), dtype=torch.float32)
        found.append({"x": x, "y": labels, "mask": torch.ones(long)})
    return found


DIGITS = tabular(*load_digits(return_X_y=True))[:500]
CANCER = tabular(*load_breast_cancer(return_X_y=True))
DIABETES = tabular(*load_diabetes(return_X_y=True))
LABELS = tabular(*make_multilabel_classification(500, 8, n_classes=5, random_state=0))
SENTENCES = sentences()
RARE = torch.tensor([3.0, 1.0, 0.5, 9.0, 2.0])
WEIGHT = torch.tensor([4.0, 1.0, 2.0, 3.0])


def column(output: Tensor) -> Tensor:
    return output[:, 0]


def soft(batch: dict[str, Tensor]) -> Tensor:
    return 0.8 * F.one_hot(batch["y"], 10) + 0.02


def padded(batch: dict[str, Tensor]) -> Tensor:
    return batch["y"].where(batch["mask"] == 1, -100)


def tokens(output: Tensor, batch: dict[str, Tensor], **options: Any) -> Tensor:
    return F.cross_entropy(output.transpose(1, 2), padded(batch), **options)


CASES: dict[str, tuple[Any, int, Step]] = {
    "digits": (DIGITS, 10, lambda z, b: F.cross_entropy(z, b["y"])),
    "digits, smoothed": (DIGITS, 10, lambda z, b: F.cross_entropy(z, b["y"], label_smoothing=0.1)),
    "digits, log-probabilities": (DIGITS, 10, lambda z, b: F.nll_loss(z.log_softmax(1), b["y"])),
    "digits, a sum": (DIGITS, 10, lambda z, b: F.cross_entropy(z, b["y"], reduction="sum")),
    "digits, unreduced": (DIGITS, 10, lambda z, b: F.cross_entropy(z, b["y"], reduction="none").mean()),
    "digits, soft labels": (DIGITS, 10, lambda z, b: F.cross_entropy(z, soft(b))),
    "digits, a divergence": (DIGITS, 10, lambda z, b: F.kl_div(z.log_softmax(1), soft(b), reduction="batchmean")),
    "cancer": (CANCER, 1, lambda z, b: F.binary_cross_entropy_with_logits(column(z), b["y"].float())),
    "cancer, probabilities": (CANCER, 1, lambda z, b: F.binary_cross_entropy(column(z).sigmoid(), b["y"].float())),
    "cancer, signs": (CANCER, 1, lambda z, b: F.soft_margin_loss(column(z), b["y"].float() * 2 - 1)),
    "labels": (LABELS, 5, lambda z, b: F.binary_cross_entropy_with_logits(z, b["y"].float())),
    "labels, rare ones": (
        LABELS,
        5,
        lambda z, b: F.binary_cross_entropy_with_logits(z, b["y"].float(), pos_weight=RARE),
    ),
    "labels, a row": (LABELS, 5, lambda z, b: F.multilabel_soft_margin_loss(z, b["y"].float())),
    "diabetes": (DIABETES, 1, lambda z, b: F.mse_loss(column(z), b["y"].float())),
    "diabetes, absolute": (DIABETES, 1, lambda z, b: F.l1_loss(column(z), b["y"].float())),
    "diabetes, huber": (DIABETES, 1, lambda z, b: 3 * F.huber_loss(column(z), b["y"].float(), delta=50.0)),
    "diabetes, counts": (DIABETES, 1, lambda z, b: F.poisson_nll_loss(column(z), b["y"].float())),
    "sentences": (SENTENCES, 4, tokens),
    "sentences, weighted": (SENTENCES, 4, lambda z, b: tokens(z, b, weight=WEIGHT, label_smoothing=0.1)),
    "sentences, flattened": (SENTENCES, 4, lambda z, b: F.cross_entropy(z.flatten(0, 1), padded(b).flatten())),
    "sentences, masked by hand": (
        SENTENCES,
        4,
        lambda z, b: (F.cross_entropy(z.transpose(1, 2), b["y"], reduction="none") * b["mask"]).sum() / b["mask"].sum(),
    ),
    "sentences, ignored by hand": (
        SENTENCES,
        4,
        lambda z, b: tokens(z, b, reduction="none").sum() / b["mask"].sum(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_of_zero_lose_what_is_expected_and_the_final_bias_gives_the_loss_of_the_prior(name: str) -> None:
    data, outputs, loss = CASES[name]
    outcome, _, _ = checked(loss, outputs, data)
    scores = outcome.scores
    ignorant = scores.get("uniform_loss") or scores["zero_loss"]
    assert scores["train/loss"].value == pytest.approx(ignorant.value, rel=2e-3), scores
    assert scores["train/loss_with_final_bias"].value == pytest.approx(scores["prior_loss"].value, rel=2e-3)
    assert scores["prior_loss"].value <= ignorant.value
    reading = outcome.reading("final bias")
    assert reading is not None
    assert len(reading.value) == outputs
    assert reading.note.startswith("of head.bias; measured: it gives a loss of ")


def test_the_bias_of_a_real_model_is_worth_what_it_says() -> None:
    """With weights as torch makes them, on data of which 9 of 10 rows are of one class."""
    generator = torch.Generator().manual_seed(0)
    rare = [row for row in DIGITS if row["y"] == 0 or torch.rand(1, generator=generator) < 0.012]
    outcome, _, _ = checked(lambda z, b: F.cross_entropy(z, b["y"]), 10, rare, scale=1.0)
    scores = outcome.scores
    assert scores["prior_loss"].value < 0.25 * math.log(10)
    assert scores["train/loss_with_final_bias"].value < scores["train/loss"].value / 3


def test_a_mean_that_nobody_knows_is_measured_and_not_judged() -> None:
    outcome, state, reasons = checked(lambda z, b: F.cross_entropy(z, b["y"], reduction="none").max(), 10, DIGITS, scale=1.0)  # fmt: skip
    assert state is StepState.NOT_JUDGED
    assert "expected_loss" not in outcome.scores
    assert "makes a mean of its own of what cross_entropy returns" in reasons


def test_a_loss_of_triplets_is_not_judged_and_what_equal_embeddings_lose_is_told() -> None:
    def triplets(z: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return F.triplet_margin_loss(z, z.roll(1, 0), z.roll(2, 0), margin=0.5)

    outcome, state, reasons = checked(triplets, 3, DIGITS, scale=1.0)
    assert state is StepState.NOT_JUDGED
    assert outcome.scores["prior_loss"].value == 0.5
    assert "is its own affair" in reasons


def test_alignments_begin_at_the_loss_of_uniform_frames() -> None:
    def aligned(z: Tensor, batch: dict[str, Tensor]) -> Tensor:
        frames = z.repeat_interleave(3, 1).log_softmax(2).transpose(0, 1)
        lengths = batch["mask"].sum(1).long()
        return F.ctc_loss(frames, batch["y"] + 1, torch.full_like(lengths, len(frames)), lengths)

    outcome, state, reasons = checked(aligned, 5, SENTENCES)
    assert state is StepState.PASSED, reasons
    assert outcome.scores["train/loss"].value == pytest.approx(outcome.scores["uniform_loss"].value, rel=1e-3)
