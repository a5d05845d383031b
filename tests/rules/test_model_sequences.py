"""What a model makes of padding that nobody declares."""

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import Dataset

import art_training as art

ROWS, LENGTH = 96, 20


class Walks(Dataset):
    """Walks of unequal length, padded with one value, and where they end up."""

    def __init__(self, keys=("steps", "length", "up"), value=0.0, left=False, shortest=5):
        draws = np.random.default_rng(0)
        self.keys = keys
        self.lengths = draws.integers(shortest, LENGTH + 1, ROWS)
        walks = draws.normal(size=(ROWS, LENGTH, 3)).astype(np.float32)
        real = np.arange(LENGTH) < self.lengths[:, None]
        self.up = torch.tensor((walks[..., 0] * real).sum(1) > 0).long()
        walks[~real] = value
        self.steps = torch.tensor(walks[:, ::-1].copy() if left else walks)
        self.mask = torch.tensor(real)

    def __len__(self):
        return ROWS

    def __getitem__(self, i):
        whole = {"steps": self.steps[i], "length": int(self.lengths[i]), "mask": self.mask[i], "up": self.up[i]}
        return {key: whole[key] for key in self.keys}


class Stays(Walks):
    """Zeros, as where somebody has arrived."""


class Tokens(Walks):
    def __init__(self, keys=("steps", "up"), shortest=5):
        super().__init__(keys, shortest=shortest)
        words = torch.randint(1, 30, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
        self.steps = torch.where(self.mask, words, 0)


class Reader(L.LightningModule):
    """Reads the last state, whatever it is of."""

    def __init__(self, kind=nn.GRU, **options):
        super().__init__()
        self.rnn = kind(3, 16, batch_first=True, **options)
        self.head = nn.Linear(32 if options.get("bidirectional") else 16, 2)

    def forward(self, batch):
        states, _ = self.rnn(batch["steps"])
        return self.head(states[:, -1])

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch), batch["up"])

    def validation_step(self, batch, index):
        self.log("loss", self.training_step(batch, index), batch_size=len(batch["up"]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Final(Reader):
    def forward(self, batch):
        end = self.rnn(batch["steps"])[1]
        return self.head((end[0] if isinstance(end, tuple) else end)[-1])


class Cells(Reader):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRUCell(3, 16)

    def forward(self, batch):
        state = torch.zeros(len(batch["steps"]), 16)
        for step in batch["steps"].unbind(1):
            state = self.rnn(step, state)
        return self.head(state)


class Words(Reader):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 3, padding_idx=0)

    def forward(self, batch):
        return super().forward({"steps": self.words(batch["steps"])})


class Remembers(Words):
    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.rnn.bias_ih_l0[16:32] = 2.0  # of the gate that keeps the state


class Packed(Reader):
    def forward(self, batch):
        packed = pack_padded_sequence(batch["steps"], batch["length"].cpu(), batch_first=True, enforce_sorted=False)
        return self.head(self.rnn(packed)[1][-1])


class Gathered(Reader):
    def forward(self, batch):
        states, _ = self.rnn(batch["steps"])
        return self.head(states[torch.arange(len(states)), batch["mask"].sum(1) - 1])


class LooksForTheEnd(Reader):
    """Nothing tells the lengths to the model, which sees them for itself."""

    def forward(self, batch):
        states, _ = self.rnn(batch["steps"])
        real = batch["steps"].abs().sum(2) > 0
        return self.head((states * real[..., None]).sum(1) / real.sum(1, keepdim=True))


class Pooled(Reader):
    """No recurrence: a convolution with a maximum over all positions."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.Conv1d(3, 16, 3)

    def forward(self, batch):
        return self.head(self.rnn(batch["steps"].transpose(1, 2)).amax(2))


class Tagger(Reader):
    """One prediction for each position, of which the loss leaves out the padding."""

    def training_step(self, batch, index):
        logits = self.head(self.rnn(batch["steps"])[0])
        wanted = (batch["steps"][..., 0] > 0).long().masked_fill(~batch["mask"], -100)
        return F.cross_entropy(logits.transpose(1, 2), wanted)


def splits(data):
    return art.data(data, data, batch_size=24)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Reader, Walks()),
        (Final, Walks(value=-1.0)),
        (lambda: Final(nn.LSTM, num_layers=2), Walks(("steps", "mask", "up"))),
        (lambda: Reader(nn.RNN, bidirectional=True), Walks(("length", "steps", "up"))),
    ],
    ids=["last state", "other padding", "two layers and a mask", "both directions"],
)
def test_a_recurrence_that_runs_on_through_padding_is_seen(judged, model, data):
    seen = judged(model, splits(data), codes="ART338")["ART338"]
    assert seen.severity == "error"
    assert seen.where == "rnn"
    assert seen.evidence["held"] < seen.evidence["moved"] / 100
    assert "stops at the end" in seen.confirmed_by


def test_cells_that_run_on_are_seen_and_cannot_be_stopped_from_outside(judged):
    seen = judged(Cells, splits(Walks()), codes="ART338")["ART338"]
    assert seen.severity == "warning"
    assert not seen.confirmed_by


def test_padding_that_an_embedding_alone_tells_of_is_seen_where_it_is_what_is_read(judged):
    seen = judged(Words, splits(Tokens()), codes="ART338")["ART338"]
    assert seen.severity == "warning"
    assert seen.evidence["kept"] < 0.1
    assert "words has it as padding_idx" in seen.message


def test_padding_that_leaves_most_of_a_state_is_information(judged):
    seen = judged(Remembers, splits(Tokens(shortest=14)), codes="ART338")["ART338"]
    assert seen.severity == "info"
    assert seen.evidence["kept"] is None  # no sequence is padded by half


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Packed, Walks()),
        (Gathered, Walks(("steps", "mask", "up"))),
        (LooksForTheEnd, Walks()),
        (Pooled, Walks()),
        (Tagger, Walks(("steps", "mask", "up"))),
        (Reader, Walks(left=True)),
        (Reader, Stays(("steps", "up"))),  # zeros that nothing calls padding
    ],
    ids=["packed", "gathered", "looks", "no recurrence", "each position", "padded in front", "zeros"],
)
def test_sequences_that_are_read_to_their_end_are_not_accused(judged, model, data):
    assert not judged(model, splits(data), codes="ART338")
