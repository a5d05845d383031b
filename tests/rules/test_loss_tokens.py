"""Which tokens a loss of sequences asks for, and how much each of them counts."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import art_training as art

CODES = ("ART426", "ART435")
PAD, TERMINATOR, WORDS = 0, 1, 12


def sentences(rows=128, length=14, *, padding=PAD, ends=True, shortest=4):
    """Rows of random words, each with what ends it, and padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(2, WORDS, (rows, length), generator=generator)
    lengths = torch.randint(shortest, length, (rows,), generator=generator)
    place = torch.arange(length)
    ids[place >= lengths.unsqueeze(1)] = padding
    if ends:
        ids[torch.arange(rows), lengths] = TERMINATOR
    return ids, place < (lengths + ends).unsqueeze(1)


class Reader(L.LightningModule):
    """Predicts the next token; what it leaves out of the loss is its `ignored`."""

    def __init__(self, ignored=PAD, name="eos_token_id"):
        super().__init__()
        if name:
            setattr(self, name, TERMINATOR)
        self.ignored = ignored
        self.embed = nn.Embedding(WORDS, 16)
        self.rnn = nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, WORDS)

    def logits(self, ids):
        return self.head(self.rnn(self.embed(ids))[0])

    def training_step(self, batch, index):
        ids = batch[0]
        return F.cross_entropy(self.logits(ids[:, :-1]).transpose(1, 2), ids[:, 1:], ignore_index=self.ignored)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Labelled(Reader):
    """Takes labels beside the tokens, and shifts them itself."""

    def training_step(self, batch, index):
        logits, labels = self.logits(batch["input_ids"]), batch["labels"]
        return F.cross_entropy(logits[:, :-1].reshape(-1, WORDS), labels[:, 1:].reshape(-1))


class Summed(Reader):
    def training_step(self, batch, index):
        ids = batch[0]
        logits = self.logits(ids[:, :-1]).transpose(1, 2)
        return F.cross_entropy(logits, ids[:, 1:], ignore_index=PAD, reduction="sum") / (8 * 13)


class Divided(Reader):
    """Divides the sum by its own targets, which is the mean of each batch again."""

    def training_step(self, batch, index):
        ids = batch[0]
        logits = self.logits(ids[:, :-1]).transpose(1, 2)
        total = F.cross_entropy(logits, ids[:, 1:], ignore_index=PAD, reduction="sum")
        return total / (ids[:, 1:] != PAD).sum().clamp(min=1)


class Masked(Reader):
    """A mean over real targets, made by hand of what torch gives for each."""

    def training_step(self, batch, index):
        ids = batch[0]
        each = F.cross_entropy(self.logits(ids[:, :-1]).transpose(1, 2), ids[:, 1:], reduction="none")
        real = (ids[:, 1:] != PAD).float()
        return (each * real).sum() / real.sum()


class ByHand(Reader):
    """The same without a loss of torch."""

    def training_step(self, batch, index):
        ids = batch[0]
        said = self.logits(ids[:, :-1]).log_softmax(2).gather(2, ids[:, 1:, None])[..., 0]
        return -said[ids[:, 1:] != PAD].mean()


class Accumulates(Reader):
    """Steps by itself after every fourth batch."""

    reduction, by = "mean", 4

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        ids = batch[0]
        logits = self.logits(ids[:, :-1]).transpose(1, 2)
        loss = F.cross_entropy(logits, ids[:, 1:], ignore_index=PAD, reduction=self.reduction)
        self.manual_backward(loss / self.by)
        if (index + 1) % 4 == 0:
            self.optimizers().step()
            self.optimizers().zero_grad()

    def validation_step(self, batch, index):
        self.log(
            "loss", F.cross_entropy(self.logits(batch[0][:, :-1]).transpose(1, 2), batch[0][:, 1:], ignore_index=PAD)
        )


@pytest.fixture
def found(judged):
    def ask(model, data, **options):
        return judged(model, data, codes=CODES, **options)

    return ask


def arrays(*columns):
    return art.data(columns, batch_size=32)


def labelled(ids, kept):
    return art.data({"input_ids": ids, "labels": torch.where(kept, ids, -100)}, batch_size=32)


def test_an_end_that_is_the_padding_is_seen(found):
    ids, _ = sentences(padding=TERMINATOR)
    seen = found(lambda: Reader(ignored=TERMINATOR), arrays(ids))["ART435"]
    assert seen.severity == "error"
    assert seen.evidence["token"] == TERMINATOR
    assert "asks for it 0 times" in seen.confirmed_by


def test_an_end_that_labels_leave_out_is_seen(found):
    ids, kept = sentences(padding=TERMINATOR)
    assert "ART435" in found(Labelled, labelled(ids, kept & (ids != TERMINATOR)))


def test_an_end_that_is_asked_for_is_not_accused(found):
    ids, kept = sentences()
    assert not found(Reader, arrays(ids))
    assert not found(Labelled, labelled(ids, kept))
    assert not found(Labelled, labelled(*sentences(padding=TERMINATOR)))


def test_sequences_that_never_end_are_not_accused(found):
    ids, _ = sentences(ends=False)
    assert not found(Reader, arrays(ids))
    assert not found(lambda: Reader(name=""), arrays(sentences(padding=TERMINATOR)[0]))


class Batches(Dataset):
    """Ready batches of eight rows: every other one has long rows."""

    def __init__(self, uneven):
        generator = torch.Generator().manual_seed(0)
        self.batches = []
        for number in range(16):
            longest = 14 if not uneven or number % 2 else 3
            ids, _ = sentences(8, 14, shortest=2)
            lengths = torch.randint(2, longest, (8, 1), generator=generator)
            self.batches.append((torch.where(torch.arange(14) < lengths, ids.clamp_min(2), PAD),))

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def batches(uneven):
    return art.data(DataLoader(Batches(uneven), batch_size=None))


def both(uneven):
    return art.data(*(DataLoader(Batches(uneven), batch_size=None) for _ in range(2)))


ACCUMULATED = {"accumulate_grad_batches": 4}


@pytest.mark.parametrize("model", [Reader, Divided, Masked, ByHand])
def test_batches_of_unequal_numbers_of_tokens_are_seen(model, found):
    seen = found(model, batches(uneven=True), trainer=ACCUMULATED)["ART426"]
    assert seen.severity == "warning"
    assert "are left" in seen.confirmed_by


def test_a_step_that_accumulates_by_itself_is_judged_likewise(found):
    assert "of 4 batches" in found(Accumulates, both(uneven=True))["ART426"].message
    assert not found(type("Total", (Accumulates,), {"reduction": "sum", "by": 400}), both(uneven=True))
    assert not found(Accumulates, both(uneven=False))


def test_batches_of_rows_at_random_are_not_accused(found):
    assert not found(Reader, batches(uneven=False), trainer=ACCUMULATED)
    assert not found(Reader, arrays(sentences(100)[0]), trainer=ACCUMULATED)


def test_sums_and_steps_of_one_batch_are_not_accused(found):
    assert not found(Summed, batches(uneven=True), trainer=ACCUMULATED)
    assert not found(Reader, batches(uneven=True))


class Ends(Dataset):
    """Sentences as lists; each batch is filled up to its longest, after the token that ends each."""

    def __len__(self):
        return 160

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return torch.randint(
            2, WORDS, (int(torch.randint(3, 30, (), generator=generator)),), generator=generator
        ).tolist()


def filled(padding, told="mask"):
    """Batches with ids and, as it is told, a mask or the lengths; the end belongs to the sentence."""

    def collate(rows):
        width = max(map(len, rows)) + 1
        ids = torch.tensor([[*row, TERMINATOR, *[padding] * (width - len(row) - 1)] for row in rows])
        lengths = torch.tensor([len(row) + 1 for row in rows])
        mask = (torch.arange(width) < lengths.unsqueeze(1)).long()
        return {"ids": ids} | {"mask": {"mask": mask}, "lengths": {"lengths": lengths}, "": {}}[told]

    return art.data(DataLoader(Ends(), batch_size=16, shuffle=True, collate_fn=collate))


class Multiplied(Reader):
    """Masks the loss by multiplying."""

    def training_step(self, batch, index):
        ids = batch["ids"]
        losses = F.cross_entropy(self.logits(ids[:, :-1]).transpose(1, 2), ids[:, 1:], reduction="none")
        kept = (ids[:, 1:] != self.ignored).float()
        return (losses * kept).sum() / kept.sum()


class ByMask(Reader):
    def training_step(self, batch, index):
        ids = batch["ids"]
        losses = F.cross_entropy(self.logits(ids[:, :-1]).transpose(1, 2), ids[:, 1:], reduction="none")
        return (losses * batch["mask"][:, 1:]).sum() / batch["mask"][:, 1:].sum()


@pytest.mark.parametrize(("told", "severity"), [("mask", "error"), ("lengths", "error"), ("", "warning")])
def test_an_end_that_nothing_names_is_known_by_masks_lengths_or_the_longest_rows(judged, told, severity):
    seen = judged(lambda: Multiplied(TERMINATOR, name=""), filled(TERMINATOR, told), codes=CODES)["ART435"]
    assert seen.severity == severity
    assert seen.evidence["token"] == TERMINATOR
    assert seen.confirmed_by


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (lambda: Multiplied(PAD, name=""), filled(PAD)),
        (lambda: Multiplied(PAD, name=""), filled(PAD, "")),
        (lambda: ByMask(name=""), filled(TERMINATOR)),  # the first of them counts
    ],
)
def test_ends_that_are_asked_for_are_not_accused(judged, model, data):
    assert "ART435" not in judged(model, data, codes=CODES)


@pytest.mark.parametrize("name", ["END", "stop_id"])
def test_an_end_by_another_name_is_seen_where_the_loss_is_multiplied_with_a_mask(judged, name):
    ids, _ = sentences(padding=TERMINATOR)
    batches = [{"ids": ids[place : place + 32]} for place in range(0, 128, 32)]
    data = art.data(DataLoader(batches, batch_size=None))
    assert "ART435" in judged(lambda: Multiplied(TERMINATOR, name=name), data, codes=CODES)
