"""Rules on repetition, on weights from elsewhere and on what is saved."""

import copy
import dataclasses
import functools
import typing
import warnings

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

import art_training as art

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16, dtype=torch.float32)[:400], torch.tensor(Y)[:400]
TRAINER = {"max_epochs": 2, "accelerator": "cpu"}


def digits():
    return (
        DataLoader(TensorDataset(X[:320], Y[:320]), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(X[320:], Y[320:]), batch_size=40),
    )


def codes(model, data=None, *, severe=True, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis = art.diagnose(model, data or digits(), **{"trainer": TRAINER, "budget": 120, **options})
    assert not diagnosis.broken, diagnosis.broken
    reasons = [one.reason for one in diagnosis.judged if one.state == "not judged" and one.code.startswith("ART8")]
    assert not [one for one in reasons if "raised" in one], reasons
    found = [*diagnosis.findings, *(one for many in diagnosis.symptoms.values() for one in many)]
    return {one.code: one for one in found if one.code.startswith("ART8") and (not severe or one.severity != "info")}


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.backbone(x))

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam([one for one in self.parameters() if one.requires_grad], lr=3e-3)


class Tokens(L.LightningModule):
    """A small language model."""

    def __init__(self, tied="tied"):
        super().__init__()
        self.embedding = nn.Embedding(17, 16)
        self.mix = nn.GRU(16, 16, batch_first=True)
        self.lm_head = nn.Linear(16, 17, bias=False)
        if tied == "tied":
            self.lm_head.weight = self.embedding.weight
        elif tied == "copied":
            self.lm_head.weight = nn.Parameter(self.embedding.weight.detach().clone())
        elif tied == "said":
            self.config = {"tie_word_embeddings": True}

    def training_step(self, batch, index):
        z = self.lm_head(self.mix(self.embedding(batch[0][:, :-1]))[0])
        return F.cross_entropy(z.flatten(0, 1), batch[0][:, 1:].flatten())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


TOKENS = (X[:128, :16] * 16).long()


def tokens():
    return (DataLoader(TensorDataset(TOKENS), batch_size=16, shuffle=True),)


# Reproducibility.


class Noisy(Dataset):
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def __len__(self):
        return 320

    def __getitem__(self, index):
        return X[index] + torch.tensor(self.random.normal(0, 0.01, 64), dtype=torch.float32), Y[index]


class NoisyData(L.LightningDataModule):
    def __init__(self, seed=None):
        super().__init__()
        self.seed = seed

    def train_dataloader(self):
        return DataLoader(Noisy(self.seed), batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(X[320:], Y[320:]), batch_size=40)


class OwnSeed(Net):
    def __init__(self):
        super().__init__()
        torch.nn.init.normal_(self.head.weight, 0, 0.1, generator=_from_entropy())


def _from_entropy():
    generator = torch.Generator()
    generator.seed()
    return generator


def test_data_that_draw_from_the_entropy_of_the_machine_are_told():
    assert "are others though the seed is the same" in codes(Net, NoisyData)["ART810"].message


def test_weights_that_are_drawn_from_the_entropy_of_the_machine_are_told():
    assert codes(OwnSeed)["ART810"].where == "head.weight"


def test_what_is_seeded_begins_the_same():
    assert not codes(Net, functools.partial(NoisyData, 0))


# Transfer.


class Frozen(Net):
    def __init__(self, freeze=True):
        super().__init__()
        self.backbone.requires_grad_(not freeze)


def test_what_is_declared_frozen_and_moves_is_told():
    found = codes(functools.partial(Frozen, freeze=False), frozen=["backbone"])["ART820"]
    assert "of backbone" in found.message
    assert not codes(Frozen, frozen=["backbone"])
    assert "stands for no parameter" in codes(Frozen, frozen=["backbon"])["ART820"].message


class PlainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.enc(x))


PLAIN = {"loss": F.cross_entropy, "optimizer": functools.partial(torch.optim.Adam, lr=3e-3)}


def frozen_encoder():
    net = PlainNet()
    net.enc.requires_grad_(False)
    return net


def test_what_is_declared_of_a_plain_module_is_named_as_its_user_names_it():
    found = codes(PlainNet, **PLAIN, frozen=["enc"], pretrained=["enc"])
    assert "parameters of enc.0, enc.1 are declared frozen" in found["ART820"].message
    assert found["ART820"].where == "enc.0, enc.1"
    assert "enc is declared pretrained" in found["ART821"].message
    assert not codes(frozen_encoder(), **PLAIN, frozen=["enc.*"])
    wrapped = art.from_torch(PlainNet, **PLAIN)
    assert codes(wrapped, frozen=["enc"])["ART820"].where == "enc.0, enc.1"


@pytest.mark.parametrize("declaration", ["frozen", "unused", "pretrained"])
def test_names_that_stand_for_nothing_are_told_with_those_that_there_are(declaration):
    found = codes(frozen_encoder, **PLAIN, **{declaration: ["encoder"]})
    told = found["ART821" if declaration == "pretrained" else "ART820"]
    assert told.message == f"{declaration}=['encoder'] stands for no parameter of the model"
    assert "enc, head" in told.remedy


class Pretrained(Net):
    def __init__(self, again="no"):
        super().__init__()
        self.load_state_dict(WEIGHTS)
        if again == "all":
            self.apply(initialised)
        elif again == "head":
            self.head.reset_parameters()
        elif again == "noise":
            with torch.no_grad():
                for one in self.parameters():
                    one.add_(0.01 * torch.randn_like(one))


class LateInit(Pretrained):
    def on_fit_start(self):
        self.apply(initialised)


def initialised(module):
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight)


def trained():
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(net(X[:320]), Y[:320]).backward()
        optimizer.step()
    return copy.deepcopy(net.state_dict())


WEIGHTS = trained()


@pytest.mark.parametrize("model", [functools.partial(Pretrained, again="all"), LateInit])
def test_weights_that_are_loaded_and_overwritten_are_told(model):
    assert "2 hold other weights" in codes(model)["ART821"].message


def test_what_is_declared_pretrained_and_fresh_is_told():
    assert "declared pretrained" in codes(Net, pretrained=["backbone"])["ART821"].message


@pytest.mark.parametrize("again", ["no", "head", "noise"])
def test_loaded_weights_that_are_used_are_not_accused(again):
    assert not codes(functools.partial(Pretrained, again=again), pretrained=["backbone"])


class OnlyNorms(Net):
    def __init__(self):
        super().__init__()
        for name, one in self.named_parameters():
            one.requires_grad = name.startswith("backbone.1")


class OnlyFirstConv(Net):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(288, 10).requires_grad_(False)


@pytest.mark.parametrize("model", [OnlyNorms, OnlyFirstConv])
def test_a_fresh_head_that_is_frozen_is_told(model):
    found = codes(model)["ART822"]
    assert found.where == "head"
    assert "with the layer training" in found.confirmed_by
    assert not codes(model, frozen=["head", "backbone.0"] if model is OnlyNorms else ["head"])


@pytest.mark.parametrize("tied", ["copied", "said"])
def test_weights_that_should_be_tied_and_are_not_are_told(tied):
    assert "ART824" in codes(functools.partial(Tokens, tied), tokens())


def test_tied_weights_are_tied():
    assert not codes(Tokens, tokens())
    assert not codes(functools.partial(Tokens, "two"), tokens())


# Checkpoints.


class Outside(Net):
    """A projection that nobody saves."""

    def __init__(self):
        super().__init__()
        self.projection = torch.randn(64, 64) / 8

    def forward(self, x):
        return super().forward(x @ self.projection)


class InList(Net):
    """A layer in a list, which is neither saved nor trained."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(64, 64)]

    def forward(self, x):
        return super().forward(torch.relu(self.layers[0](x)))


class ByHand(Outside):
    """Manual optimisation."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, index))
        optimizer.step()


class HandWritten(Outside):
    """A loss that is none of torch's."""

    def training_step(self, batch, index):
        chances = self(batch[0]).log_softmax(1).gather(1, batch[1][:, None])
        return (-((1 - chances.exp()) ** 2) * chances).mean()


class Registered(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("projection", torch.randn(64, 64) / 8)

    def forward(self, x):
        return super().forward(x @ self.projection)


class SavesItself(Outside):
    def on_save_checkpoint(self, checkpoint):
        checkpoint["projection"] = self.projection

    def on_load_checkpoint(self, checkpoint):
        self.projection = checkpoint["projection"]


@pytest.mark.parametrize(
    ("model", "attribute"),
    [(Outside, "projection"), (InList, "layers"), (ByHand, "projection"), (HandWritten, "projection")],
)
def test_what_predictions_depend_on_and_is_not_saved_is_named_and_confirmed(model, attribute):
    found = codes(model)["ART840"]
    assert found.where == attribute
    assert "copied over" in found.confirmed_by


class Searching(Registered):
    """An optimiser that looks for its step by itself, and a loss that is none of torch's."""

    training_step = HandWritten.training_step

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=0.5, max_iter=3)


@pytest.mark.parametrize("model", [Net, Registered, SavesItself, Searching])
def test_what_is_saved_is_enough(model):
    assert not codes(model)


class NotFinite(Net):
    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.head.weight[0, 0] = torch.nan


def test_weights_that_are_no_numbers_are_told():
    assert codes(NotFinite)["ART841"].where == "head.weight"


class KeepsBest(Net):
    """The best weights, as they are often kept."""

    def __init__(self, keep=dict):
        super().__init__()
        self.best, self.keep = None, keep

    def on_validation_epoch_end(self):
        if self.best is None:
            self.best = self.keep(self.state_dict())


class KeepsInCallback(L.Callback):
    def on_train_start(self, trainer, module):
        self.state = {"best": module.head.state_dict()}


class KeepsList(KeepsBest):
    """The best weights in order, as they are or as copies."""

    def __init__(self, keep=lambda one: one.data):
        super().__init__(lambda state: [keep(one) for one in self.parameters()])


class Averages(Net):
    """A list that is there before training is a handle for an average."""

    def __init__(self):
        super().__init__()
        self.live = [one.data for one in self.parameters()]


def test_lists_of_weights_that_were_put_aside_go_on_training_too():
    assert codes(KeepsList)["ART842"].where == "KeepsList.best"
    assert "ART842" not in codes(functools.partial(KeepsList, lambda one: one.data.clone()))
    assert "ART842" not in codes(Averages)


class SharedByUse(Net):
    """One matrix there and back again."""

    def __init__(self, tied=True):
        super().__init__()
        self.there = nn.Parameter(torch.randn(8, 32) / 6)
        self.back = None if tied else nn.Parameter(self.there.detach().clone())

    def training_step(self, batch, index):
        matrix = self.there if self.back is None else self.back
        x = self.backbone(batch[0])
        return F.cross_entropy(self.head(x), batch[1]) + F.mse_loss(F.linear(x, self.there) @ matrix, x)


def test_a_matrix_that_is_used_twice_is_tied():
    assert "ART824" not in codes(SharedByUse, ties=True)
    assert "ART824" in codes(functools.partial(SharedByUse, tied=False), ties=True)


def test_kept_weights_that_go_on_training_are_told():
    assert codes(KeepsBest)["ART842"].where == "KeepsBest.best"
    assert codes(Net, trainer={**TRAINER, "callbacks": KeepsInCallback})["ART842"].where == "KeepsInCallback.state.best"


@dataclasses.dataclass(slots=True)
class Record:
    score: float
    weights: dict | None = None


class Holder:
    def __init__(self, weights):
        self.weights = weights


class Pair(typing.NamedTuple):
    score: float
    weights: dict


@pytest.mark.parametrize(
    ("keep", "where"),
    [
        (lambda weights: (0.5, weights), "1"),
        (lambda weights: [(0.5, weights)], "0.1"),
        (lambda weights: Record(0.5, weights), "weights"),
        (Holder, "weights"),
        (lambda weights: Pair(0.5, weights), "weights"),
    ],
)
def test_kept_weights_are_found_in_what_holds_them(keep, where):
    assert codes(functools.partial(KeepsBest, keep))["ART842"].where == f"KeepsBest.best.{where}"


class Functional(Net):
    def __init__(self):
        super().__init__()
        self.fast = dict(self.head.named_parameters())


@pytest.mark.parametrize(
    "model",
    [
        functools.partial(KeepsBest, copy.deepcopy),
        functools.partial(KeepsBest, lambda one: (0.5, copy.deepcopy(one))),
        Functional,
    ],
)
def test_copies_and_dictionaries_of_parameters_are_not_accused(model):
    assert "ART842" not in codes(model)
