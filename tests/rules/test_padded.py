"""Sequences of differing lengths: padding that nobody declared is told and judged, and rows are read as others are."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

import art_training as art
from art_training.records import Severity

WIDTH = 24


def texts(count=160, longest=WIDTH):
    drawn = torch.Generator().manual_seed(0)
    lengths = torch.randint(4, longest + 1, (count,), generator=drawn)
    lengths[::16] = longest
    return [torch.randint(1, 20, (int(one),), generator=drawn) for one in lengths]


class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def by_batch(rows):
    return pad_sequence([x for x, _ in rows], batch_first=True), torch.tensor([y for _, y in rows])


def by_batch_on_the_left(rows):
    ids, y = by_batch(rows)
    return pad_sequence([x for x, _ in rows], batch_first=True, padding_side="left"), y + 0 * ids[:, 0]


def ragged(collate=by_batch):
    rows = Rows([(one, int(one[0] > 10)) for one in texts()])
    return art.data(train=DataLoader(rows, batch_size=12, collate_fn=collate, shuffle=True))


def masked(token=21):
    """Rows of one width, with a mask."""
    rows = [
        {
            "ids": F.pad(one, (0, WIDTH - len(one)), value=token),
            "mask": (torch.arange(WIDTH) < len(one)).int(),
            "y": int(one[0] > 10),
        }
        for one in texts()
    ]
    return art.data(train=DataLoader(Rows(rows), batch_size=12, shuffle=True))


class Mean(L.LightningModule):
    """A mean over positions, over all of them or over real ones."""

    real = False
    padding = 0

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(22, 8)
        self.head = nn.Linear(8, 2)

    def taken_apart(self, batch):
        ids, y = batch if isinstance(batch, list | tuple) else (batch["ids"], batch["y"])
        return ids, ids != self.padding, y

    def training_step(self, batch, index):
        ids, kept, y = self.taken_apart(batch)
        weights = kept[..., None].float() if self.real else torch.ones(*ids.shape, 1)
        return F.cross_entropy(self.head((self.words(ids) * weights).sum(1) / weights.sum(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Attends(Mean):
    """Attention over all positions, though their mask is there."""

    padding = 21

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def training_step(self, batch, index):
        ids, kept, y = self.taken_apart(batch)
        hidden = self.words(ids)
        hidden, _ = self.attention(hidden, hidden, hidden, key_padding_mask=~kept if self.real else None)
        weights = kept[..., None].float()
        return F.cross_entropy(self.head((hidden * weights).sum(1) / weights.sum(1)), y)


class Language(L.LightningModule):
    """The next token, asked of padding too or not."""

    real = False

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(22, 8)
        self.net = nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 22)

    def training_step(self, batch, index):
        ids = batch[0]
        logits = self.head(self.net(self.words(ids[:, :-1]))[0])
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0 if self.real else -100)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


def tagged(rows):
    """Tokens with a label each; what labels leave out has a number of its own."""
    ids, _ = by_batch(rows)
    return ids, torch.where(ids == 0, -100, ids % 3)


class Tagger(Attends):
    """A label for each token, by attention over all positions or over real ones."""

    padding = 0

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, index):
        ids, tags = batch
        hidden = self.words(ids)
        hidden, _ = self.attention(hidden, hidden, hidden, key_padding_mask=(ids == 0) if self.real else None)
        return F.cross_entropy(self.head(hidden).flatten(0, 1), tags.flatten(), ignore_index=-100)


def real(model):
    return type("Real", (model,), {"real": True})


@pytest.mark.parametrize(
    ("model", "data", "code", "told"),
    [
        (Mean, ragged, "ART313", "at the end of rows alone"),
        (Attends, masked, "ART313", "batch[mask]"),
        (Tagger, lambda: ragged(tagged), "ART313", "at the end of rows alone"),
        (Language, ragged, "ART432", "at the end of rows alone"),
        (Language, lambda: ragged(by_batch_on_the_left), "ART432", "at the beginning of rows alone"),
    ],
)
def test_padding_that_counts_is_seen_though_nobody_declared_it(judged, model, data, code, told):
    found = judged(model, data(), codes=("ART313", "ART432"))[code]
    assert found.severity is Severity.WARNING
    assert "inferred" in found.message
    assert told in found.message
    assert not judged(real(model), data(), codes=("ART313", "ART432"))


def test_a_declaration_wins(judged):
    found = judged(Mean, ragged(), codes="ART313", padding=0)["ART313"]
    assert found.severity is Severity.ERROR
    assert "inferred" not in found.message
    assert not judged(Mean, ragged(), codes="ART313", padding=15)


def test_a_state_that_ends_rows_of_one_length_is_no_padding(judged):
    rows = [(F.pad(one, (0, WIDTH - len(one))), int(len(one) > 12)) for one in texts()]
    data = art.data(train=DataLoader(Rows(rows), batch_size=12, shuffle=True))
    assert not judged(type("Lasting", (Mean,), {}), data, codes=("ART313", "ART432"))


class Cut(Rows):
    def __getitem__(self, index):
        one = self.rows[index]
        return F.pad(one, (0, WIDTH - len(one))), int(one[0] > 10)


class Widened(Rows):
    """Whatever is short is filled up with zeros."""

    def __getitem__(self, index):
        one = self.rows[index]
        return torch.cat([one, one.new_zeros(WIDTH - len(one))]), int(one[0] > 10)


class Vectors(Rows):
    """Numbers, and how many they are, or a mask of them."""

    def __init__(self, rows, told="length", value=-1.0):
        super().__init__(rows)
        self.told, self.value = told, value

    def __getitem__(self, index):
        one = self.rows[index].float()
        steps = torch.stack([one.sin(), one.cos()], 1)
        mask = torch.arange(WIDTH) < len(one)
        ends = {"length": len(one), "mask": mask, "ignored": ~mask}[self.told]
        return {
            "steps": F.pad(steps, (0, 0, 0, WIDTH - len(one)), value=self.value),
            self.told: ends,
            "y": int(one[0] > 10),
        }


def of_one_width(rows):
    return art.data(train=DataLoader(rows, batch_size=12, shuffle=True))


class Named(Mean):
    """Nothing but the embedding knows what fills rows up."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(22, 8, padding_idx=0)


class Steps(Mean):
    """Attention over vectors, and one of the ways to bring positions together."""

    pool, nothing = "mean", -1.0

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(2, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)

    def training_step(self, batch, index):
        steps, y = batch["steps"], batch["y"]
        kept = (steps != self.nothing).any(2)
        hidden = self.enter(steps)
        if self.pool == "attention":
            hidden = self.layer(hidden, src_key_padding_mask=~kept if self.real else None)[:, 0]
        elif self.pool == "inverted":
            hidden = self.layer(hidden, src_key_padding_mask=~kept if self.real else kept)[:, 0]
        elif self.pool == "own attention":
            scores = hidden @ hidden.transpose(1, 2)
            scores = scores.masked_fill(~kept[:, None], -1e9) if self.real else scores
            hidden = (scores.softmax(-1) @ hidden)[:, 0]
        elif self.pool == "function":
            mask = kept[:, None] if self.real else None
            hidden = F.scaled_dot_product_attention(hidden, hidden, hidden, attn_mask=mask)[:, 0]
        elif self.pool == "last":
            ends = kept.sum(1) - 1
            hidden = hidden[torch.arange(len(y)), ends] if self.real else hidden[:, -1]
        else:
            weights = kept[..., None].float() if self.real else torch.ones_like(hidden)
            hidden = (hidden * weights).sum(1) / weights.sum(1)
        return F.cross_entropy(self.head(hidden), y)


@pytest.mark.parametrize(
    ("model", "data", "told"),
    [
        (type("Lasting", (Mean,), {}), Cut, "Cut speaks of pad"),
        (Named, Widened, "words has it as padding_idx"),
        (type("Called", (Mean,), {"pad_id": 0}), Widened, "it is called pad_id"),
    ],
)
def test_padding_of_rows_of_one_length_is_told_by_its_name(judged, model, data, told):
    found = judged(model, of_one_width(data(texts())), codes="ART313")["ART313"]
    assert found.severity is Severity.WARNING
    assert told in found.message
    assert not judged(real(model), of_one_width(data(texts())), codes="ART313")


@pytest.mark.parametrize("told", ["length", "mask", "ignored"])
def test_padding_of_vectors_is_told_by_what_leaves_it_out(judged, told):
    found = judged(Steps, of_one_width(Vectors(texts(), told)), codes="ART313")["ART313"]
    assert f"batch[{told}]" in found.message
    assert not judged(real(Steps), of_one_width(Vectors(texts(), told)), codes="ART313")


@pytest.mark.parametrize("pool", ["attention", "inverted", "own attention", "function", "last"])
def test_a_mask_that_would_end_it_confirms_that_padding_counts(judged, pool):
    model = type("Pooled", (Steps,), {"pool": pool})
    found = judged(model, of_one_width(Vectors(texts())), codes="ART313")["ART313"]
    assert found.severity is Severity.WARNING
    assert "left out" in found.confirmed_by
    assert not judged(real(model), of_one_width(Vectors(texts())), codes="ART313")


class Tags(Rows):
    """Rows of one width with a tag for each token, of which 0 pads too."""

    def __getitem__(self, index):
        one = self.rows[index]
        rest = (0, WIDTH - len(one))
        return {"ids": F.pad(one, rest), "real": torch.arange(WIDTH) < len(one), "tags": F.pad(1 + one % 3, rest)}


def torchs(logits, batch, *, real):
    return F.cross_entropy(logits.transpose(1, 2), batch["tags"], ignore_index=0 if real else -100)


def masked_each(logits, batch, *, real):
    each = F.cross_entropy(logits.flatten(0, 1), batch["tags"].flatten(), reduction="none").reshape(batch["tags"].shape)
    weights = batch["real"].float() if real else torch.ones_like(each)
    return (each * weights).sum() / weights.sum()


def hand_written(logits, batch, *, real):
    said = logits.log_softmax(2).gather(2, batch["tags"][..., None])[..., 0]
    return -(said[batch["real"]] if real else said).mean()


class Marks(Mean):
    """A tag for each token; how the loss is made is exchanged."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 4)

    def training_step(self, batch, index):
        return self.loss(self.head(self.words(batch["ids"])), batch, real=self.real)


@pytest.mark.parametrize("loss", [torchs, masked_each, hand_written])
def test_tags_of_padding_that_count_are_seen(judged, loss):
    model = type("Marks", (Marks,), {"loss": staticmethod(loss)})
    found = judged(model, of_one_width(Tags(texts())), codes="ART432")["ART432"]
    assert found.severity is Severity.WARNING
    assert found.evidence["share"] > 0.2
    assert "have a gradient" in found.confirmed_by
    assert not judged(real(model), of_one_width(Tags(texts())), codes="ART432")


class Rebuilds(Mean):
    """What vectors are made of again, with an error over all of them or over real ones."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))

    def training_step(self, batch, index):
        error = (self.net(batch["steps"]) - batch["steps"]).square().mean(2)
        return error[batch["mask"]].mean() if self.real else error.mean()


def test_vectors_of_padding_that_are_rebuilt_are_seen(judged):
    found = judged(Rebuilds, of_one_width(Vectors(texts(), "mask")), codes="ART432")["ART432"]
    assert found.severity is Severity.WARNING
    assert not judged(real(Rebuilds), of_one_width(Vectors(texts(), "mask")), codes="ART432")


class Hides(Attends):
    """Tokens that are hidden at random and told again, by attention that leaves padding out."""

    real, padding = True, 0

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 22)

    def training_step(self, batch, index):
        ids = batch[0]
        hidden = (torch.rand(ids.shape) < 0.2) & (ids != 0)
        seen = self.words(ids.masked_fill(hidden, 21))
        seen, _ = self.attention(seen, seen, seen, key_padding_mask=ids == 0)
        return F.cross_entropy(self.head(seen).transpose(1, 2), ids.masked_fill(~hidden, -100))


def test_random_numbers_that_cutting_changes_are_no_padding_that_counts(judged):
    assert not judged(Hides, ragged(), codes=("ART313", "ART432"))
    assert not judged(Hides, of_one_width(Cut(texts())), codes=("ART313", "ART432"))


def test_a_class_with_the_number_that_pads_vectors_is_no_padding(judged):
    data = of_one_width(Vectors(texts(), value=0.0))
    assert not judged(real(type("Zeros", (Steps,), {"nothing": 0.0})), data, codes=("ART313", "ART432"))


class Convolved(Named):
    """A maximum over what convolutions find, as is usual: padding adds what a filter gives for nothing."""

    def __init__(self):
        super().__init__()
        self.net = nn.Conv1d(8, 8, 3, padding=1)

    def training_step(self, batch, index):
        ids, y = batch
        return F.cross_entropy(self.head(self.net(self.words(ids).transpose(1, 2)).relu().amax(2)), y)


def test_a_maximum_over_convolutions_of_padding_is_no_more_than_information(judged):
    found = judged(Convolved, of_one_width(Cut(texts())), codes="ART313")
    assert all(one.severity is Severity.INFO for one in found.values())


class Series(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv1d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def training_step(self, batch, index):
        x, y = batch
        return F.cross_entropy(self.head(self.net(x[:, None]).relu().amax(2)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.5])
def test_numbers_that_are_none_are_seen_in_series_of_differing_lengths(judged, value):
    series = [one.float() / 20 for one in texts()]
    for number in (5, 40, 41):
        series[number][1] = value
    rows = Rows([(one, int(one[0] > 0.5)) for one in series])
    data = art.data(train=DataLoader(rows, batch_size=12, collate_fn=by_batch))
    found = judged(Series, data, codes="ART915")
    assert set(found) == (set() if value == 0.5 else {"ART915"})
    if found:
        assert found["ART915"].message == "inputs of 3 of 160 train rows hold NaN or infinity"
        assert found["ART915"].where == "train row 5"


WORDS = ["<pad>", "<unk>", *sorted(f"{a}{b}" for a in "abcde" for b in "xyzw")]
NUMBERS = {word: number for number, word in enumerate(WORDS)}


class Sentences(Rows):
    """Texts whose words are looked up as they are written; the collation knows of lengths too."""

    def __init__(self, upper):
        super().__init__(texts())
        self.vocabulary, self.upper = NUMBERS, upper

    def __getitem__(self, index):
        words = [WORDS[2 + int(one)] for one in self.rows[index]]
        ids = [self.vocabulary.get(word.upper() if self.upper else word, 1) for word in words]
        return torch.tensor(ids), index % 2


def with_lengths(rows):
    ids, y = by_batch(rows)
    return {"ids": ids, "lengths": torch.tensor([len(x) for x, _ in rows]), "mask": (ids != 0).float(), "y": y}


class Bag(Mean):
    real = True

    def training_step(self, batch, index):
        ids, y = (batch["ids"], batch["y"]) if isinstance(batch, dict) else batch
        return F.cross_entropy(self.head((self.words(ids) * (ids != 0)[..., None]).mean(1)), y)


@pytest.mark.parametrize("collate", [by_batch, with_lengths])
@pytest.mark.parametrize("upper", [True, False])
def test_unknown_words_are_seen_in_texts_of_differing_lengths(judged, collate, upper):
    data = art.data(train=DataLoader(Sentences(upper), batch_size=12, collate_fn=collate))
    assert set(judged(Bag, data, codes="ART219")) == ({"ART219"} if upper else set())
