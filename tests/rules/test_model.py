"""What a model computes of what: planted in several clothes and seen; correct projects that look like it are not accused."""

import copy
import tempfile
from pathlib import Path

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.engines.engine import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.records import Severity
from art_training.rules import Laboratory, NotMeasured, Stage, rules
from art_training.setup.setup import Setup


def loaders(*tensors, batch_size=32):
    return art.data(train=DataLoader(TensorDataset(*tensors), batch_size=batch_size, shuffle=True))


def digits(batch_size=32):
    x, y = load_digits(return_X_y=True)
    return loaders(torch.tensor(x / 16, dtype=torch.float32)[:200], torch.tensor(y)[:200], batch_size=batch_size)


def tokens():
    generator = torch.Generator().manual_seed(0)
    return torch.cumsum(torch.randint(0, 3, (96, 13), generator=generator), 1) % 11


def texts():
    ids = tokens()
    return loaders(ids[:, :-1].clone(), ids[:, 1:].clone())


class Net(L.LightningModule):
    """A classifier of digits whose parts tests exchange."""

    def __init__(self):
        super().__init__()
        self.net = self.build()
        self.made()

    def build(self):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def made(self):
        pass

    def forward(self, x):
        return self.net(x)

    def loss(self, outputs, y):
        return F.cross_entropy(outputs, y)

    def training_step(self, batch, index):
        return self.loss(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Manual(Net):
    """Optimises by itself."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        loss = super().training_step(batch, index)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


class Image(nn.Module):
    def forward(self, x):
        return x.view(-1, 1, 8, 8)


class Turned(nn.Module):
    """Takes positions for examples."""

    def forward(self, x):
        return x.reshape(-1, len(x)).t()


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def of(*layers, base=Net, **members):
    """A model of these layers, which are made anew each time."""
    if layers:
        members["build"] = lambda self: nn.Sequential(*[layer() for layer in layers])
    return type("Made", (base,), members)


def dense(width, to):
    return lambda: nn.Linear(width, to)


class Attention(nn.Module):
    def __init__(self, kind, mask):
        super().__init__()
        self.kind, self.mask = kind, mask
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        length = x.shape[1]
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        if self.kind == "module":
            mask = {"right": later, "none": None, "inverted": ~later}[self.mask]
            return x + self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.kind == "function":
            mask = {"right": ~later, "none": None, "inverted": later}[self.mask]
            return x + self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        scores = q @ k.transpose(-1, -2) / 4
        if self.mask != "none":
            scores = scores.masked_fill(later if self.mask == "right" else ~later, -1e9)
        return x + self.out(scores.softmax(-1) @ v)


class Language(Net):
    """Predicts the next token."""

    kind, mask = "function", "right"
    padding = None

    def build(self):
        self.words, self.places = nn.Embedding(11, 16, padding_idx=self.padding), nn.Embedding(16, 16)
        return nn.Sequential(Attention(self.kind, self.mask), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 11))

    def forward(self, x):
        return self.net(self.words(x) + self.places(torch.arange(x.shape[1])))

    def loss(self, outputs, y):
        return F.cross_entropy(outputs.reshape(-1, 11), y.reshape(-1))


class Shifting(Language):
    """Shifts what it is given itself."""

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0])[:, :-1].transpose(1, 2), batch[0][:, 1:])


class Recurrent(Language):
    both = False

    def build(self):
        self.words = nn.Embedding(11, 16, padding_idx=self.padding)
        self.head = nn.Linear(32 if self.both else 16, 11)
        return nn.GRU(16, 16, batch_first=True, bidirectional=self.both)

    def forward(self, x):
        return self.head(self.net(self.words(x))[0])


class Convolutional(Language):
    pad = (2, 0)

    def build(self):
        self.words, self.head = nn.Embedding(11, 16), nn.Linear(16, 11)
        return nn.Conv1d(16, 16, 3)

    def forward(self, x):
        return self.head(self.net(F.pad(self.words(x).transpose(1, 2), self.pad)).relu().transpose(1, 2))


def judged(model, data=None, *, categories=("model",), **declarations):
    """Findings of the rules on models, by code."""
    setup = Setup(model, data or digits(), trainer={"accelerator": "cpu", "max_epochs": 2}, declarations=declarations)
    found = {}

    def run(specimen):
        laboratory = Laboratory(declarations=declarations)
        laboratory.lay_open(specimen)
        for rule in rules():
            if rule.category in categories and rule.stage in {Stage.INSPECT, Stage.PROBE}:
                try:
                    found.update({one.code: one for one in rule.findings(laboratory)})
                except NotMeasured:
                    continue

    with tempfile.TemporaryDirectory() as folder:
        LightningEngine().experiment(ExperimentJob(setup, 0, Path(folder), data_seed=0), run)
    return found


def accused(model, data=None, **options):
    return {code for code, one in judged(model, data, **options).items() if one.severity is not Severity.INFO}


@pytest.mark.parametrize(
    "model",
    [
        of(dense(64, 32), nn.ReLU, Turned, dense(32, 10)),
        of(dense(64, 32), nn.ReLU, Turned, dense(32, 10), base=Manual),
        of(forward=lambda self, x: self.net(x) * self.net(x).softmax(0)),
        of(training_step=lambda self, b, i: F.cross_entropy(self.net(b[0].t().reshape(len(b[0]), -1)), b[1])),
    ],
)
def test_examples_that_see_each_other_are_seen(model):
    found = judged(model)
    assert found["ART311"].severity is Severity.ERROR
    assert found["ART311"].confirmed_by
    assert "ART311" not in accused(model, couples_examples=True)


class Sharpness(Manual):
    """Asks a second time where the gradient of the whole batch leads."""

    def training_step(self, batch, index):
        optimizer, weights = self.optimizers(), list(self.parameters())
        optimizer.zero_grad()
        self.manual_backward(Net.training_step(self, batch, index))
        ways = [0.5 * one.grad for one in weights]
        self.move(weights, ways, 1)
        optimizer.zero_grad()
        self.manual_backward(Net.training_step(self, batch, index))
        self.move(weights, ways, -1)
        optimizer.step()

    def move(self, weights, ways, sign):
        with torch.no_grad():
            for one, way in zip(weights, ways, strict=True):
                one.add_(sign * way)


class HiddenSharpness(Sharpness):
    """The same, past what torch counts as a change."""

    def move(self, weights, ways, sign):
        for one, way in zip(weights, ways, strict=True):
            one.data = one.data + sign * way


class Adapting(Manual):
    """Takes a step of its own, by weights that are none of the model's, before it asks again."""

    def training_step(self, batch, index):
        names, weights = zip(*self.net.named_parameters(), strict=True)
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        steps = torch.autograd.grad(loss, weights, create_graph=True)
        fast = {name: one - 0.5 * step for name, one, step in zip(names, weights, steps, strict=True)}
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(F.cross_entropy(torch.func.functional_call(self.net, fast, (batch[0],)), batch[1]))
        optimizer.step()


@pytest.mark.parametrize("model", [Sharpness, HiddenSharpness, Adapting])
def test_weights_that_move_by_the_whole_batch_within_a_step_are_no_fault(model):
    assert "ART311" not in judged(model)


@pytest.mark.parametrize("base", [Sharpness, HiddenSharpness, Adapting])
def test_examples_that_see_each_other_are_seen_where_weights_move_within_a_step(base):
    found = judged(of(dense(64, 32), nn.ReLU, Turned, dense(32, 10), base=base))["ART311"]
    assert found.severity is Severity.ERROR
    assert "were held as they were" in found.confirmed_by


def hand_written(self, outputs, y):
    """A cross entropy over real tokens, without a loss of torch."""
    said = outputs.log_softmax(2).gather(2, y[..., None])[..., 0]
    return -(said * (y != 10)).sum() / (y != 10).sum()


def test_a_missing_causal_mask_is_seen_though_the_loss_is_written_by_hand():
    wrong = type("Wrong", (Language,), {"mask": "none", "loss": hand_written})
    assert "under a causal mask" in judged(wrong, texts())["ART312"].confirmed_by
    assert "ART312" not in accused(type("Right", (Language,), {"loss": hand_written}), texts())


@pytest.mark.parametrize("kind", ["function", "module", "by hand"])
@pytest.mark.parametrize("mask", ["none", "inverted"])
def test_attention_that_looks_ahead_is_seen_and_confirmed_by_a_mask(kind, mask):
    found = judged(type("Wrong", (Language,), {"kind": kind, "mask": mask}), texts())
    assert "under a causal mask predictions move by 0" in found["ART312"].confirmed_by


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (type("Wrong", (Shifting,), {"mask": "none"}), lambda: loaders(tokens())),
        (type("Wrong", (Recurrent,), {"both": True}), texts),
        (type("Wrong", (Convolutional,), {"pad": (1, 1)}), texts),
    ],
)
def test_other_models_that_look_ahead_are_seen(model, data):
    assert "ART312" in accused(model, data())


@pytest.mark.parametrize(
    "model",
    [
        of(dense(64, 32), dense(32, 10)),
        of(dense(64, 32), lambda: nn.BatchNorm1d(32), nn.Dropout, dense(32, 10), base=Manual),
        of(Image, lambda: nn.Conv2d(1, 8, 3), lambda: nn.Conv2d(8, 16, 3), nn.Flatten, dense(256, 10)),
        of(
            Image,
            lambda: nn.Conv2d(1, 8, 3),
            lambda: nn.MaxPool2d(2),
            lambda: nn.Conv2d(8, 16, 3),
            nn.Flatten,
            dense(16, 10),
        ),
    ],
)
def test_layers_without_a_nonlinearity_are_seen(model):
    found = judged(model)
    assert found["ART315"].severity is not Severity.INFO
    assert "with a ReLU" in found["ART315"].confirmed_by
    assert "ART315" not in judged(model, linear_model=True)


def test_text_without_a_nonlinearity_is_seen():
    ids = tokens()
    model = of(lambda: nn.Embedding(11, 16), Mean, dense(16, 16), dense(16, 3))
    assert "ART315" in accused(model, loaders(ids, ids.sum(1) % 3))


def without_gradient(self, x):
    with torch.no_grad():
        hidden = self.net[:2](x)
    return self.net[2](hidden)


@pytest.mark.parametrize(
    ("forward", "confirmed"),
    [
        (lambda self, x: self.net[2](self.net[:2](x).detach()), True),
        (without_gradient, True),
        (lambda self, x: self.net[2](self.net[:2](x).data), True),
        (lambda self, x: self.net[2](torch.tensor(self.net[:2](x).tolist())), False),
        (lambda self, x: self.net[2](torch.from_numpy(self.net[:2](x).detach().cpu().numpy())), False),
        (lambda self, x: self.net[2](self.net[:2](x).round()), False),
    ],
)
@pytest.mark.parametrize("base", [Net, Manual])
def test_a_cut_in_the_graph_is_seen(forward, confirmed, base):
    found = judged(of(base=base, forward=forward))["ART324"]
    assert found.severity is Severity.ERROR
    assert "net.0" in found.message
    if confirmed:
        assert "with nothing detached" in found.confirmed_by
        assert "test_model.py" in found.where


def in_a_list(self):
    self.more = [nn.Linear(64, 64), nn.Linear(64, 64)]


@pytest.mark.parametrize("base", [Net, Manual])
@pytest.mark.parametrize(
    ("members", "where"),
    [
        (
            {"made": in_a_list, "forward": lambda self, x: self.net(self.more[1](self.more[0](x).relu()).relu())},
            "more[",
        ),
        ({"forward": lambda self, x: self.net(nn.Linear(64, 64)(x).relu())}, ""),
    ],
)
def test_parameters_outside_the_model_are_seen(members, where, base):
    found = judged(of(base=base, **members))["ART326"]
    assert found.severity is Severity.ERROR
    assert found.where.startswith(where)
    assert found.confirmed_by


def binary(outputs, y):
    return F.binary_cross_entropy_with_logits(outputs, F.one_hot(y, 10).float())


@pytest.mark.parametrize(
    "model",
    [
        of(dense(64, 32), nn.ReLU, dense(32, 10), nn.ReLU),
        of(dense(64, 32), nn.ReLU, dense(32, 10), nn.Tanh),
        of(dense(64, 32), nn.ReLU, dense(32, 10), nn.ReLU, loss=lambda self, o, y: binary(o, y)),
        of(dense(64, 32), nn.ReLU, dense(32, 1), nn.ReLU, loss=lambda self, o, y: F.mse_loss(o[:, 0], y - 4.5)),
        of(dense(64, 32), nn.ReLU, dense(32, 1), nn.Sigmoid, loss=lambda self, o, y: F.l1_loss(o[:, 0], y - 4.5)),
    ],
)
def test_an_activation_on_the_head_is_seen_and_confirmed_by_leaving_it_out(model):
    found = judged(model)["ART316"]
    assert found.severity is Severity.ERROR
    assert "without it" in found.confirmed_by


@pytest.mark.parametrize(
    "model",
    [
        of(made=lambda self: nn.init.constant_(self.net[0].bias, -10.0)),
        of(
            Image,
            lambda: nn.Conv2d(1, 16, 3),
            nn.ReLU,
            nn.Flatten,
            dense(576, 10),
            made=lambda self: nn.init.constant_(self.net[1].bias, -20.0),
        ),
    ],
)
def test_dead_units_are_seen_and_confirmed_by_beginning_anew(model):
    assert "begins as torch begins it" in judged(model)["ART317"].confirmed_by


def deep(layers, activation):
    return [make for number in range(layers) for make in (dense(32 if number else 64, 32), activation)]


def test_gradients_that_vanish_with_depth_are_seen():
    model = of(*deep(12, nn.Sigmoid), dense(32, 10))
    assert "variance 1" in judged(model)["ART325"].confirmed_by
    assert "ART325" in accused(of(*deep(12, nn.Sigmoid), dense(32, 10), base=Manual))
    assert not accused(of(*deep(6, nn.ReLU), dense(32, 10)))


@pytest.mark.parametrize(
    "model",
    [
        of(dense(64, 32), nn.ReLU, lambda: nn.Dropout(0.9), dense(32, 10)),
        of(base=Manual, forward=lambda self, x: self.net[2](F.dropout(self.net[:2](x), 0.9, training=self.training))),
    ],
)
def test_dropout_of_what_was_to_be_kept_is_seen(model):
    assert "where it drops 10%" in judged(model)["ART320"].confirmed_by
    assert "ART320" not in judged(of(dense(64, 32), nn.ReLU, lambda: nn.Dropout(0.6), dense(32, 10)))


def test_dropout_behind_the_head_is_seen():
    assert accused(of(dense(64, 32), nn.ReLU, dense(32, 10), nn.Dropout)) == {"ART319"}


def test_batch_norm_over_two_examples_is_seen():
    flat = of(dense(64, 32), lambda: nn.BatchNorm1d(32), nn.ReLU, dense(32, 10))
    image = of(Image, lambda: nn.Conv2d(1, 8, 3), lambda: nn.BatchNorm2d(8), nn.ReLU, nn.Flatten, dense(288, 10))
    grouped = of(Image, lambda: nn.Conv2d(1, 8, 3), lambda: nn.GroupNorm(4, 8), nn.ReLU, nn.Flatten, dense(288, 10))
    assert "ART321" in accused(flat, digits(2))
    assert "ART321" not in accused(image, digits(2))
    assert judged(image, digits(2))["ART321"].severity is Severity.INFO  # of 72 numbers a channel, not of two
    assert "ART321" not in accused(grouped, digits(2))
    assert not accused(flat) | accused(image)


class Streams(Net):
    """Two halves of a digit, of which one lies elsewhere."""

    def build(self):
        self.left, self.right, self.head = nn.Linear(32, 16), nn.Linear(32, 16), nn.Linear(32, 10)
        return nn.BatchNorm1d(16)

    def forward(self, x):
        streams = self.net(self.left(x[:, :32])), self.net(self.right(x[:, 32:] * 3 + 2))
        return self.head(torch.cat(streams, 1).relu())


class Raw(Streams):
    def build(self):
        self.head = nn.Linear(64, 10)
        return nn.BatchNorm1d(32)

    def forward(self, x):
        return self.head(torch.cat([self.net(x[:, :32]), self.net(x[:, 32:] * 5 + 10)], 1))


@pytest.mark.parametrize("model", [Streams, Raw])
def test_one_batch_norm_for_two_streams_is_seen(model):
    assert "deviations off 0" in judged(model)["ART322"].confirmed_by


@pytest.mark.parametrize("base", [Language, Recurrent])
def test_a_row_for_padding_of_a_real_token_is_seen(base):
    model = type("Padded", (base,), {"padding": 3})
    assert "without padding_idx" in judged(model, texts())["ART323"].confirmed_by
    assert "ART323" not in accused(model, texts(), padding=3)


@pytest.mark.parametrize("padding", [0, 29])
def test_a_row_for_padding_of_a_real_word_in_a_bag_is_seen(padding):
    words = torch.randint(0, 29, (120, 16), generator=torch.Generator().manual_seed(0))
    model = art.from_torch(
        lambda: nn.Sequential(nn.EmbeddingBag(30, 12, mode="sum", padding_idx=padding), nn.Linear(12, 3)),
        loss=nn.CrossEntropyLoss,
        lr=1e-2,
    )
    found = accused(model, art.data((words.numpy(), ((words < 9).sum(1) % 3).numpy()), batch_size=30))
    assert ("ART323" in found) is (padding == 0)


class Offsets(Net):
    """Bags of words one after another, with the places where each begins."""

    padding = None

    def build(self):
        return nn.ModuleDict({"bag": nn.EmbeddingBag(30, 12, padding_idx=self.padding), "head": nn.Linear(12, 3)})

    def training_step(self, batch, index):
        words, starts, y = batch
        return F.cross_entropy(self.net["head"](self.net["bag"](words, starts)), y)


def bags(rows):
    words, labels = zip(*rows, strict=True)
    ends = torch.tensor([len(one) for one in words]).cumsum(0)
    return torch.cat(words), torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]]), torch.tensor(labels)


def test_a_row_for_padding_of_a_real_word_is_seen_where_offsets_tell_bags_apart():
    drawn = torch.Generator().manual_seed(0)
    rows = [(torch.randint(0, 29, (5 + i % 9,), generator=drawn), i % 3) for i in range(90)]
    data = art.data(train=DataLoader(rows, batch_size=30, collate_fn=bags))
    assert "ART323" in accused(type("Real", (Offsets,), {"padding": 0}), data)
    assert not accused(type("Free", (Offsets,), {"padding": 29}), data)


def test_a_word_with_the_number_that_pads_is_seen_however_much_is_padded():
    wide = F.pad(tokens().clamp(1)[:, :8], (0, 56))
    word = torch.where(tokens()[:, :8] == 3, 0, wide[:, :8])
    both = torch.cat([word, wide[:, 8:]], 1)
    assert "ART323" in accused(Padded, loaders(both, both.sum(1) % 3))
    assert "ART323" not in accused(Padded, loaders(wide, wide.sum(1) % 3))


class Padded(Net):
    """Of the mean of words that are not padding; or of all."""

    masks, places = True, False

    def build(self):
        self.words, self.positions = nn.Embedding(11, 16, padding_idx=0), nn.Embedding(16, 16)
        return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x):
        words = self.words(x)
        if self.places:
            words = (words + self.positions(torch.arange(x.shape[1]))).tanh()
        real = (x != 0).float()[..., None] if self.masks else torch.ones_like(x).float()[..., None]
        return self.net((words * real).sum(1) / real.sum(1))


def padded():
    ids = tokens().clamp(1)
    ends = torch.randint(4, 14, (len(ids), 1), generator=torch.Generator().manual_seed(1))
    ids = ids.where(torch.arange(ids.shape[1]) < ends, 0)
    return loaders(ids, ids.sum(1) % 3)


def test_padding_that_counts_is_seen_where_it_is_declared_or_named():
    careless = type("Careless", (Padded,), {"masks": False})
    assert "ART313" in accused(careless, padded(), padding=0)
    assert "ART313" not in accused(Padded, padded(), padding=0)
    assert "ART313" in accused(careless, padded())  # the embedding names it
    assert not accused(Padded, padded())


class Tagger(Padded):
    """Of each word and the mean of its sentence; how the loss is given them is exchanged."""

    def forward(self, x):
        words = self.words(x)
        real = (x != 0).float()[..., None] if self.masks else torch.ones_like(x).float()[..., None]
        return self.net(words + (words * real).sum(1, keepdim=True) / real.sum(1, keepdim=True))

    def loss(self, outputs, y):
        return F.cross_entropy(outputs.flatten(0, 1), y.flatten(), ignore_index=-1)


@pytest.mark.parametrize(
    "loss",
    [
        Tagger.loss,
        lambda self, o, y: F.cross_entropy(o.transpose(1, 2), y, ignore_index=-1),
    ],
)
def test_padding_that_counts_is_seen_in_predictions_of_each_word(loss):
    ids = tokens().clamp(1)
    ends = torch.randint(4, 14, (len(ids), 1), generator=torch.Generator().manual_seed(1))
    real = torch.arange(ids.shape[1]) < ends
    data = loaders(ids.where(real, 0), (ids % 3).where(real, -1))
    careless = type("Careless", (Tagger,), {"masks": False, "loss": loss})
    assert "ART313" in accused(careless, data, padding=0)
    assert "ART313" not in accused(type("Careful", (Tagger,), {"loss": loss}), data, padding=0)


def test_order_is_held_to_what_is_declared():
    ordered = type("Ordered", (Padded,), {"places": True})
    assert "ART327" in accused(Padded, padded(), unordered=False)
    assert "ART327" in accused(ordered, padded(), unordered=True)
    assert not accused(ordered, padded(), unordered=False) | accused(Padded, padded(), unordered=True)


# What is correct.


class Autoencoder(Net):
    def build(self):
        return nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 64))

    def training_step(self, batch, index):
        return F.mse_loss(self(batch[0]), batch[0])


class Variational(Net):
    def build(self):
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
        return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64))

    def training_step(self, batch, index):
        mean, logarithm = self.encoder(batch[0]).chunk(2, 1)
        outputs = self.net(mean + (logarithm / 2).exp() * torch.randn_like(mean))
        divergence = -0.5 * (1 + logarithm - mean**2 - logarithm.exp()).sum(1).mean()
        return F.binary_cross_entropy_with_logits(outputs, batch[0], reduction="sum") / len(outputs) + divergence


class Contrastive(Net):
    def build(self):
        return nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))

    def training_step(self, batch, index):
        x = batch[0]
        views = self.net(torch.cat([x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)]))
        codes = F.normalize(views, dim=1)
        scores = (codes @ codes.T / 0.2).fill_diagonal_(-1e9)
        count = len(x)
        return F.cross_entropy(scores, torch.cat([torch.arange(count) + count, torch.arange(count)]))


class Siamese(Contrastive):
    def training_step(self, batch, index):
        x, y = batch
        distance = (self.net(x) - self.net(x.roll(1, 0))).norm(dim=1)
        same = (y == y.roll(1, 0)).float()
        return (same * distance**2 + (1 - same) * F.relu(1 - distance) ** 2).mean()


class Teacher(Contrastive):
    """Learns from a copy of itself that gets no gradient."""

    def made(self):
        self.target, self.predictor = copy.deepcopy(self.net), nn.Linear(16, 16)

    def training_step(self, batch, index):
        with torch.no_grad():
            wanted = self.target(batch[0] + 0.1 * torch.randn_like(batch[0]))
        return -F.cosine_similarity(self.predictor(self.net(batch[0])), wanted).mean()


class Distilled(Net):
    """Keeps its teacher out of its state dict."""

    def made(self):
        self.teacher = [nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)).eval()]

    def training_step(self, batch, index):
        wanted = self.teacher[0](batch[0]).softmax(1)
        return F.kl_div(self(batch[0]).log_softmax(1), wanted, reduction="batchmean")


class Mixed(Net):
    def training_step(self, batch, index):
        x, y = batch
        order, share = torch.randperm(len(x)), torch.rand(())
        outputs = self(share * x + (1 - share) * x[order])
        return share * F.cross_entropy(outputs, y) + (1 - share) * F.cross_entropy(outputs, y[order])


class Adversarial(L.LightningModule):
    """Trains its generator every few batches."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
        self.critic = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def training_step(self, batch, index):
        first, second = self.optimizers()
        real, noise = batch[0], torch.randn(len(batch[0]), 8)
        yes, no = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        judge = F.binary_cross_entropy_with_logits
        loss = judge(self.critic(real), yes) + judge(self.critic(self.generator(noise).detach()), no)
        second.zero_grad()
        self.manual_backward(loss)
        second.step()
        if (index + 1) % 5 == 0:
            first.zero_grad()
            self.manual_backward(judge(self.critic(self.generator(noise)), yes))
            first.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(one.parameters(), lr=1e-3) for one in (self.generator, self.critic)]


class Hinged(Adversarial):
    """Adversaries whose losses add up to a constant, of which one is cut."""

    def training_step(self, batch, index):
        first, second = self.optimizers()
        made = self.generator(torch.randn(len(batch[0]), 8))
        first.zero_grad()
        self.manual_backward(-self.critic(made.data).mean())
        first.step()
        loss = F.relu(1 - self.critic(batch[0])).mean() + F.relu(1 + self.critic(made.detach())).mean()
        second.zero_grad()
        self.manual_backward(loss)
        second.step()


def test_a_generator_that_its_own_loss_does_not_reach_is_seen():
    found = judged(Hinged)["ART324"]
    assert "generator" in found.message


class Layerwise(L.LightningModule):
    """Each layer has a loss and an optimiser of its own."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.layers = nn.ModuleList([nn.Linear(64, 32), nn.Linear(32, 32)])

    def training_step(self, batch, index):
        x = batch[0]
        for layer, optimizer in zip(self.layers, self.optimizers(), strict=True):
            good, bad = layer(x).relu(), layer(x[torch.randperm(len(x))] * torch.rand_like(x)).relu()
            optimizer.zero_grad()
            self.manual_backward(F.softplus(torch.cat([2 - good.square().mean(1), bad.square().mean(1) - 2])).mean())
            optimizer.step()
            x = good.detach()

    def configure_optimizers(self):
        return [torch.optim.SGD(layer.parameters(), lr=1e-2) for layer in self.layers]


class Experts(Net):
    """Sends each example to one of six."""

    def build(self):
        self.gate, self.head = nn.Linear(64, 6), nn.Linear(32, 10)
        return nn.ModuleList(nn.Linear(64, 32) for _ in range(6))

    def forward(self, x):
        weight, chosen = self.gate(x).softmax(1).max(1)
        hidden = torch.zeros(len(x), 32)
        for number, expert in enumerate(self.net):
            if (chosen == number).any():
                hidden[chosen == number] = expert(x[chosen == number]) * weight[chosen == number, None]
        return self.head(hidden.relu())


class Residual(nn.Module):
    """Begins with a branch of zeros."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(32, 32), nn.Linear(32, 32)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x):
        return x + self.last(self.first(x).relu())


class Several(Net):
    """Two tasks, and a head that is not used."""

    def build(self):
        self.classes, self.value, self.unused = nn.Linear(32, 10), nn.Linear(32, 1), nn.Linear(32, 3)
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU())

    def training_step(self, batch, index):
        hidden = self.net(batch[0])
        return F.cross_entropy(self.classes(hidden), batch[1]) + F.mse_loss(self.value(hidden)[:, 0], batch[1] * 1.0)


class Masked(Language):
    """Guesses hidden tokens of both sides."""

    mask = "none"

    def training_step(self, batch, index):
        hidden = torch.rand(batch[0].shape) < 0.3
        return F.cross_entropy(self(batch[0].masked_fill(hidden, 10))[hidden], batch[0][hidden])


class Reinforced(Net):
    def training_step(self, batch, index):
        chosen = torch.distributions.Categorical(logits=self(batch[0]))
        action = chosen.sample()
        reward = (action == batch[1]).float()
        return -(chosen.log_prob(action) * (reward - reward.mean())).mean()


class Tied(Language):
    def made(self):
        self.head = nn.Linear(32, 11)
        self.net[3] = nn.Linear(32, 16)
        self.net.append(nn.Linear(16, 11, bias=False))
        self.net[4].weight = self.words.weight


@pytest.mark.parametrize(
    "model",
    [
        Net, Manual, Autoencoder, Variational, Contrastive, Siamese, Teacher, Distilled, Mixed, Adversarial, Layerwise,
        Experts, Several, Reinforced,
        of(dense(64, 10)),
        of(lambda: nn.LayerNorm(64), dense(64, 10)),
        of(dense(64, 32), nn.ReLU, Residual, Residual, dense(32, 10)),
        of(made=lambda self: nn.init.zeros_(self.net[2].weight)),
        of(made=lambda self: self.net[0].requires_grad_(False) and None),
        of(
            forward=without_gradient,
            configure_optimizers=lambda self: torch.optim.Adam(self.net[2].parameters()),
        ),
        of(dense(64, 32), nn.ReLU, dense(32, 1), nn.ReLU, loss=lambda self, o, y: F.mse_loss(o[:, 0], y * 1.0)),
        of(dense(64, 32), nn.ReLU, lambda: nn.Dropout(0.5), dense(32, 10), loss=lambda self, o, y: binary(o, y)),
        of(Image, lambda: nn.Conv2d(1, 8, 3), lambda: nn.BatchNorm2d(8), nn.ReLU, nn.Flatten, dense(288, 10)),
    ],
)  # fmt: skip
def test_correct_models_are_not_accused(model):
    assert not accused(model, categories=("model", "initialization"))


class Translating(Net):
    """Reads one sequence and writes another, of which it sees what it has written."""

    causal = True

    def build(self):
        self.words, self.head = nn.Embedding(11, 16), nn.Linear(16, 11)
        return nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def training_step(self, batch, index):
        source, target = batch
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1] - 1) if self.causal else None
        hidden = self.net(self.words(source), self.words(target[:, :-1]), tgt_mask=mask)
        return F.cross_entropy(self.head(hidden).flatten(0, 1), target[:, 1:].flatten())


class Remembering(Recurrent):
    """Reads a sequence into one vector, and writes it again from that."""

    def training_step(self, batch, index):
        _, code = self.net(self.words(batch[0]))
        return F.cross_entropy(
            self.head(self.net(self.words(batch[0][:, :-1]), code)[0]).flatten(0, 1), batch[0][:, 1:].flatten()
        )


class Small(Language):
    """Begins with weights so small that nothing bends yet."""

    def made(self):
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)


def pairs():
    return loaders(tokens(), (tokens() + 1) % 11)


def test_a_decoder_that_looks_ahead_is_seen():
    assert "ART312" in accused(type("Wrong", (Translating,), {"causal": False}), pairs())


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Translating, pairs),
        (Translating, lambda: loaders(tokens(), tokens())),
        (Remembering, lambda: loaders(tokens())),
        (Small, texts),
        (Language, texts),
        (type("Module", (Language,), {"kind": "module"}), texts),
        (type("Hand", (Language,), {"kind": "by hand"}), texts),
        (Shifting, lambda: loaders(tokens())),
        (Masked, lambda: loaders(tokens())),
        (Recurrent, texts),
        (Convolutional, texts),
        (Tied, texts),
    ],
)
def test_correct_models_of_sequences_are_not_accused(model, data):
    assert not accused(model, data(), categories=("model", "initialization"))


def test_what_is_declared_frozen_may_lie_behind_a_cut():
    assert not accused(of(forward=without_gradient), frozen=["net.0"])


def test_units_that_die_in_training_are_told(tmp_path):
    def configured(rate):
        return of(configure_optimizers=lambda self: torch.optim.SGD(self.parameters(), lr=rate))

    trainer = {"accelerator": "cpu", "max_epochs": 2}
    found = {rate: art.diagnose(configured(rate), digits(), trainer=trainer, budget=120) for rate in (1000.0, 0.05)}
    told = {
        rate: {one.code for one in (*one.findings, *(s for more in one.symptoms.values() for s in more))}
        for rate, one in found.items()
    }
    assert "ART318" in told[1000.0]
    assert "ART318" not in told[0.05]
    # A third epoch is broken off before its first batch, which undoes nothing.
    longer = art.diagnose(configured(0.05), digits(), trainer={**trainer, "max_epochs": 9}, budget=120)
    assert next(one.state for one in longer.judged if one.code == "ART318") == "passed"
