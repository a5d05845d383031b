"""What a model raises on its first batch, or where it makes its optimiser, is one sentence with what is known."""

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import art_training as art
from art_training.checks import Exists
from art_training.engines.mistakes import shapes
from art_training.errors import SetupError
from art_training.steps import Overfit
from art_training.steps.step import only
from art_training.stores.memory import MemoryStore

X, Y = torch.randn(24, 30, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 3


class Net(L.LightningModule):
    """Three classes of thirty features; what is wrong is given."""

    def __init__(self, features: int = 30, width: int = 16, lr: float = 0.1) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(features, 16), nn.ReLU(), nn.Linear(width, 3))

    def loss(self, batch) -> Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Keys(Net):
    def loss(self, batch):
        return F.cross_entropy(self.net(batch["img"]), batch["label"])


class Two(Net):
    def loss(self, batch):
        return F.binary_cross_entropy(self.net(batch[0])[:, :1].sigmoid(), batch[1])


class Logits(Net):
    def loss(self, batch):
        return F.binary_cross_entropy_with_logits(self.net(batch[0])[:, :1], batch[1])


class Unfinished(Net):
    def loss(self, batch):
        return self.nett(batch[0])


class Late(Net):
    """Breaks in the middle of its training."""

    def training_step(self, batch, index):
        if self.current_epoch == 1:
            raise ValueError("the user's own")
        return self.loss(batch)


def run(model, x=X, y=Y, *, names=None, **hparams) -> None:
    entries = (x, y) if names is None else dict(zip(names, (x, y), strict=True))
    setup = art.Setup(
        model,
        art.data(train=entries, validation=entries, batch_size=8),
        hparams=hparams,
        trainer={"max_epochs": 2, "accelerator": "cpu"},
    )
    art.ArtProject("p", setup, steps=[Overfit(checks=only(Exists("train/loss")))], store=MemoryStore()).run()


HALVES = (Y == 1).float()


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (
            lambda: run(Net, features=31),
            r"Net.\w+_step cannot take its first batch \(0: \(8, 30\) float32, 1: .*: layer net.0, Linear\(in_features=31, .*30 features and not 31, at test_mistakes.py:\d+ `.*`; write nn.Linear\(30, 16\)$",
        ),
        (lambda: run(Net, width=8), r"layer net.2, Linear\(in_features=8.*shape \(8, 16\).*write nn.Linear\(16, 3\)$"),
        (
            lambda: run(art.from_torch(lambda: nn.Linear(31, 3), loss=nn.CrossEntropyLoss, lr=0.1)),
            r"^Linear cannot take its first batch",
        ),
        (lambda: run(Net, x=X[:, None]), r"Net.\w+_step cannot take its first batch .*8, 1, 30"),
        (lambda: run(Net, x=X.double()), r"dtype.*x.float\(\)"),
        (lambda: run(Net, y=Y + 1), r"predicts 3 classes, which are numbered 0 to 2, .* from 1 to 3.*: labels - 1$"),
        (lambda: run(Net, y=Y * 2), r"from 0 to 4.*; let the last layer have 5 outputs, or mend the labels$"),
        (lambda: run(Net, y=Y - 1), r"from -1 to 1.*; count the labels from zero"),
        (
            lambda: run(Keys, names=("image", "label")),
            r"image: \(8, 30\) float32.*the batch has no 'img', at .*; it has: 'image', 'label'; name one of these$",
        ),
        (lambda: run(Two, y=HALVES), r"prediction has shape \(8, 1\) and the target \(8,\).*y\[:, None\]"),
        (lambda: run(Logits, y=HALVES), r"prediction has shape \(8, 1\) and the target \(8,\).*y\[:, None\]"),
        (lambda: run(Two, y=HALVES[:, None] + 1), r"between 0 and 1, and goes from 1 to 2.*number two classes 0 and 1"),
        (lambda: run(Logits, y=HALVES[:, None] + 1), r"between 0 and 1, and those of the first batch go from 1 to 2"),
        (lambda: run(Unfinished), r"AttributeError: 'Unfinished' object has no attribute 'nett', at test_mistakes.py"),
        (
            lambda: run(Net, lr=-1),
            r"^the optimiser of Net cannot be made: lr=-1 is outside.*, at .*`; give a number above",
        ),
        (
            lambda: run(art.from_torch(lambda: nn.Linear(30, 3), loss=nn.CrossEntropyLoss, lr=1.0, weight_decay=-2)),
            r"^the optimiser of Linear cannot be made: weight_decay=-2 is outside of what it takes; give another",
        ),
        (
            lambda: run(art.from_torch(lambda: nn.Linear(30, 3), loss=nn.CrossEntropyLoss, lr="1e-3")),
            r"^the optimiser of Linear cannot be made: lr='1e-3' is text, and not a number; write lr=1e-3$",
        ),
        (
            lambda: run(Net, width="16"),
            r"^Net with hparams=\{.*'width': '16'.*\} cannot be made: TypeError: .*, at test_mistakes.py:\d+ `.*; mend that",
        ),
    ],
)
def test_a_mistake_that_the_first_batch_shows_is_one_sentence(mistake, told) -> None:
    with pytest.raises(SetupError, match=told) as raised:
        mistake()
    assert "\n" not in str(raised.value)


def test_what_the_users_code_raises_later_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="the user's own") as raised:
        run(Late)
    assert not isinstance(raised.value, SetupError)


def test_a_class_that_the_model_does_not_predict_is_told_whichever_batch_has_it() -> None:
    with pytest.raises(SetupError, match=r"cannot take (batch \d|its first batch) .*3 classes"):
        run(Net, y=torch.cat([Y[:16], Y[16:] + 1]))


def test_a_batch_is_told_by_its_entries() -> None:
    assert shapes({"a": {"b": torch.zeros(2, 3)}, "c": "text"}) == "a.b: (2, 3) float32, c: str"
    assert shapes([torch.zeros(1)] * 9).endswith("and 3 more")
    assert shapes(torch.zeros(4).int()) == "(4,) int32"


class Returns(Net):
    """A training step that computes the loss and gives something else."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def training_step(self, batch, index):
        loss = self.loss(batch)
        return {"item": loss.item, "nothing": lambda: None, "detached": loss.detach}[self.what]()


@pytest.mark.filterwarnings("ignore:.training_step. returned .None.")
@pytest.mark.parametrize(
    ("what", "told"),
    [
        (
            "item",
            r"^Returns.training_step returns something that is no tensor, so nothing can be learned; .*\.item\(\)",
        ),
        (
            "nothing",
            r"^Returns.training_step returned no loss for any batch, so no weight has changed; .*`return loss`",
        ),
        ("detached", r"^the loss that Returns.training_step returns is not connected.*\.detach\(\)"),
    ],
)
def test_a_training_step_that_nothing_can_be_learned_from_is_told(what, told) -> None:
    with pytest.raises(SetupError, match=told) as raised:
        run(Returns, what=what)
    assert "\n" not in str(raised.value)


class Picky(Net):
    """Skips a batch on purpose."""

    def training_step(self, batch, index):
        return None if index == 1 else self.loss(batch)


@pytest.mark.filterwarnings("ignore:.training_step. returned .None.")
def test_a_batch_may_be_skipped_on_purpose() -> None:
    run(Picky)
