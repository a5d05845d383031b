"""A teacher has its part in the loss of a training step, and in nothing else."""

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.engines import FitJob, Teaching
from art_training.engines.lightning.distance import distance
from art_training.errors import SetupError
from art_training.setup.setup import Setup

X = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))
SOFT = torch.rand(24, 3, generator=torch.Generator().manual_seed(1))
CLASSES = torch.arange(24) % 3


def module(step, outputs=3, **members):
    """A linear model whose training step is `step(self, batch)`."""

    class Model(pl.LightningModule):
        seen: list = []

        def __init__(self):
            super().__init__()
            self.net = nn.Linear(4, outputs)
            self.auxiliary = nn.Linear(4, 1)

        def training_step(self, batch, batch_idx):
            self.seen.append((self.net(batch[0]).detach(), batch))
            return step(self, batch)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    Model.seen = []
    for name, value in members.items():
        setattr(Model, name, value)
    return Model


class Data(pl.LightningDataModule):
    def __init__(self, target=CLASSES):
        super().__init__()
        self.target = target

    def train_dataloader(self):
        return DataLoader(TensorDataset(X, self.target, torch.arange(24)), 24)


@pytest.fixture
def loss(engine, tmp_path):
    """The loss of the one batch that a taught step is given."""

    def loss(model, teaching, target=CLASSES):
        points = []
        setup = Setup(model, lambda: Data(target), trainer={"max_epochs": 1})
        job = FitJob(setup, 0, tmp_path, teaching=teaching)
        result = engine.fit(job, lambda position: points.extend(position.points))
        assert result.parameters.get("teaching", {}).get("share") == (teaching.share if teaching else None)
        return next(value for name, _, _, value in points if name == "train/loss")

    return loss


def soft(batch):
    return SOFT[batch[2]].softmax(1)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_of_classes_it_is_the_divergence_at_a_temperature(loss, share, temperature):
    model = module(lambda self, batch: functional.cross_entropy(self.net(batch[0]), batch[1]))
    found = loss(model, Teaching(soft, share, temperature))
    logits, batch = model.seen[0]
    student = functional.log_softmax(logits / temperature, 1)
    teacher = functional.softmax(SOFT / temperature, 1)
    divergence = functional.kl_div(student, teacher, reduction="batchmean") * temperature**2
    own = functional.cross_entropy(logits, batch[1])
    assert found == pytest.approx(((1 - share) * own + share * divergence).item(), rel=1e-5)


def test_logarithms_of_probabilities_are_softened_like_logits(loss):
    one = module(lambda self, batch: functional.cross_entropy(self.net(batch[0]), batch[1]))
    other = module(lambda self, batch: functional.nll_loss(self.net(batch[0]).log_softmax(1), batch[1]))
    assert loss(one, Teaching(soft)) == pytest.approx(loss(other, Teaching(soft)), rel=1e-5)


def test_of_labels_it_is_the_divergence_of_each(loss):
    labels = torch.rand(24, 3, generator=torch.Generator().manual_seed(2)).round()
    wanted = torch.rand(24, 3, generator=torch.Generator().manual_seed(3))
    teaching = Teaching(lambda batch: wanted, 0.5, 2.0)
    with_logits = module(lambda self, batch: functional.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1]))
    of_probabilities = module(
        lambda self, batch: functional.binary_cross_entropy(self.net(batch[0]).sigmoid(), batch[1])
    )
    found = loss(with_logits, teaching, labels)
    assert found == pytest.approx(loss(of_probabilities, teaching, labels), rel=1e-4)
    logits, batch = with_logits.seen[0]
    pairs = (torch.stack([torch.zeros_like(one), one], -1) / 2 for one in (wanted.logit(), logits))
    teacher, student = (pair.log_softmax(-1) for pair in pairs)
    divergence = functional.kl_div(student, teacher, log_target=True, reduction="none").sum(-1).mean() * 4
    own = functional.binary_cross_entropy_with_logits(logits, batch[1])
    assert found == pytest.approx((0.5 * own + 0.5 * divergence).item(), rel=1e-4)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_of_values_it_is_the_loss_itself(loss, name):
    function = getattr(functional, name)
    targets, wanted = torch.randn(24, 1), torch.randn(24, 1)
    model = module(lambda self, batch: function(self.net(batch[0]), batch[1], reduction="sum"), outputs=1)
    found = loss(model, Teaching(lambda batch: wanted[batch[2]], 0.25), targets)
    prediction, batch = model.seen[0]
    own, teacher = (function(prediction, target, reduction="sum") for target in (batch[1], wanted))
    assert found == pytest.approx((0.75 * own + 0.25 * teacher).item(), rel=1e-5)


def test_the_main_loss_is_the_one_that_is_taught_whatever_else_is_added(loss):
    def step(self, batch):
        extra = functional.mse_loss(self.auxiliary(batch[0]), batch[0][:, :1])
        main = functional.cross_entropy(self.net(batch[0]), batch[1])
        return {"loss": main + 0.1 * extra, "kept": 7}

    model = module(step)
    found = loss(model, Teaching(soft, 1.0, 1.0))
    logits, _ = model.seen[0]
    divergence = functional.kl_div(functional.log_softmax(logits, 1), SOFT.softmax(1), reduction="batchmean")
    assert found == pytest.approx(divergence.item(), rel=1e-5)


def test_positions_that_are_ignored_are_not_taught():
    logits, target = torch.randn(2, 3, 5), torch.randint(0, 3, (2, 5))
    target[:, 3:] = -100
    wanted = torch.randn(2, 3, 5).softmax(1)
    arguments = {"input": logits, "target": target, "ignore_index": -100, "reduction": "mean"}
    found = distance("cross_entropy", arguments, wanted, 1.0)
    changed = wanted.clone()
    changed[:, :, 3:] = 1 / 3
    assert found == distance("cross_entropy", arguments, changed, 1.0)
    kept = functional.kl_div(logits.log_softmax(1), wanted, reduction="none").sum(1)[:, :3].mean()
    assert found.item() == pytest.approx(kept.item(), rel=1e-5)


def test_a_teacher_that_is_certain_teaches_without_infinities():
    logits = torch.randn(4, 3, requires_grad=True)
    certain = torch.eye(3)[[0, 1, 2, 0]]
    arguments = {"input": logits, "target": torch.tensor([0, 1, 2, 0]), "ignore_index": -100}
    distance("cross_entropy", arguments, certain, 2.0).backward()
    assert logits.grad.isfinite().all()
    labels = {"input": logits, "target": certain, "weight": None}
    distance("binary_cross_entropy_with_logits", labels, certain, 2.0).backward()
    assert logits.grad.isfinite().all()


def test_a_student_comes_near_to_its_teacher_on_digits(engine, tmp_path, ignore):
    from art_training.testing.data import digits

    (x, y), validation = digits()
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(teacher.parameters(), 0.01)
    inputs, classes = torch.as_tensor(x).float(), torch.as_tensor(y).long()
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(teacher(inputs), classes).backward()
        optimizer.step()

    def net():
        return nn.Linear(64, 10)

    model = art.from_torch(net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.01)
    wrong = (x, (y + 1) % 10)  # the labels alone would teach another thing
    setup = art.Setup(model, art.data(wrong, validation, batch_size=64), trainer={"max_epochs": 5})
    teaching = Teaching(lambda batch: teacher(batch[0].float()).softmax(1), share=0.9)
    result = engine.fit(FitJob(setup, 0, tmp_path, teaching=teaching), ignore)
    student = engine.weights(result.last)
    held = torch.as_tensor(validation[0]).float()
    said = (held @ student["model.weight"].T + student["model.bias"]).argmax(1)
    assert (said == teacher(held).argmax(1)).float().mean() > 0.85


@pytest.mark.parametrize(
    ("step", "teacher", "sentence"),
    [
        (lambda self, batch: self.net(batch[0]).square().mean(), soft, "calls no loss of torch that a teacher"),
        (None, lambda batch: SOFT, "gave values between .* it must give probabilities"),
        (None, lambda batch: SOFT[:, :2], r"gave \(24, 2\) where the student's predictions are \(24, 3\)"),
        (None, lambda batch: None, "gave NoneType where"),
    ],
)
def test_what_cannot_be_taught_is_told(loss, step, teacher, sentence):
    model = module(step or (lambda self, batch: functional.cross_entropy(self.net(batch[0]), batch[1])))
    wanted = (lambda batch: teacher(batch) * 5) if "probabilities" in sentence else teacher
    with pytest.raises(SetupError, match=sentence):
        loss(model, Teaching(wanted))


def test_a_module_that_optimises_by_itself_cannot_be_taught(loss):
    model = module(lambda self, batch: None, automatic_optimization=property(lambda self: False))
    with pytest.raises(SetupError, match="optimises by itself"):
        loss(model, Teaching(soft))


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
def test_a_step_that_leaves_a_batch_out_goes_on_doing_so(engine, tmp_path, ignore):
    model = module(lambda self, batch: None)
    setup = Setup(model, Data, trainer={"max_epochs": 1})
    assert engine.fit(FitJob(setup, 0, tmp_path, teaching=Teaching(soft)), ignore).epochs == 1


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"share": 1.1}, {"temperature": 0.0}])
def test_teaching_that_makes_no_sense_is_refused(settings):
    with pytest.raises(SetupError, match="teaching"):
        Teaching(soft, **settings)
