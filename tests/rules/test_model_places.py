"""Places: of examples in their batch, and of tokens in their sequence."""

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

import art_training as art

LENGTH, WORDS = 12, 24


def sentences(rows=160):
    drawn = torch.Generator().manual_seed(0)
    ids = torch.randint(1, WORDS, (rows, LENGTH), generator=drawn)
    return art.data(train=DataLoader(TensorDataset(ids, ids[:, 0] % 2), batch_size=16, shuffle=True))


class Reader(L.LightningModule):
    """Attention over words and where they stand; how that is added is exchanged."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, 2)
        self.register_buffer("encoding", torch.randn(64, 1, 16, generator=torch.Generator().manual_seed(0)))
        self.places = nn.Embedding(64, 16)

    def added(self, x):
        return x + self.encoding[: x.shape[1]].transpose(0, 1)

    def training_step(self, batch, index):
        return F.cross_entropy(self.head(self.layer(self.added(self.words(batch[0]))).mean(1)), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


def adding(function):
    return type("Made", (Reader,), {"added": function})


def noised(self, x):
    return x + 0.1 * torch.randn_like(x)


@pytest.mark.parametrize(
    "added",
    [
        lambda self, x: x + self.encoding[: x.shape[0]],
        lambda self, x: x + self.places(torch.arange(x.shape[0]))[:, None],
        lambda self, x: x * torch.linspace(0.5, 1.5, len(x))[:, None, None],
    ],
    ids=["encoding", "learned", "factor"],
)
def test_what_numbers_examples_in_place_of_positions_is_seen(judged, added):
    seen = judged(adding(added), sentences(), codes="ART335")["ART335"]
    assert seen.severity == "error"
    assert seen.evidence["examples"] == seen.evidence["of"]
    assert not judged(adding(added), sentences(), codes="ART335", couples_examples=True)


@pytest.mark.parametrize("added", [Reader.added, lambda self, x: x, noised], ids=["positions", "none", "noise"])
def test_examples_that_are_the_same_in_any_place_are_not_accused(judged, added):
    assert not judged(adding(added), sentences(), codes="ART335")


class ByHand(Reader):
    """A loss that is written by hand leaves what modules give for predictions; positions are as many as examples, and may come first."""

    first = False

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=not self.first)

    def training_step(self, batch, index):
        x = self.words(batch[0]) + self.places(torch.arange(LENGTH))
        x = self.layer(x.transpose(0, 1)).transpose(0, 1) if self.first else self.layer(x)
        said = self.head(x.mean(1)).log_softmax(1)
        return -said[torch.arange(len(said)), batch[1]].mean()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("size", [LENGTH // 2, LENGTH, 16])
def test_positions_that_are_as_many_as_examples_are_not_taken_for_these(judged, first, size):
    drawn = torch.randint(1, WORDS, (96, LENGTH), generator=torch.Generator().manual_seed(0))
    data = art.data(train=DataLoader(TensorDataset(drawn, drawn[:, 0] % 2), batch_size=size))
    assert not judged(type("Made", (ByHand,), {"first": first}), data, codes="ART335")


def two_words(told="order", rows=480, padded=False):
    """Sentences of which the label is which of two words comes first; or whether they are about one that is in every other."""
    drawn = np.random.default_rng(0)
    ids = drawn.integers(3, WORDS, (rows, LENGTH))
    labels = drawn.integers(0, 2, rows)
    ends = drawn.integers(6, LENGTH + 1, rows) if padded else np.full(rows, LENGTH)
    for row, (label, end) in enumerate(zip(labels, ends, strict=True)):
        first, second = sorted(drawn.choice(end, 2, replace=False))
        ids[row, first], ids[row, second] = (1, 2) if label else (2, 1)
        if told == "words" and label:
            ids[row, drawn.integers(0, end)] = WORDS
        ids[row, end:] = 0
    return art.data(
        train=DataLoader(TensorDataset(torch.tensor(ids), torch.tensor(labels)), batch_size=24, shuffle=True)
    )


class Bag(Reader):
    """Words that are averaged, with what they attend to."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS + 1, 16, padding_idx=0)

    def forward(self, ids):
        real = (ids != 0)[..., None]
        return (self.layer(self.words(ids), src_key_padding_mask=~real[..., 0]) * real).sum(1) / real.sum(1)

    def training_step(self, batch, index):
        return F.cross_entropy(self.head(self.forward(batch[0])), batch[1])


class Averages(Bag):
    def forward(self, ids):
        real = (ids != 0)[..., None]
        return (self.words(ids) * real).sum(1) / real.sum(1)


class Ordered(Bag):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(16, 16, batch_first=True)

    def forward(self, ids):
        states, _ = self.rnn(self.words(ids))
        return states[torch.arange(len(ids)), (ids != 0).sum(1) - 1]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("model", [Bag, Averages])
def test_a_model_that_knows_no_order_is_seen_where_labels_follow_it(judged, model, padded):
    seen = judged(model, two_words(padded=padded), codes="ART336")["ART336"]
    assert seen.severity == "warning"
    assert seen.evidence["ordered"] > 0.75 > 0.6 > seen.evidence["bag"]
    assert not judged(Ordered, two_words(padded=padded), codes="ART336")
    assert not judged(model, two_words(padded=padded), codes="ART336", unordered=True)


@pytest.mark.parametrize("model", [Bag, Averages])
def test_a_bag_of_words_is_not_accused_where_words_tell_labels(judged, model):
    assert not judged(model, two_words("words"), codes="ART336")


class Texts(Dataset):
    """Sentences, which are looked up in a vocabulary as they are, or as a set."""

    def __init__(self, kept=True):
        drawn = np.random.default_rng(0)
        self.vocabulary = {
            word: number for number, word in enumerate(["<pad>", *(f"word{i:02}" for i in range(1, WORDS))])
        }
        words = list(self.vocabulary)[1:]
        self.texts = [" ".join(drawn.permutation(words)[:LENGTH]) for _ in range(120)]
        self.kept = kept

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, i):
        words = self.texts[i].split()
        return torch.tensor([self.vocabulary[one] for one in (words if self.kept else sorted(set(words)))]), i % 2


def test_words_that_come_in_another_order_than_their_text_has_are_seen(judged):
    def data(kept):
        return art.data(train=DataLoader(Texts(kept), batch_size=24))

    seen = judged(Ordered, data(kept=False), codes="ART336")["ART336"]
    assert seen.evidence["other"] == seen.evidence["rows"]
    assert not judged(Ordered, data(kept=True), codes="ART336")
    assert not judged(Averages, data(kept=False), codes="ART336")  # no order is read, and none is lost
