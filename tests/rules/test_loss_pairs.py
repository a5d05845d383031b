"""Objectives on pairs that nothing keeps apart, pairs that do not differ, and codes that carry nothing."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.distributions import Normal
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import art_training as art

CODES = ("ART141", "ART334", "ART452", "ART455")
ROWS = 1280
X = torch.tensor(load_digits().data[:ROWS], dtype=torch.float32) / 16
Y = torch.tensor(load_digits().target[:ROWS])


def net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, outputs))


class Views(Dataset):
    def __init__(self, copied=False):
        self.copied = copied

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        view = X[index] + 0.1 * torch.randn(64)
        return view, view if self.copied else X[index] + 0.1 * torch.randn(64)


class Pairs(Dataset):
    """Two digits, and whether they are of one class."""

    def __init__(self, label=None):
        self.label = label

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        same = index % 2 if self.label is None else self.label
        others = torch.where((Y[index] == Y) == bool(same))[0]
        return X[index], X[others[(7 * index) % len(others)]], torch.tensor(float(same))


class Triplets(Dataset):
    def __init__(self, negative="other class"):
        self.negative = negative

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        same, others = torch.where(Y[index] == Y)[0], torch.where(Y[index] != Y)[0]
        positive, negative = X[same[(3 * index) % len(same)]], X[others[(7 * index) % len(others)]]
        return {
            "anchor": X[index],
            "positive": positive,
            "negative": X[index] if self.negative == "anchor" else negative,
        }


class Learner(L.LightningModule):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Attracted(Learner):
    """Two views shall have one representation."""

    def __init__(self):
        super().__init__()
        self.encoder = net(64, 32)

    def training_step(self, batch, index):
        return F.mse_loss(self.encoder(batch[0]), self.encoder(batch[1]))


class SimSiam(Learner):
    def __init__(self, stops=True):
        super().__init__()
        self.stops, self.encoder, self.predictor = stops, net(64, 32), net(32, 32)

    def training_step(self, batch, index):
        one, other = self.encoder(batch[0]), self.encoder(batch[1])
        targets = (one.detach(), other.detach()) if self.stops else (one, other)
        first = F.cosine_similarity(self.predictor(one), targets[1]).mean()
        return -(first + F.cosine_similarity(self.predictor(other), targets[0]).mean()) / 2


class VICReg(Learner):
    def __init__(self, variance=25.0):
        super().__init__()
        self.variance, self.encoder = variance, net(64, 32)

    def training_step(self, batch, index):
        views = self.encoder(batch[0]), self.encoder(batch[1])
        spread = sum(F.relu(1 - torch.sqrt(one.var(0) + 1e-4)).mean() for one in views)
        covariance = sum((torch.cov(one.T) - torch.diag(one.var(0))).square().sum() / 32 for one in views)
        return 25 * F.mse_loss(*views) + self.variance * spread + covariance


class InBatch(Learner):
    """Negatives are the other rows; views are drawn in the step."""

    def __init__(self, noise=0.1):
        super().__init__()
        self.noise, self.encoder = noise, net(64, 32)

    def view(self, images):
        return F.normalize(self.encoder(images * 0.9 + self.noise * torch.randn_like(images)), dim=1)

    def training_step(self, batch, index):
        images, _ = batch
        return F.cross_entropy(self.view(images) @ self.view(images).T / 0.2, torch.arange(len(images)))


class Dropped(Learner):
    """Views of one input differ by dropout."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32))

    def training_step(self, batch, index):
        one, other = (F.normalize(self.encoder(view), dim=1) for view in batch)
        return F.cross_entropy(one @ other.T / 0.1, torch.arange(len(one)))


class Siamese(Learner):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin, self.encoder = margin, net(64, 16)

    def training_step(self, batch, index):
        one, other, same = batch
        apart = F.pairwise_distance(self.encoder(one), self.encoder(other))
        return (same * apart**2 + (1 - same) * F.relu(self.margin - apart) ** 2).mean()


class Cosines(Siamese):
    def training_step(self, batch, index):
        one, other, same = batch
        return F.cosine_embedding_loss(self.encoder(one), self.encoder(other), 2 * same - 1, margin=0.2)


class Triplet(Learner):
    def __init__(self):
        super().__init__()
        self.encoder = net(64, 16)

    def training_step(self, batch, index):
        return F.triplet_margin_loss(*(self.encoder(batch[name]) for name in ("anchor", "positive", "negative")))


class Vae(Learner):
    def __init__(self, divergence=0.1, error="sum", code="drawn"):
        super().__init__()
        self.divergence, self.error, self.code = divergence, error, code
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

    def training_step(self, batch, index):
        images, _ = batch
        mu, logvar = self.encoder(images).chunk(2, 1)
        noise = torch.randn_like(mu)
        z = noise if self.code == "noise" else mu + torch.exp(0.5 * logvar) * noise
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
        if self.error == "unreduced":
            return F.mse_loss(self.decoder(z), images, reduction="none").sum(1).mean() + self.divergence * kl
        error = F.mse_loss(self.decoder(z), images)
        return (error * 64 if self.error == "sum" else error) + self.divergence * kl


class Sampled(Vae):
    """The code is drawn in some way."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def training_step(self, batch, index):
        mu, logvar = self.encoder(batch[0]).chunk(2, 1)
        z = self.draw(mu, torch.exp(0.5 * logvar))
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
        return F.mse_loss(self.decoder(z), batch[0]) * 64 + 0.1 * kl


class ByHand(Vae):
    """Optimises by itself."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, index))
        optimizer.step()

    def validation_step(self, batch, index):
        self.log("error", F.mse_loss(self.decoder(self.encoder(batch[0])[:, :8]), batch[0]))


class Autoencoder(Learner):
    def __init__(self, code="own"):
        super().__init__()
        self.code, self.encoder, self.decoder = code, net(64, 8), net(8, 64)

    def training_step(self, batch, index):
        code = self.encoder(batch[0])
        code = code.mean(0, keepdim=True).expand_as(code) if self.code == "mean" else code
        return F.mse_loss(self.decoder(code), batch[0])


@pytest.fixture
def found(judged):
    def ask(model, data):
        return judged(model, art.data(data, batch_size=64), codes=CODES)

    return ask


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Attracted, Views()),
        (lambda: SimSiam(stops=False), Views()),
        (lambda: VICReg(0.0), Views()),
        (lambda: Siamese(0.0), Pairs()),
        (Siamese, Pairs(1)),
    ],
    ids=["attraction alone", "nothing stopped", "no variance", "no margin", "positives alone"],
)
def test_an_objective_that_one_representation_for_all_meets_is_an_error(found, model, data):
    seen = found(model, data)["ART452"]
    assert seen.severity == "error"
    assert abs(seen.evidence["exchanged"] - seen.evidence["paired"]) < 0.1 * seen.evidence["exchanged before"]
    assert "on exchanged pairs" in seen.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Attracted, Views(copied=True)),
        (SimSiam, Views(copied=True)),
        (lambda: InBatch(0.0), (X, Y)),
        (Triplet, Triplets(negative="anchor")),
        (Siamese, Pairs(0)),
        (Cosines, Pairs(1)),
    ],
    ids=["copied views", "copied views, a gradient stopped", "views of a step", "a negative", "negatives", "positives"],
)
def test_pairs_that_do_not_differ_are_an_error(found, model, data):
    seen = found(model, data)["ART141"]
    assert seen.severity == "error"
    assert seen.evidence["rows"] >= 64
    assert seen.confirmed_by


class Transitions(Dataset):
    """States and what follows them, with a reward, and whether the episode ended, which it hardly ever does."""

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        return X[index], index % 4, X[index].sum() / 64, X[(index + 1) % ROWS], torch.tensor(float(index % 300 == 299))


class Values(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = net(64, 4)

    def training_step(self, batch, index):
        state, action, reward, after, ended = batch
        with torch.no_grad():
            target = reward + 0.9 * (1 - ended) * self.net(after).amax(1)
        return F.mse_loss(self.net(state).gather(1, action[:, None])[:, 0], target)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class SameOrNot(Dataset):
    """Pairs of which few are of different classes, these in the last rows."""

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        return Pairs(int(index < ROWS - 40))[index]


class Repeats(L.LightningModule):
    """Gives a sequence again, token by token, which its decoder is taught."""

    def __init__(self):
        super().__init__()
        self.tokens, self.read = nn.Embedding(12, 16), nn.GRU(16, 32, batch_first=True)
        self.write, self.head = nn.GRU(16, 32, batch_first=True), nn.Linear(32, 12)

    def training_step(self, batch, index):
        source, target = batch
        _, state = self.read(self.tokens(source))
        given, _ = self.write(self.tokens(target), state)
        return F.cross_entropy(self.head(given[:, :-1]).transpose(1, 2), target[:, 1:])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


SEQUENCES = torch.randint(12, (640, 8), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("model", "data"),
    [(Values, Transitions()), (Siamese, SameOrNot()), (Repeats, (SEQUENCES, SEQUENCES))],
    ids=["ends of episodes", "pairs in their order", "a sequence as its own target"],
)
def test_entries_that_happen_to_be_alike_are_not_accused(judged, model, data):
    batches = DataLoader(data, batch_size=32) if isinstance(data, Dataset) else data
    assert "ART141" not in judged(model, art.data(batches, batch_size=32), codes=CODES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data"),
    [
        (SimSiam, Views()),
        (VICReg, Views()),
        (InBatch, (X, Y)),
        (Dropped, (X, X)),
        (Siamese, Pairs()),
        (Cosines, Pairs()),
        (Triplet, Triplets()),
    ],
    ids=["SimSiam", "VICReg", "in the batch", "dropout", "Siamese", "cosines", "triplets"],
)
def test_what_keeps_examples_apart_is_not_accused(found, model, data):
    assert not found(model, data)


@pytest.mark.parametrize(
    "model", [lambda: Vae(code="noise"), lambda: Autoencoder("mean")], ids=["noise alone", "a mean over the batch"]
)
def test_what_does_not_follow_its_input_is_an_error(found, model):
    seen = found(model, (X, Y))["ART334"]
    assert seen.severity == "error"
    assert seen.evidence["begun"] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("divergence", "error"), [(1.0, "mean"), (60.0, "unreduced")])
def test_a_divergence_that_is_too_strong_is_a_warning(found, divergence, error):
    seen = found(lambda: Vae(divergence, error), (X, Y))["ART455"]
    assert seen.severity == "warning"
    assert seen.evidence.get("after", 0.0) < 0.002 < seen.evidence.get("alone", 1.0)


@pytest.mark.slow
def test_a_divergence_that_is_too_strong_is_seen_where_the_step_optimises_by_itself(found):
    assert found(lambda: ByHand(1.0, "mean"), (X, Y))["ART455"].severity == "warning"


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        torch.normal,
        lambda mu, std: Normal(mu, std).sample(),
        lambda mu, std: (mu + std * torch.randn_like(std)).detach(),
    ],
    ids=["normal", "sample", "detach"],
)
def test_a_code_that_is_cut_off_from_its_reconstruction_is_an_error(found, draw):
    seen = found(lambda: Sampled(draw), (X, Y))["ART334"]
    assert seen.severity == "error"
    assert seen.evidence["whole"] > 0.1 > 0.05 > seen.evidence["after"]
    assert "exactly zero" in seen.confirmed_by
    assert "test_loss_pairs.py" in seen.where


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        Vae,
        Autoencoder,
        lambda: Vae(error="unreduced"),
        ByHand,
        lambda: Sampled(lambda mu, std: Normal(mu, std).rsample()),
    ],
    ids=["variational", "plain", "unreduced", "by hand", "rsample"],
)
def test_codes_that_carry_something_are_not_accused(found, model):
    assert not found(model, (X, Y))


@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss, nn.MSELoss], ids=["several labels", "several targets"])
def test_a_loss_that_is_a_module_is_no_layer_that_does_not_follow_its_input(found, loss):
    targets = torch.stack([Y % 2 == 0, Y > 4, Y % 3 == 0], dim=1).float()

    class Classifier(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.loss = net(64, 3), loss()

        def training_step(self, batch, index):
            return self.loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    assert not found(Classifier, (X, targets))
