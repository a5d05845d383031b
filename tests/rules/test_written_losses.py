"""Losses that are written by hand: what is wrong with them is told by what they compute."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.records import Severity


def accused(found):
    return {code for code, one in found.items() if one.severity is not Severity.INFO}


def sentences(n=240, length=9, tags=4):
    draw = torch.Generator().manual_seed(0)
    words = torch.randint(0, 20, (n, length), generator=draw)
    return art.data({"words": words.numpy(), "tags": (words % tags).numpy()}, batch_size=24)


class Tagger(L.LightningModule):
    """A tag for each word, by a loss that tests exchange."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Embedding(20, 12), nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 4))

    def training_step(self, batch, index):
        return self.cost(self.layers(batch["words"]), batch["tags"][..., None])

    def configure_optimizers(self):
        return torch.optim.RAdam(self.parameters(), lr=5e-3)


def tagger(cost):
    return type("Made", (Tagger,), {"cost": staticmethod(cost)})


def rivers(n=240):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=draw)
    y = (x[:, 0].abs() - x[:, 1] + x[:, 2] * x[:, 3]).sub(0.8)
    return art.data((x.numpy(), y.numpy()), batch_size=24)


class Level(L.LightningModule):
    """A number for each example, by a loss that tests exchange."""

    def __init__(self, outputs=1):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.Tanh())
        self.heads = nn.ModuleList(nn.Linear(24, 1) for _ in range(outputs))

    def training_step(self, batch, index):
        return self.cost(*(head(self.body(batch[0]))[:, 0] for head in self.heads), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def level(cost, outputs=1):
    return type("Made", (Level,), {"cost": staticmethod(cost), "__init__": lambda self: Level.__init__(self, outputs)})


def gaussian(mean, raw, y):
    return torch.distributions.Normal(mean, F.softplus(raw) + 1e-2).log_prob(y).mean()


@pytest.mark.parametrize(
    ("code", "cost"),
    [
        ("ART316", lambda z, t: -z.clamp(min=0).log_softmax(-1).gather(-1, t).mean()),
        ("ART410", lambda z, t: -z.softmax(-1).log_softmax(-1).gather(-1, t).mean()),
        ("ART413", lambda z, t: F.binary_cross_entropy(z[..., :1].softmax(-1), (t > 1).float())),
        ("ART413", lambda z, t: ((z.sum(-1, keepdim=True) - t).square() * (t > 9)).sum() / len(t)),
    ],
)
def test_what_is_wrong_with_a_cross_entropy_by_hand_is_told_by_its_value(code, cost, judged):
    assert code in accused(judged(tagger(cost), sentences(), codes=("ART3", "ART4")))


@pytest.mark.parametrize(
    "cost",
    [
        lambda z, t: -z.log_softmax(-1).gather(-1, t).mean(),
        lambda z, t: -z.softmax(-1).gather(-1, t).mean(),
        lambda z, t: -z.clamp(-20, 20).log_softmax(-1).gather(-1, t).mean(),
        lambda z, t: -(z.softmax(-1).gather(-1, t) + 1e-8).log().mean(),
        lambda z, t: (z.logsumexp(-1) - z.gather(-1, t)[..., 0]).sum(1).mean(),
    ],
)
def test_a_cross_entropy_by_hand_that_is_right_is_not_accused(cost, judged):
    assert not accused(judged(tagger(cost), sentences(), codes=("ART3", "ART4")))


@pytest.mark.parametrize(
    ("code", "outputs", "cost"),
    [
        ("ART316", 1, lambda p, y: ((F.relu(p) - y) ** 2).mean()),
        ("ART423", 2, gaussian),
    ],
)
def test_what_is_wrong_with_a_loss_of_numbers_by_hand_is_told(code, outputs, cost, judged):
    assert code in accused(judged(level(cost, outputs), rivers(), codes=("ART3", "ART4")))


@pytest.mark.parametrize(
    ("outputs", "cost"),
    [
        (1, lambda p, y: ((p - y) ** 2).mean()),
        (2, lambda *given: -gaussian(*given)),
        (1, lambda p, y: ((F.relu(p) - y.clamp(min=0)) ** 2).mean()),
    ],
)
def test_a_loss_of_numbers_by_hand_that_is_right_is_not_accused(outputs, cost, judged):
    assert not accused(judged(level(cost, outputs), rivers(), codes=("ART3", "ART4")))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_similarity_to_directions_is_to_be_raised(sign, judged):
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(240, 6, generator=draw)
    y = F.normalize(torch.tanh(x @ torch.randn(6, 3, generator=draw)))
    model = art.from_torch(
        lambda: nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3)),
        loss=lambda p, t: sign * F.cosine_similarity(p, t).mean(),
        optimizer=torch.optim.Adam,
        lr=3e-3,
    )
    found = judged(model, art.data((x.numpy(), y.numpy()), batch_size=24))
    assert ("ART423" in accused(found)) is (sign > 0)


class Copied(L.LightningModule):
    """Predicts the next token of rows whose labels are a copy of them; its attention sees everything unless masked."""

    def __init__(self, masked):
        super().__init__()
        self.masked = masked
        self.table, self.place = nn.Embedding(12, 16), nn.Parameter(torch.randn(10, 16) * 0.1)
        self.ask, self.out = nn.Linear(16, 16), nn.Linear(16, 12)

    def training_step(self, batch, index):
        h = self.table(batch["ids"]) + self.place
        scores = self.ask(h) @ h.mT
        if self.masked:
            scores = scores.masked_fill(torch.ones_like(scores[0], dtype=torch.bool).triu(1), -1e9)
        logits = self.out(scores.softmax(-1) @ h)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


@pytest.mark.parametrize("masked", [False, True])
def test_a_missing_mask_is_seen_where_labels_are_a_copy_of_the_tokens(masked, judged):
    ids = torch.randint(0, 12, (120, 10), generator=torch.Generator().manual_seed(2)).numpy()
    found = judged(lambda: Copied(masked), art.data({"ids": ids, "labels": ids.copy()}, batch_size=20), codes="ART312")
    assert ("ART312" in accused(found)) is not masked
